"""The file of cards and the two small extractions: rows as published, drifted, damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import annuaire
from annuaire.cards import card_number, check_diploma, parse_card, parse_skill
from annuaire.demo import write_cards, write_diplomas
from annuaire.layouts import CARDS, DIPLOMAS, LAYOUTS, SKILLS, Layout, Mapping, match_header
from annuaire.rows import RowFaultError
from store import Store

DAY = 1_735_689_600_000  # 2025-01-01, 0:00 UTC


def whole(layout: Layout) -> Mapping:
    """The published header, every column in its place."""
    places = {field: layout.columns.index(label) for field, label in layout.fields.items()}
    return Mapping(layout=layout, width=len(layout.columns), places=places, drifted=())


def cells(layout: Layout, **fields: str) -> list[str]:
    row = dict.fromkeys(layout.columns, "")
    for field, value in fields.items():
        row[layout.fields[field]] = value
    return list(row.values())


def card(**fields: str) -> list[str]:
    usual = {
        "identifier": "10009999991", "national": "810009999991", "kind": "CPS", "number": "2500000017",
        "begins": "20250101", "ends": "20280101",
    }  # fmt: skip
    return cells(CARDS, **(usual | fields))


def fault(row: list[str]) -> str:
    with pytest.raises(RowFaultError) as caught:
        parse_card(whole(CARDS), row)
    return str(caught.value)


def test_a_card() -> None:
    row = parse_card(whole(CARDS), card(opposed="20260401"))
    assert (row.id_nat, row.number, row.kind) == ("810009999991", "2500000017", "CPS")
    assert (row.begins, row.ends - row.begins, row.opposed > row.begins) == (DAY, 1095 * 86_400_000, True)
    assert parse_card(whole(CARDS), card()).opposed == 0


@pytest.mark.parametrize(
    "written",
    ["20250101", "2025-01-01", "01/01/2025", "20250101000000", "2025-01-01T00:00:00Z", "01/01/2025 08:00"],
)
def test_days_as_different_years_write_them(written: str) -> None:
    assert parse_card(whole(CARDS), card(begins=written)).begins == DAY


def test_the_holder_by_rpps_alone() -> None:
    assert parse_card(whole(CARDS), card(national="")).id_nat == "810009999991"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"number": ""}, "card number"),
        ({"number": "é250"}, "card number"),
        ({"national": "", "identifier": ""}, "national identifier"),
        ({"national": "x!"}, "national identifier"),
        ({"opposed": "20251301"}, "a day of the card"),
        ({"opposed": "soon"}, "a day of the card"),
        ({"begins": "20280102"}, "ends before it begins"),
        ({"number": "1" * 65}, "longer than"),
        ({"kind": "a\x00b"}, "NUL"),
    ],
)
def test_bad_cards_say_why(change: dict[str, str], reason: str) -> None:
    assert reason in fault(card(**change))


@pytest.mark.parametrize(
    ("stated", "number"),
    [("8025000001/2500577253", "2500577253"), (" 2500 577253", "2500577253"), ("", ""), ("a/", "")],
)
def test_numbers_of_certificates_and_of_the_file_are_comparable(stated: str, number: str) -> None:
    assert card_number(stated) == number


@given(st.dictionaries(st.sampled_from(sorted(CARDS.fields)), st.text(max_size=70)))
def test_any_text_is_a_row_or_a_reason(fields: dict[str, str]) -> None:
    try:
        row = parse_card(whole(CARDS), card(**fields))
    except RowFaultError as error:
        assert str(error)
        return
    assert row.number and row.id_nat


def test_skills_and_diplomas() -> None:
    skill = parse_skill(
        whole(SKILLS),
        cells(SKILLS, national="810009999991", profession="10", kind="S", code="sm54", label="Médecine"),
    )
    assert (skill.id_nat, skill.profession, skill.kind, skill.code) == ("810009999991", "10", "S", "SM54")
    with pytest.raises(RowFaultError, match="no code"):
        parse_skill(whole(SKILLS), cells(SKILLS, national="810009999991"))
    check_diploma(whole(DIPLOMAS), cells(DIPLOMAS, id_kind="8", identifier="10009999991", diploma="DIP1"))
    for bad in ({"national": "810009999991"}, {"diploma": "DIP1"}):
        with pytest.raises(RowFaultError):
            check_diploma(whole(DIPLOMAS), cells(DIPLOMAS, **bad))


def test_the_four_extractions_and_the_cards_are_told_by_their_header() -> None:
    for layout in LAYOUTS:
        assert match_header(list(layout.columns)).layout is layout
        assert match_header([*layout.columns, ""]).layout is layout
        drifted = [label.upper().replace("É", "E") for label in layout.columns]
        assert match_header(drifted).layout is layout


def test_cards_are_imported_and_change(store: Store, tmp_path: Path) -> None:
    card_row = {"national": "810009999991", "kind": "CPS", "number": "2500000017", "ends": "20280101"}
    other = {**card_row, "number": "2500000025"}
    first = annuaire.import_extraction(store, write_cards(tmp_path / "c.txt", [card_row, other]))
    assert (first.source, first.rows, first.added) == ("cards", 2, 2)
    opposed = {**card_row, "opposed": "20260401"}
    bad = {**card_row, "opposed": "yesterday"}
    again = annuaire.import_extraction(store, write_cards(tmp_path / "c.txt", [opposed, bad]))
    assert (again.rows, again.changed, again.gone, again.bad_count) == (1, 1, 1, 1)
    assert (again.bad[0].line, again.bad[0].reason) == (3, "a day of the card: not a date")


def test_a_damaged_file_of_cards_leaves_the_old_one_in_use(store: Store, tmp_path: Path) -> None:
    path = write_cards(tmp_path / "c.txt", [{"national": "810009999991", "number": "2500000017"}])
    annuaire.import_extraction(store, path)
    path.write_text(path.read_text().replace("Numéro carte", "Couleur").replace("Date opposition|", ""))
    with pytest.raises(annuaire.ExtractionError) as caught:
        annuaire.import_extraction(store, path)
    assert caught.value.rule == "annuaire.column"
    held = store.read(annuaire.current_import, "cards")
    assert held is not None
    assert held.row_count == 1


def test_diplomas_are_judged_and_nothing_of_them_is_kept(store: Store, tmp_path: Path) -> None:
    rows = [{"national": "810009999991", "diploma": "DIP1"}, {"national": "810009999991"}]
    report = annuaire.import_extraction(store, write_diplomas(tmp_path / "d.txt", rows))
    assert (report.source, report.rows, report.bad_count, report.added) == ("diplomas", 1, 1, 0)
    assert report.bad[0].reason == "neither diploma nor permit"
    assert "nothing of it is kept" in report.note
    assert store.read(annuaire.current_import, "diplomas") is None
    assert store.read(annuaire.generations) == []
    with pytest.raises(annuaire.ExtractionError):
        annuaire.import_extraction(store, write_diplomas(tmp_path / "d.txt", []))
