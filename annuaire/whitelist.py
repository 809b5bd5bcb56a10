"""The list of authorised domains: imported or fetched, judged, put in use as a version.

Whatever fails, the last good list stays in use; how long it may is for routing to say, by its age.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final, Protocol

import msgspec
import structlog
from asn1crypto import x509

from annuaire.dn import fold_dn
from annuaire.errors import WhitelistError
from annuaire.names import fold
from annuaire.refresh import refreshed
from annuaire.whitelist_lookup import WhitelistStatus, current_entries, whitelist_status
from annuaire.whitelist_ops import (
    NewVersion,
    apply_whitelist,
    begin_whitelist,
    close_whitelist,
    confirm_whitelist,
    load_whitelist,
    sweep_whitelist,
)
from annuaire.whitelist_tables import SOURCE
from annuaire.whitelist_xml import MAX_BYTES, Entry, SignedList, read_signed_list
from certs import download, http_client
from store import PasserelleError, Store, new_id, now_ms

#: Entries per transaction: about 20 ms of the writer, so that mail passes between two of them.
CHUNK: Final = 2_000
#: A new list this much smaller than the one in use was cut short, or is not the one we want.
SMALLEST_SHARE: Final = 0.8
#: Small lists (tests, a trial of the trust space) may shrink as they like.
SHRINK_FLOOR: Final = 100
#: How far the clock of whoever makes the list may be ahead of ours (ms).
AHEAD_MS: Final = 3_600_000
#: How long versions stay readable when nothing else is said: two years.
KEEP_MS: Final = 730 * 86_400_000

_log = structlog.get_logger("annuaire")


class SignerVerdict(Protocol):
    """What :mod:`certs` says of a certificate path; ``reason`` names the failing check."""

    @property
    def ok(self) -> bool: ...
    @property
    def reason(self) -> str: ...


#: Judges the signer's path, validity and revocation: DER, signer first.
CheckSigner = Callable[[list[bytes]], Awaitable[SignerVerdict]]


class WhitelistRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a list must fulfil beyond its signature.

    :param signer_cn: the signer's common name; ``signer_ou`` its organisational unit. Both are demanded.
    :param accept_older: take a list generated before the one in use.
    :param accept_shrink: take a list much shorter than the one in use.
    :param keep: how long past versions stay readable (ms).
    """

    signer_cn: str
    signer_ou: str
    accept_older: bool = False
    accept_shrink: bool = False
    keep: int = KEEP_MS


class WhitelistReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an import changed, in entries (domain, name).

    :param replaces: the version in use before; 0: none. The same as ``version``: nothing changed.
    :param repeated: entries that the list holds twice.
    """

    version: int
    replaces: int
    entries: int
    repeated: int
    added: int
    changed: int
    gone: int
    generated_at: int
    signer: str


async def import_whitelist(
    store: Store,
    path: Path,
    check_signer: CheckSigner,
    *,
    signer_cn: str,
    signer_ou: str,
    accept_older: bool = False,
    accept_shrink: bool = False,
    keep: int = KEEP_MS,
) -> WhitelistReport:
    """Verify the signed list at ``path`` and put it in use; on any failure the last good one stays.

    Parameters: see :class:`WhitelistRules`; the checks: see :func:`take_whitelist`.

    Raises :class:`WhitelistError`.
    """
    rules = WhitelistRules(
        signer_cn=signer_cn,
        signer_ou=signer_ou,
        accept_older=accept_older,
        accept_shrink=accept_shrink,
        keep=keep,
    )
    try:
        data = await asyncio.to_thread(_read, path)
    except OSError as error:
        raise WhitelistError("whitelist.file", f"{path.name}: {error.strerror or error}") from error
    return await take_whitelist(store, data, check_signer, rules, origin=path.name)


async def fetch_whitelist(
    store: Store,
    url: str,
    roots: Iterable[x509.Certificate],
    check_signer: CheckSigner,
    rules: WhitelistRules,
) -> WhitelistReport:
    """Fetch the list from ``url`` and put it in use as :func:`import_whitelist` does.

    :param roots: who may vouch for the server; nobody else is believed, no redirect is followed.

    The attempt is written down, whatever becomes of it (:func:`annuaire.refresh.refresh_state`).

    Raises :class:`PasserelleError`: ``certs.download``, or what :func:`take_whitelist` raises.
    """
    try:
        data = await asyncio.to_thread(_fetch, url, list(roots))
        report = await take_whitelist(store, data, check_signer, rules, origin=url)
    except PasserelleError as error:
        failures = await store.awrite(refreshed, source=SOURCE, rule=error.rule, reason=error.log)
        _log.warning("whitelist_fetch_failed", rule=error.rule, reason=error.log, failures=failures)
        raise
    await store.awrite(refreshed, source=SOURCE, rule="", reason="")
    return report


def _fetch(url: str, roots: list[x509.Certificate]) -> bytes:
    with http_client(roots) as client:
        return download(client, url, limit=MAX_BYTES)


async def take_whitelist(
    store: Store, data: bytes, check_signer: CheckSigner, rules: WhitelistRules, *, origin: str
) -> WhitelistReport:
    """Judge a list and put it in use.

    Checked in this order: the signature; path, validity and revocation of the signer's certificate by
    ``check_signer``; the signer's CN **and** OU; then the list itself: not generated in the future, not
    before the one in use (a replay), not much shorter.

    :param origin: a file name or the URL it came from. The very list in use, come again by https, says
        that it is still the published one.

    Raises :class:`WhitelistError`; what was in use stays in use.
    """
    if not rules.signer_cn or not rules.signer_ou:
        raise WhitelistError("whitelist.signer", "no expected signer (CN and OU) is set")
    signed = await asyncio.to_thread(read_signed_list, data)
    verdict = await check_signer(signed.chain)
    if not verdict.ok:
        raise WhitelistError(
            "whitelist.certificate", f"the signer's certificate is refused: {verdict.reason}"
        )
    expected = (fold(rules.signer_cn), fold(rules.signer_ou))
    if (fold(signed.signer_cn), fold(signed.signer_ou)) != expected:
        raise WhitelistError(
            "whitelist.signer",
            f"signed by {signed.signer}, expected CN={rules.signer_cn}, OU={rules.signer_ou}",
        )
    if signed.generated_at > now_ms() + AHEAD_MS:
        raise WhitelistError("whitelist.future", "the list says that it was generated in the future")
    held = await store.aread(whitelist_status)
    if held is not None and held.sha256 == signed.sha256:
        if origin.startswith("https:"):
            await store.awrite(confirm_whitelist, version=held.version)
        return _same(held)
    if held is not None and signed.generated_at < held.generated_at and not rules.accept_older:
        raise WhitelistError("whitelist.older", "the list is older than the one in use")
    return await asyncio.to_thread(install, store, signed, origin=origin, rules=rules)


def _same(held: WhitelistStatus) -> WhitelistReport:
    return WhitelistReport(
        version=held.version,
        replaces=held.version,
        entries=held.entries,
        repeated=0,
        added=0,
        changed=0,
        gone=0,
        generated_at=held.generated_at,
        signer=held.signer,
    )


def install(
    store: Store, signed: SignedList, *, origin: str = "", rules: WhitelistRules | None = None
) -> WhitelistReport:
    """Put a list in use whose signature and signer were found good. Blocking.

    Raises :class:`WhitelistError` when it is much shorter than the one in use, or another import came
    between.
    """
    held = store.read(whitelist_status)
    replaces = 0 if held is None else held.version
    before = store.read(current_entries)
    rows: dict[tuple[str, str], Entry] = {}
    for entry in signed.entries:
        rows.setdefault((entry.domain, fold_dn(entry.dn)), _kept(entry))
    accept_shrink = rules is not None and rules.accept_shrink
    if len(before) >= SHRINK_FLOOR and len(rows) < SMALLEST_SHARE * len(before) and not accept_shrink:
        raise WhitelistError(
            "whitelist.shrunk",
            f"the list holds {len(rows)} entries where {len(before)} are in use; accept it explicitly "
            "if so many domains really left the trust space",
        )
    added = [entry for key, entry in rows.items() if key not in before]
    changed = [key for key, entry in rows.items() if key in before and before[key] != entry]
    gone = [key for key in before if key not in rows]
    version = max(new_id(), replaces + 1)
    new = NewVersion(
        version=version,
        generated_at=signed.generated_at,
        sha256=signed.sha256,
        signer=signed.signer,
        fingerprint=signed.signer_fingerprint,
        entries=len(rows),
        origin=origin,
    )
    store.write(begin_whitelist, new=new)
    loaded = added + [rows[key] for key in changed]
    for start in range(0, len(loaded), CHUNK):
        store.write(load_whitelist, version=version, entries=loaded[start : start + CHUNK])
    closed = gone + changed
    for start in range(0, len(closed), CHUNK):
        store.write(close_whitelist, version=version, keys=closed[start : start + CHUNK])
    counts = {"added": len(added), "changed": len(changed), "gone": len(gone)}
    store.write(apply_whitelist, version=version, replaces=replaces, **counts)
    keep = KEEP_MS if rules is None else rules.keep
    while store.write(sweep_whitelist, before=now_ms() - keep, slice_rows=CHUNK):
        pass
    _log.info("whitelist_imported", entries=len(rows), **counts)
    return WhitelistReport(
        version=version,
        replaces=replaces,
        entries=len(rows),
        repeated=len(signed.entries) - len(rows),
        generated_at=signed.generated_at,
        signer=signed.signer,
        **counts,
    )


def _kept(entry: Entry) -> Entry:
    """What is kept of an entry: no contacts, they are personal data."""
    return Entry(entry.domain, entry.dn, entry.description, entry.updated_at)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
