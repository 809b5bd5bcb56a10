"""Looks a home over and says, in plain words, what holds and what to mend."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

import annuaire
import evidence
from certs import TrustStore, operators_context, read_chain
from gateway.settings import Settings
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
    certificate, key = home / settings.tls.certificate, home / settings.tls.key
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
    try:
        operators_context(certificate, key)
        verdict = trust.check_sync(read_chain(certificate), "server")
    except (OSError, ValueError, PasserelleError) as error:
        yield Finding("our certificate", False, f"{certificate.name} or {key.name}: {error}")
        return
    found = f"{verdict.identity.subject_dn}, until {_day(verdict.identity.not_after)}"
    yield Finding(
        "our certificate", verdict.ok, found if verdict.ok else f"{verdict.reason} [{verdict.rule}]"
    )


def _directory(settings: Settings, store: Store) -> Iterator[Finding]:
    status = store.read(annuaire.whitelist_status)
    if status is None:
        yield Finding("whitelist", False, "no list was imported: nobody may bring mail")
        return
    age = status.age(now_ms())
    limit = settings.gateway.whitelist_max_age_days * 24 * HOUR_MS
    yield Finding("whitelist", not limit or age <= limit, f"{age // HOUR_MS} hours old")
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
