"""A small real router over the real store, raw-socket clients, and running servers for the SMTP tests."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from certs import CertVerdict, DemoPki, TrustStore, client_context, operators_context
from gateway.message import MessageIndex, MessageMeta, encode_meta
from gateway.routing.model import Envelope, Origin, Verdict
from gateway.routing.prefix import build_prefix
from gateway.smtp import Limits, SmtpServer
from store import Store, mail

HOST = "smtps.passerelle.test"
DOMAIN = "patient.example"
OK = Verdict(action="accept", rule="ok")


def refusal(rule: str, code: int = 550, enhanced: str = "5.7.1", peer: str = "refused") -> Verdict:
    return Verdict(
        action="refuse" if code >= 500 else "defer", rule=rule, code=code, enhanced=enhanced, peer=peer
    )


class BoxRouter:
    """Delivers into boxes of a real store; its rules are the addresses it knows."""

    def __init__(self, store: Store, names: tuple[str, ...] = ("p1", "p2")) -> None:
        self.store = store
        self.boxes = {
            f"{name}@{DOMAIN}": store.create_box(address=f"{name}@{DOMAIN}", kind="patient", owner=name)
            for name in names
        }
        self.accepted: list[tuple[Envelope, Origin, MessageIndex]] = []
        self.gate: asyncio.Event | None = None  # accept waits for it when set
        self.entered = asyncio.Event()

    async def origin(self, verdict: CertVerdict | None, tls: str, peer: str) -> Origin:
        if verdict is None:
            return Origin()
        if not verdict.ok:
            return Origin(refusal_rule=verdict.rule, refusal_reason=verdict.reason)
        return Origin(kind="operator", name=verdict.identity.name, dn=verdict.identity.subject_dn)

    async def sender(self, origin: Origin, mail_from: str, smtputf8: bool) -> Verdict:
        if mail_from.startswith("stranger@"):
            return refusal("sender.whitelist", peer="this domain is another operator's")
        if mail_from.startswith("broken@"):
            raise RuntimeError("a fault of ours")
        return OK

    async def recipient(self, origin: Origin, mail_from: str, rcpt: str) -> Verdict:
        if rcpt.casefold() in self.boxes or rcpt == "postmaster":
            return OK
        return refusal("recipient.unknown", enhanced="5.1.1", peer="no such patient")

    async def accept(
        self, origin: Origin, envelope: Envelope, spool: Any, index: MessageIndex, sha256: bytes
    ) -> Verdict:
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        for recipient in envelope.recipients:
            box_id = self.boxes[recipient.address.casefold()]
            prefix = build_prefix(envelope, origin, HOST, recipient.address)
            meta = encode_meta(MessageMeta(prefix=prefix, index=index))
            message = await asyncio.to_thread(
                lambda box_id=box_id, meta=meta, prefix=prefix: self.store.new_message(
                    box_id, spool, meta, sha256, prefix_size=len(prefix)
                )
            )
            await self.store.awrite(mail.append, box_id=box_id, folder_id=mail.INBOX_ID, message=message)
        self.accepted.append((envelope, origin, index))
        return OK

    def bodies(self, name: str = "p1") -> list[bytes]:
        """The raw messages in a box, oldest first."""

        def read(conn: Any) -> list[bytes]:
            box_id = self.boxes[f"{name}@{DOMAIN}"]
            entries = mail.entries(conn, box_id, mail.INBOX_ID)
            found = self.store.messages(conn, box_id, [entry.message_id for entry in entries])
            return [b"".join(self.store.open_body(found[entry.message_id]).chunks()) for entry in entries]

        return self.store.read(read)

    def digests(self, name: str = "p1") -> list[str]:
        return [hashlib.sha256(body).hexdigest() for body in self.bodies(name)]


class Client:
    """Writes exactly the octets it is told to, and reads whole replies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port: int, context: ssl.SSLContext | None = None) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        return cls(reader, writer)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self) -> str:
        """One reply, all its lines joined by newlines; ``""`` at the end of the connection."""
        lines = []
        while True:
            try:
                line = await asyncio.wait_for(self.reader.readline(), 10)
            except ConnectionError:
                line = b""
            if not line:
                return "\n".join(lines)
            lines.append(line.decode().removesuffix("\r\n"))
            if line[3:4] != b"-":
                return "\n".join(lines)

    async def say(self, line: str | bytes) -> str:
        await self.send((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return await self.reply()

    async def rest(self) -> bytes:
        """All that still comes until the server closes."""
        try:
            return await asyncio.wait_for(self.reader.read(-1), 10)
        except ConnectionError:
            return b""

    async def starttls(self, context: ssl.SSLContext) -> str:
        answer = await self.say("STARTTLS")
        await self.writer.start_tls(context)
        return answer

    async def greet(self, context: ssl.SSLContext | None = None) -> str:
        """Greeting, EHLO, and with a context STARTTLS and EHLO again; the last EHLO's reply."""
        await self.reply()
        answer = await self.say("EHLO client.example")
        if context is not None:
            await self.starttls(context)
            answer = await self.say("EHLO client.example")
        return answer

    def close(self) -> None:
        self.writer.transport.abort()


class World:
    """A store, a router, a PKI and the servers a test starts."""

    def __init__(self, store: Store, pki: DemoPki) -> None:
        self.store, self.pki = store, pki
        self.router = BoxRouter(store)
        self.trust = TrustStore.load(pki.trust)
        self.passwords = {
            ("dr@pro.example", "correct horse"): Origin(kind="professional", address="dr@pro.example")
        }
        self.servers: list[SmtpServer] = []
        self.clients: list[Client] = []

    async def authenticate(self, user: str, password: str, peer: str) -> Origin | None:
        return self.passwords.get((user, password))

    async def external(self, verdict: CertVerdict) -> Origin | None:
        if verdict.identity.kind == "person":
            return Origin(kind="professional", address="dr@pro.example", id_nat=verdict.identity.id_nat)
        return None

    async def serve(self, **options: Any) -> SmtpServer:
        settings: dict[str, Any] = {
            "role": "operators",
            "router": self.router,
            "new_spool": self.store.spool,
            "trust": self.trust,
            "context": operators_context(*self.pki.paths("gateway")),
            "hostname": HOST,
            "limits": Limits(linger=0.3, message_size=1_000_000),
        }
        server = SmtpServer(**(settings | options))
        await server.start()
        self.servers.append(server)
        return server

    async def submission(self, **options: Any) -> SmtpServer:
        return await self.serve(
            role="submission", authenticate=self.authenticate, external=self.external, **options
        )

    def context(self, name: str | None = "hospital") -> ssl.SSLContext:
        return client_context(*self.pki.paths(name)) if name else client_context()

    async def client(self, server: SmtpServer, name: str | None = "hospital") -> Client:
        """A client that is ready for MAIL on the operators' port."""
        client = await Client.connect(server.port)
        self.clients.append(client)
        await client.greet(self.context(name))
        return client

    async def raw_client(self, server: SmtpServer, context: ssl.SSLContext | None = None) -> Client:
        client = await Client.connect(server.port, context)
        self.clients.append(client)
        return client

    async def close(self) -> None:
        for client in self.clients:
            client.close()
        for server in self.servers:
            await server.close(grace=1)


@asynccontextmanager
async def world(folder: Path, pki: DemoPki) -> AsyncIterator[World]:
    with Store.open(folder / "home") as store:
        here = World(store, pki)
        try:
            yield here
        finally:
            await here.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
