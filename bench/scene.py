"""A home with many patients, and a real gateway started on it by ``python -m cli serve``."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from argon2 import PasswordHasher
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509 import load_pem_x509_certificates

import annuaire
import patients
from bench.messages import DOMAIN
from bench.target import Target
from certs import DEMO_ORGANISATIONS, DemoPki, Server, TrustStore, demo_pki, identity
from certs.pki import KeyType
from gateway.demo import cast
from gateway.home import create_home
from patients.credentials import insert_credential
from store import Store, Tx, new_id, now_ms, operation

PATIENT_DOMAIN = "patient.example"
PASSWORD = "abcd-efgh-jkmn-pqrs-tuvw-xyz2-3456"
_BARE = PASSWORD.replace("-", "")
_SLICE = 250
_START_S = 120.0
_STOP_S = 40.0

_GATEWAY = msgspec.structs.replace(cast.GATEWAY_SERVER, name="gateway")
_OPERATOR = Server(
    name="operator",
    cn="mta.operator.example",
    ou="1690000007",
    o="OPERATEUR EXEMPLE",
    st="Rhône (69)",
    hosts=("mta.operator.example", "localhost", "127.0.0.1"),
)


def ins(number: int) -> str:
    """The matricule of the patient of mailbox ``number``, valid for numbers below 100 000."""
    body = f"{1 + number % 2}{20 + number // 900 % 80:02d}{1 + number % 12:02d}75056{1 + number % 900:03d}"
    return body + patients.ins_key(body)


def address(number: int) -> str:
    """The mail address of mailbox ``number``."""
    return f"{ins(number)}@{PATIENT_DOMAIN}".lower()


class NewPatient(msgspec.Struct, array_like=True):
    """One patient to make, with the wrapped key of his box."""

    ins: str
    wrapped_key: bytes


@operation("bench.activate")
def activate(tx: Tx, *, people: list[NewPatient], hash_: bytes) -> None:
    """Import and activate patients; each gets a box and the same app password."""
    persons = [
        patients.Person(one.ins, patients.OID_NIR_DEMO, "ESSAI", "CAMILLE", "", "F", "1950-01-01", "75056")
        for one in people
    ]
    patients.add_persons(tx, persons=persons, actor="bench")
    for one in people:
        profile = patients.change(
            tx,
            ins=one.ins,
            event="activate",
            actor="bench",
            domain=PATIENT_DOMAIN,
            wrapped_key=one.wrapped_key,
        )
        assert profile.box_id is not None
        insert_credential(
            tx,
            box_id=profile.box_id,
            credential_id=new_id(),
            label="bench",
            selector=_BARE[:4],
            hash_=hash_,
        )


@dataclass(frozen=True)
class Scene:
    """A prepared home, and what a client needs to know of it."""

    home: Path
    pki: DemoPki
    boxes: int
    smtp: tuple[str, int]
    imap: tuple[str, int]

    def target(self, pid: int) -> Target:
        certificate, key = self.pki.paths("operator")
        return Target(
            name="passerelle",
            smtp=self.smtp,
            imap=self.imap,
            certificate=certificate,
            key=key,
            authorities=self.pki.trust / "roots" / "racine.pem",
            address=address,
            boxes=self.boxes,
            password=PASSWORD,
            roots=(pid,),
            folder=self.home,
            database=self.home / "store.db",
        )


def prepare(
    folder: Path,
    boxes: int,
    *,
    fronts: int = 0,
    key_type: KeyType = "rsa2048",
    y: str = "all",
    log_level: str = "info",
    slow_hash: bool = False,
) -> Scene:
    """Make a home under ``folder`` with ``boxes`` activated patients and one authorised operator.

    :param fronts: processes that serve ports; 0: as the product chooses.
    :param y: documents filed into the record: all, xdm or none.
    :param slow_hash: the product's own cost of the password hash. Otherwise a cheap one, so that signing
        in to a thousand mailboxes to check them is not what is measured.
    """
    pki = demo_pki(
        folder / "pki",
        hosts=(_GATEWAY, _OPERATOR),
        persons=(),
        organisations=DEMO_ORGANISATIONS,
        key_type=key_type,
    )
    ports = _free_ports(3)
    home = folder / "home"
    create_home(
        home,
        hostname=_GATEWAY.cn,
        patient_domain=PATIENT_DOMAIN,
        more={
            "gateway": {"y": y},
            "ports": {
                name: f"127.0.0.1:{port}"
                for name, port in zip(("operators", "submission", "imap"), ports, strict=True)
            },
            "whitelist": {"signer_cn": cast.SIGNER_CN, "signer_ou": cast.SIGNER_OU},
            "run": {"fronts": fronts, "log_level": log_level},
        },
    )
    shutil.copytree(pki.trust, home / "trust", dirs_exist_ok=True)
    certificate, key = pki.paths("gateway")
    shutil.copyfile(certificate, home / "tls" / "server.pem")
    shutil.copyfile(key, home / "tls" / "server.key")
    (home / "tls" / "server.key").chmod(0o600)
    hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1) if slow_hash else _cheap
    hash_ = hasher.hash(_BARE).encode()
    with Store.open(home) as store:
        _authorise(store, pki, home, folder / "liste-blanche.xml")
        for start in range(0, boxes, _SLICE):
            people = [
                NewPatient(ins(number), store.new_box_key())
                for number in range(start, min(start + _SLICE, boxes))
            ]
            store.write(activate, people=people, hash_=hash_)
    host = "127.0.0.1"
    return Scene(home=home, pki=pki, boxes=boxes, smtp=(host, ports[0]), imap=(host, ports[2]))


_cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def _authorise(store: Store, pki: DemoPki, home: Path, path: Path) -> None:
    """Import a signed list that names the operator."""
    entries = [
        annuaire.WhitelistEntry(PATIENT_DOMAIN, identity(pki.issued("gateway").der).subject_dn, "Usagers"),
        annuaire.WhitelistEntry(DOMAIN, identity(pki.issued("operator").der).subject_dn, "Opérateur"),
    ]
    certificate, key_file = pki.paths("whitelist-signer")
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    chain = load_pem_x509_certificates(certificate.read_bytes())
    path.write_bytes(annuaire.sign_whitelist(entries, key, chain, now_ms()))
    trust = TrustStore.load(home / "trust")
    asyncio.run(
        annuaire.import_whitelist(
            store,
            path,
            lambda chain: trust.check(chain, "sign"),
            signer_cn=cast.SIGNER_CN,
            signer_ou=cast.SIGNER_OU,
        )
    )


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in sockets]
    finally:
        for item in sockets:
            item.close()


@contextlib.contextmanager
def serving(scene: Scene) -> Iterator[Target]:
    """The gateway runs within the block; its log is ``serve.log`` beside the home."""
    with (scene.home.parent / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "serve", "--home", str(scene.home)],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + _START_S
        while not (scene.home / "run" / "ready").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the gateway does not start: see {scene.home.parent / 'serve.log'}")
            time.sleep(0.05)
        yield scene.target(process.pid)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
