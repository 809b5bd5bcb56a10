"""The rights over every combination of what decides, against tables that say them another way."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activity import By, Purpose
from dossier.model import Status
from dossier.rights import ACTIONS, Asker, Decision, DocumentFacts, RecordFacts, decide
from dossier.rights.model import DOCUMENT_ACTIONS, PART_ACTIONS, RECORD_ACTIONS
from dossier.rights.words import WORDS
from patients import Viewer
from tests.dossier import rights_tables as tables
from tests.routing.decision_tables import Table

VALUES: dict[str, tuple[Any, ...]] = {
    "by": get_args(By),
    "viewer": get_args(Viewer),
    "purpose": get_args(Purpose),
    "status": get_args(Status),
    "action": ACTIONS,
}
FIELDS = {kind: kind.__struct_fields__ for kind in (Asker, RecordFacts, DocumentFacts)}
NAMES = {"mine": "by_patient"}  # of a column, where it is shorter than the fact
DEPOSIT_OR_PART = [one for one in ACTIONS if one not in DOCUMENT_ACTIONS]


def values(name: str) -> tuple[Any, ...]:
    return VALUES.get(name, (False, True))


def word(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, value)


def facts_from(case: dict[str, Any], chance: Random) -> tuple[Asker, RecordFacts, DocumentFacts]:
    """The facts that are case; the others, which are not to matter, by chance."""
    made = []
    for kind, fields in FIELDS.items():
        made.append(kind(**{one: case.get(one, chance.choice(values(one))) for one in fields}))
    return tuple(made)  # type: ignore[return-value]  # one of each kind, in their order


def said(decision: Decision) -> str:
    word = "yes" if decision.allowed else "kept" if decision.kept else "no"
    return f"{word} {decision.rule}"


def cases(columns: list[str], fixed: dict[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    names = [NAMES.get(one, one) for one in columns]
    for found in product(*(fixed.get(one, values(one)) for one in names)):
        yield dict(zip(names, found, strict=True))


_outcomes: dict[tuple[Any, ...], str] = {}


def expected(table: Table, case: dict[str, Any], **more: str) -> str:
    facts = {one: more.get(one) or word(case[NAMES.get(one, one)]) for one in table.columns}
    key = (id(table), *facts.values())
    if key not in _outcomes:
        _outcomes[key] = table.outcome(facts)
    return _outcomes[key]


def check(table: Table, actions: Any, by: tuple[str, ...], *, with_document: bool) -> int:
    """Every combination of a table's columns, thrice with other facts by chance; how many there were."""
    chance, count = Random(5), 0
    columns = list(dict.fromkeys([*table.columns, "by"]))
    for case in cases(columns, {"action": tuple(actions), "by": by}):
        wanted = expected(table, case)
        for _ in range(3):
            asker, record, document = facts_from(case, chance)
            if case["action"] == "deposit" and document.masked and document.withheld:
                document = None  # type: ignore[assignment]  # its own test, below
            found = decide(case["action"], asker, record, document if with_document else None)
            assert said(found) == wanted, case
            count += 1
    return count


def test_the_patients_side() -> None:
    persons = ("patient", "representative")
    assert check(tables.PERSON_DOCUMENT, DOCUMENT_ACTIONS, persons, with_document=True) == 8_640
    assert check(tables.PERSON_RECORD, DEPOSIT_OR_PART, persons, with_document=True) == 720


def test_structures_and_support() -> None:
    assert check(tables.STRUCTURE, ACTIONS, ("structure",), with_document=True) == 1_080
    assert check(tables.OPERATOR_DOCUMENT, DOCUMENT_ACTIONS, ("operator",), with_document=True) == 720
    assert check(tables.OPERATOR_RECORD, DEPOSIT_OR_PART, ("operator",), with_document=False) == 240


SEEN_COLUMNS = [
    *("open", "status", "own", "blocked", "treating", "masked", "all_masked", "bared", "allowed"),
    *("purpose", "reasoned", "authorised", "regulation_refused", "glass_refused"),
]


def treats(case: dict[str, Any]) -> str:
    return word(case["treating"] and not case["blocked"])


