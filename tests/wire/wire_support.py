"""A running trust space of two gateways, and the strangers that talk to it: smtplib, imaplib, programs."""

from __future__ import annotations

import contextlib
import hashlib
import imaplib
import itertools
import os
import re
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import patients
from gateway.demo import cast
from gateway.demo.cast import DOCTOR
from gateway.demo.scene import Party, Scene
from gateway.settings import FILE_NAME
from store import Store, mail

T = TypeVar("T")
Service = Literal["operators", "submission", "imap"]
PATIENCE_S = 60.0  # the machine may be shared
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Owner:
    """Somebody with a mailbox and the password of his mail client."""

    address: str
    password: str
    box_id: int
    patient: cast.Patient | None = None


def eventually(found: Callable[[], T], *, seconds: float = PATIENCE_S) -> T:
    """The first true value of ``found()``; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, f"still {value!r} after {seconds:.0f} s"
        time.sleep(0.05)
    return value


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def letter(
    to: str, *, sender: str = DOCTOR.address, subject: str = "Bonjour", text: str = "Bonjour"
) -> bytes:
    """A small message, different at each call."""
    lines = [
        f"From: <{sender}>",
        f"To: <{to}>",
        f"Subject: {subject}",
        "Date: Sat, 21 Nov 2026 09:00:00 +0000",
        f"Message-ID: <{os.getpid()}.{next(_numbers)}.{time.monotonic_ns()}@wire.test>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "",
        text,
        "",
    ]
    return "\r\n".join(lines).encode()


def message_id(raw: bytes) -> str:
    found = re.search(rb"^Message-ID: (<[^>]+>)", raw, re.MULTILINE)
    assert found is not None
    return found[1].decode()


def new_patient(store: Store, scene: Scene) -> Owner:
    """A patient with an open space and a password for his mail client. ``store`` may be that of a gateway
    that serves."""
    number = next(_numbers)
    one = cast.Patient(
        cast.ins(f"1{70 + number // 12 % 30:02}{number % 12 + 1:02}75056{number:03}"),
        f"ESSAI{chr(65 + number % 26)}",
        "PAUL",
        "M",
        f"19{70 + number // 12 % 30:02}-{number % 12 + 1:02}-01",
        "75056",
    )
    store.write(patients.add_persons, persons=[one.person], actor="test")
    patients.notify(store, one.ins, actor="test", reason="campaign")
    profile = patients.activate(store, one.ins, cast.PATIENT_DOMAIN, actor="test")
    assert profile.box_id is not None
    secret = patients.add_app_password(store, profile.box_id, "test")
    return Owner(profile.address, secret, profile.box_id, one)


def set_fronts(scene: Scene, party: Party, fronts: int) -> None:
    path = scene.home(party) / FILE_NAME
    text = path.read_text(encoding="utf-8")
    assert "fronts = 1\n" in text
    path.write_text(text.replace("fronts = 1\n", f"fronts = {fronts}\n"), encoding="utf-8")


class Space:
    """Both gateways as their clients see them."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.pki = scene.pki
        folder = scene.root / "pki" / "trust"
        self.authorities = scene.root / "authorities.pem"
        paths = [path for path in sorted(folder.glob("*/*.pem")) if path.parent.name != "crls"]
        self.authorities.write_bytes(b"\n".join(path.read_bytes() for path in paths))

    def context(self, certificate: str = "") -> ssl.SSLContext:
        """A client's TLS, showing the named certificate of the demonstration's PKI."""
        context = ssl.create_default_context(cafile=str(self.authorities))
        if certificate:
            context.load_cert_chain(*self.pki.paths(certificate))
        return context

    def port(self, service: Service, party: Party = "passerelle") -> int:
        return self.scene.port(party, service)[1]

    # -- SMTP

    @contextlib.contextmanager
    def operators(
        self, certificate: str = "hospital", *, timeout: float = PATIENCE_S
    ) -> Iterator[smtplib.SMTP]:
        """A session of another operator on the patients' gateway, after STARTTLS and EHLO."""
        client = smtplib.SMTP(
            "localhost", self.port("operators"), "mss.hopital-exemple.test", timeout=timeout
        )
        try:
            client.starttls(context=self.context(certificate))
            client.ehlo()
            yield client
            with contextlib.suppress(smtplib.SMTPServerDisconnected):
                client.quit()
        finally:
            client.close()

    @contextlib.contextmanager
    def submission(
        self, owner: Owner, party: Party = "passerelle", *, timeout: float = PATIENCE_S
    ) -> Iterator[smtplib.SMTP]:
        """A signed-in session of a mail client."""
        client = smtplib.SMTP_SSL(
            "localhost", self.port("submission", party), context=self.context(), timeout=timeout
        )
        try:
            client.login(owner.address, owner.password)
            yield client
            with contextlib.suppress(smtplib.SMTPServerDisconnected):
                client.quit()
        finally:
            client.close()

    def bring(
        self, to: str, raw: bytes, *, sender: str = DOCTOR.address, certificate: str = "hospital"
    ) -> None:
        """One message by an operator, in a session of its own."""
        with self.operators(certificate) as client:
            client.sendmail(sender, [to], raw, mail_options=["BODY=8BITMIME", "SMTPUTF8"])

    # -- IMAP

    @contextlib.contextmanager
    def imap(
        self, owner: Owner, party: Party = "passerelle", folder: str = "INBOX"
    ) -> Iterator[imaplib.IMAP4_SSL]:
        """A session with ``folder`` selected."""
        port = self.port("imap", party)
        client = imaplib.IMAP4_SSL("localhost", port, ssl_context=self.context(), timeout=PATIENCE_S)
        try:
            client.login(owner.address, owner.password)
            status, told = client.select(folder)
            assert status == "OK", told
            yield client
            client.logout()
        finally:
            with contextlib.suppress(OSError):
                client.shutdown()

    def messages(self, owner: Owner, party: Party = "passerelle") -> list[bytes]:
        """Every message of the INBOX as IMAP serves it, in UID order."""
        with self.imap(owner, party) as client:
            return [fetch(client, uid) for uid in uids(client)]

    def copies(self, owner: Owner, raw: bytes, party: Party = "passerelle") -> int:
        """How many messages of the INBOX end with exactly ``raw``."""
        return sum(served.endswith(raw) for served in self.messages(owner, party))


