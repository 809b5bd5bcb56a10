"""Looks a home over and says, in plain words, what holds and what to mend."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

import annuaire
import evidence
from certs import Keystore, ListFetcher, TrustStore, ending, stapling_trouble, verify_self
from gateway.freshness import refresh_trouble, whitelist_freshness
from gateway.keyring import keystore, signer
from gateway.settings import Settings
from gateway.trust_keeping import our_certificates
from store import PasserelleError, Store, mail, now_ms, tasks

HOUR_MS = 3_600_000


class Finding(msgspec.Struct, frozen=True):
    """One check: what it is about, whether it holds, what was found."""

    check: str
    ok: bool
    found: str


def examine(home: Path, settings: Settings, store: Store) -> list[Finding]:
    """Every check of a home, in the order in which one would mend it. Blocking."""
    return [*_certificates(home, settings), *_directory(settings, store), *_state(home, settings, store)]


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _certificates(home: Path, settings: Settings) -> Iterator[Finding]:
    try:
        trust = TrustStore.load(home / "trust")
    except PasserelleError as error:
        yield Finding("trust", False, error.log)
        return
    yield Finding(
        "trust", not trust.problems, f"{len(trust.roots)} roots, {len(trust.crls)} revocation lists"
    )
    for problem in trust.problems:
        yield Finding("revocation list", False, str(problem))
    yield Finding("trust settings", True, trust.settings.demands())
    for relaxed in trust.settings.relaxations():
        # In a demonstration that is what was asked for; anywhere else it is to be mended.
        yield Finding("less than production", trust.settings.mode == "demo", relaxed)
    trouble = stapling_trouble()
    yield Finding("stapling", not trouble, trouble or "status in the handshake works here")
    if trust.settings.lists.fetch:
        places = ListFetcher(trust, lambda: our_certificates(home, settings)).places()
        yield Finding("lists are fetched from", bool(places), ", ".join(places) or "no place is known")
    yield _receipts(home, settings, trust)
    try:
        keys = keystore(home, settings)
    except PasserelleError as error:
        yield Finding("our certificate", False, error.log)
        return
    yield _shown(keys, trust, "server", "our certificate")
    if "client" in keys.slots:
        yield _shown(keys, trust, "client", "our certificate as client")
    yield from _lasting(home, keys)


def _shown(keys: Keystore, trust: TrustStore, role: Literal["server", "client"], name: str) -> Finding:
    """A pair that TLS shows: usable, and believed by our own trust."""
    try:
        verify_self()
        verdict = trust.check_sync(keys.current(role).chain, role)
    except PasserelleError as error:
        return Finding(name, False, error.log)
    found = f"{verdict.identity.subject_dn}, until {_day(verdict.identity.not_after)}"
    return Finding(name, verdict.ok, found if verdict.ok else f"{verdict.reason} [{verdict.rule}]")


def _lasting(home: Path, keys: Keystore) -> Iterator[Finding]:
    """Do our certificates last, and do their keys lie sealed?"""
    try:
        _, soon = ending(keys)
        plain = [path.name for path in keys.plain_keys()]
    except (OSError, PasserelleError) as error:
        yield Finding("our keys", False, error.log if isinstance(error, PasserelleError) else str(error))
        return
    told = ", ".join(f"{one.role}: {one.days} days left ({one.level})" for one in soon)
    yield Finding("renewal", not soon, told or "no certificate of ours ends within 30 days")
    if not evidence.key_is_sealed(home):
        plain.append("evidence.key")
    told = f"in clear: {', '.join(plain)}; `passerelle certs protect` seals them" if plain else "sealed"
    yield Finding("private keys", not plain, told)


def _receipts(home: Path, settings: Settings, trust: TrustStore) -> Finding:
    """The certificate that signs our receipts; without one they are not signed, which is allowed."""
    if not settings.smime.certificate:
        return Finding("our signature", True, "receipts and reports are not signed: see [smime]")
    try:
        ours = signer(home, settings)
    except PasserelleError as error:
        return Finding("our signature", False, error.log)
    assert ours is not None
    verdict = trust.check_sync(ours.chain, "sign")
    if not verdict.ok:
        return Finding("our signature", False, f"{verdict.reason} [{verdict.rule}]")
    who = verdict.identity
    found = f"{who.subject_dn}, until {_day(who.not_after)}"
    if settings.system_address not in [email.casefold() for email in who.emails]:
        # RFC 8550 §3: who receives them compares it with From
        found += f"; it does not name {settings.system_address}: others may say that it is not the sender"
    return Finding("our signature", True, found)


def _directory(settings: Settings, store: Store) -> Iterator[Finding]:
    found = store.read(whitelist_freshness, settings, now_ms())
    yield Finding("whitelist", found.level == "good", found.text)
    for source in ("whitelist", "fhir"):
        if trouble := store.read(refresh_trouble, source):
            yield Finding(f"fetching the {source}", False, trouble)
    if store.read(annuaire.whitelist_status) is None:
        return
    for domain in filter(None, [settings.gateway.patient_domain, *settings.gateway.hosted_domains]):
        listed = store.read(annuaire.domain_listed, domain)
        text = "is in the whitelist" if listed else "is not in the whitelist: others will refuse our mail"
        yield Finding("our domain", listed, f"{domain} {text}")


def _state(home: Path, settings: Settings, store: Store) -> Iterator[Finding]:
    box = store.read(mail.box_by_address, settings.system_address)
    yield Finding("system mailbox", box is not None, settings.system_address)
    report = store.read(evidence.verify, evidence.public_key(home))
    yield Finding("evidence", report.ok, f"{report.records} records" if report.ok else report.reason)
    silent = store.read(evidence.silent, now_ms() - HOUR_MS)
    yield Finding("silence", not silent, f"{len(silent)} recipients without an end for an hour")
    held = store.read(tasks.pending, tasks.FILING, 1000, "held")
    yield Finding("filings parked", not held, f"{len(held)} wait for you: `passerelle dmp list`")
    late = [task for task in store.read(tasks.pending, tasks.RELAY, 1000) if task.attempts > 1]
    yield Finding(
        "relay", not late, f"{len(late)} messages could not be relayed yet: `passerelle queue list`"
    )
