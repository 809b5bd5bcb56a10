"""Is this the certificate to put in use? Every check of an import, each with its result, before any file is
touched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from asn1crypto import x509

from certs.errors import CertificateUnreadable, KeyRefused
from certs.identity import Identity, identity
from certs.keys import Bundle, KeyPair, kind_of, ordered_chain
from certs.keystore import Keystore, Role
from certs.trust import TrustStore
from certs.verdict import Check, Purpose

_PURPOSE: Final[dict[Role, Purpose]] = {"server": "server", "client": "client", "sign": "sign"}


class Examined(msgspec.Struct, frozen=True):
    """What an import would do. ``notes``: what to know, without being a reason to refuse.

    :param before: the certificate that it replaces, None when there is none.
    """

    ok: bool
    role: Role
    pair: KeyPair | None
    checks: list[Check]
    notes: list[str]
    before: Identity | None = None


def examine(
    store: Keystore,
    trust: TrustStore,
    bundle: Bundle,
    role: Role,
    *,
    active_from: int = 0,
    hostname: str = "",
) -> Examined:
    """Judge what a file holds for a role. Blocking; changes nothing, never raises for what the file holds.

    :param active_from: when it is to take over (ms), 0 for now.
    :param hostname: our name; a server's certificate ought to bear it.
    """
    checks: list[Check] = []
    try:
        pair = _pair(bundle, trust.intermediates, checks)
    except KeyRefused as error:
        return Examined(False, role, None, [*checks, Check("key", False, error.peer)], [])
    verdict = trust.check_sync(pair.chain, _PURPOSE[role])
    checks += verdict.checks
    if not verdict.ok and all(check.ok for check in checks):
        checks.append(Check("verdict", False, verdict.reason))
    who = identity(pair.chain[0])
    if active_from >= who.not_after:
        checks.append(Check("activation", False, "it will have expired when it is to take over"))
    before = _before(store, role)
    if before is not None and before.fingerprint == who.fingerprint:
        checks.append(Check("new", False, "it is the one in use already"))
    notes = _notes(store, trust, pair, role, before, hostname)
    return Examined(all(check.ok for check in checks), role, pair, checks, notes, before)


def _pair(bundle: Bundle, known: Sequence[x509.Certificate], checks: list[Check]) -> KeyPair:
    if bundle.key is None:
        raise KeyRefused("there is no private key in the file: give it with --key")
    if not bundle.certificates:
        raise KeyRefused("there is no certificate in the file")
    chain = ordered_chain(bundle.certificates, bundle.key, known)
    pair = KeyPair.make(chain, bundle.key)
    checks.append(Check("key", True, f"{kind_of(bundle.key)}, belongs to the certificate"))
    return pair


def _before(store: Keystore, role: Role) -> Identity | None:
    try:
        return store.current(role).identity
    except (KeyRefused, CertificateUnreadable):
        return None


def _notes(
    store: Keystore, trust: TrustStore, pair: KeyPair, role: Role, before: Identity | None, hostname: str
) -> list[str]:
    who, notes = pair.identity, []
    if role == "server" and "client" not in store.slots:
        asked = trust.check_sync(pair.chain, "client")
        told = "it may also be shown as a client, when mail is relayed"
        notes.append(
            told if asked.ok else f"it may not be shown as a client ({asked.reason}): mail cannot leave"
        )
    if role == "server" and hostname and hostname not in {host.casefold() for host in who.hosts}:
        notes.append(f"it does not name {hostname}")
    if before is not None:
        same = before.subject_dn == who.subject_dn
        notes.append(
            "same subject as before: the whitelist need not change"
            if same
            else "another subject than before: the whitelist must name it before it is in use (--activate-at)"
        )
        if before.not_after > who.not_after:
            notes.append("it ends before the one in use")
    return notes