def uids(client: imaplib.IMAP4) -> list[int]:
    client.noop()
    status, found = client.uid("SEARCH", "ALL")
    assert status == "OK"
    return [int(uid) for uid in found[0].split()]


def fetch(client: imaplib.IMAP4, uid: int, what: str = "BODY.PEEK[]") -> bytes:
    status, found = client.uid("FETCH", str(uid), f"({what})")
    assert status == "OK"
    part = next(item for item in found if isinstance(item, tuple))
    return bytes(part[1])


def send_bdat(
    client: smtplib.SMTP, sender: str, to: str, raw: bytes, *, chunk: int = 1 << 20
) -> tuple[int, bytes]:
    """Send by BDAT (RFC 3030) in chunks; the last reply."""
    for command in (f"MAIL FROM:<{sender}> BODY=8BITMIME SMTPUTF8", f"RCPT TO:<{to}>"):
        code, told = client.docmd(command)
        assert code == 250, told
    start = 0
    while True:
        piece = raw[start : start + chunk]
        start += len(piece)
        last = b" LAST" if start >= len(raw) else b""
        client.send(b"BDAT %d%b\r\n" % (len(piece), last) + piece)
        code, told = client.getreply()
        if last or code != 250:
            return code, told


# -- programs and processes


def run(
    *words: str | Path,
    data: bytes = b"",
    environment: Mapping[str, str] | None = None,
    seconds: float = 120.0,
) -> tuple[int, str]:
    """Run a program to its end; its status and all that it said."""
    done = subprocess.run(
        [str(word) for word in words],
        input=data,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **(environment or {})},
        timeout=seconds,
        check=False,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")


class Serving:
    """One ``passerelle serve`` that a test starts, loses and starts again."""

    def __init__(self, scene: Scene, party: Party, environment: Mapping[str, str] | None = None) -> None:
        self.home = scene.home(party)
        self._log = scene.root / f"{party}.log"
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start, wait until every process serves."""
        (self.home / "run" / "ready").unlink(missing_ok=True)  # a killed gateway leaves it
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cli", "serve", "--home", str(self.home)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )

        def ready() -> bool:
            assert self.alive, f"it does not start, see {self._log}"
            return (self.home / "run" / "ready").exists()

        eventually(ready, seconds=120)

    def stop(self) -> None:
        """As an administrator does: SIGTERM, and wait."""
        if self.alive:
            assert self._process is not None
            self._process.terminate()
            self._process.wait(60)


def descendants(pid: int) -> list[int]:
    """All processes below ``pid``."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        below = parents.get(todo.pop(), [])
        found += below
        todo += below
    return found


def server_process(client: socket.socket) -> int:
    """The process on this machine that holds the other end of a connection."""
    ours, theirs = client.getsockname()[1], client.getpeername()[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1].endswith(f":{theirs:04X}") and words[2].endswith(f":{ours:04X}"):
            wanted = f"socket:[{words[9]}]"
            for link in Path("/proc").glob("[0-9]*/fd/*"):
                with contextlib.suppress(OSError):
                    if os.readlink(link) == wanted:
                        return int(link.parts[2])
    raise AssertionError("nobody holds the other end")


def box_of(store: Store, address: str) -> mail.Box:
    box = store.read(mail.box_by_address, address)
    assert box is not None
    return box
