"""kill -9 between any two steps: nothing acknowledged is lost, nothing is there twice.

The gateways run with ``PASSERELLE_KILL_AT=@FILE`` (see :mod:`store.faults`): a test writes the next point
into the file, and the one process that passes it dies there. A child is started again by its supervisor;
when the writer (the parent) died, the test starts the gateway again as an init system would. The clients
behave as mail servers do: they send the same bytes until they hear 250.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from wire_support import (
    PATIENCE_S,
    Owner,
    Serving,
    Space,
    box_of,
    descendants,
    eventually,
    letter,
    message_id,
    new_patient,
    set_fronts,
)

import activity
import dossier
import evidence
from dossier import documents as every
from gateway.demo import letters, prepare_demo
from gateway.demo.cast import DOCTOR
from gateway.demo.letters import Letter
from gateway.demo.scene import Party
from store import Store, mail, tasks


class Mortal(Space):
    """Both gateways, each of which may lose any of its processes."""

    def __init__(self, folder: Path) -> None:
        scene = prepare_demo(folder)
        set_fronts(scene, "passerelle", 2)
        super().__init__(scene)
        self._reviving = threading.Lock()
        parties: tuple[Party, ...] = ("passerelle", "hopital")
        self.armed = {party: folder / f"{party}.kill" for party in parties}
        self.serving = {
            party: Serving(scene, party, {"PASSERELLE_KILL_AT": f"@{self.armed[party]}"}) for party in parties
        }

    def revive(self) -> None:
        """What an init system does for a service that died."""
        with self._reviving:
            for serving in self.serving.values():
                if not serving.alive:
                    serving.start()

    def store(self, party: Party = "passerelle") -> Store:
        """The store beside the running gateway; to be closed before its writer is killed again."""
        self.revive()
        store = Store.open(self.scene.home(party))
        assert not store.is_writer
        return store

    @contextlib.contextmanager
    def dying_at(self, point: str, party: Party = "passerelle") -> Iterator[None]:
        """Within the block one process dies at ``point``; after it the gateway is whole again."""
        self.armed[party].write_text(point)
        yield
        eventually(lambda: not self.armed[party].exists())
        time.sleep(0.2)  # the file goes first, then the process
        self.revive()

    def send_until_taken(self, to: str, raw: bytes, sender: str = DOCTOR.address) -> int:
        """As an operator's mail server: again and again until 250; how many attempts that took."""
        return self._until_taken(lambda: self.bring(to, raw, sender=sender))

    def submit_until_taken(self, owner: Owner, to: str, raw: bytes) -> int:
        """The same for a mail client."""

        def attempt() -> None:
            with self.submission(owner, timeout=15) as client:
                client.sendmail(owner.address, [to], raw)

        return self._until_taken(attempt)

    def _until_taken(self, attempt: object) -> int:
        assert callable(attempt)
        deadline = time.monotonic() + 2 * PATIENCE_S
        for number in range(1, 1000):
            try:
                attempt()
            except smtplib.SMTPRecipientsRefused as error:
                assert all(code < 500 for code, _ in error.recipients.values()), error
            except smtplib.SMTPResponseException as error:
                # a crash is never answered by a refusal for good
                assert error.smtp_code < 500, error
            except OSError:
                pass
            else:
                return number
            assert time.monotonic() < deadline
            self.revive()
            time.sleep(0.1)
        raise AssertionError("never taken")


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal]:
    space = Mortal(tmp_path_factory.mktemp("mortal"))
    try:
        space.revive()
        yield space
    finally:
        for serving in space.serving.values():
            serving.stop()


@pytest.fixture
def victim(mortal: Mortal) -> Owner:
    """A patient whose mail meets a crash."""
    with mortal.store() as store:
        return new_patient(store, mortal.scene)


@pytest.fixture
def doctor(mortal: Mortal) -> Owner:
    with mortal.store("hopital") as store:
        box = box_of(store, DOCTOR.address)
    return Owner(DOCTOR.address, mortal.scene.passwords[DOCTOR.address], box.box_id)


