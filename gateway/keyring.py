"""Our certificates and keys, as the settings name their files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from certs import (
    HSM_SCHEME,
    CertificateUnreadable,
    HsmSigner,
    KeyRefused,
    KeySafe,
    KeySigner,
    Keystore,
    Role,
    Signer,
    Slot,
    read_chain,
)
from gateway.settings import Settings
from store import PasserelleError

log = structlog.get_logger("keyring")


def keystore(home: Path, settings: Settings) -> Keystore:
    """The keystore of a home. Reads nothing yet.

    :raises KeyRefused: ``tls.passphrase`` cannot be.
    """
    tls = settings.tls
    slots: dict[Role, Slot] = {"server": Slot(home / tls.certificate, home / tls.key)}
    if tls.client_certificate:
        slots["client"] = Slot(home / tls.client_certificate, home / tls.client_key)
    smime = settings.smime
    tokens: dict[Role, Path] = {}
    if smime.key.startswith(HSM_SCHEME):
        tokens["sign"] = home / smime.certificate
    elif smime.certificate:
        slots["sign"] = Slot(home / smime.certificate, home / smime.key)
    return Keystore(home / "tls", slots, KeySafe.of(home, tls.passphrase), tokens=tokens)


def signer(home: Path, settings: Settings) -> Signer | None:
    """What signs our receipts and reports; None when no certificate is configured for it. Blocking.

    :raises KeyRefused: it is configured and cannot be used.
    """
    if not settings.smime.certificate:
        return None
    if settings.smime.key.startswith(HSM_SCHEME):
        try:
            chain = read_chain(home / settings.smime.certificate)
        except (OSError, CertificateUnreadable) as error:
            raise KeyRefused(f"{settings.smime.certificate} cannot be read") from error
        return HsmSigner(settings.smime.key, chain)
    pair = keystore(home, settings).current("sign")
    return KeySigner(pair.chain, pair.key)


class LiveSigner:
    """The signer of our reports, read again when its certificate's file changes; call it for the present one.

    :raises KeyRefused: it is configured and cannot be used at the start.
    """

    def __init__(self, home: Path, settings: Settings) -> None:
        self._home = home
        self._settings = settings
        self._seen = self._stamp()
        self._signer = signer(home, settings)

    def __call__(self) -> Signer | None:
        return self._signer

    async def refresh(self, *, force: bool = False) -> None:
        """Take a renewed key into use; one that cannot be used leaves the one before."""
        await asyncio.to_thread(self._refresh, force)

    def _refresh(self, force: bool) -> None:
        seen = self._stamp()
        if seen == self._seen and not force:
            return
        self._seen = seen
        try:
            self._signer = signer(self._home, self._settings)
        except PasserelleError as error:
            log.error("signer_not_renewed", rule=error.rule, reason=error.log)

    def _stamp(self) -> tuple[int, int]:
        if not self._settings.smime.certificate:
            return 0, 0
        try:
            found = (self._home / self._settings.smime.certificate).stat()
        except OSError:
            return 0, 0
        return found.st_mtime_ns, found.st_size
