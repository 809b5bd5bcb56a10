"""Dispensations: a file is taken row by row, and each counts for a year, to the day, in France."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import patients
from patients.calendar import today
from patients.errors import DispensationsFileError
from store import Store, now_ms
from tests.patients.patients_support import Clock, ins_of, paris

INS, OTHER = ins_of(1), ins_of(2)
FINESS, SIRET = "750000019", "12345678900011"


def feed(folder: Path, *rows: str, header: str = "ins;officine;date") -> Path:
    path = folder / "feed.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def ago(days: int) -> str:
    return (today(now_ms()) - timedelta(days)).isoformat()


def counts(store: Store, struct_id: str, ins: str = INS, at: int = 0) -> bool:
    return store.read(patients.dispensed, ins, [struct_id], at or now_ms())


def test_what_a_file_tells_counts(store: Store, tmp_path: Path) -> None:
    path = feed(tmp_path, f"{INS};{FINESS};{ago(3)}", f"{OTHER};{SIRET};{ago(0)}", "")
    report = patients.import_dispensations(store, path)
    assert (report.added, report.known, report.bad_count) == (2, 0, 0)
    assert counts(store, f"1{FINESS}")
    assert counts(store, f"3{SIRET}", OTHER)
    assert not counts(store, f"3{SIRET}")
    assert store.read(patients.dispensed, INS, ["3999", f"1{FINESS}"], now_ms()), "by any of its numbers"
    assert not store.read(patients.dispensed, INS, [], now_ms())
    again = patients.import_dispensations(store, path)
    assert (again.added, again.known) == (0, 2)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("188057500100199;750000019;2026-01-01", "ins:"),
        (f"{INS};7500;2026-01-01", "officine:"),
        (f"{INS};pharmacie;2026-01-01", "officine:"),
        (f"{INS};{FINESS};01/02/2026", "date:"),
        (f"{INS};{FINESS};2026-02-30", "date:"),
        (f"{INS};{FINESS};20260201", "date:"),
        (f"{INS};{FINESS};2999-01-01", "date: in the future"),
        (f"{INS};{FINESS}", "2 columns"),
        (f'{INS};"{FINESS};2026-01-01', "not CSV"),
        (f"{INS};{'7' * 9000};2026-01-01", "line too long"),
    ],
)
def test_a_bad_row_is_told_without_what_it_said(store: Store, tmp_path: Path, row: str, reason: str) -> None:
    report = patients.import_dispensations(store, feed(tmp_path, row, f"{INS};{FINESS};{ago(1)}"))
    assert (report.added, report.bad_count) == (1, 1)
    (bad,) = report.bad
    assert (bad.line, bad.reason.startswith(reason)) == (2, True), bad
    assert INS not in bad.reason


@pytest.mark.parametrize("header", ["ins;officine", "ins;officine;date;date", "", "a,b,c"])
def test_a_file_without_its_columns_is_refused(store: Store, tmp_path: Path, header: str) -> None:
    with pytest.raises(DispensationsFileError) as error:
        patients.import_dispensations(store, feed(tmp_path, header=header))
    assert error.value.rule == "dispensations.header"


def test_a_file_that_is_no_text_or_not_there_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe\n")
    with pytest.raises(DispensationsFileError):
        patients.import_dispensations(store, tmp_path / "x")
    with pytest.raises(DispensationsFileError) as error:
        patients.import_dispensations(store, tmp_path / "nowhere")
    assert error.value.rule == "dispensations.file"


def test_columns_in_any_order_and_thousands_of_rows(store: Store, tmp_path: Path) -> None:
    rows = [f"{ago(number % 700)},{FINESS},{INS}" for number in range(2_500)]
    seen: list[tuple[int, int]] = []
    path = feed(tmp_path, *rows, header="Date,Officine,INS")
    report = patients.import_dispensations(store, path, progress=lambda *done: seen.append(done))
    assert (report.added, report.known) == (700, 1_800)
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


def test_a_dispensation_counts_until_its_anniversary(
    store: Store, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patients.dispensations.now_ms", clock)
    clock.now = paris("2026-03-29 12:00")
    patients.import_dispensations(store, feed(tmp_path, f"{INS};{FINESS};2026-03-29"))
    for moment, expected in (
        ("2026-03-29 11:59", False),  # the feed had not told it
        ("2026-03-29 12:00", True),
        ("2027-03-28 23:59", True),
        ("2027-03-29 23:59", True),
        ("2027-03-30 00:00", False),  # a day in France, the clock having changed in between
    ):
        assert counts(store, f"1{FINESS}", at=paris(moment)) is expected, moment


def test_what_is_older_than_two_years_is_forgotten(
    store: Store, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patients.dispensations.now_ms", clock)
    clock.now = paris("2026-06-01 12:00")
    patients.import_dispensations(store, feed(tmp_path, f"{INS};{FINESS};2026-05-31"))
    clock.now = paris("2028-06-01 12:00")
    report = patients.import_dispensations(store, feed(tmp_path, f"{INS};{FINESS};2026-05-31"))
    assert (report.added, report.known) == (0, 1), "too old to be taken"
    assert not counts(store, f"1{FINESS}", at=paris("2026-12-01 12:00"))


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(-800, 800))
def test_within_a_year(day: date, shift: int) -> None:
    """Against the calendar alone: not before it, and never beyond 366 days."""
    later = day + timedelta(shift)
    held = patients.within_a_year(day, later)
    if (day.month, day.day) != (2, 29):
        assert held == (day <= later <= day.replace(year=day.year + 1))
    else:
        assert held == (day <= later <= date(day.year + 1, 3, 1))
    assert not held or 0 <= shift <= 366
