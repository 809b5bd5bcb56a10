"""Invitations by mail, from the router to the patient's answer: never an appointment by themselves."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import activity
import agenda
import patients
from gateway.demo import cast, prepare_demo
from gateway.invitations import Invitations
from gateway.routing import Router
from store import Store, faults, tasks
from tests.routing.routing_support import (
    ALICE,
    COLLEAGUE,
    DOCTOR,
    PATIENTS,
    Post,
    message,
    operator,
    patient,
    settle,
)

DAY_MS = 86_400_000


class Killed(BaseException):
    """The process died here."""


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the patients' gateway of a demonstration; Alice is activated."""
    folder = tmp_path_factory.mktemp("space") / "demo"
    prepare_demo(folder)
    with Store.open(folder / "passerelle") as store:
        patients.activate(store, ALICE.ins, cast.PATIENT_DOMAIN, actor="test")
    return folder / "passerelle"


@pytest.fixture
async def post(space: Path, tmp_path: Path) -> AsyncIterator[Post]:
    with Store.open(shutil.copytree(space, tmp_path / "passerelle")) as store:
        router = Router(store, PATIENTS)
        yield Post(store, router)
        await settle(router)


def calendar(
    *, method: str = "REQUEST", sequence: int = 0, begin: str = "20300302T090000",
    title: str = "Consultation",
    uid: str = "rdv-1@hopital", status: str = "CONFIRMED", more: str = "",
) -> str:  # fmt: skip
    return "\r\n".join(
        [
            "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", f"METHOD:{method}", "BEGIN:VEVENT", f"UID:{uid}",
            f"SEQUENCE:{sequence}", f"DTSTAMP:202601{sequence + 10:02}T090000Z", f"STATUS:{status}",
            f"DTSTART;TZID=Europe/Paris:{begin}", f"SUMMARY:{title}", "ORGANIZER:mailto:boss@evil.test",
            *([more] if more else []), "END:VEVENT", "END:VCALENDAR",
        ]
    )  # fmt: skip


def letter(text: str, number: int, *, sender: str = DOCTOR, inline: bool = True) -> bytes:
    disposition = "" if inline else 'Content-Disposition: attachment; filename="invite.ics"\r\n'
    return message(
        sender,
        fields=("MIME-Version: 1.0", 'Content-Type: multipart/alternative; boundary="b"'),
        text="--b\r\nContent-Type: text/plain\r\n\r\nBonjour\r\n--b\r\n"
        f"Content-Type: text/calendar; method=REQUEST; charset=utf-8\r\n{disposition}\r\n{text}\r\n--b--",
        message_id=f"<inv-{number}@example.test>",
    )


class Person:
    """Alice, and what her agenda and her invitations say."""

    def __init__(self, post: Post) -> None:
        self.post, self.store = post, post.store
        found = self.store.read(patients.profile, ALICE.ins)
        assert found is not None and found.box_id is not None
        self.box = found.box_id
        self.me = self.store.read(activity.person, self.box, ALICE.ins)
        self.number = 0

    async def gets(
        self, text: str, *, sender: str = DOCTOR, inline: bool = True, charset: str = "utf-8"
    ) -> None:
        self.number += 1
        raw = letter(text, self.number, sender=sender, inline=inline)
        raw = raw.replace(b"charset=utf-8", f"charset={charset}".encode())
        origin = operator(self.store, cast.HOSPITAL_DOMAIN)
        assert (await self.post.send(origin, sender, [ALICE.address], raw)).code == 250
        await self.work()

    async def work(self) -> int:
        return await Invitations(self.store).worker("test").run_once()

    def waiting(self) -> list[agenda.Invitation]:
        return self.store.read(agenda.invitations, self.store, self.box, self.me)

    def status(self) -> list[str]:
        found = self.store.read(agenda.invitations, self.store, self.box, self.me, every=True)
        return [one.status for one in found]

    def agenda(self) -> list[str]:
        found = self.store.read(agenda.appointments, self.store, self.box, self.me)
        return [f"{one.status} {one.details.begin[:10]} {one.details.title}" for one in found]


@pytest.fixture
def alice(post: Post) -> Person:
    return Person(post)


