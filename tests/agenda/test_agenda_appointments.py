"""Who adds, sees and changes what; versions, the journal, what is sealed, what a deletion leaves."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import select

import agenda
import evidence
import patients
from activity import Actor
from agenda import Change
from agenda.tables import agenda_feed, agenda_invitation, appointment, proposal_answer
from store import Store, StoreError
from tests.agenda.agenda_support import (
    CHILD,
    DAY,
    DOCTOR,
    MOTHER,
    OPERATOR,
    STRANGER,
    actor,
    box,
    details,
    journal,
    ms,
    refused,
    seen,
)
from tests.patients.patients_support import Clock


def test_a_patient_adds_changes_and_removes(store: Store, clock: Clock) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    one = agenda.add(store, mine, me, details(rule="FREQ=WEEKLY;COUNT=3"))
    assert seen(store, MOTHER, me) == [f"2026-03-{day:02}T09:00:00 Kiné" for day in (2, 9, 16)]
    clock.now += 1000
    two = agenda.change(store, mine, me, one.appointment_id, details(title="Ostéo"), version=1)
    assert refused(lambda: agenda.change(store, mine, me, one.appointment_id, details(), version=1)) == (
        "agenda.changed"
    )
    assert seen(store, MOTHER, me) == ["2026-03-02T09:00:00 Ostéo"]
    agenda.remove(store, mine, me, two.appointment_id)
    assert seen(store, MOTHER, me) == []
    assert refused(lambda: agenda.remove(store, mine, me, one.appointment_id)) == "agenda.unknown"
    history = store.read(agenda.versions, store, mine, one.appointment_id, me)
    assert [(each.version, each.status, each.details.title) for each in history] == [
        (1, "planned", "Kiné"),
        (2, "planned", "Ostéo"),
        (3, "removed", "Ostéo"),
    ]
    assert journal(store, MOTHER) == ["appointment_added", "appointment_changed", "appointment_removed"]
    assert store.read(evidence.verify, evidence.public_key(store.home)).ok


def test_one_occurrence_is_changed_or_cancelled(store: Store) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    number = agenda.add(store, mine, me, details(rule="FREQ=WEEKLY;COUNT=3")).appointment_id
    agenda.change_occurrence(store, mine, me, number, Change(at="2026-03-09T09:00", cancelled=True))
    moved = Change(at="2026-03-16T09:00", begin="2026-03-17T18:00", end="2026-03-17T19:00", title="Kiné 2")
    agenda.change_occurrence(store, mine, me, number, moved)
    assert seen(store, MOTHER, me) == ["2026-03-02T09:00:00 Kiné", "2026-03-17T18:00:00 Kiné 2"]
    listed = store.read(
        agenda.occurrences, store, mine, me, ms("2026-01-01"), ms("2027-01-01"), cancelled=True
    )
    assert [one.cancelled for one in listed] == [False, True, False]
    never = Change(at="2026-03-10T09:00", cancelled=True)
    assert refused(lambda: agenda.change_occurrence(store, mine, me, number, never)) == "agenda.changes"
    single = agenda.add(store, mine, me, details()).appointment_id
    only = Change(at="2026-03-02T09:00", cancelled=True)
    assert refused(lambda: agenda.change_occurrence(store, mine, me, single, only)) == "agenda.changes"
    agenda.cancel(store, mine, me, single)
    assert len(seen(store, MOTHER, me)) == 2


def test_a_professional_sees_what_is_shared_and_what_he_added(store: Store) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    agenda.add(store, mine, me, details(title="À moi"))
    shared = agenda.add(store, mine, me, details(title="Partagé", shared=True))
    own = agenda.add(store, mine, DOCTOR, details(title="Contrôle"))
    assert own.source == "professional" and own.details.professional.id_nat == DOCTOR.ident
    colleague = Actor(by="professional", ident="810009999999")
    assert [one[20:] for one in seen(store, MOTHER, DOCTOR)] == ["Partagé", "Contrôle"]
    assert [one[20:] for one in seen(store, MOTHER, colleague)] == ["Partagé"]
    assert len(seen(store, MOTHER, me)) == 3
    change = lambda who, number: agenda.change(store, mine, who, number, details())  # noqa: E731
    assert refused(lambda: change(DOCTOR, shared.appointment_id)) == "agenda.refused"
    assert refused(lambda: change(colleague, own.appointment_id)) == "agenda.unknown"
    agenda.cancel(store, mine, DOCTOR, own.appointment_id)
    assert refused(lambda: store.read(agenda.feeds, store, mine, DOCTOR)) == "agenda.refused"
    agenda.read_occurrences(store, mine, DOCTOR, ms("2026-01-01"), ms("2027-01-01"))
    assert journal(store, MOTHER)[-1] == "appointments_read"


def test_a_stranger_and_a_service_see_nothing(store: Store) -> None:
    mine = box(store, MOTHER)
    for who in (Actor(by="patient", ident=STRANGER), Actor(by="service", ident="app")):
        assert refused(lambda who=who: seen(store, MOTHER, who)) == "agenda.refused"  # type: ignore[misc]  # bound
        assert (
            refused(
                lambda who=who: agenda.read_occurrences(  # type: ignore[misc]  # bound
                    store, mine, who, ms("2026-01-01"), ms("2026-02-01")
                )
            )
            == "agenda.refused"
        )
    assert journal(store, MOTHER) == ["appointments_read agenda.refused"] * 2


def test_what_is_hidden_from_representatives(store: Store, clock: Clock) -> None:
    mother, child, theirs = actor(store, MOTHER, CHILD), actor(store, CHILD), box(store, CHILD)
    assert (mother.by, child.by) == ("representative", "patient")
    agenda.add(store, theirs, mother, details(title="Dentiste"))
    secret = agenda.add(store, theirs, DOCTOR, details(title="Planning familial"), hidden=True)
    own = agenda.add(store, theirs, child, details(title="Entretien"), hidden=True)
    assert [one[20:] for one in seen(store, CHILD, mother)] == ["Dentiste"]
    # who signs in as a minor may be the parent: he is shown no more than a parent
    assert [one[20:] for one in seen(store, CHILD, child)] == ["Dentiste"]
    assert refused(lambda: agenda.add(store, theirs, mother, details(), hidden=True)) == "agenda.refused"
    for who in (mother, child):
        assert (
            refused(
                lambda who=who: agenda.change(  # type: ignore[misc]  # bound
                    store, theirs, who, secret.appointment_id, details(), hidden=False
                )
            )
            == "agenda.unknown"
        )
    assert refused(
        lambda: agenda.change(store, theirs, OPERATOR, own.appointment_id, details(), hidden=False)
    ) == ("agenda.refused")
    agenda.change(store, theirs, DOCTOR, secret.appointment_id, secret.details, hidden=False)
    assert [one[20:] for one in seen(store, CHILD, mother)] == ["Dentiste", "Planning familial"]
    clock.now += 11 * 366 * DAY  # of age
    assert len(seen(store, CHILD, Actor(by="patient", ident=CHILD))) == 3
    assert refused(lambda: seen(store, CHILD, mother)) == "agenda.refused"


def test_a_right_that_ends_before_the_write_writes_nothing(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    mother, theirs = actor(store, MOTHER, CHILD), box(store, CHILD)
    real = store.sealer

    def remove_meanwhile(box_id: int) -> object:
        monkeypatch.setattr(store, "sealer", real)
        store.write(
            patients.remove_representative, ins=CHILD, representative=MOTHER, actor="test", reason="court"
        )
        return real(box_id)

    monkeypatch.setattr(store, "sealer", remove_meanwhile)
    assert refused_by_writer(lambda: agenda.add(store, theirs, mother, details())) == "agenda.refused"
    assert store.read(lambda conn: conn.execute(select(appointment)).all()) == []


def refused_by_writer(call: object) -> str:
    with pytest.raises(agenda.AgendaError) as caught:
        call()  # type: ignore[operator]  # a call without arguments
    return caught.value.rule


def test_a_closed_profile_has_no_agenda_but_for_stewards(store: Store) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    agenda.add(store, mine, me, details())
    patients.close(store, MOTHER, actor="test")
    for who in (me, DOCTOR):
        assert refused(lambda who=who: seen(store, MOTHER, who)) == "agenda.closed"  # type: ignore[misc]  # bound
    assert len(seen(store, MOTHER, OPERATOR)) == 1
    assert refused(lambda: agenda.add(store, mine, OPERATOR, details())) == "agenda.closed"


def test_nothing_that_tells_of_health_is_in_the_clear(store: Store) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    word = "Oncologie"
    one = agenda.add(store, mine, me, details(title=word, place=word, notes=word))
    agenda.open_feed(store, mine, me, label=word)
    agenda.say_done(store, mine, me, "CERVIX_30Y", patients.calendar.today(1_760_000_000_000))
    with sqlite3.connect(store.home / "store.db") as database:
        dump = "\n".join(database.iterdump())
    database.close()
    for secret in (word, one.uid, "CERVIX", "2026-03-02"):
        assert secret not in dump and secret.encode().hex().upper() not in dump
    assert one.uid not in dump


def test_a_deletion_leaves_nothing(store: Store, clock: Clock) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    agenda.add(store, mine, me, details(reminders=[60]))
    agenda.open_feed(store, mine, me)
    agenda.decline_proposal(store, mine, me, "CERVIX_30Y")
    patients.close(store, MOTHER, actor="test")
    patients.ask_deletion(store, MOTHER, actor="test")
    clock.now += 100 * DAY
    patients.expire_archives(store, actor="test", force=True)
    for table in (appointment, agenda_feed, proposal_answer, agenda_invitation):
        assert store.read(lambda conn, table=table: conn.execute(select(table)).all()) == []  # type: ignore[misc]  # bound
    with pytest.raises((agenda.AgendaError, StoreError)):
        seen(store, MOTHER, OPERATOR)


def test_ranges_are_bounded(store: Store) -> None:
    me, mine = actor(store, MOTHER), box(store, MOTHER)
    for since, until in ((5, 5), (6, 5), (0, 4_000 * DAY), (-(10**15), 0), (0, 10**15)):
        asked = lambda since=since, until=until: store.read(agenda.occurrences, store, mine, me, since, until)  # noqa: E731
        assert refused(asked) == "agenda.range"
