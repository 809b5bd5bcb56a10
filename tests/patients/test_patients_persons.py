"""Import of insured persons."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import patients
from patients import PersonsFileError, import_persons, ins_key
from patients.persons import _persons
from store import Store

HEADER = "ins;oid;birth_name;given_names;sex;birth_date;birth_place"
OID = patients.OID_NIR_TEST
INS = "279035121518989"
GOOD = f"{INS};{OID};D'EXEMPLE-MODÈLE;MARIE ANNE;F;1979-03-04;51215"


def write(path: Path, *lines: str, encoding: str = "utf-8", end: str = "\n") -> Path:
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return path


@pytest.mark.parametrize(
    "lines",
    [
        (HEADER, GOOD),
        ("\ufeff" + HEADER, GOOD),
        (HEADER.replace(";", ","), GOOD.replace(";", ",")),
        (HEADER.upper(), GOOD),
        (HEADER + ";used_name;remark", GOOD + ';MARTIN;"a;b"'),
        (
            "birth_place;birth_date;sex;given_names;birth_name;oid;ins",
            f"51215;04/03/1979;f;MARIE ANNE;D'EXEMPLE-MODÈLE;{OID};2 79 03 51 215 189 89",
        ),
        (HEADER, "", GOOD.replace("1979-03-04", "19790304"), "", ""),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_forms(store: Store, tmp_path: Path, lines: tuple[str, ...], end: str) -> None:
    report = import_persons(store, write(tmp_path / "p.csv", *lines, end=end), actor="test")
    assert (report.added, report.bad) == (1, [])
    profile = store.read(patients.profile, INS)
    assert profile is not None
    assert (profile.birth_name, profile.given_names) == ("D'EXEMPLE-MODÈLE", ["MARIE", "ANNE"])
    assert (profile.sex, profile.birth_date, profile.birth_place) == ("F", "1979-03-04", "51215")
    assert profile.state == "known"


def test_again_and_corrected(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", HEADER, GOOD)
    import_persons(store, path, actor="test")
    patients.notify(store, INS, actor="campaign")
    report = import_persons(store, path, actor="test")
    assert (report.added, report.changed, report.unchanged) == (0, 0, 1)
    write(path, HEADER, GOOD.replace("MODÈLE", "MODELE"))
    report = import_persons(store, path, actor="test")
    assert (report.added, report.changed, report.unchanged) == (0, 1, 0)
    profile = store.read(patients.profile, INS)
    assert profile is not None
    assert (profile.state, profile.birth_name) == ("notified", "D'EXEMPLE-MODELE")
    assert [event.event for event in store.read(patients.history, INS)] == ["import", "notify", "correct"]


BAD = [
    (GOOD.replace(INS, "288091234567823"), "ins: wrong key"),
    (GOOD.replace(INS, "27903512151898"), "ins: not the 15"),
    (GOOD.replace(OID, "1.2.3"), "oid:"),
    (GOOD.replace(";F;", ";X;"), "sex:"),
    (GOOD.replace("1979-03-04", "1979-02-30"), "birth_date:"),
    (GOOD.replace("1979-03-04", "2979-03-04"), "birth_date:"),
    (GOOD.replace(";51215", ";5121"), "birth_place:"),
    (GOOD.replace("MARIE ANNE", ""), "given_names:"),
    (GOOD.replace("MARIE ANNE", "MARIE<b>"), "given_names:"),
    (GOOD.replace("MARIE ANNE", "M" * 101), "given_names:"),
    (GOOD + ";x", "8 columns"),
    (GOOD.replace("MARIE ANNE", '"MARIE'), "not CSV"),
    (GOOD + "x" * 40_000, "line too long"),
]


def test_bad_rows_are_told_by_line_without_their_content(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", HEADER, GOOD, *(row for row, _ in BAD))
    with path.open("ab") as file:
        file.write(b"\xe9\xe8;x\n")
    report = import_persons(store, path, actor="test")
    assert (report.added, report.bad_count) == (1, len(BAD) + 1)
    assert [bad.line for bad in report.bad] == list(range(3, 4 + len(BAD)))
    for bad, (_, reason) in zip(report.bad, [*BAD, ("", "not UTF-8")], strict=True):
        assert bad.reason.startswith(reason)
        assert "MARIE" not in bad.reason
        assert INS not in bad.reason


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "patients.header"),
        (b"name;first\n", "patients.header"),
        (HEADER.replace("oid", "ins").encode(), "patients.header"),
        (HEADER.encode("utf-16"), "patients.encoding"),
        (b"\xe9" + HEADER.encode(), "patients.encoding"),
    ],
)
def test_unusable_files(store: Store, tmp_path: Path, data: bytes, rule: str) -> None:
    (tmp_path / "p.csv").write_bytes(data)
    with pytest.raises(PersonsFileError) as caught:
        import_persons(store, tmp_path / "p.csv", actor="test")
    assert caught.value.rule == rule


def test_absent_file(store: Store, tmp_path: Path) -> None:
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(PersonsFileError) as caught:
            import_persons(store, path, actor="test")
        assert caught.value.rule == "patients.file"


def test_many_with_progress(store: Store, tmp_path: Path) -> None:
    lines = []
    for number in range(2_500):
        body = f"18805750{number // 1000:02d}{number % 1000:03d}"
        lines.append(GOOD.replace(INS, body + ins_key(body)))
    seen: list[tuple[int, int]] = []
    report = import_persons(
        store,
        write(tmp_path / "p.csv", HEADER, *lines, *lines[:3]),
        actor="test",
        progress=lambda done, size: seen.append((done, size)),
    )
    assert (report.added, report.unchanged, report.bad_count) == (2_500, 3, 0)
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]


@given(st.binary(max_size=300))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(HEADER.encode() + b"\n" + data)
    with path.open("rb") as file:
        for _, found in _persons(file):
            assert isinstance(found, (str, patients.Person))