def with_documents(to: Owner, *, receipt: bool = True) -> Letter:
    """A message with a PDF and an archive; its sender asks for a receipt."""
    assert to.patient is not None
    return Letter(
        DOCTOR.address,
        to.address,
        "Votre compte rendu",
        "Bonjour",
        (
            ("conseils.pdf", "application/pdf", letters.pdf("Conseils")),
            ("IHE_XDM.ZIP", "application/zip", letters.archive(to.patient, "Compte rendu")),
        ),
        (("Disposition-Notification-To", f"<{DOCTOR.address}>"),) if receipt else (),
    )


def check_once(mortal: Mortal, to: Owner, sent: Letter, doctor: Owner) -> list[str]:
    """Exactly one copy, one set of documents, one receipt, evidence that holds; the events of the trace."""
    with mortal.store() as store:

        def documents() -> list[dossier.Document]:
            return store.read(every.documents, store, to.box_id)

        def left() -> list[tasks.Task]:
            return [task for queue in tasks.QUEUES for task in store.read(tasks.pending, queue)]

        eventually(lambda: len(documents()) >= 2 and not left())
        assert sorted(document.info.title for document in documents()) == ["Compte rendu", "conseils"]
        events = [link.event for link in store.read(evidence.trace, sent.message_id)]
        counted = Counter(events)
        assert counted["delivered"] == 1
        assert counted["filed"] == 2
        assert counted["receipt"] == 1
        report = store.read(evidence.verify, evidence.public_key(store.home))
        assert report.ok, report.reason
    served = mortal.messages(to)
    assert [data.endswith(sent.raw) for data in served] == [True]

    def receipts() -> int:
        return sum(sent.message_id.encode() in data for data in mortal.messages(doctor, "hopital"))

    eventually(receipts)
    assert receipts() == 1
    return events


FRONT = ["routing.before_placing", "routing.placed", "routing.accepted"]
WRITER = ["writer.before_sync", "writer.before_commit", "writer.after_commit"]
FILING = ["filing.planned", "filing.sealed", "filing.filed", "filing.reported"]


# In this order a kill of the writer, after which the pauses before a restart begin anew, comes in between.


@pytest.mark.parametrize("point", FILING)
def test_documents_survive_a_kill_on_their_way_into_the_record(
    mortal: Mortal, victim: Owner, doctor: Owner, point: str
) -> None:
    sent = with_documents(victim)
    with mortal.dying_at(point):
        assert mortal.send_until_taken(victim.address, sent.raw) == 1
    assert check_once(mortal, victim, sent, doctor).count("duplicate") == 0


@pytest.mark.parametrize("point", ["invitations.read", "invitations.kept"])
def test_an_invitation_survives_a_kill_on_its_way_into_the_agenda(
    mortal: Mortal, victim: Owner, point: str
) -> None:
    calendar = "\r\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", "METHOD:REQUEST", "BEGIN:VEVENT", f"UID:{point}@wire.test",
         "DTSTAMP:20260101T090000Z", "DTSTART:20300302T090000Z", "SUMMARY:Consultation", "END:VEVENT",
         "END:VCALENDAR"]
    )  # fmt: skip
    raw = letter(victim.address, text=calendar)
    raw = raw.replace(b"text/plain; charset=utf-8", b"text/calendar; method=REQUEST; charset=utf-8")
    with mortal.dying_at(point):
        assert mortal.send_until_taken(victim.address, raw) == 1
    with mortal.store() as store:

        def entries() -> list[str]:
            return [one.what for one in store.read(activity.entries, store, victim.box_id)]

        eventually(lambda: "proposal_received" in entries())
        eventually(lambda: not store.read(tasks.pending, tasks.INVITATIONS))
        assert entries().count("proposal_received") == 1


@pytest.mark.parametrize("point", WRITER + FRONT)
def test_a_message_survives_a_kill_on_its_way_in(
    mortal: Mortal, victim: Owner, doctor: Owner, point: str
) -> None:
    sent = with_documents(victim)
    with mortal.dying_at(point):
        attempts = mortal.send_until_taken(victim.address, sent.raw)
    events = check_once(mortal, victim, sent, doctor)
    if point in FRONT:
        assert attempts > 1
        # what was committed before the crash is known when it comes again
        assert events.count("duplicate") == (point == "routing.accepted")


