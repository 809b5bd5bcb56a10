"""What the catalogue holds: services referenced by the State, the criteria they fulfil, consents."""

from __future__ import annotations

from typing import Literal

import msgspec

List = Literal["services", "criteria"]
Sector = Literal["public", "private"]
By = Literal["patient", "representative", "operator"]
Said = Literal["given", "revoked"]
#: How the consent to one scope of one service stands; see :func:`catalogue.consenting.standing`.
Standing = Literal["none", "given", "revoked", "expired", "changed", "unconfirmed"]


class Criterion(msgspec.Struct, frozen=True, kw_only=True):
    """A criterion of the referencing: its code, its theme (technical, security, ethics…), its labels."""

    code: str
    theme: str
    label_fr: str
    label_en: str = ""


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A service as the list says it. ``since`` and ``until`` are days (YYYY-MM-DD, "" for no end), both
    included; ``scopes`` are in the form of :mod:`catalogue.scopes`, none where no data is exchanged."""

    id: str
    name: str
    publisher: str
    category: str
    description_fr: str
    description_en: str = ""
    price: str
    sector: Sector
    criteria: list[str] = []
    since: str
    until: str = ""
    scopes: list[str] = []
    url: str
    contact: str


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A list that was put in use at ``imported_at`` (ms): how many entries it has and what it changed."""

    version: int
    imported_at: int
    origin: str
    sha256: str
    actor: str
    entries: int
    added: int
    changed: int
    gone: int


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A service over time: as it stood from ``since_version`` (in use at ``since``, ms) until another
    version changed it or took it away (``until``, None while it stands)."""

    since_version: int
    since: int
    until: int | None
    service: Service


class Consented(msgspec.Struct, frozen=True, kw_only=True):
    """What was said once about some scopes of a service. Sealed as a whole.

    ``version`` is that of the list in use then, ``offered`` all scopes that the service had in it,
    ``publisher`` who published it; ``expires_at`` in ms, 0 for no end; ``reason`` an operator's.
    """

    service_id: str
    service: str
    said: Said
    scopes: list[str]
    expires_at: int = 0
    version: int = 0
    offered: list[str] = []
    publisher: str = ""
    by: By
    ident: str
    name: str = ""
    reason: str = ""


class ConsentEvent(msgspec.Struct, frozen=True):
    """An entry of the table of consents, opened. ``at`` in ms."""

    event_id: int
    at: int
    what: Consented


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """How the consent to one scope of one service stands now, and since when (ms)."""

    service_id: str
    service: str
    scope: str
    standing: Standing
    at: int
    expires_at: int
    version: int
    by: By
    name: str
