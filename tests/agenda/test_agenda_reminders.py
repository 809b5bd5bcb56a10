"""Reminders: each once, none lost over a stop, no storm after a long one, nobody told who may not be."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import select

import agenda
import patients
from gateway.reminding import Reminding
from gateway.settings import Settings
from patients.sender import SenderError
from store import Store, Tx, operation, tasks
from tests.agenda.agenda_support import CHILD, DOCTOR, HOUR, MOTHER, STRANGER, actor, box, details, ms, seen
from tests.patients.patients_support import Clock

SETTINGS = Settings.model_validate({"gateway": {"hostname": "a.test", "patient_domain": "patient.test"}})


class Postman:
    """Notes what leaves, and may refuse."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.away = False

    async def send(self, channel: str, to: str, text_fr: str, text_en: str) -> None:
        if self.away:
            raise SenderError("signin.relay", "away")
        self.sent.append((to, text_fr))


@operation("test.know_addresses")
def know_addresses(tx: Tx, *, known: dict[str, str]) -> None:
    from patients.signin.contacts import keep_contact

    for ins, to in known.items():
        keep_contact(tx, ins, {"email": to}, proven=True)


@pytest.fixture
def postman(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Postman:
    for place in ("gateway.reminding", "gateway.chores"):
        monkeypatch.setattr(f"{place}.now_ms", clock)
    known = {ins: f"{number}@example.test" for number, ins in enumerate((MOTHER, CHILD, STRANGER), 1)}
    store.write(know_addresses, known=known)
    return Postman()


async def round_of(store: Store, postman: Postman) -> list[str]:
    """One look and what it sends: the addresses."""
    reminding = Reminding(store, SETTINGS, postman)
    worker = reminding.worker("test")
    await reminding.look()
    before = len(postman.sent)
    while await worker.run_once():
        pass
    return sorted(to for to, _ in postman.sent[before:])


async def test_each_reminder_goes_out_once(store: Store, clock: Clock, postman: Postman) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    agenda.add(store, mine, me, details(rule="FREQ=WEEKLY;COUNT=2", reminders=[60, 1_440]))
    due = agenda.due_reminders(store, 0, ms("2027-01-01"))
    assert [one.at for one in due] == [
        ms("2026-03-01T08:00"),
        ms("2026-03-02T07:00"),
        ms("2026-03-08T08:00"),
        ms("2026-03-09T07:00"),
    ]
    assert await round_of(store, postman) == []
    sent = []
    for at in (one.at for one in due):
        clock.now = at - 1
        assert await round_of(store, postman) == []
        clock.now = at
        sent += await round_of(store, postman)
        assert await round_of(store, postman) == []  # as after a restart
    assert sent == ["1@example.test"] * 4
    assert agenda.due_reminders(store, 0, ms("2027-01-01")) == []
    assert all("Kiné" not in text for _, text in postman.sent)


async def test_after_a_long_stop_one_mail_and_nothing_that_is_over(
    store: Store, clock: Clock, postman: Postman
) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    for day in range(1, 20):
        agenda.add(store, mine, me, details(begin=f"2026-03-{day:02}T09:00", end="", reminders=[10_080, 60]))
    clock.now = ms("2026-03-15T12:00")
    assert await round_of(store, postman) == ["1@example.test"]
    clock.now = ms("2026-04-15T12:00")
    assert await round_of(store, postman) == []


async def test_a_reminder_for_the_beginning_itself_goes_out(
    store: Store, clock: Clock, postman: Postman
) -> None:
    """Whoever looks each minute looks after it began."""
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    agenda.add(store, mine, me, details(reminders=[0]))
    clock.now = ms("2026-03-02T07:59:59")
    assert await round_of(store, postman) == []
    clock.now = ms("2026-03-02T08:00:45")
    assert await round_of(store, postman) == ["1@example.test"]


async def test_a_lease_that_ran_out_is_nobodys(
    store: Store, clock: Clock, postman: Postman, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay so slow that the lease of those behind ends: another worker takes them, and only he."""
    for ins in (MOTHER, CHILD, STRANGER):
        agenda.add(store, box(store, ins), actor(store, ins), details(reminders=[60]))
    clock.now = ms("2026-03-02T07:00")
    reminding = Reminding(store, SETTINGS, postman)
    await reminding.look()
    really = postman.send

    async def slowly(channel: str, to: str, text_fr: str, text_en: str) -> None:
        await really(channel, to, text_fr, text_en)
        clock.now += 50_000
        if len(postman.sent) == 3:
            clock.now += 50_000
            await reminding.worker("other").run_once()

    monkeypatch.setattr(postman, "send", slowly)
    await reminding.worker("one").run_once()
    for _ in range(4):
        clock.now += 120_000
        await reminding.worker("other").run_once()
    assert len(postman.sent) == len(set(postman.sent)) == 4


async def test_a_relay_that_is_away_loses_none(store: Store, clock: Clock, postman: Postman) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    agenda.add(store, mine, me, details(reminders=[60]))
    clock.now = ms("2026-03-02T07:00")
    postman.away = True
    assert await round_of(store, postman) == []
    (task,) = store.read(tasks.pending, tasks.REMINDERS)
    assert task.last_error == "signin.relay" and task.due_at > clock.now
    postman.away = False
    clock.now += 60_000
    assert await round_of(store, postman) == ["1@example.test"]
    # much later it is of no use
    agenda.add(store, mine, me, details(begin="2026-03-03T09:00", end="", reminders=[60]))
    clock.now = ms("2026-03-03T07:00")
    postman.away = True
    await round_of(store, postman)
    postman.away = False
    clock.now += 7 * HOUR
    assert await round_of(store, postman) == []
    assert store.read(tasks.pending, tasks.REMINDERS) == []


async def test_what_changed_or_went_reminds_no_more(store: Store, clock: Clock, postman: Postman) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    one = agenda.add(store, mine, me, details(reminders=[60]))
    two = agenda.add(store, mine, me, details(reminders=[60]))
    agenda.change(
        store, mine, me, one.appointment_id, details(begin="2026-03-05T09:00", end="", reminders=[60])
    )
    agenda.cancel(store, mine, me, two.appointment_id)
    clock.now = ms("2026-03-02T07:00")
    assert await round_of(store, postman) == []
    clock.now = ms("2026-03-05T07:00")
    assert await round_of(store, postman) == ["1@example.test"]


async def test_parents_are_reminded_of_what_they_see(store: Store, clock: Clock, postman: Postman) -> None:
    mother, theirs = actor(store, MOTHER, CHILD), box(store, CHILD)
    agenda.add(store, theirs, mother, details(reminders=[60]))
    agenda.add(store, theirs, DOCTOR, details(begin="2026-03-03T09:00", end="", reminders=[60]), hidden=True)
    clock.now = ms("2026-03-02T07:00")
    assert await round_of(store, postman) == ["1@example.test", "2@example.test"]
    assert any("que vous représentez" in text for _, text in postman.sent)
    clock.now = ms("2026-03-03T07:00")
    assert await round_of(store, postman) == []


async def test_who_lost_his_right_or_has_no_address_is_not_told(
    store: Store, clock: Clock, postman: Postman
) -> None:
    mother, theirs = actor(store, MOTHER, CHILD), box(store, CHILD)
    agenda.add(store, theirs, mother, details(reminders=[60]))
    clock.now = ms("2026-03-02T07:00")
    reminding = Reminding(store, SETTINGS, postman)
    await reminding.look()
    store.write(patients.remove_representative, ins=CHILD, representative=MOTHER, actor="t", reason="court")
    # nor the child at an address that his mother may have given
    assert await round_of(store, postman) == []
    jobs = store.read(lambda conn: conn.execute(select(tasks.task.c.last_error)).scalars().all())
    assert sorted(jobs) == ["no proven address"] * 2


async def test_no_task_holds_more_than_who_and_when(store: Store, clock: Clock, postman: Postman) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    agenda.add(store, mine, me, details(reminders=[60]))
    clock.now = ms("2026-03-02T07:00")
    await Reminding(store, SETTINGS, postman).look()
    (task,) = store.read(tasks.pending, tasks.REMINDERS)
    assert msgspec.msgpack.decode(task.payload) == {"box_id": mine, "ins": MOTHER, "at": clock.now}
    assert seen(store, MOTHER, me)
