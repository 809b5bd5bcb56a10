"""What a profile was at a past moment, and that its history cannot be changed unseen."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import delete, insert, update

import evidence
import patients
from patients.tables import patient_event
from store import Store, Tx, operation
from tests.patients.patients_support import DAY, DOMAIN, Clock, add


@pytest.fixture
def lived(store: Store, clock: Clock) -> tuple[str, list[tuple[int, str]]]:
    """A profile with a long life: its INS, and (when, the state from then on)."""
    life = [(clock.now, "known")]
    [ins] = add(store, 1)
    for event, after in (
        ("notify", "notified"), ("notify", "notified"), ("open", "opened"), ("activate", "activated"),
        ("suspend", "suspended"), ("resume", "activated"), ("close", "closed"), ("ask_delete", "closed"),
        ("reopen", "activated"), ("close", "closed"), ("delete", "deleted"),
    ):  # fmt: skip
        clock.now += DAY
        store.write(
            patients.change, ins=ins, event=event, actor="x", domain=DOMAIN, wrapped_key=store.new_box_key()
        )
        life.append((clock.now, after))
    return ins, life


def test_the_state_at_any_moment(store: Store, lived: tuple[str, list[tuple[int, str]]]) -> None:
    ins, life = lived
    assert store.read(patients.state_at, ins, life[0][0] - 1) is None
    assert store.read(patients.profile_at, ins, life[0][0] - 1) is None
    for at, state in life:
        for moment in (at, at + DAY - 1):
            assert store.read(patients.state_at, ins, moment) == state
            profile = store.read(patients.profile_at, ins, moment)
            assert profile is not None and profile.state == state
            has_box = at >= life[3][0]
            assert (profile.address, profile.box_id is None) == (
                f"{ins}@{DOMAIN}" if has_box else "",
                not has_box,
            )
            times = [getattr(profile, name) for name in profile.__struct_fields__ if name.endswith("_at")]
            assert max((time for time in times if time and time != profile.erase_at), default=0) <= moment
    assert store.read(patients.state_at, "279035121518989", life[-1][0]) is None


def test_the_last_moment_is_the_present(store: Store, lived: tuple[str, list[tuple[int, str]]]) -> None:
    ins, life = lived
    assert store.read(patients.profile_at, ins, life[-1][0]) == store.read(patients.profile, ins)
    notified = store.read(patients.profile_at, ins, life[2][0])
    assert notified is not None and notified.notified_at == life[2][0]


def test_a_correction_changes_no_state(store: Store, clock: Clock) -> None:
    [ins] = add(store, 1)
    patients.notify(store, ins, actor="x")
    clock.now += DAY
    store.write(
        patients.add_persons,
        persons=[
            msgspec.structs.replace(
                patients.Person(ins, "1.2.250.1.213.1.4.10", "A", "B", "", "F", "1988-05-01", "75056")
            )
        ],
        actor="x",
    )
    assert [one.event for one in store.read(patients.history, ins)] == ["import", "notify", "correct"]
    assert store.read(patients.state_at, ins, clock.now) == "notified"


def test_a_clock_that_went_back_disorders_nothing(store: Store, clock: Clock) -> None:
    [ins] = add(store, 1)
    begin = clock.now
    clock.now += 10 * DAY
    patients.notify(store, ins, actor="x")
    clock.now -= 5 * DAY
    patients.oppose(store, ins, actor="x")
    assert [one.event for one in store.read(patients.history, ins)] == ["import", "notify", "oppose"]
    for at, state in ((begin, "known"), (begin + 5 * DAY, "opposed"), (begin + 20 * DAY, "opposed")):
        assert store.read(patients.state_at, ins, at) == state


# -- evidence ------------------------------------------------------------------------------------------


@operation("test.tamper")
def tamper(tx: Tx, *, how: str, ins: str) -> None:
    mine = patient_event.c.ins == ins
    notified = mine & (patient_event.c.event == "notify")
    if how == "changed":
        tx.conn.execute(update(patient_event).where(notified).values(actor="somebody else"))
    elif how == "moved":
        tx.conn.execute(update(patient_event).where(notified).values(at=patient_event.c.at - DAY))
    elif how == "dropped":
        tx.conn.execute(delete(patient_event).where(notified))
    else:
        row = tx.conn.execute(patient_event.select().where(notified)).one()._asdict()
        tx.conn.execute(insert(patient_event).values(**(row | {"event_id": 2**62, "event": "oppose"})))


@pytest.mark.parametrize("how", ["changed", "moved", "dropped", "added"])
def test_tampering_shows(store: Store, how: str) -> None:
    one, other = add(store, 2)
    patients.notify(store, one, actor="x")
    patients.notify(store, other, actor="x")
    report = store.read(patients.check_history)
    assert (report.steps, report.unproven, report.broken) == (4, 0, [])
    assert store.read(patients.check_history, one).steps == 2
    number = store.read(patients.history, one)[1].evidence_seq
    store.write(tamper, how=how, ins=one)
    assert store.read(patients.check_history).broken == [number]
    if how != "dropped":
        assert store.read(patients.check_history, one).broken == [number]
    assert store.read(patients.check_history, other).broken == []
    assert store.read(evidence.verify, evidence.public_key(store.home)).ok


def test_many_steps_one_signature(store: Store) -> None:
    wanted = add(store, 700)
    [record] = store.read(lambda conn: list(evidence.walk(conn)))
    assert (record.event, record.recipient, record.detail) == (
        "profile",
        "",
        '{"event":"import","steps":"700"}',
    )
    assert {store.read(patients.history, ins)[0].evidence_seq for ins in wanted[::100]} == {record.seq}
    patients.notify(store, wanted[0], actor="x")
    last = store.read(evidence.by_number, 2)
    assert last is not None and last.recipient == wanted[0]


def test_steps_of_an_older_version_are_told_unproven(store: Store) -> None:
    [ins] = add(store, 1)
    store.write(old_step, ins=ins)
    for report in (store.read(patients.check_history), store.read(patients.check_history, ins)):
        assert (report.steps, report.unproven, report.broken) == (2, 1, [])


@operation("test.old_step")
def old_step(tx: Tx, *, ins: str) -> None:
    tx.conn.execute(
        insert(patient_event).values(
            ins=ins, event_id=1, at=tx.now, event="notify", from_state="", to_state="", actor="x", reason=""
        )
    )