def seen_outcome(case: dict[str, Any]) -> str:
    door = expected(tables.DOOR, case)
    found = expected(tables.SEEN, case, door=door.split()[0], treating=treats(case))
    return door if found == "door" else found


def test_what_a_professional_sees() -> None:
    chance, count = Random(7), 0
    for case in cases(SEEN_COLUMNS, {}):
        wanted = seen_outcome(case)
        asker, record, document = facts_from(case | {"by": "professional"}, chance)
        assert said(decide("see", asker, record, document)) == wanted, case
        assert said(decide("read", asker, record, document)) == wanted, case
        count += 2
    assert count == 2 * 3 * 3 * 2**12


CHANGES = [one for one in DOCUMENT_ACTIONS if one not in ("see", "read")]


def test_what_a_professional_changes() -> None:
    chance, count = Random(9), 0
    # Of what lets him in, one way each and one refusal each; all of them are in the table of the door.
    doors: list[dict[str, Any]] = [
        {"purpose": purpose, "reasoned": True, "authorised": let_in, "regulation_refused": not let_in,
         "glass_refused": not let_in}
        for purpose in VALUES["purpose"]
        for let_in in (True, False)
    ]  # fmt: skip
    columns = [*SEEN_COLUMNS[:9], "withheld", "announced"]
    for door, case in product(doors, cases(columns, {})):
        facts = door | case
        wanted_seen = seen_outcome(facts)
        asker, record, document = facts_from(facts | {"by": "professional"}, chance)
        for action in CHANGES:
            seen = "yes" if wanted_seen.startswith("yes") else "no"
            wanted = expected(tables.CHANGED, facts | {"action": action}, seen=seen, treating=treats(facts))
            wanted = wanted_seen if wanted == "seen" else wanted
            assert said(decide(action, asker, record, document)) == wanted, (action, facts)
            count += 1
    assert count == 6 * 3 * 2**10 * 8


ROW_OF = {
    "read_profile": "sees_profile",
    "read_vaccinations": "sees_vaccinations",
    "add_vaccination": "adds_vaccinations",
    "read_wishes": "sees_wishes",
    "read_measures": "sees_measures",
    "write_profile": "sees_profile",
    "write_measures": "sees_measures",
}


def test_the_parts_that_are_no_documents() -> None:
    assert set(ROW_OF) == set(PART_ACTIONS)
    chance, count = Random(11), 0
    for action in PART_ACTIONS:
        for case in cases(["open", *tables.DOOR.columns, ROW_OF[action]], {}):
            door = expected(tables.DOOR, case)
            facts = case | {"action": action, "row": case[ROW_OF[action]]}
            wanted = expected(tables.PART, facts, door=door.split()[0])
            asker, record, _ = facts_from(case | {"by": "professional"}, chance)
            assert said(decide(action, asker, record)) == (door if wanted == "door" else wanted), facts
            count += 1
    assert count == 7 * 2 * 3 * 2**6 * 2


def test_the_record_as_a_whole_for_professionals() -> None:
    found = check(tables.PROFESSIONAL_RECORD, RECORD_ACTIONS, ("professional",), with_document=True)
    assert found == 312


@pytest.mark.parametrize("by", ["service", "gateway"])
def test_services_and_the_gateway_have_nothing(by: By) -> None:
    chance = Random(13)
    for action, _ in product(ACTIONS, range(200)):
        asker, record, document = facts_from({"by": by}, chance)
        assert said(decide(action, asker, record, document)) == "no dossier.stranger"


@pytest.mark.parametrize("by", ["professional", "structure"])
def test_masked_and_withheld_at_once_is_not_deposited(by: By) -> None:
    chance = Random(15)
    for masked, withheld, _ in product((False, True), (False, True), range(200)):
        facts = {"by": by, "open": True, "masked": masked, "withheld": withheld}
        asker, record, document = facts_from(facts, chance)
        wanted = "no dossier.together" if masked and withheld else "yes dossier.feeding"
        assert said(decide("deposit", asker, record, document)) == wanted


@pytest.mark.parametrize("action", DOCUMENT_ACTIONS)
def test_an_action_on_a_document_needs_one(action: Any) -> None:
    with pytest.raises(ValueError, match=action):
        decide(action, Asker(by="patient", viewer="self"), RecordFacts(open=True))


