"""Helpers of the IMAP tests: a self-signed certificate, a raw client, direct delivery into the store."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.imap import ImapServer, Limits
from gateway.message import Indexer, MessageMeta, encode_meta
from store import Store
from store import mail as mailboxes

PASSWORD = "correct horse battery"
USER = "299999999999934@patient.example"
_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost and 127.0.0.1 and its key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "server.crt", folder / "server.key"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return cert_file, key_file


def deliver(
    store: Store,
    box_id: int,
    raw: bytes,
    *,
    prefix: bytes = b"",
    folder_id: int = 1,
    flags: int = 0,
    keywords: str = "",
    internal_date: int = 0,
) -> int:
    """Put ``raw`` into a folder as delivery does; returns the UID."""
    indexer = Indexer()
    indexer.feed(raw)
    spool = store.spool()
    spool.write(raw)
    meta = encode_meta(MessageMeta(prefix=prefix, index=indexer.close()))
    message = store.new_message(box_id, spool, meta, spool.sha256, prefix_size=len(prefix))
    return store.write(
        mailboxes.append,
        box_id=box_id,
        folder_id=folder_id,
        message=message,
        flags=flags,
        keywords=keywords,
        internal_date=internal_date,
    ).uid


def simple_message(number: int = 1, body: str = "Bonjour") -> bytes:
    return (
        f"From: Dr Marie Exemple <marie@hop.example>\r\nTo: {USER}\r\nSubject: Message {number}\r\n"
        f"Date: Mon, 2 Nov 2026 10:00:{number % 60:02} +0100\r\nMessage-ID: <m{number}@hop.example>\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: 8bit\r\n\r\n{body} {number}\r\n"
    ).encode()


@dataclass
class Answer:
    """What a command brought: untagged responses with their literals inside, and the tagged line."""

    untagged: list[bytes]
    tagged: bytes

    @property
    def status(self) -> str:
        return self.tagged.split(b" ")[1].decode()

    def starting(self, word: bytes) -> list[bytes]:
        return [line for line in self.untagged if line.startswith(word)]

    def numbered(self, word: bytes) -> list[int]:
        """The numbers of ``* n WORD`` responses."""
        return [int(m[1]) for line in self.untagged if (m := re.match(rb"\* (\d+) " + word, line))]


@dataclass
class Wire:
    """A raw client: it sends what it is told and understands lines and literals only."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    greeting: bytes = b""
    count: int = 0
    tags: list[str] = field(default_factory=list)

    @classmethod
    async def connect(cls, port: int, context: ssl.SSLContext | None) -> Wire:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname="localhost" if context else None, limit=1 << 26
        )
        wire = cls(reader, writer)
        wire.greeting = await wire.response()
        return wire

    async def response(self, patience: float = 10.0) -> bytes:
        """One response, its literals included, without the last CRLF; empty at the end of the stream."""
        async with asyncio.timeout(patience):
            out = b""
            while True:
                line = await self.reader.readline()
                out += line
                found = _LITERAL.search(line)
                if not found:
                    return out.removesuffix(b"\r\n")
                out += await self.reader.readexactly(int(found[1]))

    def send(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def command(self, line: str | bytes, patience: float = 10.0) -> Answer:
        """Send one command with a fresh tag and gather its answer."""
        self.count += 1
        tag = f"t{self.count}".encode()
        octets = line.encode() if isinstance(line, str) else line
        self.send(tag + b" " + octets + b"\r\n")
        return await self.answer(tag, patience)

    async def answer(self, tag: bytes, patience: float = 10.0) -> Answer:
        untagged: list[bytes] = []
        while True:
            response = await self.response(patience)
            if response.startswith(tag + b" "):
                return Answer(untagged, response)
            if not response:
                return Answer(untagged, tag + b" CLOSED")
            untagged.append(response)

    async def ok(self, line: str | bytes, patience: float = 10.0) -> Answer:
        answer = await self.command(line, patience)
        assert answer.status == "OK", answer
        return answer

    async def append(self, folder: str, raw: bytes, extra: str = "") -> Answer:
        return await self.command(f"APPEND {folder} {extra}{{{len(raw)}+}}\r\n".encode() + raw)

    async def login(self) -> Wire:
        await self.ok(f'LOGIN {USER} "{PASSWORD}"')
        return self

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@dataclass
class Bench:
    """A running server on a fresh store with one box."""

    store: Store
    box_id: int
    server: ImapServer
    client_context: ssl.SSLContext
    server_context: ssl.SSLContext
    certificate: Path
    wires: list[Wire] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.server.port

    async def connect(self) -> Wire:
        wire = await Wire.connect(self.port, self.client_context)
        self.wires.append(wire)
        return wire

    async def wire(self) -> Wire:
        """A logged-in client."""
        return await (await self.connect()).login()

    def deliver(self, raw: bytes, **options: object) -> int:
        return deliver(self.store, self.box_id, raw, **options)  # type: ignore[arg-type]  # passed through

    async def adeliver(self, raw: bytes, **options: object) -> int:
        return await asyncio.to_thread(self.deliver, raw, **options)


def limits(**changes: object) -> Limits:
    """The default limits with quick answers to failed logins."""
    return Limits(**{"login_delay": 0.01, **changes})  # type: ignore[arg-type]  # tests name real fields


def contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext, Path]:
    """(server's, client's, certificate file)."""
    cert_file, key_file = make_certificate(folder)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.minimum_version = ssl.TLSVersion.TLSv1_2
    server.load_cert_chain(cert_file, key_file)
    return server, ssl.create_default_context(cafile=str(cert_file)), cert_file
