"""What the professionals' door is told by the settings."""

from __future__ import annotations

import msgspec


class ProSante(msgspec.Struct, frozen=True, kw_only=True):
    """Pro Santé Connect as it is trusted here.

    :param issuer: its URL, as tokens name it; "" for none: then certificates only.
    :param audiences: one of them must be in ``aud``. :param clients: or, for a token without our audience,
        its ``azp`` (or ``client_id``) must be one of these.
    :param acr: accepted levels of identification; empty: any.
    :param bound: only tokens that are bound to the client's certificate (RFC 8705) are taken.
    :param client_id: who we are for introspection, with ``secret``; "" for none.
    """

    issuer: str = ""
    audiences: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    acr: tuple[str, ...] = ()
    bound: bool = False
    client_id: str = ""
    secret: str = ""


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """The door itself.

    :param base: URL under which clients know us, without a slash at its end; "": as the request says.
    :param regulation: Struct_IdNat of the SAMU structures whose physicians regulate.
    :param unlisted: what a professional meets whom a loaded annuaire does not know.
    :param size: octets of a document. :param page: results of a page, at most.
    """

    base: str = ""
    regulation: frozenset[str] = frozenset()
    unlisted: str = "refuse"
    size: int = 20 * 1024 * 1024
    page: int = 100
    refusals: int = 30  # of unknown or closed records to one asker, within ``refusals_s``
    refusals_s: float = 600.0
