"""Helpers of the LDAP tests: a directory, a certificate, a raw client, Debian's clients."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from annuaire import Mailbox
from gateway.ldap import LdapServer, ber, messages
from gateway.ldap.ber import Reader
from store import Store

BASE = "ou=annuaire,dc=mss,dc=exemple,dc=test"
DOMAIN = "hopital-exemple.mssante.test"
DOCTOR = f"camille.exemple@{DOMAIN}"
PATIENT = "269067505600142@patient.mssante.test"

ROWS: list[dict[str, str]] = [
    {"kind": "PER", "address": DOCTOR, "national": "899900000101", "civility": "DR", "family": "EXEMPLE",
     "given": "CAMILLE", "profession": "10", "profession_label": "Médecin",
     "delivery_line": "69003 LYON", "postcode": "69003"},
    {"kind": "PER", "address": f"marie.martin@{DOMAIN}", "national": "899900000127", "civility": "MME",
     "family": "MARTIN-D'ÉPÉE", "given": "MARIE", "profession": "60", "profession_label": "Infirmier",
     "delivery_line": "13001 MARSEILLE", "postcode": "13001"},
    {"kind": "PER", "address": f"andre.marchand@{DOMAIN}", "national": "899900000135", "civility": "M",
     "family": "MARCHAND", "given": "ANDRÉ", "profession": "21", "profession_label": "Pharmacien",
     "delivery_line": "69003 LYON", "postcode": "69003"},
    {"kind": "ORG", "address": f"secretariat+nord@{DOMAIN}", "structure_kind": "1", "structure": "690000007",
     "legal_name": "HOPITAL EXEMPLE", "service": "CARDIOLOGIE", "delivery_line": "69003 LYON",
     "postcode": "69003"},
    {"kind": "APP", "address": f"logiciel.marie@{DOMAIN}", "structure_kind": "1", "structure": "690000007",
     "legal_name": "HOPITAL EXEMPLE"},
    # one address, two holders
    {"kind": "CAB", "address": f"cabinet@{DOMAIN}", "national": "899900000143", "structure_kind": "1",
     "structure": "690000008", "family": "DUPONT", "given": "JEAN", "profession": "10"},
    {"kind": "CAB", "address": f"cabinet@{DOMAIN}", "national": "899900000150", "structure_kind": "1",
     "structure": "690000008", "family": "DURAND", "given": "ANNE", "profession": "10"},
    {"kind": "PER", "address": f"discret@{DOMAIN}", "national": "899900000168", "family": "DISCRET",
     "given": "LUC", "profession": "10"},
]  # fmt: skip
#: What a list of our own says beside: one of them is on the liste rouge.
LOCAL: list[dict[str, str]] = [
    {"kind": "PER", "address": f"discret@{DOMAIN}", "national": "899900000168", "family": "DISCRET",
     "given": "LUC", "profession": "10", "red_list": "oui"},
]  # fmt: skip


def box(address: str = DOCTOR, name: str = "Dr Camille EXEMPLE", **more: object) -> Mailbox:
    """A mailbox of the directory, without a database."""
    values: dict[str, object] = dict.fromkeys(Mailbox.__struct_fields__, "")
    values |= {"address": address, "name": name, "kind": "PER", "id_nat": "899900000101"}
    values |= {"officine": False, "active": True} | more
    return Mailbox(**values)  # type: ignore[arg-type]  # each by its name


def make_contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext, Path]:
    """(server's, client's, the certificate's file) for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    hosts = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(hosts, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_file = folder / "server.pem", folder / "server.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.minimum_version = ssl.TLSVersion.TLSv1_2
    server.load_cert_chain(pem, key_file)
    return server, ssl.create_default_context(cafile=str(pem)), pem


@dataclass
class Answer:
    """One message of the server: number, tag of the operation, and its octets."""

    number: int
    tag: int
    body: bytes
    controls: bytes = b""

    @property
    def code(self) -> int:
        return Reader(self.body).inside(self.tag).integer(ber.ENUMERATED)

    @property
    def diagnostic(self) -> str:
        reader = Reader(self.body).inside(self.tag)
        reader.integer(ber.ENUMERATED)
        reader.octets()
        return reader.text()

    @property
    def dn(self) -> str:
        return Reader(self.body).inside(self.tag).text()

    @property
    def page(self) -> tuple[int, bytes]:
        """Size and cookie of the paged results control."""
        control = Reader(self.controls).inside(0xA0).inside()
        control.octets()
        return messages.read_pages(control.octets())


class Wire:
    """A raw client: it sends what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._number = 0

    @classmethod
    async def connect(cls, port: int, context: ssl.SSLContext | None) -> Wire:
        name = "localhost" if context else None
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name))

    async def close(self) -> None:
        """Close, and wait until it is."""
        self.writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await self.writer.wait_closed()

    def send(self, operation: bytes, controls: bytes = b"", number: int | None = None) -> int:
        if number is None:
            self._number += 1
            number = self._number
        self.writer.write(messages.message(number, operation, controls))
        return number

    async def answer(self) -> Answer | None:
        """The next message; None at the end of the stream."""
        async with asyncio.timeout(20):
            try:
                head = await self.reader.readexactly(2)
                if head[1] & 0x80:
                    head += await self.reader.readexactly(head[1] & 0x7F)
                size = ber.message_size(head, 1 << 24)
                assert size is not None
                data = head + await self.reader.readexactly(size - len(head))
            except (asyncio.IncompleteReadError, ConnectionError):
                return None
        message = Reader(data).inside()
        number, tag = message.integer(), message.tag()
        body = ber.element(tag, message.octets(tag))
        controls = ber.element(0xA0, message.octets(0xA0)) if message.more else b""
        return Answer(number, tag, body, controls)

    async def ask(self, operation: bytes, controls: bytes = b"") -> list[Answer]:
        """Send, and gather answers up to the one that is no entry."""
        self.send(operation, controls)
        answers: list[Answer] = []
        while (answer := await self.answer()) is not None:
            answers.append(answer)
            if answer.tag != 0x64:
                break
        return answers

    async def bind(self, name: str, password: str) -> Answer:
        (answer,) = await self.ask(bind(name, password))
        return answer


def bind(name: str, password: str, version: int = 3) -> bytes:
    return ber.element(0x60, ber.integer(version), ber.octets(name), ber.octets(password, 0x80))


def equal(attribute: str, value: str) -> bytes:
    return ber.element(0xA3, ber.octets(attribute), ber.octets(value))


def present(attribute: str) -> bytes:
    return ber.octets(attribute, 0x87)


def starts(attribute: str, value: str) -> bytes:
    return ber.element(0xA4, ber.octets(attribute), ber.element(ber.SEQUENCE, ber.octets(value, 0x80)))


def search(
    filter_: bytes,
    base: str = BASE,
    scope: int = 2,
    attributes: Sequence[str] = (),
    *,
    size: int = 0,
    time: int = 0,
) -> bytes:
    return ber.element(
        0x63,
        ber.octets(base),
        ber.integer(scope, ber.ENUMERATED),
        ber.integer(0, ber.ENUMERATED),
        ber.integer(size),
        ber.integer(time),
        ber.element(ber.BOOLEAN, b"\0"),
        filter_,
        ber.element(ber.SEQUENCE, *(ber.octets(one) for one in attributes), b""),
    )


def extended(oid: str) -> bytes:
    return ber.element(0x77, ber.octets(oid, 0x80))


def paged(size: int, cookie: bytes = b"") -> bytes:
    return messages.control("1.2.840.113556.1.4.319", messages.pages(size, cookie))


@dataclass
class Bench:
    """A store with a directory, both servers, and what signs in."""

    store: Store
    server: LdapServer
    starttls: LdapServer
    client: ssl.SSLContext
    authority: Path
    passwords: dict[str, str]
    wires: list[Wire] = field(default_factory=list)

    async def wire(self, *, starttls: bool = False) -> Wire:
        port, context = (self.starttls.port, None) if starttls else (self.server.port, self.client)
        self.wires.append(await Wire.connect(port, context))
        return self.wires[-1]

    async def signed_in(self) -> Wire:
        wire = await self.wire()
        assert (await wire.bind(DOCTOR, self.passwords[DOCTOR])).code == 0
        return wire

    async def program(self, *words: str, data: str = "", starttls: bool = False) -> tuple[int, str, str]:
        """Run one of ldap-utils against a server: (status, what it said, what it complained of)."""
        port = self.starttls.port if starttls else self.server.port
        scheme = "ldap" if starttls else "ldaps"
        # by number: for "localhost", libldap expects the machine's own name in the certificate
        where = ["-H", f"{scheme}://127.0.0.1:{port}", "-x", *(["-ZZ"] if starttls else [])]
        process = await asyncio.create_subprocess_exec(
            words[0], *where, *words[1:],
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "LDAPTLS_CACERT": str(self.authority), "LDAPTLS_REQCERT": "demand"},
        )  # fmt: skip
        async with asyncio.timeout(60):
            out, err = await process.communicate(data.encode())
        return process.returncode or 0, out.decode(), err.decode()

    def who(self) -> list[str]:
        return ["-D", DOCTOR, "-w", self.passwords[DOCTOR]]
