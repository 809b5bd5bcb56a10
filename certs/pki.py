"""A demonstration PKI shaped like IGC-Santé's test authorities, issued by our own code.

For the demo, for tests and for trying things out. It is kept in one folder and can be opened again to
issue, revoke and publish::

    trust/roots, trust/intermediates, trust/crls    what a TrustStore loads, with trust/trust.toml
    <name>.pem, <name>.key                          leaf and intermediate; private key
    authorities/                                    the authorities' keys, and what they revoked

Nobody outside the demonstration trusts it: its private keys lie in clear beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from certs import pki_profiles as shape
from certs.errors import TrustError
from certs.files import certificates_in, write_atomically
from certs.pki_profiles import Organisation, Person, PrivateKey, PublicKey, Server
from certs.settings import FILE_NAME, trust_settings_text
from store import now_ms

KeyType = Literal["p256", "rsa2048"]
Extensions = Sequence[tuple[x509.ExtensionType, bool]]
AUTHORITIES: Final = ("racine", "organisations", "personnes")
_DAY_MS: Final = 86_400_000


class Issued(msgspec.Struct, frozen=True):
    """A certificate and where its files are. ``chain`` is DER, leaf first, without the root."""

    name: str
    pem: Path
    key: Path
    chain: list[bytes]
    authority: str
    serial: int

    @property
    def der(self) -> bytes:
        """The leaf."""
        return self.chain[0]


class _Revoked(msgspec.Struct):
    serial: str
    at: int
    reason: str


class _State(msgspec.Struct):
    now: int
    key_type: KeyType
    crl_number: int = 0
    revoked: dict[str, list[_Revoked]] = {}


class DemoPki:
    """The authorities, able to issue. Times are ms; ``now`` is the PKI's own present."""

    def __init__(
        self, folder: Path, state: _State, authorities: dict[str, tuple[x509.Certificate, PrivateKey]]
    ):
        self.folder: Final = folder
        self.trust: Final = folder / "trust"
        self._state = state
        self._authorities: Final = authorities

    @classmethod
    def create(cls, folder: Path, *, now: int | None = None, key_type: KeyType = "p256") -> DemoPki:
        """Make the root and its two intermediates, and publish empty revocation lists.

        :raises TrustError: there is a PKI in the folder already; its keys are not thrown away.
        """
        if (folder / "authorities").exists():
            raise TrustError(f"{folder} holds a PKI already: open it, or choose another folder")
        pki = cls(folder, _State(now_ms() if now is None else now, key_type), {})
        for which in AUTHORITIES:
            pki._make_authority(which)
        # Its certificates carry the test category, which production refuses; its places are nowhere.
        text = trust_settings_text("demo", {"lists.fetch": False})
        write_atomically(pki.trust / FILE_NAME, text.encode())
        pki.write_crls()
        return pki

    @classmethod
    def open(cls, folder: Path, *, now: int | None = None) -> DemoPki:
        """Open a PKI made before.

        :param now: the present to issue at; the time of its creation by default.
        :raises TrustError: the folder does not hold one.
        """
        kept = folder / "authorities"
        try:
            state = msgspec.json.decode((kept / "state.json").read_bytes(), type=_State)
            authorities = {
                which: _load(kept / f"{which}.pem", kept / f"{which}.key") for which in AUTHORITIES
            }
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            raise TrustError(f"{folder} does not hold a demonstration PKI") from error
        if now is not None:
            state.now = now
        return cls(folder, state, authorities)

    @property
    def now(self) -> int:
        """The moment certificates and lists are issued at (ms)."""
        return self._state.now

    def authority(self, which: str) -> tuple[x509.Certificate, PrivateKey]:
        """Certificate and key of "racine", "organisations" or "personnes"."""
        return self._authorities[which]

    def paths(self, name: str) -> tuple[Path, Path]:
        """Where the certificate (full chain) and the key of ``name`` are."""
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    # -- issuing ----------------------------------------------------------------------------

    def issue_server(
        self,
        cn: str,
        ou: str,
        o: str,
        *,
        hosts: Sequence[str] = (),
        st: str = "Paris (75)",
        name: str = "",
        begin: int | None = None,
        end: int | None = None,
    ) -> Issued:
        """An operator's certificate: clientAuth and serverAuth, names in subjectAltName."""
        return self.issue(
            name or cn,
            shape.organisation_name(cn=cn, ou=ou, o=o, st=st),
            [
                shape.key_usage(signature=True),
                shape.extended(shape.CLIENT, shape.SERVER),
                *shape.alternative_names(tuple(hosts)),
                shape.category(),
            ],
            begin=begin,
            end=end,
        )

    def issue_organisation(
        self,
        cn: str,
        struct_id: str,
        o: str,
        *,
        use: str = "auth",
        st: str = "Paris (75)",
        email: str = "",
        name: str = "",
        begin: int | None = None,
        end: int | None = None,
    ) -> Issued:
        """A structure's certificate: ORG AUTH_CLI (``use="auth"``) or ORG SIGN (``"sign"``)."""
        return self.issue(
            name or cn,
            shape.organisation_name(cn=cn, ou=struct_id, o=o, st=st),
            [*self._use(use, begin, end), *shape.alternative_names(email=email), shape.category()],
            begin=begin,
            end=end,
            key_type="rsa2048" if use == "sign" else None,  # the whitelist is signed by rsa-sha256
        )

    def issue_person(
        self,
        id_nat: str,
        sn: str,
        gn: str,
        profession_code: int = 10,
        title: str = "Médecin",
        *,
        speciality: str = "",
        use: str = "auth",
        name: str = "",
        begin: int | None = None,
        end: int | None = None,
    ) -> Issued:
        """A professional's certificate: authentication or (``use="sign"``) signature."""
        person = Person(
            name=name or id_nat,
            id_nat=id_nat,
            sn=sn,
            gn=gn,
            profession=profession_code,
            title=title,
            speciality=speciality,
        )
        return self.issue(
            person.name,
            shape.person_name(person),
            [*self._use(use, begin, end), shape.category(), *shape.profession(person)],
            authority="personnes",
            begin=begin,
            end=end,
        )

    def issue(
        self,
        name: str,
        subject: x509.Name,
        extensions: Extensions,
        *,
        authority: str = "organisations",
        begin: int | None = None,
        end: int | None = None,
        policy: str = shape.POLICY,
        key_type: KeyType | None = None,
    ) -> Issued:
        """Any leaf; the usual extensions are added. Valid from 30 days ago for three years."""
        certificate, signer = self._authorities[authority]
        key = self._new_key(key_type)
        leaf = self._sign(
            subject,
            key.public_key(),
            [
                (x509.BasicConstraints(ca=False, path_length=None), False),
                shape.policy(policy),
                shape.distribution(authority),
                *extensions,
            ],
            issuer=certificate,
            signer=signer,
            begin=self.now - 30 * _DAY_MS if begin is None else begin,
            end=self.now + 3 * 365 * _DAY_MS if end is None else end,
        )
        chain = [leaf, certificate]
        pem, key_path = self.paths(name)
        write_atomically(pem, b"".join(c.public_bytes(Encoding.PEM) for c in chain))
        _write_key(key_path, key)
        ders = [c.public_bytes(Encoding.DER) for c in chain]
        return Issued(name, pem, key_path, ders, authority, leaf.serial_number)

    def issued(self, name: str) -> Issued:
        """What was issued under ``name`` before.

        :raises TrustError: nothing was.
        """
        pem, key = self.paths(name)
        try:
            chain = certificates_in(pem.read_bytes())
        except OSError as error:
            raise TrustError(f"nothing was issued under the name {name}") from error
        leaf = x509.load_der_x509_certificate(chain[0])
        authority = next(w for w, (c, _) in self._authorities.items() if c.subject == leaf.issuer)
        return Issued(name, pem, key, chain, authority, leaf.serial_number)

    # -- revoking ---------------------------------------------------------------------------

    def revoke(self, issued: Issued | str, *, at: int | None = None, reason: str = "keyCompromise") -> None:
        """Revoke a certificate, or an authority by its name; :meth:`write_crls` publishes it."""
        if isinstance(issued, str) and issued in AUTHORITIES:
            authority, serial = "racine", self._authorities[issued][0].serial_number
        else:
            found = self.issued(issued) if isinstance(issued, str) else issued
            authority, serial = found.authority, found.serial
        when = self.now - _DAY_MS if at is None else at
        self._state.revoked.setdefault(authority, []).append(_Revoked(f"{serial:x}", when, reason))
        self._save()

    def crl(
        self,
        authority: str,
        *,
        now: int | None = None,
        days: int = 7,
        number: int | None = None,
        signer: PrivateKey | None = None,
        extensions: Extensions = (),
    ) -> bytes:
        """A revocation list in DER, not written anywhere; the parameters serve tests."""
        certificate, key = self._authorities[authority]
        issued = self.now if now is None else now
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(certificate.subject)
            .last_update(_moment(issued - 3_600_000))
            .next_update(_moment(issued + days * _DAY_MS))
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(_public(certificate)), critical=False
            )
            .add_extension(
                x509.CRLNumber(self._state.crl_number if number is None else number), critical=False
            )
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        for entry in self._state.revoked.get(authority, ()):
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(int(entry.serial, 16))
                .revocation_date(_moment(entry.at))
                .add_extension(x509.CRLReason(x509.ReasonFlags(entry.reason)), critical=False)
                .build()
            )
        return builder.sign(signer or key, hashes.SHA256()).public_bytes(Encoding.DER)

    def write_crls(self, *, now: int | None = None, days: int = 7) -> list[Path]:
        """Publish the lists of the three authorities, with the next number, good for ``days``."""
        self._state.crl_number += 1
        self._save()
        written: list[Path] = []
        for which in AUTHORITIES:
            path = self.trust / "crls" / shape.CRL_FILES[which]
            write_atomically(path, self.crl(which, now=now, days=days))
            written.append(path)
        return written

    def stranger(self, folder: Path | None = None) -> DemoPki:
        """Another PKI with the same names and other keys, which nobody here trusts."""
        return DemoPki.create(folder or self.folder / "stranger", now=self.now, key_type=self._state.key_type)

    # -- inside -----------------------------------------------------------------------------

    def _use(self, use: str, begin: int | None, end: int | None) -> list[tuple[x509.ExtensionType, bool]]:
        if use == "sign":
            period = shape.private_key_usage(
                _moment(self.now - 30 * _DAY_MS if begin is None else begin),
                _moment(self.now + 3 * 365 * _DAY_MS if end is None else end),
            )
            return [shape.key_usage(signature=True, repudiation=True), shape.extended(shape.MAIL), period]
        return [shape.key_usage(signature=True), shape.extended(shape.CLIENT)]

    def _make_authority(self, which: str) -> None:
        key = self._new_key()
        root = which == "racine"
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=True, path_length=None if root else 0), True),
            shape.key_usage(authority=True),
            shape.policy("2.5.29.32.0"),  # anyPolicy, as the real authorities carry
        ]
        if not root:
            extensions.append(shape.distribution("racine"))
        issuer, signer = (None, key) if root else self._authorities["racine"]
        certificate = self._sign(
            shape.authority_name(which),
            key.public_key(),
            extensions,
            issuer=issuer,
            signer=signer,
            begin=self.now - 5 * 365 * _DAY_MS,
            end=self.now + 15 * 365 * _DAY_MS - (0 if root else _DAY_MS),
        )
        self._authorities[which] = (certificate, key)
        pem = certificate.public_bytes(Encoding.PEM)
        kept = self.folder / "authorities"
        kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(kept / f"{which}.pem", pem)
        _write_key(kept / f"{which}.key", key)
        shelf = "roots" if root else "intermediates"
        write_atomically(self.trust / shelf / f"{which}.pem", pem)

    def _new_key(self, key_type: KeyType | None = None) -> PrivateKey:
        if (key_type or self._state.key_type) == "rsa2048":
            return rsa.generate_private_key(65537, 2048)
        return ec.generate_private_key(ec.SECP256R1())

    def _sign(
        self,
        subject: x509.Name,
        public: PublicKey,
        extensions: Extensions,
        *,
        issuer: x509.Certificate | None,
        signer: PrivateKey,
        begin: int,
        end: int,
    ) -> x509.Certificate:
        authority_key = public if issuer is None else _public(issuer)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer is None else issuer.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(_moment(begin))
            .not_valid_after(_moment(end))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(signer, hashes.SHA256())

    def _save(self) -> None:
        content = msgspec.json.format(msgspec.json.encode(self._state))
        write_atomically(self.folder / "authorities" / "state.json", content, 0o600)


