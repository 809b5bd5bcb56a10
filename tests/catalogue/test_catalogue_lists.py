"""Lists: what is taken, what is refused row by row, versions, search; nothing is lost by a bad file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalogue
import dossier
from catalogue import PARTS, CatalogueFileError
from catalogue.rows import COLUMNS, entry_of, read_rows
from dossier.health.items import Section
from dossier.measures.kinds import Kind
from store import Store
from tests.catalogue.catalogue_support import put, service

SAMPLE = Path(catalogue.__file__).parent / "sample"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "home")


@pytest.fixture(autouse=True)
def _closed(store: Store) -> object:
    yield
    store.close()


def test_the_sample_is_taken_and_taken_once(store: Store) -> None:
    for which in ("criteria", "services"):
        first = catalogue.import_list(store, SAMPLE / f"{which}.csv", which, actor="test")
        assert first.applied and first.version == 1 and first.bad == [] and len(first.added) == first.entries
        again = catalogue.import_list(store, SAMPLE / f"{which}.csv", which, actor="test")
        assert (again.version, again.replaces, again.added) == (1, 1, [])
    assert len(store.read(catalogue.versions, "services")) == 1
    found = store.read(catalogue.service, "exemple-diabete")
    labels = store.read(catalogue.criteria)
    assert found is not None and all(code in labels for code in found.criteria)


def test_words_are_found_without_their_accents(store: Store) -> None:
    catalogue.import_list(store, SAMPLE / "criteria.csv", "criteria", actor="test")
    catalogue.import_list(store, SAMPLE / "services.csv", "services", actor="test")

    def ids(text: str, **more: object) -> list[str]:
        return [one.id for one in store.read(catalogue.search, text, **more)]

    assert ids("DIABETE") == ["exemple-diabete"]
    assert ids("démo  carnet") == ["exemple-diabete"]
    assert ids("ens") == ["exemple-aidants"]  # the beginning of a word, not its middle
    assert ids("introuvable") == []
    assert ids("", category="bien-etre", exchanging=False) == ["exemple-souffle", "exemple-sommeil"]
    assert ids("", category="bien-etre", exchanging=True) == []
    assert len(ids("", sector="public")) == 5


def test_a_bad_row_keeps_the_whole_list_out_and_is_told(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, service("a"), service("b"))
    bad = [
        service("a", sector="both"),
        service("c"),
        service("c"),
        service("d", since="2026-02-30"),
        service("e", scopes=["read:everything"]),
        service("f", url="javascript:alert(1)"),
        service("G"),
        service("h", criteria=["EX-1"]),
        service("i", until="2025-01-01"),
        service("j", name=" "),
        service("k", name="a\x00b"),
        service("l", contact=7),
        service("m", scopes=["read:agenda", "read:agenda"]),
    ]
    report = put(store, tmp_path, *bad)
    assert not report.applied and report.bad_count == 12
    assert [one.line for one in report.bad] == [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    assert all(one.reason for one in report.bad)
    assert [one.id for one in store.read(catalogue.services)] == ["a", "b"]


def test_a_csv_names_its_bad_lines(store: Store, tmp_path: Path) -> None:
    header = ";".join([*COLUMNS["criteria"][0], *COLUMNS["criteria"][1]])
    path = tmp_path / "criteria.csv"
    path.write_text(f'{header}\nA;t;"two\nlines";x\nB;t\n\n;t;l;\nC;t;l;"open\nD;t;l;x\n', encoding="utf-8")
    report = catalogue.import_list(store, path, "criteria", actor="test")
    assert [(bad.line, bad.reason.split(":")[0]) for bad in report.bad] == [
        (4, "2 columns where the header has 4"),
        (6, "code is empty"),
        (8, "not CSV"),
    ]
    assert not report.applied and store.read(catalogue.criteria) == {}


def test_versions_keep_what_was(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, service("a"), service("b"))
    put(store, tmp_path, service("a", name="Renamed"))
    report = put(store, tmp_path, service("a", name="Renamed"), service("b"))
    assert (report.version, report.added, report.changed, report.gone) == (3, ["b"], [], [])
    history = store.read(catalogue.service_history, "b")
    assert [(one.since_version, one.until is None) for one in history] == [(3, True), (1, False)]
    assert [one.service.name for one in store.read(catalogue.service_history, "a")] == ["Renamed", "Le a"]
    assert [one.version for one in store.read(catalogue.versions, "services")] == [3, 2, 1]


def test_a_list_that_shrank_is_not_believed(store: Store, tmp_path: Path) -> None:
    many = [service(f"s{number}") for number in range(10)]
    put(store, tmp_path, *many)
    with pytest.raises(CatalogueFileError) as caught:
        put(store, tmp_path, *many[:7])
    assert caught.value.rule == "catalogue.shrunk"
    assert len(store.read(catalogue.services)) == 10
    assert put(store, tmp_path, *many[:8]).applied
    assert put(store, tmp_path, *many[:1], accept_shrink=True).applied


def test_a_dry_run_changes_nothing(store: Store, tmp_path: Path) -> None:
    report = put(store, tmp_path, service("a"), dry_run=True)
    assert (report.applied, report.added) == (False, ["a"])
    assert store.read(catalogue.services) == []


def test_of_two_imports_at_once_one_wins(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, tmp_path, service("a"))
    write = store.write

    def late(operation: object, **given: object) -> object:
        monkeypatch.undo()
        put(store, tmp_path, service("b"))
        return write(operation, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "write", late)
    with pytest.raises(CatalogueFileError) as caught:
        put(store, tmp_path, service("c"))
    assert caught.value.rule == "catalogue.superseded"
    assert [one.id for one in store.read(catalogue.services)] == ["b"]


@pytest.mark.parametrize(
    "text", ["", "{", "[1", "{}", '{"services": 3}', "id;name\n", "id;id\n", "\udcff", "[]"]
)
def test_unusable_files(store: Store, tmp_path: Path, text: str) -> None:
    path = tmp_path / "list"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CatalogueFileError) as caught:
        catalogue.import_list(store, path, "services", actor="test")
    assert caught.value.rule == "catalogue.file"


def test_a_missing_file(store: Store, tmp_path: Path) -> None:
    with pytest.raises(CatalogueFileError):
        catalogue.import_list(store, tmp_path / "nothing", "services", actor="test")


cell = st.text(max_size=12) | st.sampled_from(
    ["read:agenda", "2026-01-01", "https://x.y/", "private", '"', ";"]
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.lists(cell, min_size=8, max_size=15), max_size=5), st.sampled_from([";", ","]))
def test_any_csv_is_read_or_told(rows: list[list[str]], separator: str) -> None:
    text = separator.join([*COLUMNS["services"][0], *COLUMNS["services"][1]]) + "\n"
    text += "\n".join(separator.join(row) for row in rows)
    for _, cells in read_rows(text.encode("utf-8", "replace"), "services", "f"):
        if isinstance(cells, dict):
            try:
                entry_of(cells, "services", set())
            except ValueError as error:
                assert str(error)


json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(COLUMNS["services"][0]), inner)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.lists(json_value, min_size=1, max_size=4))
def test_any_json_is_read_or_told(items: list[object]) -> None:
    for _, cells in read_rows(json.dumps(items).encode(), "services", "f"):
        if isinstance(cells, dict):
            with pytest.raises(ValueError):
                entry_of(cells, "services", set())


def test_the_words_of_scopes_are_those_of_the_record() -> None:
    assert {french for french, _ in PARTS["documents"].values()} == set(dossier.CATEGORIES)
    assert set(PARTS["measures"]) == set(get_args(Kind))
    assert set(PARTS["profile"]) == set(get_args(Section))
    for part, codes in PARTS.items():
        for code in codes:
            scope = catalogue.Scope("write", part, code)
            assert catalogue.parse_scope(str(scope)) == scope
            assert scope.french and scope.english
