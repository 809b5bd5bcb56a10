"""Certificates, verdicts and the trust folder as plain mappings, for `passerelle certs`."""

from __future__ import annotations

from pathlib import Path

from certs.crl import Crl, iso
from certs.files import certificates_in
from certs.identity import Identity, identity, structure_form
from certs.names import authority_label
from certs.pki import DemoPki
from certs.refresh import Fetched
from certs.scope import ALL_REASONS
from certs.trust import TrustStore
from certs.verdict import CertVerdict


def read_chain(path: Path) -> list[bytes]:
    """The certificates of a file (PEM, DER or PKCS #7), leaf first.

    :raises OSError: the file cannot be read.
    :raises CertificateUnreadable: there is no certificate in it.
    """
    return certificates_in(path.read_bytes())


def holder(who: Identity) -> dict[str, str]:
    """Who a certificate says one is, without the fields that are empty."""
    shown = {
        "kind": who.kind,
        "subject": who.subject_dn,
        "issuer": who.issuer_dn,
        "serial": f"{who.serial:x}",
        "category": who.category,
        "IdNat_PS": who.id_nat,
        "profession": who.profession,
        "speciality": ", ".join(who.specialities),
        "Struct_IdNat": who.struct_id,
        "structure by": structure_form(who.struct_id),
        "register": who.register,
        "card": who.card,
        "key on": who.bearer,
        "name": who.name,
        "given": who.given,
        "title": who.title,
        "hosts": ", ".join(who.hosts),
        "emails": ", ".join(who.emails),
        "from": iso(who.not_before),
        "until": iso(who.not_after),
        "sha256": who.fingerprint,
    }
    return {key: value for key, value in shown.items() if value}


def verdict_rows(verdict: CertVerdict) -> list[dict[str, str]]:
    """The path, then each check with its result, in the order they were made."""
    rows = [
        {"step": f"path {depth}", "result": "", "detail": subject}
        for depth, subject in enumerate(verdict.path)
    ]
    rows += [
        {"step": check.name, "result": "ok" if check.ok else "REFUSED", "detail": check.detail}
        for check in verdict.checks
    ]
    outcome = (
        f"{verdict.rule}: {verdict.reason}" if verdict.rule else f"good until {iso(verdict.valid_until)}"
    )
    return [*rows, {"step": "verdict", "result": "ok" if verdict.ok else "REFUSED", "detail": outcome}]


def crl_row(crl: Crl) -> dict[str, str]:
    """One revocation list."""
    detail = [f"number {crl.number}", f"{crl.revoked.total} revoked", f"{crl.scope} certificates"]
    if crl.delta:
        detail.insert(1, f"since number {crl.base}")
    if crl.covers.reasons != ALL_REASONS:
        detail.append(f"{len(crl.covers.reasons)} of {len(ALL_REASONS)} reasons")
    if crl.covers.indirect:
        detail.append("of other authorities too")
    return {
        "what": "delta crl" if crl.delta else "crl",
        "name": crl.label,
        "detail": ", ".join(detail),
        "from": iso(crl.this_update),
        "until": iso(crl.next_update),
    }


def fetched_row(fetched: Fetched) -> dict[str, str]:
    """What came of one place where a revocation list is said to be."""
    return {
        "place": fetched.url,
        "outcome": fetched.outcome,
        "detail": fetched.detail,
        "authority": fetched.authority,
        "number": str(fetched.number) if fetched.number >= 0 else "",
        "until": iso(fetched.next_update) if fetched.next_update else "",
    }


def trust_rows(store: TrustStore) -> list[dict[str, str]]:
    """What the trust folder holds: roots, intermediates, lists in use, lists refused and why."""
    rows = [
        {
            "what": what,
            "name": authority_label(certificate.subject),
            "detail": f"sha256 {certificate.sha256.hex()}",
            "from": certificate.not_valid_before.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "until": certificate.not_valid_after.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        for what, held in (("root", store.roots), ("intermediate", store.intermediates))
        for certificate in held
    ]
    rows += [crl_row(crl) for crl in store.crls]
    rows += [
        {"what": "crl refused", "name": problem.file, "detail": problem.reason, "from": "", "until": ""}
        for problem in store.problems
    ]
    return rows


def pki_rows(pki: DemoPki) -> list[dict[str, str]]:
    """What a demonstration PKI issued, with where the files are."""
    rows: list[dict[str, str]] = []
    for path in sorted(pki.folder.glob("*.pem")):
        who = identity(read_chain(path)[0])
        rows.append({"name": path.stem, "kind": who.kind, "subject": who.subject_dn, "file": str(path)})
    return rows
