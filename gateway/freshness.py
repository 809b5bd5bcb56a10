"""How fresh the list of authorised domains and the directory are: told in plain words, and kept so.

The back brings them up to date by itself (:class:`Refresher`); `doctor` and the log say how they stand. A
failed attempt changes nothing that is in use, and is written down.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
import structlog
from asn1crypto import x509
from sqlalchemy import Connection

import annuaire
from certs import TrustStore, certificates_in
from gateway.settings import DAY_MS, Settings
from store import PasserelleError, Store, now_ms

log = structlog.get_logger("freshness")

HOUR_MS = 3_600_000


class Freshness(msgspec.Struct, frozen=True):
    """How a source stands: ``level`` "refused" means that nobody is authorised any more."""

    level: Literal["good", "warning", "refused"]
    text: str


def duration(milliseconds: int) -> str:
    """A duration for people: "5 hours", "3 days"."""
    hours = milliseconds // HOUR_MS
    return f"{hours} hours" if hours < 48 else f"{hours // 24} days"


def whitelist_rules(
    settings: Settings,
    *,
    signer_cn: str = "",
    signer_ou: str = "",
    accept_older: bool = False,
    accept_shrink: bool = False,
) -> annuaire.WhitelistRules:
    """What the settings demand of a list; what is given here goes before them."""
    return annuaire.WhitelistRules(
        signer_cn=signer_cn or settings.whitelist.signer_cn,
        signer_ou=signer_ou or settings.whitelist.signer_ou,
        accept_older=accept_older,
        accept_shrink=accept_shrink,
        keep=settings.whitelist.keep_days * DAY_MS,
    )


def whitelist_freshness(conn: Connection, settings: Settings, now: int) -> Freshness:
    """Whether the list may be used, and for how long still."""
    status = annuaire.whitelist_status(conn)
    how = "fetch it (`passerelle annuaire whitelist fetch`)" if settings.whitelist.url else "import a new one"
    if status is None:
        return Freshness("refused", f"no list was imported: nobody may bring mail; {how}")
    age, limit = status.age(now), settings.whitelist.max_age_days * DAY_MS
    said = f"{status.entries} entries, known to be current {duration(age)} ago"
    if limit and age > limit:
        return Freshness(
            "refused",
            f"{said}: older than max_age_days, so nobody is authorised and mail of operators is put off "
            f"(451); {how}",
        )
    if age > settings.whitelist.warn_days * DAY_MS:
        left = f"nobody will be authorised in {duration(limit - age)}" if limit else "it is used all the same"
        return Freshness("warning", f"{said}: {left}; {how}")
    return Freshness("good", said)


def refresh_trouble(conn: Connection, source: str) -> str:
    """Why the last attempts to bring ``source`` up to date failed; "" when the last one did not."""
    state = annuaire.refresh_state(conn, source)
    if not state.failures:
        return ""
    since = (
        f"none succeeded for {duration(now_ms() - state.succeeded_at)}"
        if state.succeeded_at
        else "none ever did"
    )
    return f"{state.failures} attempts failed, {since}: {state.reason} [{state.rule}]"


def authorised(conn: Connection, settings: Settings, domain: str, subject_dn: str) -> bool:
    """Whether mail for ``domain`` may be handed to the server whose certificate names ``subject_dn``.

    Fails closed, as for mail that comes in: a list that is too old authorises nobody.
    """
    usable = whitelist_freshness(conn, settings, now_ms()).level != "refused"
    return usable and annuaire.whitelist_allows(conn, domain, subject_dn)


def fhir_client(
    home: Path, settings: Settings, wait: Callable[[float], None] = time.sleep
) -> annuaire.FhirClient:
    """A client of the Annuaire's API as the settings say. Blocking.

    :param wait: called with the seconds to wait before an attempt is repeated.

    Raises :class:`PasserelleError` when there is no key, or its file or the authorities cannot be read.
    """
    wanted = settings.fhir
    if not wanted.key_file or not wanted.url:
        raise annuaire.FhirError("fhir.key", "no key_file is set in [fhir]")
    key = annuaire.read_key(home / wanted.key_file)
    if not wanted.ca_file:
        trust = TrustStore.load(home / "trust")
        return annuaire.FhirClient(wanted.url, key, [*trust.roots, *trust.intermediates], wait=wait)
    try:
        ders = certificates_in((home / wanted.ca_file).read_bytes())
        return annuaire.FhirClient(wanted.url, key, [x509.Certificate.load(der) for der in ders], wait=wait)
    except (OSError, ValueError) as error:
        raise annuaire.FhirError(
            "fhir.ca", f"{wanted.ca_file} cannot be used ({type(error).__name__})"
        ) from error


class Refresher:
    """The part of the back that fetches what the gateway needs to know of the world outside."""

    def __init__(self, home: Path, settings: Settings, store: Store, trust: TrustStore) -> None:
        self._home = home
        self._settings = settings
        self._store = store
        self._trust = trust
        self._closing = threading.Event()

    def close(self) -> None:
        """Have a synchronisation that is under way end soon; the next one goes on from there."""
        self._closing.set()

    async def whitelist(self) -> None:
        """Fetch the list when it is time. Never raises for what another machine does."""
        wanted = self._settings.whitelist
        if not wanted.url:
            return
        state = await self._store.aread(annuaire.refresh_state, "whitelist")
        if not state.due(now_ms(), wanted.refresh_hours * HOUR_MS):
            return
        try:
            await annuaire.fetch_whitelist(
                self._store,
                wanted.url,
                [*self._trust.roots, *self._trust.intermediates],
                lambda chain: self._trust.check(chain, "sign"),
                whitelist_rules(self._settings),
            )
        except PasserelleError as error:
            log.debug("whitelist_kept", rule=error.rule)  # written down and logged where it failed

    async def fhir(self) -> None:
        """Bring the directory up to date from the API when it is time. Never raises for what others do."""
        wanted = self._settings.fhir
        if not wanted.key_file or not wanted.refresh_hours:
            return
        state = await self._store.aread(annuaire.refresh_state, "fhir")
        if not state.due(now_ms(), wanted.refresh_hours * HOUR_MS):
            return
        try:
            await asyncio.to_thread(self._synchronise)
        except PasserelleError as error:
            log.warning("fhir_kept", rule=error.rule, reason=error.log)

    def _synchronise(self) -> None:
        with fhir_client(self._home, self._settings, self._pause) as client:
            annuaire.sync_fhir(self._store, client, progress=lambda *_: self._pause(0))

    def _pause(self, seconds: float) -> None:
        if self._closing.wait(seconds):
            raise annuaire.FhirError(
                "fhir.stopped", "the gateway is closing: it goes on from here afterwards"
            )

    async def watch(self) -> None:
        """Say in the log when the list grows old, and when it has stopped authorising anybody."""
        found = await self._store.aread(whitelist_freshness, self._settings, now_ms())
        if found.level == "refused":
            log.error("whitelist_unusable", reason=found.text)
        elif found.level == "warning":
            log.warning("whitelist_old", reason=found.text)
