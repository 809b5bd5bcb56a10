"""The professionals' door as the settings want it: its port, its credentials, its bounds; FHIR, and the pages
on which they see what became of what they sent."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

import dossier
from activity import Actor
from certs import TrustStore
from gateway.fhir import Door, DoorError, FhirDoor, Gatekeeper, ProSante, Tokens
from gateway.http import HttpServer, Limits
from gateway.settings import Settings
from gateway.signin import context_of, secret_of
from store import Store
from webmail import PROFESSIONALS, UnprovenError, corner

_ROOM = 64 * 1024  # besides the document


class ProfessionalsDoor:
    """Serves ``[ports] fhir``.

    :param context: asks for a client certificate and takes any (``certs.operators_context``).
    :param read_cda: see :func:`dossier.deposit`.
    :raises SettingsError: a file that the settings name cannot be read.
    """

    def __init__(
        self,
        home: Path,
        settings: Settings,
        store: Store,
        trust: TrustStore,
        context: ssl.SSLContext,
        read_cda: dossier.CdaReader | None = None,
    ) -> None:
        door = door_of(settings)
        self._http: httpx.AsyncClient | None = None
        tokens = None
        if settings.prosante.issuer:
            vouching = context_of(home, settings.prosante.ca_file)
            self._http = httpx.AsyncClient(verify=vouching, timeout=10.0, trust_env=False)
            tokens = Tokens(prosante_of(home, settings), self._http)
        keeper = Gatekeeper(store, trust, tokens, door)
        self.door = FhirDoor(store, keeper, door, read_cda)
        pages = corner(store, _proof(keeper), takes_tokens=keeper.takes_tokens)
        # A document is base64 in JSON; the door itself refuses what is larger, with an OperationOutcome.
        limits = Limits(body=2 * door.size + _ROOM)
        self.server = HttpServer(_beside(self.door.app, pages), context, limits, name="fhir")

    async def start(self, host: str, port: int, *, reuse_port: bool = False) -> None:
        """Listen. Raises :class:`OSError` when it cannot."""
        await self.server.start(host, port, reuse_port=reuse_port)

    async def close(self) -> None:
        """Let requests under way end, then let go of connections."""
        await self.server.close()
        if self._http is not None:
            await self._http.aclose()


def _beside(fhir: ASGIApp, pages: ASGIApp) -> ASGIApp:
    """FHIR, and the pages with their files beside it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        ours = path == PROFESSIONALS or path.startswith((f"{PROFESSIONALS}/", "/statique/"))
        await (pages if ours else fhir)(scope, receive, send)

    return app


def _proof(keeper: Gatekeeper) -> Callable[[Request], Awaitable[Actor]]:
    """What the pages ask: the same credentials as FHIR, refused in the words of pages."""

    async def proven(request: Request) -> Actor:
        try:
            return await keeper.professional(request)
        except DoorError as error:
            status, challenge = error.status, ""
            if status == 401 and keeper.takes_tokens:
                challenge = 'Bearer realm="passerelle"'
            elif status == 401:
                status = 403  # RFC 9110 §15.5.2: there is no scheme to challenge with
            raise UnprovenError(
                error.rule, error.peer, more=error.more, status=status, challenge=challenge
            ) from error

    return proven


def door_of(settings: Settings) -> Door:
    """The part of the settings that the door asks for."""
    wanted = settings.fhir_door
    return Door(
        base=wanted.base.rstrip("/"),
        regulation=frozenset(wanted.regulation),
        unlisted=wanted.unlisted,
        size=wanted.document_size,
        page=wanted.page,
    )


def prosante_of(home: Path, settings: Settings) -> ProSante:
    """Pro Santé Connect as the settings trust it. Raises :class:`SettingsError`."""
    wanted = settings.prosante
    return ProSante(
        issuer=wanted.issuer,
        audiences=tuple(wanted.audiences),
        clients=tuple(wanted.clients),
        acr=tuple(wanted.acr),
        bound=wanted.bound,
        client_id=wanted.client_id,
        secret=secret_of(home, wanted.secret_file) if wanted.secret_file else "",
    )
