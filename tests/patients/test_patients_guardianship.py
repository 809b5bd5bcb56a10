"""Who may act for a minor, judged over every combination of facts; what he sees; clocks at the edges."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patients import STATES, ActingFacts, ItemFlags, acting, calendar, flags_of, viewer_of, visible_to
from patients.guardianship import GuardianEvent, own_from, standing
from tests.patients.patients_support import DAY, paris

AT = 1_000 * DAY
BEFORE, AFTER = AT - DAY, AT + DAY
PERSON_STATES = (None, *STATES)


def expected(facts: ActingFacts) -> bool:
    """The right, said once more: one sentence, no order of reasons."""
    young = facts.of_age_at > AT and not (facts.emancipated_at is not None and facts.emancipated_at <= AT)
    child_open = facts.child_state in ("known", "notified", "opened", "activated", "opposed")
    grown = facts.own_age_at <= AT
    linked = facts.linked_since is not None
    return facts.same or (linked and young and child_open and facts.actor_state == "activated" and grown)


def every_case() -> list[ActingFacts]:
    links = [(None, None), (BEFORE, None), (None, BEFORE), (None, AT)]
    ages, freed, own = (BEFORE, AT, AT + 1, AFTER), (None, BEFORE, AT, AFTER), (BEFORE, AT, AT + 1)
    return [
        ActingFacts(
            same=same,
            linked_since=link[0],
            ended_at=link[1],
            of_age_at=of_age,
            emancipated_at=emancipated,
            own_age_at=own_age,
            child_state=child,
            actor_state=actor,
        )
        for same, link, of_age, emancipated, own_age, child, actor in product(
            (False, True), links, ages, freed, own, PERSON_STATES, PERSON_STATES
        )
    ]


def test_every_combination() -> None:
    cases = every_case()
    rules = set()
    for facts in cases:
        check = acting(facts, AT)
        assert check.ok == expected(facts), facts
        assert check.ok == (check.rule in ("guardian.self", "guardian.acts"))
        assert check.text.isascii()
        rules.add(check.rule)
    assert len(cases) == 2 * 4 * 4 * 4 * 3 * 9 * 9
    assert rules == {
        "guardian.self", "guardian.none", "guardian.ended", "guardian.of_age", "guardian.emancipated",
        "guardian.child_closed", "guardian.child_suspended", "guardian.not_active", "guardian.minor",
        "guardian.acts",
    }  # fmt: skip


@pytest.mark.parametrize("viewer", ["self", "representative", "stranger"])
@pytest.mark.parametrize("secret", [False, True])
@pytest.mark.parametrize("withheld", [False, True])
def test_every_item_for_every_viewer(viewer: str, secret: bool, withheld: bool) -> None:
    told = {
        ("self", False, False), ("self", True, False), ("representative", False, False),
    }  # fmt: skip
    assert visible_to(viewer, ItemFlags(secret, withheld)) == ((viewer, secret, withheld) in told)  # type: ignore[arg-type]  # a parametrised literal


@pytest.mark.parametrize("minor", [False, True])
def test_no_right_ever_shows_a_secret(minor: bool) -> None:
    """Whoever represents, first or second, before or after a change: the item alone decides."""
    for facts in every_case():
        seen = visible_to(viewer_of(acting(facts, AT), minor), ItemFlags(secret=True))
        assert seen == (facts.same and not minor)  # who signs in as a minor may be who set that up
        other = visible_to(viewer_of(acting(facts, AT), minor), ItemFlags())
        assert other == expected(facts)


def test_codes_of_documents() -> None:
    assert flags_of(["N"]) == ItemFlags()
    assert flags_of(["N", "INVISIBLE_REPRESENTANTS_LEGAUX"]) == ItemFlags(secret=True)
    assert flags_of(["INVISIBLE_PATIENT", "MASQUE_PS"]) == ItemFlags(withheld=True)
    assert flags_of([], secret=True) == ItemFlags(secret=True)


@pytest.mark.parametrize(
    ("born", "midnight"),
    [
        ("2008-02-29", "2026-03-01 00:00"),  # no 29 February that year: not a day early
        ("2010-02-28", "2028-02-28 00:00"),
        ("2008-03-29", "2026-03-29 00:00"),  # summer time begins two hours later
        ("2008-10-25", "2026-10-25 00:00"),
        ("2008-07-01", "2026-07-01 00:00"),  # 22:00 UTC the day before
        ("2008-01-01", "2026-01-01 00:00"),
    ],
)
def test_majority_at_midnight_in_paris(born: str, midnight: str) -> None:
    majority = calendar.of_age_at(born)
    assert majority == paris(midnight)
    facts = ActingFacts(
        linked_since=0, of_age_at=majority, own_age_at=0, child_state="activated", actor_state="activated"
    )
    assert acting(facts, majority - 1).rule == "guardian.acts"
    check = acting(facts, majority)
    assert (check.rule, check.text) == ("guardian.of_age", f"is of age since {midnight[:10]}")
    assert calendar.age(born, majority) == 18
    assert calendar.age(born, majority - 1) == 17


@given(st.dates(calendar.date(1930, 1, 1), calendar.date(2060, 1, 1)), st.integers(-3 * DAY, 3 * DAY))
def test_majority_and_age_agree(born: calendar.date, off: int) -> None:
    majority = calendar.of_age_at(born.isoformat())
    moment = majority + off
    assert (calendar.age(born.isoformat(), moment) >= 18) == (moment >= majority)


@given(st.integers(0, 100), st.one_of(st.none(), st.integers(0, 100)))
def test_emancipation_is_an_earlier_majority(of_age: int, emancipated: int | None) -> None:
    own = own_from(of_age, emancipated)
    assert own <= of_age
    assert own in (of_age, emancipated)


def test_a_clock_set_back_gives_nobody_more() -> None:
    def event(number: int, at: int, name: str) -> GuardianEvent:
        return GuardianEvent(number, at, name, "A", "parent", "x", "", 0)  # type: ignore[arg-type]  # a literal

    events = [event(1, 100, "attach"), event(2, 90, "remove")]  # removed after, by a clock that went back
    for at in (0, 89, 90, 95, 99, 100, 101):
        assert standing(events, at) == {}