def demo_pki(
    folder: Path,
    *,
    now: int | None = None,
    hosts: Sequence[Server] = shape.DEMO_SERVERS,
    persons: Sequence[Person] = shape.DEMO_PERSONS,
    organisations: Sequence[Organisation] = shape.DEMO_ORGANISATIONS,
    key_type: KeyType = "p256",
) -> DemoPki:
    """Make a whole PKI in ``folder``: the parties asked for, and the three to refuse.

    Those three bear the DN of the second server (the hospital's operator): ``revoked`` is on the
    list, ``expired`` ended yesterday, ``stranger`` comes from a PKI with the same names and other
    keys. Takes less than a second with P-256 keys, most of it syncing files.

    :param now: the PKI's present (ms), the clock's by default.
    """
    pki = DemoPki.create(folder, now=now, key_type=key_type)
    for server in hosts:
        _issue_server(pki, server, server.name)
    for person in persons:
        pki.issue_person(
            person.id_nat,
            person.sn,
            person.gn,
            person.profession,
            person.title,
            speciality=person.speciality,
            name=person.name,
        )
    for organisation in organisations:
        pki.issue_organisation(
            organisation.cn,
            organisation.struct_id,
            organisation.o,
            st=organisation.st,
            use=organisation.use,
            email=organisation.email,
            name=organisation.name,
        )
    model = hosts[min(1, len(hosts) - 1)] if hosts else shape.DEMO_SERVERS[1]
    pki.revoke(_issue_server(pki, model, "revoked"))
    _issue_server(pki, model, "expired", begin=pki.now - 4 * 365 * _DAY_MS, end=pki.now - _DAY_MS)
    stranger = _issue_server(pki.stranger(), model, "stranger")
    for source, target in zip((stranger.pem, stranger.key), pki.paths("stranger"), strict=True):
        write_atomically(target, source.read_bytes(), 0o600 if target.suffix == ".key" else 0o644)
    pki.write_crls()
    return pki


def _issue_server(
    pki: DemoPki, server: Server, name: str, *, begin: int | None = None, end: int | None = None
) -> Issued:
    return pki.issue_server(
        server.cn, server.ou, server.o, hosts=server.hosts, st=server.st, name=name, begin=begin, end=end
    )


def _public(certificate: x509.Certificate) -> PublicKey:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise TrustError("a demonstration authority has a key of another kind")
    return key


def _load(pem: Path, key: Path) -> tuple[x509.Certificate, PrivateKey]:
    private = load_pem_private_key(key.read_bytes(), None)
    if not isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise TrustError("a demonstration authority has a key of another kind")
    return x509.load_pem_x509_certificate(pem.read_bytes()), private


def _write_key(path: Path, key: PrivateKey) -> None:
    write_atomically(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, UTC)