async def test_asked_accepted_changed_called_off(alice: Person) -> None:
    await alice.gets(calendar())
    (one,) = alice.waiting()
    assert (one.sender, one.details.title, one.update) == (DOCTOR.casefold(), "Consultation", False)
    assert alice.agenda() == []
    made = agenda.accept_invitation(alice.store, alice.box, alice.me, one.invitation_id)
    assert made.source == "invitation" and alice.agenda() == ["planned 2030-03-02 Consultation"]
    with pytest.raises(agenda.AgendaError):
        agenda.accept_invitation(alice.store, alice.box, alice.me, one.invitation_id)
    await alice.gets(calendar(sequence=1, begin="20300305T100000"))
    assert alice.agenda() == ["planned 2030-03-02 Consultation"]  # as it was accepted
    (one,) = alice.waiting()
    assert one.update
    agenda.accept_invitation(alice.store, alice.box, alice.me, one.invitation_id)
    assert alice.agenda() == ["planned 2030-03-05 Consultation"]
    await alice.gets(calendar(method="CANCEL", sequence=2))
    assert alice.agenda() == ["cancelled 2030-03-05 Consultation"] and alice.status() == ["withdrawn"]
    told = [one.what for one in reversed(alice.store.read(activity.entries, alice.store, alice.box))]
    assert told == [
        "proposal_received", "proposal_accepted", "proposal_received", "proposal_accepted",
        "proposal_withdrawn",
    ]  # fmt: skip


async def test_only_the_first_sender_changes_or_cancels(alice: Person) -> None:
    await alice.gets(calendar())
    await alice.gets(calendar(sequence=5, title="Ailleurs"), sender=COLLEAGUE)
    await alice.gets(calendar(method="CANCEL", sequence=6), sender=COLLEAGUE)
    (one,) = alice.waiting()
    assert one.details.title == "Consultation"
    await alice.gets(calendar(method="CANCEL", sequence=0))  # not newer
    assert len(alice.waiting()) == 1
    await alice.gets(calendar(sequence=0, title="Ancienne"))
    assert alice.waiting()[0].details.title == "Consultation"


async def test_declined_and_called_off_before_an_answer(alice: Person) -> None:
    await alice.gets(calendar(), inline=False)
    agenda.decline_invitation(alice.store, alice.box, alice.me, alice.waiting()[0].invitation_id)
    assert (alice.status(), alice.agenda()) == (["declined"], [])
    await alice.gets(calendar(uid="2"))
    await alice.gets(calendar(uid="2", sequence=1, status="CANCELLED"))
    await alice.gets(calendar(uid="never asked", method="CANCEL"))
    assert sorted(alice.status()) == ["declined", "withdrawn"]


async def test_other_methods_and_broken_parts_ask_nothing(alice: Person) -> None:
    for text in (
        calendar(method="REPLY"),
        calendar(method="COUNTER"),
        calendar(more="RRULE:FREQ=SECONDLY"),
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT",
        "no calendar",
    ):
        await alice.gets(text)
    assert alice.status() == []
    assert alice.store.read(tasks.pending, tasks.INVITATIONS) == []
    await alice.gets(calendar(title="Après"))
    assert len(alice.waiting()) == 1


async def test_any_charset_is_read_or_taken_for_octets(alice: Person) -> None:
    """Lone surrogates of UTF-7 once broke the task; punycode took minutes for a megabyte."""
    names = ("utf-7", "unicode_escape", "punycode", "idna", "rot13", "x" * 60, "iso-8859-1")
    for number, charset in enumerate(names):
        await alice.gets(calendar(uid=str(number), title="\\ud800 +2AA-"), charset=charset)
    assert alice.store.read(tasks.pending, tasks.INVITATIONS) == []
    assert len(alice.waiting()) == len(names)


async def test_a_message_without_calendar_leaves_no_task(alice: Person) -> None:
    assert (await alice.post.from_doctor(message(DOCTOR))).code == 250
    assert await alice.work() == 0


@pytest.mark.parametrize("point", ["invitations.read", "invitations.kept"])
async def test_a_death_in_between_neither_loses_nor_doubles(
    alice: Person, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(name: str) -> None:
        if name == point:
            raise Killed

    monkeypatch.setattr(faults, "point", die)
    with pytest.raises(Killed):
        await alice.gets(calendar())
    monkeypatch.undo()
    assert len(alice.waiting()) == (point == "invitations.kept")
    await asyncio.to_thread(alice.store.write, tasks.take_back, owner="test")
    await alice.work()
    assert len(alice.waiting()) == 1
    entries = alice.store.read(activity.entries, alice.store, alice.box)
    assert [one.what for one in entries] == ["proposal_received"]
    assert entries[0].by == "professional" and entries[0].ident


async def test_a_patients_message_invites_nobody(alice: Person) -> None:
    """Only a professional's message becomes a proposal; what a patient sends is mail."""
    await alice.gets(calendar())
    raw = letter(calendar(uid="mine"), 99, sender=ALICE.address)
    await alice.post.send(patient(alice.store, ALICE.address), ALICE.address, [DOCTOR], raw)
    assert await alice.work() == 0
