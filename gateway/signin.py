"""Activation and sign-in as the settings want them: what serves the patients' pages makes one of these."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from gateway.settings import Settings, SettingsError
from patients import sender, signin
from patients.signin.federation import Federation
from patients.signin.openid import OpenId, Provider
from patients.signin.passkeys import Passkeys, RelyingParty
from store import Store

_MINUTE_MS = 60_000


class SignIn:
    """The desk, the ceremonies of passkeys (None without ``signin.origin``) and FranceConnect (None without).

    :raises SettingsError: a file that the settings name cannot be read.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        rules = rules_of(settings)
        self.lifetimes = rules.lifetimes
        self.courier = signin.Courier(code_sender(store.home, settings))
        self.desk = signin.Desk(store, self.courier, rules)
        origin = settings.signin.origin.rstrip("/")
        self.passkeys = None
        if origin:
            party = RelyingParty(urlsplit(origin).hostname or "", [origin])
            self.passkeys = Passkeys(store, party, rules.lifetimes)
        self._http: httpx.AsyncClient | None = None
        self.federation = None
        chosen = provider(store.home, settings)
        if chosen is not None:
            context = context_of(store.home, settings.franceconnect.ca_file)
            self._http = httpx.AsyncClient(verify=context, timeout=15.0, trust_env=False)
            self.federation = Federation(store, self.desk, OpenId(chosen, self._http))

    async def close(self) -> None:
        """Send what waits, and let go of connections."""
        await self.courier.drain()
        if self._http is not None:
            await self._http.aclose()


def rules_of(settings: Settings) -> signin.Rules:
    """The part of the settings that the desk asks for."""
    wanted = settings.signin
    lifetimes = signin.Lifetimes(wanted.idle_minutes * _MINUTE_MS, wanted.session_hours * 60 * _MINUTE_MS)
    return signin.Rules(settings.gateway.patient_domain, wanted.terms, settings.gateway.quota, lifetimes)


def code_sender(
    home: Path, settings: Settings, *, subject: str = "Votre code / Your code", folder: str = "codes"
) -> sender.CodeSender:
    """What brings codes and notices to persons; ``folder`` of ``run/`` is where a demo finds them.

    :raises SettingsError: a file that the settings name cannot be read.
    """
    wanted = settings.signin
    email: sender.CodeSender | None = None
    sms: sender.CodeSender | None = None
    if wanted.sender == "file":
        email = sms = sender.FileSender(home / "run" / folder)
    elif wanted.sender == "smtp":
        host, _, port = wanted.relay.rpartition(":")
        password = secret_of(home, wanted.relay_password_file) if wanted.relay_password_file else ""
        email = sender.SmtpSender(
            host.strip("[]"),
            int(port),
            wanted.from_address,
            tls=wanted.relay_tls,
            user=wanted.relay_user,
            password=password,
            subject=subject,
            context=None if wanted.relay_tls == "none" else context_of(home, wanted.relay_ca),
        )
    if wanted.sms_command:
        sms = sender.CommandSender(wanted.sms_command)
    return sender.ChannelSender(email, sms)


def provider(home: Path, settings: Settings) -> Provider | None:
    """FranceConnect and who we are to it; None when it is not used.

    :raises SettingsError: the file of our secret cannot be read.
    """
    wanted = settings.franceconnect
    if not wanted.issuer:
        return None
    secret = secret_of(home, wanted.secret_file)
    return Provider(wanted.issuer, wanted.client_id, secret, wanted.redirect_uri, tuple(wanted.acr))


def secret_of(home: Path, name: str) -> str:
    """What a file holds that the settings name. Raises :class:`SettingsError`."""
    try:
        return (home / name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError("settings.file", f"{name} cannot be read: {type(error).__name__}") from None


def context_of(home: Path, name: str) -> ssl.SSLContext:
    """A client's context that trusts a file of the settings, or the system. Raises :class:`SettingsError`."""
    try:
        context = ssl.create_default_context(cafile=str(home / name) if name else None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError("settings.file", f"{name} cannot be read: {type(error).__name__}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
