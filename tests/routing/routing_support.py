"""A prepared trust space and short ways to send messages through the router."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path

import annuaire
from gateway.demo import cast
from gateway.message import Indexer
from gateway.routing import Envelope, Origin, Policy, Recipient, Router, Verdict
from store import Store, mail, new_id, now_ms

DOCTOR, COLLEAGUE, PHARMACY = cast.DOCTOR.address, cast.COLLEAGUE.address, cast.PHARMACY.address
ALICE, BASILE, CLEMENCE = cast.ALICE, cast.BASILE, cast.CLEMENCE
PATIENTS = Policy(hostname="smtps.passerelle.test", patient_domain=cast.PATIENT_DOMAIN)
HOSPITAL = Policy(
    hostname="mss.hopital-exemple.test", hosted=frozenset({cast.HOSPITAL_DOMAIN, cast.OFFICINE_DOMAIN})
)


def operator(store: Store, domain: str) -> Origin:
    """The operator that the whitelist names for a domain, as after its mutual TLS."""
    entry = store.read(annuaire.whitelist_entries, domain)[0]
    return Origin(kind="operator", dn=entry.dn, tls="TLSv1.3", peer="192.0.2.1")


def patient(store: Store, address: str) -> Origin:
    """A patient who has signed in."""
    box = store.read(mail.box_by_address, address)
    assert box is not None
    return Origin(kind="patient", box_id=box.box_id, address=box.address, tls="TLSv1.3", peer="192.0.2.2")


def message(
    author: str,
    *,
    subject: str = "Bonjour",
    text: str = "Bonjour.",
    fields: tuple[str, ...] = (),
    message_id: str = "<1@example.test>",
) -> bytes:
    lines = [
        f"From: <{author}>",
        "To: <somebody@example.test>",
        f"Subject: {subject}",
        f"Message-ID: {message_id}",
        "Date: Fri, 20 Nov 2026 10:00:00 +0100",
        *fields,
        "",
        text,
    ]
    return "\r\n".join(lines).encode() + b"\r\n"


def with_pdf(author: str, message_id: str = "<pdf@example.test>") -> bytes:
    """A message with an attachment that may be filed."""
    return message(
        author,
        fields=("MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="b"'),
        text="--b\r\n\r\nBonjour\r\n--b\r\nContent-Type: application/pdf\r\n"
        'Content-Disposition: attachment; filename="a.pdf"\r\n\r\n%PDF-1.4\r\n--b--',
        message_id=message_id,
    )


@dataclass
class Post:
    """Sends whole messages to :meth:`Router.accept`, as a session does after the last octet."""

    store: Store
    router: Router

    async def send(
        self, origin: Origin, mail_from: str, to: list[str], raw: bytes, trace: str = ""
    ) -> Verdict:
        indexer = Indexer()
        indexer.feed(raw)
        spool = self.store.spool()
        spool.write(raw)
        envelope = Envelope(
            mail_from=mail_from,
            recipients=[Recipient(address=address) for address in to],
            trace_id=trace or f"{new_id():x}",
            received_at=now_ms(),
            helo="client.example.test",
            peer=origin.peer,
        )
        return await self.router.accept(origin, envelope, spool, indexer.close(), spool.sha256)

    async def from_doctor(self, raw: bytes, to: str = ALICE.address) -> Verdict:
        """Through the hospital's operator."""
        return await self.send(operator(self.store, cast.HOSPITAL_DOMAIN), DOCTOR, [to], raw)

    async def may_alice_write(self, to: str) -> str:
        """The rule that answers RCPT when Alice writes to ``to``; "" when it is accepted."""
        verdict = await self.router.recipient(patient(self.store, ALICE.address), ALICE.address, to)
        return "" if verdict.accepted else verdict.rule

    def inbox(self, address: str) -> list[bytes]:
        """The bytes of the messages in somebody's INBOX, as they came over the wire."""
        return [self.body(message) for message in self.stored(address)]

    def sent(self, address: str) -> list[bytes]:
        """The same of the Sent folder."""
        return [self.body(message) for message in self.stored(address, "\\Sent")]

    def stored(self, address: str, special_use: str = "") -> list[mail.StoredMessage]:
        """The messages of a folder, INBOX by default, in UID order."""
        box = self.store.read(mail.box_by_address, address)
        assert box is not None
        folder_id = mail.INBOX_ID
        if special_use:
            folder = self.store.read(mail.special_folder, box.box_id, special_use)
            assert folder is not None
            folder_id = folder.folder_id
        wanted = [entry.message_id for entry in self.store.read(mail.entries, box.box_id, folder_id)]
        found = self.store.read(lambda conn: self.store.messages(conn, box.box_id, wanted))
        return [found[message_id] for message_id in wanted]

    def body(self, message: mail.StoredMessage) -> bytes:
        """The raw bytes, without our prefix."""
        return b"".join(self.store.open_body(message).chunks())


def digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


def database(home: Path) -> str:
    return f"sqlite:///{home / 'store.db'}"


async def settle(router: Router) -> None:
    """Wait until refusals are recorded; sessions do not wait for that."""
    while router._refusals:
        await asyncio.wait(router._refusals)
        await asyncio.sleep(0)
