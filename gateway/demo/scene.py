"""Sets the stage: a PKI, a signed whitelist, directory extractions, two homes ready to serve."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from sqlalchemy import Connection

import annuaire
import patients
from annuaire.demo import write_activities, write_mssante
from certs import (
    DEMO_ORGANISATIONS,
    DEMO_PERSONS,
    DemoPki,
    Issued,
    KeyPair,
    Role,
    Server,
    TrustStore,
    demo_pki,
    identity,
)
from gateway.demo import cast
from gateway.home import create_home
from gateway.keyring import keystore
from gateway.settings import Settings, load_settings
from store import Store, StoreError, mail, now_ms, tasks

Party = Literal["passerelle", "hopital"]
_READY = "scene.json"


class Scene(msgspec.Struct, kw_only=True):
    """The prepared demonstration: where everything is, and the secrets of its people."""

    folder: str
    passwords: dict[str, str]  # address -> app password

    @property
    def root(self) -> Path:
        return Path(self.folder)

    def home(self, party: Party) -> Path:
        return self.root / party

    def settings(self, party: Party) -> Settings:
        return load_settings(self.home(party))

    @property
    def pki(self) -> DemoPki:
        return DemoPki.open(self.root / "pki")

    def port(
        self, party: Party, service: Literal["operators", "submission", "imap", "metrics", "fhir", "web"]
    ) -> tuple[str, int]:
        host, _, port = str(getattr(self.settings(party).ports, service)).rpartition(":")
        return host, int(port)

    def summary(self) -> dict[str, str]:
        """Addresses and sign-ins, for people who want to try by hand."""
        lines = {}
        for party, title in (("passerelle", "Passerelle (patients)"), ("hopital", "hospital's operator")):
            ports = self.settings(party).ports  # type: ignore[arg-type]  # the two parties by name
            lines[title] = (
                f"SMTP operators {ports.operators}, submission {ports.submission}, IMAP {ports.imap}"
            )
            if ports.ldap:
                lines[f"{title}: directory"] = f"ldaps://{ports.ldap}, StartTLS on {ports.ldap_starttls}"
                lines["base of the directory"] = self.settings(party).ldap_base  # type: ignore[arg-type]  # as above
            if ports.fhir:
                lines["professionals' door"] = f"https://{ports.fhir}/fhir (their certificates)"
                lines["patients' pages"] = f"https://localhost:{ports.web.rpartition(':')[2]}/"
                lines["  Alice signs in with"] = f"{cast.ALICE_NAME}, password: {cast.ALICE_PASSWORD}"
                lines["  her codes arrive in"] = str(self.home("passerelle") / "run" / "codes")
        lines |= {f"sign-in {address}": password for address, password in self.passwords.items()}
        lines["certificate of the doctor"] = str(self.pki.paths("doctor")[0])
        lines["authorities to trust"] = str(self.root / "pki" / "trust" / "roots")
        return lines


@dataclass(frozen=True)
class _Ports:
    operators: int
    submission: int
    imap: int
    metrics: int
    ldap: int = 0  # only where professionals sign in
    ldap_starttls: int = 0
    fhir: int = 0  # only where patients' records are
    web: int = 0

    def section(self) -> dict[str, object]:
        return {name: f"127.0.0.1:{port}" for name, port in asdict(self).items() if port}


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in sockets]
    finally:
        for item in sockets:
            item.close()


def prepare_demo(folder: Path, *, fixed_ports: bool = False) -> Scene:
    """Make the demonstration in ``folder``, or find it there; see :class:`Scene`.

    :param fixed_ports: 2525, 4650, 9930, 9464 and one more each for the hospital, with its directory on
        6360 and 3890; 8440 for FHIR, 8441 for patients' pages; else free ones.
    :raises StoreError: ``folder`` holds something else.
    """
    ready = folder / _READY
    if ready.exists():
        return msgspec.json.decode(ready.read_bytes(), type=Scene)
    if folder.exists() and any(folder.iterdir()):
        raise StoreError("demo.folder", f"{folder} is not empty and holds no demonstration", fault="config")
    folder.mkdir(parents=True, exist_ok=True)
    pki = demo_pki(
        folder / "pki",
        hosts=(cast.GATEWAY_SERVER, cast.HOSPITAL_SERVER, cast.CLINIC_SERVER),
        persons=DEMO_PERSONS,
        organisations=DEMO_ORGANISATIONS,
    )
    fixed = [2525, 4650, 9930, 9464, 8440, 8441, 2526, 4651, 9931, 9465, 6360, 3890]
    numbers = fixed if fixed_ports else _free_ports(len(fixed))
    ours, theirs = _Ports(*numbers[:4]), _Ports(*numbers[6:])
    ours = replace(ours, fhir=numbers[4], web=numbers[5])
    whitelist = _whitelist(folder, pki)
    reach = folder / "beneficiaires.csv"
    reach.write_text(
        f"ins;card_serial;email\n{cast.ALICE.ins};{cast.ALICE_CARD};{cast.ALICE_EMAIL}\n", encoding="utf-8"
    )
    extractions = _extractions(folder)
    to_hospital = f"127.0.0.1:{theirs.operators}"
    _home(
        folder / "passerelle",
        pki,
        cast.GATEWAY_SERVER,
        ours,
        patient_domain=cast.PATIENT_DOMAIN,
        routes={cast.HOSPITAL_DOMAIN: to_hospital, cast.OFFICINE_DOMAIN: to_hospital},
    )
    _home(
        folder / "hopital",
        pki,
        cast.HOSPITAL_SERVER,
        theirs,
        hosted=[cast.HOSPITAL_DOMAIN, cast.OFFICINE_DOMAIN],
        routes={cast.PATIENT_DOMAIN: f"127.0.0.1:{ours.operators}"},
    )
    passwords: dict[str, str] = {}
    with Store.open(folder / "passerelle") as store:
        _directory(store, folder / "passerelle", extractions, whitelist)
        people = [one.person for one in (cast.ALICE, cast.BASILE, cast.CLEMENCE)]
        store.write(patients.add_persons, persons=people, actor="demo")
        for one in (cast.ALICE, cast.BASILE, cast.CLEMENCE):
            patients.notify(store, one.ins, actor="demo", reason="campaign")
        patients.oppose(store, cast.BASILE.ins, actor="demo", reason="by letter")
        patients.signin.import_reach(store, reach)
    with Store.open(folder / "hopital") as store:
        _directory(store, folder / "hopital", extractions, whitelist)
        for professional in cast.PROFESSIONALS:
            box_id = store.create_box(
                address=professional.address, kind="pro", owner=professional.struct_id or professional.id_nat
            )
            passwords[professional.address] = patients.add_app_password(store, box_id, "demo")
    scene = Scene(folder=str(folder.resolve()), passwords=passwords)
    save(scene)
    return scene


def save(scene: Scene) -> None:
    """Keep the scene beside its homes, readable by its owner only."""
    path = scene.root / _READY
    path.write_bytes(msgspec.json.format(msgspec.json.encode(scene)))
    path.chmod(0o600)


def app_password(scene: Scene, store: Store, patient: cast.Patient) -> str:
    """A password for the mail client of somebody who activated his profile; returns it."""
    profile = store.read(patients.profile, patient.ins)
    assert profile is not None and profile.box_id is not None
    secret = patients.add_app_password(store, profile.box_id, "demo")
    scene.passwords[profile.address] = secret
    save(scene)
    return secret


def _home(
    home: Path,
    pki: DemoPki,
    server: Server,
    ports: _Ports,
    *,
    patient_domain: str = "",
    hosted: list[str] | None = None,
    routes: dict[str, str],
) -> None:
    domain = patient_domain or (hosted or [""])[0]
    signing = pki.issue_organisation(
        f"Recus {domain}", server.ou, server.o, use="sign", st=server.st, email=f"postmaster@{domain}"
    )
    create_home(
        home,
        hostname=server.cn,
        patient_domain=patient_domain,
        hosted=hosted,
        more={
            "ports": ports.section(),
            "relay": {"routes": routes},
            "smime": {"certificate": "tls/sign.pem", "key": "tls/sign.key"},
            "whitelist": {"signer_cn": cast.SIGNER_CN, "signer_ou": cast.SIGNER_OU},
            "run": {"fronts": 1, "log_level": "info"},
            **_signin(ports),
        },
    )
    shutil.copytree(pki.trust, home / "trust", dirs_exist_ok=True)
    pairs = keystore(home, load_settings(home))
    roles: tuple[tuple[Role, Issued], ...] = (("server", pki.issued(server.name)), ("sign", signing))
    for role, issued in roles:
        key = serialization.load_pem_private_key(issued.key.read_bytes(), None)
        assert isinstance(key, EllipticCurvePrivateKey | RSAPrivateKey)
        pairs.install(role, KeyPair.make(issued.chain, key))


def _signin(ports: _Ports) -> dict[str, dict[str, object]]:
    """Where patients have pages: codes go into ``run/codes``, for whoever plays them."""
    if not ports.web:
        return {}
    return {
        "signin": {"sender": "file", "terms": cast.TERMS, "origin": f"https://localhost:{ports.web}"},
        "notices": {"enabled": False},
    }


def _dn(pki: DemoPki, name: str) -> str:
    return identity(pki.issued(name).der).subject_dn


def _whitelist(folder: Path, pki: DemoPki) -> Path:
    """The list of authorised domains, signed as the real one is."""
    entries = [
        annuaire.WhitelistEntry(cast.PATIENT_DOMAIN, _dn(pki, "gateway"), "Usagers"),
        annuaire.WhitelistEntry(cast.HOSPITAL_DOMAIN, _dn(pki, "hospital"), "Hôpital exemple"),
        annuaire.WhitelistEntry(cast.OFFICINE_DOMAIN, _dn(pki, "hospital"), "Officines, même opérateur"),
        annuaire.WhitelistEntry(cast.CLINIC_DOMAIN, _dn(pki, "clinic"), "Clinique exemple"),
    ]
    certificate, key_file = pki.paths("whitelist-signer")
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    chain = x509.load_pem_x509_certificates(certificate.read_bytes())
    path = folder / "listeblanchemssante.xml"
    path.write_bytes(annuaire.sign_whitelist(entries, key, chain, now_ms()))
    return path


def _extractions(folder: Path) -> list[Path]:
    mailboxes: list[dict[str, str]] = []
    activities: list[dict[str, str]] = []
    for one in cast.PROFESSIONALS:
        person = {"civility": "DR", "family": one.family, "given": one.given, "profession": one.profession}
        place = {"finess": one.finess, "legal_name": one.legal_name, "sector": one.sector}
        activities.append({"national": one.id_nat, **person, **place})
        if one.struct_id:
            mailboxes.append(
                {
                    "kind": "ORG",
                    "address": one.address,
                    "structure_kind": "1",
                    "structure": one.finess,
                    "legal_name": one.legal_name,
                }
            )
        else:
            mailboxes.append({"kind": "PER", "address": one.address, "national": one.id_nat, **person})
    return [
        write_mssante(folder / "Extraction_Correspondance_MSSante.txt", mailboxes),
        write_activities(folder / "PS_LibreAcces_Personne_activite.txt", activities),
    ]


def _directory(store: Store, home: Path, extractions: Iterable[Path], whitelist: Path) -> None:
    for path in extractions:
        annuaire.import_extraction(store, path)
    trust = TrustStore.load(home / "trust")
    asyncio.run(
        annuaire.import_whitelist(
            store,
            whitelist,
            lambda chain: trust.check(chain, "sign"),
            signer_cn=cast.SIGNER_CN,
            signer_ou=cast.SIGNER_OU,
        )
    )


def box_by_address(conn: Connection, address: str) -> mail.Box:
    """The mailbox of somebody who must have one."""
    box = mail.box_by_address(conn, address)
    assert box is not None, f"{address} has no mailbox"
    return box


def filings_left(conn: Connection) -> list[tasks.Task]:
    """Filing tasks that have not ended."""
    return tasks.pending(conn, tasks.FILING)
