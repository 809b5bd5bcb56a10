"""The agenda on a real PostgreSQL: the same statements, the same answers."""

from __future__ import annotations

from pathlib import Path

import pytest

import agenda
import gateway.rooms
from activity import Actor
from agenda.ics_read import read_calendar
from store import Store, Tx, operation, tasks
from tests.agenda.agenda_support import MINUTE, MOTHER, actor, box, details, family, journal, ms, seen
from tests.patients.patients_support import Clock
from tests.store.postgres import new_database, postgres_server


@pytest.mark.package("postgres")
def test_the_agenda_on_postgresql(tmp_path: Path, clock: Clock) -> None:
    assert gateway.rooms.__all__
    with (
        postgres_server() as url,
        Store.open(tmp_path / "home", url=new_database(url, "agenda")) as store,
    ):
        family(store)
        me, mine = actor(store, MOTHER), box(store, MOTHER)
        one = agenda.add(store, mine, me, details(rule="FREQ=WEEKLY", reminders=[60]))
        agenda.change(
            store, mine, me, one.appointment_id, details(rule="FREQ=WEEKLY;COUNT=2", reminders=[60])
        )
        assert len(seen(store, MOTHER, me)) == 2
        clock.now = ms("2026-03-02T07:00") + MINUTE
        assert [agenda.take_due(store, clock.now) for _ in range(2)] == [1, 0]
        assert len(store.read(tasks.pending, tasks.REMINDERS)) == 1
        _, token = agenda.open_feed(store, mine, me)
        served = agenda.serve_feed(store, token)
        assert served is not None and len(read_calendar(served.body).found) == 1
        agenda.decline_proposal(store, mine, me, "CERVIX_30Y")
        data = agenda.export_calendar(store, mine, me)
        there = [one.uid for one in read_calendar(data).found]
        sender = Actor(by="professional", ident="81", address="dr@mss.test")
        found = read_calendar(data.replace(there[0].encode(), b"invited")).found
        for count in (1, 0):  # the same again changes nothing
            number = store.write(leave, box_id=mine)
            assert count == agenda.receive(
                store, task_id=number, box_id=mine, message_id=1, trace_id="t", sender=sender,
                received_at=clock.now, found=found, cancel=False,
            )  # fmt: skip
        (invited,) = store.read(agenda.invitations, store, mine, me)
        agenda.accept_invitation(store, mine, me, invited.invitation_id)
        agenda.remove(store, mine, me, one.appointment_id)
        assert len(journal(store, MOTHER)) == 8


@operation("test.leave_invitation")
def leave(tx: Tx, *, box_id: int) -> int:
    return tasks.add_task(
        tx, queue=tasks.INVITATIONS, box_id=box_id, payload=b"", due_at=0, subject_key="", trace_id="t"
    )