# -- what holds whatever the tables say -----------------------------------------------------------

flags = st.booleans()
askers = st.builds(
    Asker,
    by=st.sampled_from(get_args(By)),
    viewer=st.sampled_from(get_args(Viewer)),
    purpose=st.sampled_from(get_args(Purpose)),
    reasoned=flags,
)
records = st.builds(RecordFacts, **dict.fromkeys(FIELDS[RecordFacts], flags))
documents = st.builds(
    DocumentFacts,
    status=st.sampled_from(get_args(Status)),
    **{name: flags for name in FIELDS[DocumentFacts] if name != "status"},
)
actions = st.sampled_from(ACTIONS)
looking = st.sampled_from(("see", "read"))
manyfold = settings(max_examples=600, deadline=None)


@manyfold
@given(actions, askers, records, documents)
def test_each_answer_says_why(
    action: Any, asker: Asker, record: RecordFacts, document: DocumentFacts
) -> None:
    found = decide(action, asker, record, document)
    assert (found.french, found.english) == WORDS[found.rule]
    assert not (found.allowed and found.kept)


@manyfold
@given(
    looking,
    askers,
    records,
    documents,
    st.sampled_from(["blocked", "regulation_refused", "glass_refused", "all_masked"]),
    st.sampled_from(["masked", "withheld", "hidden"]),
)
def test_what_narrows_never_widens(
    action: Any, asker: Asker, record: RecordFacts, document: DocumentFacts, narrower: str, mark: str
) -> None:
    before = decide(action, asker, record, document)
    for other in (
        decide(action, asker, msgspec.structs.replace(record, **{narrower: True}), document),
        decide(action, asker, record, msgspec.structs.replace(document, **{mark: True})),
        decide(action, asker, msgspec.structs.replace(record, open=False), document),
        decide(action, asker, record, msgspec.structs.replace(document, status="deleted")),
    ):
        assert before.allowed or not other.allowed


@manyfold
@given(
    askers,
    records,
    documents,
    st.sampled_from(["authorised", "treating"]),
    st.sampled_from(["allowed", "own"]),
)
def test_what_widens_never_narrows(
    asker: Asker, record: RecordFacts, document: DocumentFacts, wider: str, fact: str
) -> None:
    if not decide("read", asker, record, document).allowed:
        return
    assert decide("read", asker, msgspec.structs.replace(record, **{wider: True}), document).allowed
    assert decide("read", asker, record, msgspec.structs.replace(document, **{fact: True})).allowed


@manyfold
@given(actions, askers, records, documents)
def test_a_stranger_has_nothing(
    action: Any, asker: Asker, record: RecordFacts, document: DocumentFacts
) -> None:
    for by in ("patient", "representative", "service", "gateway"):
        stranger = msgspec.structs.replace(asker, by=by, viewer="stranger")
        assert said(decide(action, stranger, record, document)) == "no dossier.stranger"


@manyfold
@given(askers, records, documents)
def test_who_reads_may_see_and_only_support_sees_more(
    asker: Asker, record: RecordFacts, document: DocumentFacts
) -> None:
    sees, reads = (decide(action, asker, record, document) for action in ("see", "read"))  # type: ignore[arg-type]
    assert sees.allowed or not reads.allowed
    assert reads.allowed or not sees.allowed or asker.by == "operator"


@manyfold
@given(actions, askers, records, documents)
def test_what_is_kept_is_kept_from_every_question(
    action: Any, asker: Asker, record: RecordFacts, document: DocumentFacts
) -> None:
    """Who is not to learn of a document does not by asking for something else."""
    if action in DOCUMENT_ACTIONS and decide("see", asker, record, document).kept:
        own = asker.by == "professional" and document.own and document.status != "deleted"
        assert own or decide(action, asker, record, document).kept


@manyfold
@given(askers, records, documents)
def test_an_emergency_opens_no_mask(asker: Asker, record: RecordFacts, document: DocumentFacts) -> None:
    masked = msgspec.structs.replace(document, masked=True, own=False)
    urgent = msgspec.structs.replace(asker, by="professional", purpose="break_glass", reasoned=True)
    other = msgspec.structs.replace(record, treating=False)
    assert not decide("read", urgent, other, masked).allowed
