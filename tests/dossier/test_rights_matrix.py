"""The habilitation matrix: what is shipped, what is taken, what is refused, and since when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossier import rights
from dossier.codes import codes
from dossier.rights import Habilitation, MatrixError, import_matrix, matrix_csv
from dossier.rights.matrix import current_matrix, default_rows, matrix_of
from dossier.rights.matrix_import import switch_matrix
from dossier.rights.matrix_rows import PARTS, parse, read
from store import Store, now_ms
from tests.dossier.rights_support import PRESCRIPTION, Record, physiotherapist


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home") as opened:
        yield opened


def written(folder: Path, text: str, name: str = "matrix.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_one() -> None:
    shipped = matrix_of(0, default_rows())
    classes = [one.code for one in codes("class")]
    assert all(shipped.opens("10", one, "") for one in classes), "physicians read every class"
    assert not shipped.opens("10", "95", "ATTEST-RESID"), "but no proof of residence"
    assert shipped.opens("10", "95", "ATTEST-DROITS-AM")
    assert not any(shipped.opens(who, one, "") for who in ("", "99", "AUTOMATE") for one in classes)
    assert not shipped.opens("10", "99", ""), "a class that no row knows"
    adders = {one.profession for one in default_rows() if one.rights == "read+add"}
    assert {one for one in adders if shipped.adds(one, "vaccinations")} == {"10", "21", "50", "60", "69"}
    others = {one.profession for one in default_rows()} - {"10"}
    assert not any(shipped.opens(who, "95", "") or shipped.opens(who, "60", "") for who in others)


def test_import_show_export(store: Store, tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "rights,item,profession,remark\nread,10,10,\nnone,10/11502-2,10,x\nread+add,vaccinations,60,\n",
    )
    tried = import_matrix(store, file, actor="cli:test", dry_run=True)
    assert (tried.version, tried.switched, tried.rows, tried.bad_count) == (0, False, 3, 0)
    assert (tried.added, tried.changed, tried.removed) == (1, 0, len(default_rows()) - 2)
    assert store.read(current_matrix).opens("10", "42", "")
    before = now_ms()
    done = import_matrix(store, file, actor="cli:test")
    assert (done.version, done.switched) == (1, True)
    table = store.read(current_matrix)
    assert table.opens("10", "10", "11488-4")
    assert not table.opens("10", "10", "11502-2")
    assert not table.opens("10", "42", "")
    assert store.read(current_matrix, before - 1).opens("10", "42", ""), "the one that held then"
    assert not import_matrix(store, file, actor="cli:test").switched, "the same again"
    out = written(tmp_path, matrix_csv(store.read(rights.matrix_rows, 1)), "out.csv")
    assert not import_matrix(store, out, actor="cli:test").switched
    back = written(tmp_path, matrix_csv(default_rows()), "back.csv")
    assert import_matrix(store, back, actor="cli:test").version == 2
    versions = store.read(rights.matrix_versions)
    assert [(one.version, one.source) for one in versions] == [
        (2, "back.csv"),
        (1, "matrix.csv"),
        (0, "habilitations.csv"),
    ]
    assert bytes(versions[0].sha256) == versions[2].sha256
    assert store.read(rights.matrix_rows, 7) == []


def test_one_bad_row_refuses_the_file(store: Store, tmp_path: Path) -> None:
    rows = ["10;10;read", "# a remark", "10;99;read", "10;95/NOTHING;none", "médecin;10;read", "10;31;write"]
    rows += ["10;10;none", "10;profile;read+add", "10;42", '10;"42;read']
    text = "\n".join(["profession;item;rights", *rows])
    report = import_matrix(store, written(tmp_path, text), actor="cli:test")
    assert not report.switched
    assert [one.line for one in report.bad] == [4, 5, 6, 7, 8, 9, 10, 11]
    assert len({one.reason for one in report.bad}) == 8
    assert store.read(rights.matrix_version).version == 0


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "dossier.matrix_header"),
        (b"profession;item\n10;10\n", "dossier.matrix_header"),
        (b"profession;item;rights;rights\n", "dossier.matrix_header"),
        (b"profession;item;rights\n", "dossier.matrix_rows"),
        (b"\xff\xfe", "dossier.matrix_file"),
        (b"#" * ((1 << 20) + 1), "dossier.matrix_file"),
    ],
)
def test_what_is_no_matrix(store: Store, tmp_path: Path, content: bytes, rule: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(MatrixError) as caught:
        import_matrix(store, path, actor="cli:test")
    assert caught.value.rule == rule
    with pytest.raises(MatrixError):
        import_matrix(store, tmp_path / "none.csv", actor="cli:test")


def test_a_new_matrix_counts_at_once(tmp_path: Path) -> None:
    record = Record(tmp_path / "home")
    with record.store as store:
        number = record.file(physiotherapist(1), kind=PRESCRIPTION)
        other = physiotherapist(2)
        rights.authorise(store, record.box_id, record.patient, other.ident)
        assert record.seen(other) == {number}
        past = now_ms()
        while now_ms() == past:
            pass
        only = [Habilitation("10", "42", "read")]
        store.write(switch_matrix, rows=only, actor="test", source="x")
        assert record.seen(other) == set()
        assert record.seen(other, at=past) == {number}


rows = st.builds(
    Habilitation,
    st.sampled_from(["10", "60", "AUTOMATE"]),
    st.sampled_from(["10", "42", "10/11488-4", *PARTS]),
    st.sampled_from(["none", "read"]),
)


@given(st.lists(rows, min_size=1, unique_by=lambda one: (one.profession, one.item)))
def test_what_is_written_is_read_back(found: list[Habilitation]) -> None:
    assert parse(matrix_csv(found).encode()) == found


@given(st.binary(max_size=300))
def test_any_bytes_are_a_matrix_or_an_error(content: bytes) -> None:
    for text in (content, b"profession;item;rights\n" + content):
        try:
            found, bad = read(text)
        except MatrixError:
            continue
        assert all(one.rights in ("none", "read", "read+add") for one in found)
        assert all(one.line > 1 for one in bad)
