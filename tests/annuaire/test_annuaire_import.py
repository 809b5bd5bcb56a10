"""Extractions: real shapes, drift, damage, and that old data survives all of it."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import annuaire
from annuaire import ops
from annuaire.demo import write_activities, write_mssante
from annuaire.layouts import ACTIVITIES, LAYOUTS, MAILBOXES, fold_label, match_header
from store import InvalidInputError, Store

DOCTOR = {
    "kind": "PER",
    "address": "Marie.Exemple@medecin.mssante.fr",
    "national": "810009999991",
    "civility": "DR",
    "family": "EXEMPLE",
    "given": "MARIE",
    "profession": "10",
    "profession_label": "Médecin",
    "speciality": "SM54",
}
PHARMACY = {
    "kind": "ORG",
    "address": "pharmacie.exemple75@exemple.mssante.fr",
    "structure_kind": "1",
    "structure": "750099999",
    "service": "Officine",
    "legal_name": "PHARMACIE EXEMPLE",
    "delivery_line": "75001 PARIS",
    "postcode": "75001",
    "department": "75",
}
PHARMACIST = {
    "national": "810009999982",
    "civility": "DR",
    "family": "MODELE",
    "given": "JEAN",
    "profession": "21",
    "siret": "99999999900011",
    "finess": "750099999",
    "technical": "C99999999900011",
    "legal_name": "PHARMACIE EXEMPLE",
    "sector": "SA33",
    "town": "Paris",
}
DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "mssante"


def rows(store: Store) -> list[str]:
    found = store.read(annuaire.search, "mssante", 500)
    return sorted(box.address for box in found)


def refused(store: Store, path: Path) -> str:
    with pytest.raises(annuaire.ExtractionError) as caught:
        annuaire.import_extraction(store, path)
    return caught.value.rule


def test_import_counts_and_replaces(store: Store, tmp_path: Path) -> None:
    path = write_mssante(tmp_path / "m.txt", [DOCTOR, PHARMACY])
    first = annuaire.import_extraction(store, path)
    assert (first.source, first.rows, first.added, first.changed, first.gone) == ("mailboxes", 2, 2, 0, 0)
    again = annuaire.import_extraction(store, path)
    assert (again.rows, again.added, again.changed, again.gone) == (2, 0, 0, 0)
    other = {**DOCTOR, "address": "autre@medecin.mssante.fr"}
    write_mssante(path, [{**DOCTOR, "speciality": "SM26"}, other])
    third = annuaire.import_extraction(store, path)
    assert (third.rows, third.added, third.changed, third.gone) == (2, 1, 1, 1)
    assert rows(store) == ["autre@medecin.mssante.fr", "marie.exemple@medecin.mssante.fr"]


def held(store: Store, table: str = "annuaire_bal") -> int:
    found = store.read(lambda conn: conn.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar())
    return int(found or 0)


def test_the_same_file_again_writes_no_row(store: Store, tmp_path: Path) -> None:
    path = write_mssante(tmp_path / "m.txt", [DOCTOR, PHARMACY])
    activities = write_activities(tmp_path / "a.txt", [PHARMACIST, {**PHARMACIST, "sector": "SA25"}])
    for _ in range(3):
        annuaire.import_extraction(store, path)
        annuaire.import_extraction(store, activities)
    assert [held(store, name) for name in ("annuaire_bal", "annuaire_exercice", "annuaire_site")] == [2, 2, 2]


def test_what_is_ended_is_forgotten_after_its_time(store: Store, tmp_path: Path) -> None:
    path = write_mssante(tmp_path / "m.txt", [DOCTOR, PHARMACY])
    annuaire.import_extraction(store, path)
    write_mssante(path, [DOCTOR])
    annuaire.import_extraction(store, path)
    assert held(store) == 2
    time.sleep(0.002)
    annuaire.import_extraction(store, path, history_ms=0)
    assert held(store) == 1
    assert rows(store) == ["marie.exemple@medecin.mssante.fr"]
    with pytest.raises(InvalidInputError, match="does not reach back"):
        store.read(annuaire.mailbox, DOCTOR["address"], store.read(annuaire.generations)[-1].applied_at)


@pytest.mark.parametrize("deflated", [True, False])
def test_zip_with_one_file(store: Store, tmp_path: Path, deflated: bool) -> None:
    plain = write_mssante(tmp_path / "m.txt", [DOCTOR])
    packed = tmp_path / "m.zip"
    method = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.write(plain, "Extraction_Correspondance_MSSante_202608260000.txt")
    assert annuaire.import_extraction(store, packed).rows == 1


def _bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m.txt", b"|" * 20_000_000)


def _two(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "|".join(MAILBOXES.columns))
        archive.writestr("b.txt", "x")


def _climbing(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../etc/m.txt", "|".join(MAILBOXES.columns))


def _cut(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m.txt", "|".join(MAILBOXES.columns))
    path.write_bytes(path.read_bytes()[:-30])


def _bad_crc(path: Path) -> None:
    text = "|".join(MAILBOXES.columns) + "\n" + "|" * 30 + "\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("m.txt", text)
    path.write_bytes(
        path.read_bytes().replace(b"Dematerialisation", b"X" * 17).replace(b"Adresse BAL", b"adresse BAL", 1)
    )


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (_bomb, "annuaire.size"),
        (_two, "annuaire.archive"),
        (_climbing, "annuaire.archive"),
        (_cut, "annuaire.archive"),
        (_bad_crc, "annuaire.truncated"),
    ],
)
def test_hostile_archives(store: Store, tmp_path: Path, make: Callable[[Path], None], rule: str) -> None:
    annuaire.import_extraction(store, write_mssante(tmp_path / "m.txt", [DOCTOR]))
    make(tmp_path / "bad.zip")
    assert refused(store, tmp_path / "bad.zip") == rule
    assert rows(store) == ["marie.exemple@medecin.mssante.fr"]


def _edit(path: Path, edit: Callable[[str], str], encoding: str = "utf-8") -> Path:
    path.write_bytes(edit(path.read_text(encoding="utf-8")).encode(encoding))
    return path


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "|\n"),  # an empty trailing column, header and rows
        lambda text: text.replace("Prénom d'exercice", "Prenom exercice").replace("é", "e"),
        lambda text: text.upper().replace("MARIE.EXEMPLE@MEDECIN", "marie.exemple@medecin"),
        lambda text: text.replace("Service de rattachement", "Unité de rattachement"),
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n\n",
    ],
)
def test_drift_is_tolerated(store: Store, tmp_path: Path, edit: Callable[[str], str]) -> None:
    path = _edit(write_mssante(tmp_path / "m.txt", [DOCTOR, PHARMACY]), edit)
    report = annuaire.import_extraction(store, path)
    assert (report.rows, report.bad_count) == (2, 0)
    [doctor] = store.read(annuaire.mailbox, "marie.exemple@medecin.mssante.fr")
    assert (doctor.name, doctor.id_nat) == ("Dr Marie EXEMPLE", "810009999991")


def test_columns_may_move(store: Store, tmp_path: Path) -> None:
    path = write_mssante(tmp_path / "m.txt", [DOCTOR, PHARMACY])
    lines = [line.split("|") for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("\n".join("|".join(reversed(cells)) for cells in lines) + "\n", encoding="utf-8")
    assert annuaire.import_extraction(store, path).rows == 2
    assert store.read(annuaire.by_structure, "1750099999")[0].town == "PARIS"


def test_a_renamed_column_is_taken_by_place_and_said(store: Store, tmp_path: Path) -> None:
    path = _edit(
        write_mssante(tmp_path / "m.txt", [DOCTOR]), lambda text: text.replace("Adresse BAL", "Courriel")
    )
    report = annuaire.import_extraction(store, path)
    assert report.drifted == ["Courriel"]
    assert rows(store) == ["marie.exemple@medecin.mssante.fr"]


@pytest.mark.parametrize(
    ("edit", "encoding", "rule"),
    [
        (lambda text: "", "utf-8", "annuaire.empty"),
        (lambda text: text.split("\n")[0] + "\n", "utf-8", "annuaire.empty"),
        (lambda text: text.split("\n", 1)[1], "utf-8", "annuaire.header"),
        (lambda text: text, "latin-1", "annuaire.encoding"),
        (lambda text: text, "utf-16", "annuaire.encoding"),
        (lambda text: text.replace("Adresse BAL|", "", 1), "utf-8", "annuaire.column"),
        (lambda text: text.replace("Type de BAL|", "Adresse BAL|", 1), "utf-8", "annuaire.header"),
        (lambda text: text[: text.rindex("|75001|")], "utf-8", "annuaire.truncated"),
        (lambda text: text.replace(";", "|").replace("|", ";"), "utf-8", "annuaire.header"),
    ],
)
def test_a_wrong_file_leaves_the_old_data(
    store: Store, tmp_path: Path, edit: Callable[[str], str], encoding: str, rule: str
) -> None:
    annuaire.import_extraction(store, write_mssante(tmp_path / "good.txt", [DOCTOR]))
    path = _edit(write_mssante(tmp_path / "bad.txt", [PHARMACY]), edit, encoding)
    assert refused(store, path) == rule
    assert rows(store) == ["marie.exemple@medecin.mssante.fr"]


def test_bad_rows_are_told_by_line(store: Store, tmp_path: Path) -> None:
    good = [{**DOCTOR, "address": f"dr{number}@medecin.mssante.fr"} for number in range(10)]
    bad = [
        {**DOCTOR, "kind": "ZZZ"},
        {**DOCTOR, "address": "nowhere"},
        {**PHARMACY, "structure": ""},
        {**DOCTOR, "national": "n°1"},
        {**DOCTOR, "family": "X" * 300},
    ]
    path = write_mssante(tmp_path / "m.txt", good + bad)
    with path.open("ab") as file:
        file.write(b"PER|a|b\n\xff\xfe|x\n" + b"x" * 200_000 + b"\n")
    report = annuaire.import_extraction(store, path)
    assert report.rows == 10
    assert [(one.line, one.reason.split(" ")[0]) for one in report.bad] == [
        (12, "unknown"),
        (13, "not"),
        (14, "neither"),
        (15, "not"),
        (16, "family"),
        (17, "3"),
        (18, "not"),
        (19, "line"),
    ]


def test_too_many_bad_rows_refuse_the_file(store: Store, tmp_path: Path) -> None:
    annuaire.import_extraction(store, write_mssante(tmp_path / "good.txt", [DOCTOR]))
    bad = [{**DOCTOR, "kind": "ZZZ"}] * 20
    assert refused(store, write_mssante(tmp_path / "m.txt", [PHARMACY, *bad])) == "annuaire.rows"
    assert rows(store) == ["marie.exemple@medecin.mssante.fr"]


def test_a_shrunken_file_is_refused_until_accepted(store: Store, tmp_path: Path) -> None:
    many = [{**DOCTOR, "address": f"dr{number}@medecin.mssante.fr"} for number in range(1_200)]
    path = write_mssante(tmp_path / "m.txt", many)
    annuaire.import_extraction(store, path)
    write_mssante(path, many[:900])
    assert refused(store, path) == "annuaire.shrunk"
    report = annuaire.import_extraction(store, path, accept_shrink=True)
    assert (report.rows, report.gone) == (900, 300)


def test_an_interrupted_import_leaves_the_old_data(store: Store, tmp_path: Path) -> None:
    annuaire.import_extraction(store, write_mssante(tmp_path / "good.txt", [DOCTOR]))
    many = [{**PHARMACY, "address": f"ph{number}@exemple.mssante.fr"} for number in range(5_000)]
    path = write_mssante(tmp_path / "m.txt", many)

    def stop(read: int, size: int) -> None:
        assert 0 < read <= size
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        annuaire.import_extraction(store, path, progress=stop)
    assert rows(store) == ["marie.exemple@medecin.mssante.fr"]
    # A process killed in the middle leaves a load that the next import gives up and sweeps away.
    store.write(ops.begin, source="mailboxes", file_name="killed", file_date=None)
    report = annuaire.import_extraction(store, path)
    assert (report.rows, report.added, report.gone) == (5_000, 5_000, 1)
    states = [one.state for one in reversed(store.read(annuaire.generations))]
    assert states == ["old", "dropped", "dropped", "current"]


def test_two_imports_at_once(store: Store, tmp_path: Path) -> None:
    path = write_mssante(tmp_path / "m.txt", [DOCTOR])
    first = store.write(ops.begin, source="mailboxes", file_name="a", file_date=None)
    second = store.write(ops.begin, source="local", file_name="b", file_date=None)  # the same table
    about = {"source": "mailboxes", "number": first.number}
    with pytest.raises(annuaire.ExtractionError, match="another import"):
        store.write(ops.load, **about, table="annuaire_bal", rows=b"\x90")
    annuaire.import_extraction(store, path)
    with pytest.raises(annuaire.ExtractionError, match="another import"):
        store.write(
            ops.apply,
            source="local",
            number=second.number,
            replaces=0,
            sha256="",
            row_count=0,
            bad_rows=0,
        )


def test_one_address_on_several_lines(store: Store, tmp_path: Path) -> None:
    second = {**DOCTOR, "structure_kind": "1", "structure": "750099999"}
    report = annuaire.import_extraction(store, write_mssante(tmp_path / "m.txt", [DOCTOR, second, DOCTOR]))
    assert (report.rows, report.repeated) == (2, 1)
    found = store.read(annuaire.mailbox, "marie.exemple@medecin.mssante.fr")
    assert [box.struct_id for box in found] == ["", "1750099999"]


def test_activities(store: Store, tmp_path: Path) -> None:
    path = write_activities(tmp_path / "a.txt", [PHARMACIST, {**PHARMACIST, "sector": "SA25"}])
    report = annuaire.import_extraction(store, path)
    assert (report.source, report.rows, report.bad_count) == ("activities", 2, 0)
    write_activities(path, [{**PHARMACIST, "family": "MODÈLE"}])
    report = annuaire.import_extraction(store, path)
    assert (report.added, report.changed, report.gone) == (0, 1, 1)
    assert path.read_text(encoding="utf-8").splitlines()[0].endswith("|")


def test_missing_file(store: Store, tmp_path: Path) -> None:
    assert refused(store, tmp_path / "absent.txt") == "annuaire.file"


def test_published_columns_are_ours() -> None:
    if not DATA.exists():
        pytest.skip("the shared reference data is not on this machine")
    columns = json.loads((DATA / "annuaire_columns.json").read_text(encoding="utf-8"))
    for layout in LAYOUTS:
        assert tuple(columns[layout.title]) == layout.columns
        assert match_header([*columns[layout.title], ""]).layout is layout


def test_published_synthetic_rows_import(store: Store, tmp_path: Path) -> None:
    if not DATA.exists():
        pytest.skip("the shared reference data is not on this machine")
    text = (DATA / "sample_rows_SYNTHETIC.txt").read_text(encoding="utf-8")
    blocks = [
        [line for line in block.splitlines() if line and not line.startswith("#")]
        for block in text.split("\n\n")
    ]
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.txt"
        path.write_text("\n".join(block) + "\n", encoding="utf-8")
        report = annuaire.import_extraction(store, path)
        assert report.bad == []
        assert report.drifted == []
    assert store.read(annuaire.is_officine, "pharmacie.exemple75@exemple.mssante.fr")
    [doctor] = store.read(annuaire.mailbox, "marie.exemple@medecin.mssante.fr")
    assert doctor.name == "Dr MARIE EXEMPLE".replace("MARIE", "Marie")


@given(st.lists(st.text(max_size=30), max_size=70))
def test_any_header_is_matched_or_refused(cells: list[str]) -> None:
    with pytest.raises(annuaire.ExtractionError):
        match_header(cells)


@given(st.sampled_from([MAILBOXES, ACTIVITIES]), st.randoms())
def test_a_shuffled_header_is_matched(layout: object, random: object) -> None:
    columns = list(layout.columns)  # type: ignore[attr-defined]  # hypothesis hands over a Layout
    random.shuffle(columns)  # type: ignore[attr-defined]  # and a Random
    mapping = match_header(columns)
    for field, place in mapping.places.items():
        assert fold_label(columns[place]) == fold_label(mapping.layout.fields[field])
