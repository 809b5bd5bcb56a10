"""Proposals of preventive care: who, when, how often, to the day; the table and its versions."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agenda
from agenda import Answer, CarePlan, Item, Length
from agenda.care_plan import COLUMNS, DEFAULT, read_plan
from store import Store
from tests.agenda.agenda_support import (
    CHILD,
    DOCTOR,
    MOTHER,
    STRANGER,
    actor,
    box,
    details,
    journal,
    refused,
    seen,
)

PLAN = agenda.default_plan()


def item(**changes: object) -> Item:
    given: dict[str, object] = {
        "code": "X1", "kind": "screening", "sex": "", "since": Length(50, "y"), "until": Length(75, "y"),
        "interval": Length(2, "y"), "label_fr": "é", "label_en": "e", "text_fr": "é", "text_en": "e",
        "conditions": "", "source": "s", "source_date": "2025-01-01",
    }  # fmt: skip
    return Item(**(given | changes))  # type: ignore[arg-type]  # of a test


def plan(*items: Item) -> CarePlan:
    return CarePlan(plan_id=1, at=0, actor="", sha256=b"", items=list(items))


def codes(born: str, sex: str, today: str, done: list[Answer] | None = None) -> set[str]:
    return {one.item.code for one in agenda.proposals(PLAN, born, sex, done or [], date.fromisoformat(today))}


def test_boundaries_are_birthdays() -> None:
    born = "1976-06-15"
    assert "BREAST" not in codes(born, "F", "2026-06-14")
    assert "BREAST" in codes(born, "F", "2026-06-15")
    assert "BREAST" in codes(born, "F", "2051-06-14")
    assert "BREAST" not in codes(born, "F", "2051-06-15")
    assert "BREAST" not in codes(born, "M", "2026-06-15")
    assert "COLORECTAL" in codes(born, "M", "2026-06-15")
    # born on a leap day, of age to be asked on 1 March where the year has none: never early
    assert "DTP_45Y" not in codes("1976-02-29", "M", "2021-02-28")
    assert "DTP_45Y" in codes("1976-02-29", "M", "2021-03-01")


def test_months_of_infants() -> None:
    assert "HEXA_1" not in codes("2025-12-31", "F", "2026-02-28")
    assert "HEXA_1" in codes("2025-12-31", "F", "2026-03-01")  # there is no 31 February
    assert {"HEXA_1", "PNEUMO_1"} <= codes("2026-01-10", "U", "2026-03-10")


def test_of_unknown_sex_one_is_proposed_what_is_for_everybody() -> None:
    found = codes("1976-06-15", "U", "2026-06-15")
    assert "COLORECTAL" in found and "BREAST" not in found
    assert codes("", "F", "2026-06-15") == codes("1976-00-00", "F", "2026-06-15") == set()


def test_answers() -> None:
    born = "1966-01-01"
    done = [Answer(code="BREAST", said="done", day="2024-06-10")]
    assert "BREAST" not in codes(born, "F", "2026-06-09", done)
    assert "BREAST" in codes(born, "F", "2026-06-10", done)
    for said in ("done", "accepted", "declined"):
        once = [Answer(code="BILAN_60Y", said=said, day="2026-02-01")]  # type: ignore[arg-type]  # one of three
        assert "BILAN_60Y" in codes(born, "F", "2026-02-01")
        assert "BILAN_60Y" not in codes(born, "F", "2031-12-31", once)
    before = [Answer(code="BILAN_60Y", said="done", day="2025-12-31")]
    assert "BILAN_60Y" in codes(born, "F", "2026-01-01", before)


LENGTHS = st.builds(Length, st.integers(0, 90), st.sampled_from(["d", "w", "m", "y"]))
DAYS = st.dates(date(1930, 1, 1), date(2026, 12, 31))


@given(
    st.lists(st.builds(item, sex=st.sampled_from(["", "M", "F"]), since=LENGTHS, until=LENGTHS,
                       interval=st.none() | st.builds(Length, st.integers(1, 10), st.sampled_from("my")),
                       code=st.sampled_from(["A1", "B1", "C1"])), max_size=4),
    DAYS, st.sampled_from(["M", "F", "U"]), DAYS,
    st.lists(st.builds(Answer, code=st.sampled_from(["A1", "B1"]), said=st.sampled_from(["done", "declined"]),
                       day=DAYS.map(str)), max_size=4),
)  # fmt: skip
def test_what_is_proposed_holds(
    items: list[Item], born: date, sex: str, today: date, done: list[Answer]
) -> None:
    found = agenda.proposals(plan(*items), born.isoformat(), sex, done, today)
    for one in found:
        assert one.item.sex in ("", sex)
        assert one.item.since.after(born) <= one.due <= today <= one.last < one.item.until.after(born)
        for answer in done:
            day = date.fromisoformat(answer.day)
            if answer.code == one.item.code and one.item.interval is None:
                assert day < one.item.since.after(born)
            elif answer.code == one.item.code and one.item.interval is not None:
                assert one.item.interval.after(day) <= one.due
    # saying done today ends what is proposed once
    now = [Answer(code=one.item.code, said="done", day=today.isoformat()) for one in found]
    assert agenda.proposals(plan(*items), born.isoformat(), sex, [*done, *now], today) == []


@given(DAYS, LENGTHS)
def test_nobody_is_of_an_age_before(born: date, length: Length) -> None:
    after = length.after(born)
    assert after >= born
    if length.unit in ("m", "y"):
        whole = length.number * (12 if length.unit == "y" else 1)
        day = after - timedelta(days=1)
        passed = (day.year - born.year) * 12 + day.month - born.month - (day.day < born.day)
        assert passed < whole or whole == 0


def test_the_table_that_comes_along() -> None:
    assert len(PLAN.items) > 40
    assert {one.kind for one in PLAN.items} == {"vaccination", "screening", "visit"}
    for one in PLAN.items:
        assert "vérifier par un médecin" in one.conditions and one.source
        details(title=one.label_fr)
    assert PLAN.items == read_plan(DEFAULT.read_bytes())[0]


def test_a_patient_accepts_declines_and_says_done(store: Store) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)

    def now() -> set[str]:
        return {one.item.code for one in store.read(agenda.proposals_for, store, mine, me)}

    # a woman born on 1 May 1988, on 15 January 2026
    assert now() == {"CERVIX_30Y", "DTCAP_25Y"}
    made = agenda.accept_proposal(
        store, mine, me, "DTCAP_25Y", details(title="Vaccin", begin="2026-02-01T10:00", end="")
    )
    assert made.source == "proposal" and seen(store, MOTHER, me) == ["2026-02-01T10:00:00 Vaccin"]
    assert now() == {"CERVIX_30Y"}
    assert refused(lambda: agenda.accept_proposal(store, mine, me, "DTCAP_25Y")) == "agenda.proposal"
    agenda.decline_proposal(store, mine, me, "CERVIX_30Y")
    assert now() == set()
    assert refused(lambda: agenda.decline_proposal(store, mine, me, "BREAST")) == "agenda.proposal"
    assert refused(lambda: agenda.say_done(store, mine, me, "NO", date(2026, 1, 1))) == "agenda.proposal"
    assert refused(lambda: agenda.say_done(store, mine, me, "CERVIX_30Y", date(2026, 1, 16))) == "agenda.date"
    assert refused(lambda: agenda.say_done(store, mine, me, "CERVIX_30Y", date(1988, 4, 30))) == "agenda.date"
    agenda.say_done(store, mine, me, "CERVIX_30Y", date(2020, 3, 1))
    assert [one.said for one in store.read(agenda.answers, store, mine, me)] == [
        "accepted",
        "declined",
        "done",
    ]
    assert journal(store, MOTHER) == ["proposal_accepted", "proposal_declined", "proposal_done"]
    assert refused(lambda: store.read(agenda.proposals_for, store, mine, DOCTOR)) == "agenda.refused"


def test_a_mother_answers_for_her_child(store: Store) -> None:
    mother, theirs = actor(store, MOTHER, CHILD), box(store, CHILD)
    assert {one.item.code for one in store.read(agenda.proposals_for, store, theirs, mother)} == {
        "EXAM_8Y", "DTCAP_6Y", "MTDENTS",
    }  # fmt: skip
    made = agenda.accept_proposal(store, theirs, mother, "MTDENTS")
    assert made.details.all_day and made.details.begin == "2026-01-15"
    stranger = actor(store, STRANGER)
    assert refused(lambda: agenda.accept_proposal(store, theirs, stranger, "EXAM_8Y")) == "agenda.refused"


def table(tmp_path: Path, *rows: dict[str, str]) -> Path:
    base = dict(
        zip(
            COLUMNS,
            ("X1", "visit", "", "1y", "2y", "", "é", "e", "é", "e", "", "s", "2025-01-01"),
            strict=True,
        )
    )
    lines = [";".join(COLUMNS), *(";".join((base | row).values()) for row in rows)]
    path = tmp_path / "plan.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_new_version_is_taken_whole(store: Store, tmp_path: Path) -> None:
    path = table(tmp_path, {}, {"code": "X2"})
    report = agenda.import_plan(store, path, actor="cli:a", reason="new", dry_run=True)
    assert (report.added, report.removed, store.read(agenda.current_plan).plan_id) == (2, len(PLAN.items), 0)
    agenda.import_plan(store, path, actor="cli:a", reason="checked by a physician")
    held = store.read(agenda.current_plan)
    assert [one.code for one in held.items] == ["X1", "X2"] and held.actor == "cli:a"
    assert agenda.import_plan(store, path, actor="cli:a", reason="").unchanged
    assert len(store.read(agenda.plans)) == 1
    bad = table(tmp_path, {"code": "X3"}, {"code": "x", "kind": "y"})
    report = agenda.import_plan(store, bad, actor="cli:a", reason="")
    assert [(one.line, one.reason[:4]) for one in report.bad] == [(3, "code")]
    assert store.read(agenda.current_plan) == held


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"kind": "exam"}, "kind"),
        ({"sex": "U"}, "sex"),
        ({"from": "1"}, "from"),
        ({"to": "999y"}, "to"),
        ({"from": "12m", "to": "1y"}, "to"),
        ({"interval": "0y"}, "interval"),
        ({"label_fr": ""}, "label_fr"),
        ({"text_en": "x" * 501}, "text_en"),
        ({"source_date": "1er janvier"}, "source_date"),
        ({"conditions": "a;b"}, "14 columns"),
    ],
)
def test_bad_rows_are_told(tmp_path: Path, row: dict[str, str], reason: str) -> None:
    items, bad = read_plan(table(tmp_path, {"code": "OK"}, row).read_bytes())
    assert len(items) == 1 and bad[0].line == 3 and bad[0].reason.startswith(reason)


@pytest.mark.parametrize(
    "data", [b"", b"code;kind\n", b"\xff\xfe", b"x" * (1024 * 1024 + 1), (";".join(COLUMNS)).encode()]
)
def test_what_is_no_table(data: bytes) -> None:
    assert refused(lambda: read_plan(data)) == "agenda.plan"
