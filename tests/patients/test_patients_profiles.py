"""The life of a profile: the state machine, and that state and box never disagree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import patients
from patients import EVENTS, STATES, Refusal, TransitionError, UnknownPatientError, transition
from patients.persons import Person
from store import Store, StoreError, mail

INS = "279035121518989"
DOMAIN = "patient.exemple.fr"
PERSON = Person(INS, patients.OID_NIR_TEST, "EXEMPLE", "MARIE ANNE", "", "F", "1979-03-04", "51215")

# The whole table, written a second time: state -> what each accepted event leads to.
ACCEPTED = {
    "known": {"notify": "notified", "activate": "activated", "oppose": "opposed"},
    "notified": {"notify": "notified", "open": "opened", "activate": "activated", "oppose": "opposed"},
    "opened": {"activate": "activated", "close": "closed"},
    "activated": {"close": "closed", "suspend": "suspended"},
    "opposed": {"activate": "activated"},
    "closed": {
        "reopen": "activated",
        "ask_delete": "closed",
        "delete": "deleted",
        "expire": "deleted",
    },
    "suspended": {"resume": "activated", "close": "closed"},
    "deleted": {},
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", EVENTS)
def test_every_transition(state: patients.State, event: patients.Event) -> None:
    after = transition(state, event)
    expected = ACCEPTED[state].get(event)
    if expected is None:
        assert isinstance(after, Refusal)
        assert len(after.reason) > 10
    else:
        assert after == expected


@pytest.fixture
def known(store: Store) -> Store:
    store.write(patients.add_persons, persons=[PERSON], actor="test")
    return store


def box_of(store: Store, profile: patients.Profile) -> mail.Box:
    assert profile.box_id is not None
    box = store.read(mail.box_by_id, profile.box_id)
    assert box is not None
    return box


def test_activation_gives_address_and_box(known: Store) -> None:
    assert known.read(patients.profile_by_address, f"{INS}@{DOMAIN}") is None
    patients.notify(known, INS, actor="campaign")
    profile = patients.activate(known, INS, DOMAIN, actor="marie", reason="terms accepted", quota=10_000)
    assert (profile.state, profile.address) == ("activated", f"{INS}@{DOMAIN}")
    assert profile.activated_at is not None
    assert profile.notified_at is not None
    assert profile.name == "Marie EXEMPLE"
    box = box_of(known, profile)
    assert (box.address, box.kind, box.state, box.owner, box.quota) == (
        f"{INS}@{DOMAIN}", "patient", "open", INS, 10_000,
    )  # fmt: skip
    uses = {folder.special_use for folder in known.read(mail.folders, box.box_id)}
    assert uses == {"", "\\Sent", "\\Drafts", "\\Archive", "\\Trash", "\\Junk"}
    assert len(known.box_key(box.box_id)) == 32
    assert known.read(patients.profile_by_address, f"{INS}@{DOMAIN.upper()}") == profile
    assert known.read(patients.profile_by_box, box.box_id) == profile


def test_opened_automatically_then_activated_keeps_its_box(known: Store) -> None:
    patients.notify(known, INS, actor="campaign")
    opened = patients.open_profile(known, INS, DOMAIN, actor="open-due")
    assert (opened.state, box_of(known, opened).state) == ("opened", "open")
    activated = patients.activate(known, INS, DOMAIN, actor="marie")
    assert (activated.state, activated.box_id) == ("activated", opened.box_id)


def test_close_and_reopen(known: Store) -> None:
    opened = patients.activate(known, INS, DOMAIN, actor="marie")
    closed = patients.close(known, INS, actor="marie", reason="no more use")
    assert (closed.state, box_of(known, closed).state) == ("closed", "closed")
    again = patients.reopen(known, INS, actor="marie")
    assert (again.state, again.box_id, again.address) == ("activated", opened.box_id, opened.address)
    assert box_of(known, again).state == "open"
    patients.suspend(known, INS, actor="cnam", reason="fraud")
    assert patients.resume(known, INS, actor="cnam").state == "activated"
    events = known.read(patients.history, INS)
    assert [(one.event, one.from_state, one.to_state) for one in events] == [
        ("import", "", "known"),
        ("activate", "known", "activated"),
        ("close", "activated", "closed"),
        ("reopen", "closed", "activated"),
        ("suspend", "activated", "suspended"),
        ("resume", "suspended", "activated"),
    ]
    assert (events[2].actor, events[2].reason) == ("marie", "no more use")


def test_opposition_needs_no_box(known: Store) -> None:
    patients.notify(known, INS, actor="campaign")
    opposed = patients.oppose(known, INS, actor="marie")
    assert (opposed.state, opposed.box_id, opposed.address) == ("opposed", None, "")
    with pytest.raises(TransitionError) as caught:
        patients.open_profile(known, INS, DOMAIN, actor="open-due")
    assert caught.value.rule == "patient.transition"
    assert caught.value.log == "the person objected"
    assert patients.activate(known, INS, DOMAIN, actor="marie").state == "activated"


def test_unknown_person(store: Store) -> None:
    with pytest.raises(UnknownPatientError):
        patients.notify(store, INS, actor="campaign")
    assert store.read(patients.profile, INS) is None


def test_a_failed_activation_changes_nothing(known: Store) -> None:
    known.create_box(address=f"{INS}@{DOMAIN}", kind="patient", owner="someone")
    with pytest.raises(StoreError, match="has a box already"):
        patients.activate(known, INS, DOMAIN, actor="marie")
    profile = known.read(patients.profile, INS)
    assert profile is not None
    assert (profile.state, profile.box_id) == ("known", None)
    with pytest.raises(TransitionError) as caught:
        patients.activate(known, INS, "", actor="marie")
    assert caught.value.rule == "patient.box"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(EVENTS), max_size=12), st.integers(0, 10**6))
def test_state_and_box_never_disagree(shared: Store, events: list[patients.Event], order: int) -> None:
    body = f"18805{order % 99 + 1:02d}{order // 1000 % 1000:03d}{order % 1000:03d}"
    ins = body + patients.ins_key(body)
    if shared.read(patients.profile, ins) is None:
        person = Person(ins, patients.OID_NIR_TEST, "X", "Y", "", "M", "1988-05-01", "75056")
        shared.write(patients.add_persons, persons=[person], actor="test")
    for event in events:
        before = shared.read(patients.profile, ins)
        assert before is not None
        expected = transition(before.state, event)
        try:
            after = shared.write(
                patients.change,
                ins=ins,
                event=event,
                actor="test",
                domain=DOMAIN,
                wrapped_key=shared.new_box_key(),
            )
        except TransitionError:
            assert isinstance(expected, Refusal)
            continue
        assert after.state == expected
        if after.state in patients.WITH_BOX:
            shut = after.state in ("closed", "deleted")
            assert box_of(shared, after).state == ("closed" if shut else "open")
            assert (shared.read(mail.wrapped_key, after.box_id or 0) is None) == (after.state == "deleted")
            assert before.box_id in (None, after.box_id)
        else:
            assert after.box_id is None


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(Path(tmp_path_factory.mktemp("home"))) as opened:
        yield opened
