"""Notices by e-mail: a stock aiosmtpd in a process of its own takes them from us into a Maildir."""

from __future__ import annotations

import asyncio
import contextlib
import mailbox
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Iterator
from email.message import Message
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from sqlalchemy import Connection, select
from wire_support import Serving, Space, eventually, letter

import activity
import gateway.rooms
import patients
from activity.tables import notice_mark
from gateway.demo import cast, prepare_demo
from gateway.home import settings_text
from gateway.notices import Notices
from gateway.settings import FILE_NAME, Settings, load_settings
from store import Store, Tx, mail, operation
from store.schema import entry as entry_table
from tests.activity.activity_support import DOCTOR, HOSPITAL, SUPPORT, Patient
from tests.patients.patients_support import Clock

MINUTE, HOUR = 60_000, 3_600_000
ORIGIN = "https://espace.exemple.fr"
SECRETS = (
    "Coloscopie",
    "dépressif",
    "EXEMPLE1",
    "Anne",
    "CHU",
    "oncologie",
    "support7",
    "12 mars",
    "2800375056",
)


class Sink:
    """Somebody else's mail server, and what it took."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        mailbox.Maildir(self.folder, create=True)
        where = f"127.0.0.1:{self.port}"
        words = ["-m", "aiosmtpd", "-n", "-l", where, "-c", "aiosmtpd.handlers.Mailbox", str(self.folder)]
        self._process = subprocess.Popen([sys.executable, *words], stderr=subprocess.DEVNULL)

        def answers() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return True
            return False

        eventually(answers)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    def taken(self) -> list[Message]:
        return list(mailbox.Maildir(self.folder, create=True))

    def to(self, address: str) -> list[Message]:
        return [one for one in self.taken() if one["To"] == address]

    @property
    def signin(self) -> dict[str, object]:
        """The settings that bring every notice here."""
        return {
            "sender": "smtp",
            "relay": f"127.0.0.1:{self.port}",
            "relay_tls": "none",
            "from_address": "avis@espace.exemple.fr",
            "origin": ORIGIN,
        }


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    found = Sink(tmp_path / "maildir")
    found.start()
    yield found
    found.stop()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    for place in ("store.writer", "gateway.notices", "patients.guardians"):
        monkeypatch.setattr(f"{place}.now_ms", found)
    return found


class Desk:
    """A store and the part of the back that tells, with a clock of ours."""

    def __init__(self, home: Path, sink: Sink, clock: Clock) -> None:
        home.mkdir(exist_ok=True)
        gateway_of = {"hostname": "mss.exemple.fr", "patient_domain": "patient.exemple.fr"}
        (home / FILE_NAME).write_text(settings_text({"gateway": gateway_of, "signin": sink.signin}))
        assert gateway.rooms.__all__
        self.store = Store.open(home)
        self.clock, self.sink = clock, sink
        self.settings: Settings = load_settings(home)
        self.back = self.another("one")

    def another(self, owner: str) -> Notices:
        return Notices(self.store.home, self.settings, self.store, owner)

    async def pass_(self, milliseconds: int) -> int:
        """Look, let time pass, look again; how many notices there are by now."""
        await self.back.look()
        self.clock.now += milliseconds
        await self.back.look()
        return len(self.sink.taken())

    async def quiet(self) -> int:
        return await self.pass_(10 * MINUTE)

    @property
    def counts(self) -> dict[str, int]:
        return self.store.read(activity.notice_counts)


@pytest_asyncio.fixture
async def desk(tmp_path: Path, sink: Sink, clock: Clock) -> AsyncIterator[Desk]:
    made = Desk(tmp_path / "home", sink, clock)
    await made.back.look()
    yield made
    made.store.close()


def text_of(message: Message) -> str:
    payload = message.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


async def test_fifty_actions_are_one_mail_without_content(desk: Desk) -> None:
    marie = Patient(desk.store, email="marie@exemple.org")
    for number in range(10):
        marie.files(f"Coloscopie {number}")
        marie.happens(DOCTOR, "documents_listed")
        marie.happens(DOCTOR, "document_read", kind="document", subject="7", rule="dossier.blocked")
        marie.happens(SUPPORT, "history_read")
        marie.happens(HOSPITAL, "appointment_added", kind="appointment", more={"title": "oncologie"})
        marie.happens(marie.actor, "documents_listed")  # her own: not told
        marie.gets("trouble dépressif")
    assert await desk.quiet() == 1
    assert await desk.pass_(HOUR) == 1
    [told] = desk.sink.taken()
    assert told["To"] == "marie@exemple.org"
    assert told["From"] == "avis@espace.exemple.fr"
    assert told["Auto-Submitted"] == "auto-generated"  # RFC 3834 §5
    assert told["Date"] and re.fullmatch(r"<[^<>@\s]+@espace\.exemple\.fr>", told["Message-ID"])
    text = text_of(told)
    assert "- 50 nouvelles actions" in text and "- 10 nouveaux messages" in text
    assert "- 50 new actions" in text and "- 10 new messages" in text
    assert text.index("Bonjour") < text.index("Hello")
    assert ORIGIN in text
    whole = told.as_string() + text
    assert [one for one in (*SECRETS, marie.ins, marie.address) if one in whole] == []
    assert desk.counts["sent"] == 1


async def test_the_next_notice_keeps_its_distance_and_tells_the_rest(desk: Desk) -> None:
    marie = Patient(desk.store, email="marie@exemple.org")
    marie.happens(DOCTOR, "documents_listed")
    assert await desk.quiet() == 1
    for _ in range(3):
        marie.happens(DOCTOR, "documents_listed")
    assert await desk.quiet() == 1
    assert await desk.pass_(4 * HOUR) == 2
    assert "3 nouvelles actions" in text_of(desk.sink.taken()[-1]) + text_of(desk.sink.taken()[0])
    assert await desk.pass_(24 * HOUR) == 2


async def test_broken_glass_is_told_at_once(desk: Desk) -> None:
    marie = Patient(desk.store, email="marie@exemple.org")
    activity.set_wish(desk.store, marie.box_id, marie.actor, "none")
    marie.happens(DOCTOR, "documents_listed")
    assert await desk.pass_(48 * HOUR) == 0
    emergency = msgspec.structs.replace(DOCTOR, purpose="break_glass", reason="Coloscopie")
    marie.happens(emergency, "document_read", kind="document", subject="7")
    assert await desk.pass_(0) == 1
    assert "Coloscopie" not in text_of(desk.sink.taken()[0])


async def test_what_is_withheld_or_hidden_makes_no_notice(desk: Desk) -> None:
    marie = Patient(desk.store, email="marie@exemple.org")
    marie.files("Coloscopie", "INVISIBLE_PATIENT")
    assert await desk.quiet() == 0
    assert desk.counts["nothing"] == 1
    zoe = Patient(desk.store, 2, born="2015-05-05", email="marie@exemple.org")  # as parents set it up
    zoe.represented_by(marie)
    zoe.files("Coloscopie", "INVISIBLE_REPRESENTANTS_LEGAUX")
    assert await desk.pass_(24 * HOUR) == 0
    zoe.files("Vaccin")
    assert await desk.quiet() == 1  # once, though both know one address
    [told] = desk.sink.taken()
    assert "un espace santé que vous suivez" in text_of(told)
    assert "- une nouvelle action" in text_of(told)
    assert zoe.ins not in told.as_string()


async def test_who_represents_no_more_is_told_no_more(desk: Desk) -> None:
    marie = Patient(desk.store, email="marie@exemple.org")
    zoe = Patient(desk.store, 2, born="2015-05-05")
    zoe.represented_by(marie)
    zoe.happens(DOCTOR, "documents_listed")
    await desk.back.look()
    desk.store.write(
        patients.remove_representative, ins=zoe.ins, representative=marie.ins, actor="test", reason="jugement"
    )
    assert await desk.quiet() == 0
    assert desk.counts["gone"] == 1
    zoe.happens(DOCTOR, "documents_listed")
    assert await desk.quiet() == 0
    assert desk.store.read(activity.notice_of, zoe.box_id, marie.ins).news_seq == 0


async def test_an_address_that_nobody_proved_gets_nothing(desk: Desk) -> None:
    marie = Patient(desk.store)
    marie.happens(DOCTOR, "documents_listed")
    marie.gets("Bonjour")
    assert await desk.quiet() == 0
    assert (desk.counts["unreachable"], desk.counts["wait"]) == (1, 0)
    desk.store.write(patients.signin.set_contact, ins=marie.ins, channel="email", to="marie@exemple.org")
    marie.gets("Bonjour")
    assert await desk.quiet() == 1


@operation("tests.notices.read_all")
def read_all(tx: Tx, *, box_id: int) -> None:
    tx.conn.execute(entry_table.update().where(entry_table.c.box_id == box_id).values(flags=mail.SEEN))


async def test_mail_that_was_read_meanwhile_is_not_told(desk: Desk) -> None:
    marie = Patient(desk.store, email="marie@exemple.org")
    marie.gets("Bonjour")
    await desk.back.look()
    desk.store.write(read_all, box_id=marie.box_id)
    assert await desk.quiet() == 0
    marie.gets("Encore")
    assert await desk.quiet() == 1
    assert "- un nouveau message" in text_of(desk.sink.taken()[0])


async def test_each_level_of_a_quota_is_told_once(desk: Desk) -> None:
    marie = Patient(desk.store, email="marie@exemple.org", quota=100_000)
    levels = []
    for size in (50_000, 32_000, 1_000, 13_000, 1_000, 1_000):
        marie.gets("Bonjour", size)
        desk.store.write(read_all, box_id=marie.box_id)
        before = {one["Message-ID"] for one in desk.sink.taken()}
        await desk.pass_(24 * HOUR)
        levels.append(
            [re.findall(r"remplie à plus de (\d+) %", text_of(one)) for one in desk.sink.taken()
             if one["Message-ID"] not in before]
        )  # fmt: skip
    assert levels == [[], [["80"]], [], [["95"]], [], []]


async def test_a_relay_that_is_away_loses_nothing(desk: Desk) -> None:
    marie = Patient(desk.store, email="marie@exemple.org")
    marie.happens(DOCTOR, "documents_listed")
    desk.sink.stop()
    assert await desk.quiet() == 0
    held = desk.store.read(activity.notice_of, marie.box_id, marie.ins)
    assert (held.failures, held.error, held.waits) == (1, "signin.relay", True)
    marie.happens(DOCTOR, "documents_listed")
    desk.sink.start()
    await desk.back.look()
    assert desk.sink.taken() == []  # not before its time
    assert await desk.pass_(MINUTE) == 1
    assert "2 nouvelles actions" in text_of(desk.sink.taken()[0])
    assert (desk.counts["failed"], desk.counts["sent"]) == (1, 1)


async def test_several_backs_tell_once(desk: Desk) -> None:
    people = [Patient(desk.store, number, email=f"p{number}@exemple.org") for number in range(1, 31)]
    others = [desk.another(f"back{number}") for number in range(3)]
    for one in people:
        one.happens(DOCTOR, "documents_listed")
    await asyncio.gather(*(other.look() for other in others))
    desk.clock.now += 10 * MINUTE
    await asyncio.gather(*(other.look() for other in others))
    assert sorted(one["To"] for one in desk.sink.taken()) == sorted(one.email for one in people)
    assert desk.counts["sent"] == 30


def test_a_back_that_is_killed_between_sending_and_recording_repeats_one_at_most(
    tmp_path: Path, sink: Sink
) -> None:
    scene = prepare_demo(tmp_path / "scene")
    home = scene.home("passerelle")
    path = home / FILE_NAME
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    values["signin"] = sink.signin
    values["notices"] = {"quiet_minutes": 0, "hours_between": 0, "look_seconds": 1}
    path.write_text(settings_text(values), encoding="utf-8")
    armed = tmp_path / "kill"
    serving = Serving(scene, "passerelle", {"PASSERELLE_KILL_AT": f"@{armed}"})
    serving.start()
    try:
        space = Space(scene)
        with Store.open(home) as store:
            assert not store.is_writer
            profile = patients.activate(store, cast.ALICE.ins, cast.PATIENT_DOMAIN, actor="test")
            assert profile.box_id is not None
            store.write(patients.signin.set_contact, ins=profile.ins, channel="email", to="alice@exemple.org")
            eventually(lambda: store.read(_looked))
            armed.write_text("notices.sent")
            made = activity.entry(store, profile.box_id, DOCTOR, "documents_listed")
            store.write(activity.record, entry=made)
            eventually(lambda: not armed.exists())
            eventually(lambda: store.read(activity.notice_counts)["sent"] == 1)
            assert 1 <= len(sink.to("alice@exemple.org")) <= 2
            before = len(sink.taken())
            space.bring(
                profile.address, letter(profile.address, subject="Coloscopie", text="trouble dépressif")
            )
            eventually(lambda: store.read(activity.notice_counts)["sent"] == 2)
            told = sink.to("alice@exemple.org")
            assert len(told) == len(sink.taken()) == before + 1
            assert sum("- un nouveau message" in text_of(one) for one in told) == 1
            assert all(secret not in text_of(one) for one in told for secret in SECRETS)
            assert store.read(activity.check).holds
    finally:
        serving.stop()


def _looked(conn: Connection) -> bool:
    return conn.scalar(select(notice_mark.c.value)) is not None
