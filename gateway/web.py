"""The patients' pages as the settings want them: their port, what they are given, their bounds."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import urlsplit

from gateway.feeds import Feeds
from gateway.http import HttpServer, Limits
from gateway.routing import Router
from gateway.sample import SampleHouse
from gateway.settings import Settings
from gateway.signin import SignIn
from store import Store
from webmail import Kit, Wants, end, pages

_ROOM = 256 * 1024  # besides the files of a form
#: Behind one address there may be a hospital, or a telephone company.
_PER_PEER = 256


class PatientsDoor:
    """Serves ``[ports] web``: the pages, and the private calendar feeds.

    :raises SettingsError: a file that the settings name cannot be read.
    """

    def __init__(
        self, home: Path, settings: Settings, store: Store, router: Router, context: ssl.SSLContext | None
    ) -> None:
        self._signin = SignIn(store, settings)
        self.kit = Kit(
            home=home,
            store=store,
            router=router,
            desk=self._signin.desk,
            wants=wants_of(settings),
            lifetimes=self._signin.lifetimes,
            passkeys=self._signin.passkeys,
            federation=self._signin.federation,
            guests=SampleHouse() if settings.web.guest else None,
        )
        limits = Limits(body=settings.gateway.message_size + _ROOM, per_peer=_PER_PEER)
        self.app = pages(self.kit, Feeds(store).routes())
        self.server = HttpServer(self.app, context, limits, name="web")

    async def start(self, host: str, port: int, *, reuse_port: bool = False) -> None:
        """Listen. Raises :class:`OSError` when it cannot."""
        await self.server.start(host, port, reuse_port=reuse_port)

    @property
    def port(self) -> int:
        return self.server.port

    async def close(self) -> None:
        """Let requests under way end, send the codes that wait, then let go of connections."""
        end(self.app)
        await self.server.close()
        if self.kit.guests is not None:
            await self.kit.guests.close()
        await self._signin.close()


def wants_of(settings: Settings) -> Wants:
    """The part of the settings that the pages ask for."""
    issuer = urlsplit(settings.franceconnect.issuer)
    return Wants(
        hostname=settings.gateway.hostname,
        patient_domain=settings.gateway.patient_domain,
        terms=settings.signin.terms,
        message_size=settings.gateway.message_size,
        origin=settings.signin.origin.rstrip("/"),
        identity_origins=(f"{issuer.scheme}://{issuer.netloc}",) if issuer.netloc else (),
        help_phone=settings.web.help_phone,
        imap_port=_port(settings.ports.imap),
        submission_port=_port(settings.ports.submission),
    )


def _port(address: str) -> int:
    return int(address.rpartition(":")[2]) if address else 0
