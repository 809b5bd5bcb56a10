"""The professionals' door as the settings want it: its port, its credentials, its bounds."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx

import dossier
from certs import TrustStore
from gateway.fhir import Door, FhirDoor, Gatekeeper, ProSante, Tokens
from gateway.http import HttpServer, Limits
from gateway.settings import Settings
from gateway.signin import context_of, secret_of
from store import Store

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
        self.door = FhirDoor(store, Gatekeeper(store, trust, tokens, door), door, read_cda)
        # A document is base64 in JSON; the door itself refuses what is larger, with an OperationOutcome.
        limits = Limits(body=2 * door.size + _ROOM)
        self.server = HttpServer(self.door.app, context, limits, name="fhir")

    async def start(self, host: str, port: int, *, reuse_port: bool = False) -> None:
        """Listen. Raises :class:`OSError` when it cannot."""
        await self.server.start(host, port, reuse_port=reuse_port)

    async def close(self) -> None:
        """Let requests under way end, then let go of connections."""
        await self.server.close()
        if self._http is not None:
            await self._http.aclose()


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