@pytest.mark.parametrize("point", ["relay.leased", "relay.sent", "relay.ended"])
def test_an_answer_survives_a_kill_on_its_way_out(
    mortal: Mortal, victim: Owner, doctor: Owner, point: str
) -> None:
    mortal.bring(victim.address, letter(victim.address))
    raw = letter(DOCTOR.address, sender=victim.address)
    with mortal.dying_at(point):
        assert mortal.submit_until_taken(victim, DOCTOR.address, raw) == 1
    eventually(lambda: mortal.copies(doctor, raw, "hopital"))
    with mortal.store() as store:
        eventually(lambda: not store.read(tasks.pending, tasks.RELAY))
        assert [link.event for link in store.read(evidence.trace, message_id(raw))] == ["accepted", "relayed"]
        assert store.read(mail.entries, victim.box_id, mail.OUTBOX_ID) == []
    assert mortal.copies(doctor, raw, "hopital") == 1


@pytest.mark.parametrize("point", ["routing.placed", "routing.accepted", "writer.before_commit"])
def test_the_other_gateway_may_die_while_it_takes_over(
    mortal: Mortal, victim: Owner, doctor: Owner, point: str
) -> None:
    """The hospital dies as it takes the patient's answer; an administrator has the relay try again now."""
    mortal.bring(victim.address, letter(victim.address))
    raw = letter(DOCTOR.address, sender=victim.address)
    with mortal.dying_at(point, "hopital"):
        assert mortal.submit_until_taken(victim, DOCTOR.address, raw) == 1
    with mortal.store() as store:

        def again() -> bool:
            mortal.revive()
            left = store.read(tasks.pending, tasks.RELAY)
            for task in left:
                if task.state == "due":
                    store.write(tasks.retry, task_id=task.task_id, due_at=0, error=task.last_error)
            time.sleep(0.3)
            return not left

        eventually(again)
        events = [link.event for link in store.read(evidence.trace, message_id(raw))]
        assert events == ["accepted", "relayed"]
    assert mortal.copies(doctor, raw, "hopital") == 1


def test_kills_at_any_moment_while_mail_flows(mortal: Mortal, doctor: Owner) -> None:
    """Clients send, and every second or so some process of the patients' gateway is killed, the writer and
    the server that forks included. In the end what was acknowledged is there once."""
    with mortal.store() as store:
        boxes = [new_patient(store, mortal.scene) for _ in range(3)]
    stop = threading.Event()

    def client(number: int) -> list[tuple[str, bytes]]:
        chosen, taken = random.Random(number), []
        while not stop.is_set():
            box = chosen.choice(boxes)
            raw = letter(box.address, text="x" * chosen.randrange(20_000))
            mortal.send_until_taken(box.address, raw)
            taken.append((box.address, raw))
        return taken

    chance = random.Random(11)
    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client, number) for number in range(4)]
        try:
            for turn in range(8):
                time.sleep(chance.uniform(0.3, 0.9))
                mortal.revive()
                pid = mortal.serving["passerelle"].pid
                below = sorted(descendants(pid))
                target = pid if turn in (2, 6) or not below else chance.choice(below)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(target, signal.SIGKILL)
        finally:
            stop.set()
        sent = [item for one in clients for item in one.result(3 * PATIENCE_S)]
    taken = {box.address: [raw for address, raw in sent if address == box.address] for box in boxes}
    assert sum(len(raws) for raws in taken.values()) > 10
    for box in boxes:
        served = mortal.messages(box)
        assert len(served) == len(taken[box.address])
        for raw in taken[box.address]:
            assert sum(data.endswith(raw) for data in served) == 1
    with mortal.store() as store:
        report = store.read(evidence.verify, evidence.public_key(store.home))
        assert report.ok, report.reason
        assert mortal.serving["passerelle"].alive
