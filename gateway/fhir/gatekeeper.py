"""Who is at the professionals' door: a token of Pro Santé Connect, or a client certificate, made an Actor.

A credential says who one is; the directory says whether he still practises. Both are asked at every request,
so that a revocation or a striking off takes effect on connections that are open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol
from urllib.parse import unquote_to_bytes

import msgspec
from sqlalchemy import Connection
from starlette.requests import Request

import annuaire
from activity import Actor, Purpose
from certs import CertVerdict
from certs import Purpose as CertPurpose
from gateway.fhir.errors import DoorError
from gateway.fhir.settings import Door
from gateway.fhir.tokens import Bearer, Tokens
from gateway.http import Tls
from store import Store

#: Request header fields of ours.
PURPOSE: Final = "passerelle-purpose"
REASON: Final = "passerelle-reason"
CONSENT: Final = "passerelle-consent"
_PURPOSES: Final[dict[str, Purpose]] = {
    "normal": "normal",
    "regulation": "regulation",
    "break-glass": "break_glass",
}
_PHYSICIAN: Final = "10"  # G15
_LONGEST_REASON: Final = 500


class Trust(Protocol):
    """``certs.TrustStore``."""

    async def check(self, chain: Sequence[bytes], purpose: CertPurpose) -> CertVerdict: ...


class _Found(msgspec.Struct, frozen=True):
    """What the directory says of who asks; ``refusal``: why he is not let in, "" when he is."""

    actor: Actor
    refusal: str = ""
    regulates: bool = False


class Gatekeeper:
    """``tokens``: None when no provider is set up; then certificates only."""

    def __init__(self, store: Store, trust: Trust, tokens: Tokens | None, door: Door) -> None:
        self._store = store
        self._trust = trust
        self._tokens = tokens
        self._door = door

    @property
    def takes_tokens(self) -> bool:
        return self._tokens is not None

    async def professional(self, request: Request) -> Actor:
        """Who asks, as proven, with the purpose he states.

        Raises :class:`DoorError`: ``door.credentials``, ``door.token``, ``door.binding``, ``door.provider``,
        ``door.certificate``, ``door.holder``, ``door.purpose``, ``door.regulation``.
        """
        purpose, reason = purpose_of(request)
        tls: Tls = request.state.tls
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme:
            if scheme.casefold() != "bearer" or self._tokens is None:  # RFC 6750 §2.1
                raise DoorError("door.credentials", "only bearer tokens of Pro Sante Connect are taken here")
            bearer = await self._tokens.bearer(credentials.strip(), tls.chain[0] if tls.chain else b"")
            found = await self._store.aread(_of_bearer, bearer, self._door)
        elif tls.chain:
            verdict = await self._trust.check(tls.chain, "client")
            if not verdict.ok:
                raise DoorError("door.certificate", verdict.reason, more=verdict.rule)
            found = await self._store.aread(_of_certificate, verdict, self._door)
        else:
            raise DoorError("door.credentials", "neither a token nor a client certificate was presented")
        if found.refusal:
            raise DoorError("door.holder", found.refusal)
        if purpose == "regulation" and not found.regulates:
            raise DoorError("door.regulation", "regulation is for physicians of the SAMU structures")
        return msgspec.structs.replace(found.actor, purpose=purpose, reason=reason)


def purpose_of(request: Request) -> tuple[Purpose, str]:
    """The stated purpose and the written reason. Raises :class:`DoorError` ``door.purpose``."""
    stated = request.headers.get(PURPOSE, "normal").strip().casefold()
    purpose = _PURPOSES.get(stated)
    if purpose is None:
        raise DoorError("door.purpose", "the purpose is normal, regulation or break-glass")
    reason = _reason(request.headers.get(REASON, ""))
    if purpose == "break_glass" and not reason:
        raise DoorError("door.purpose", "breaking the glass needs a written reason")
    if reason and purpose != "break_glass":
        raise DoorError("door.purpose", "a reason is written for breaking the glass only")
    return purpose, reason


def declares_consent(request: Request) -> bool:
    """Whether the professional declares that the patient agreed, before him."""
    stated = request.headers.get(CONSENT, "").strip().casefold()
    if stated not in ("", "declared"):
        raise DoorError("door.purpose", "the consent header says declared, or is left out")
    return bool(stated)


def _reason(value: str) -> str:
    """A reason as ``UTF-8''percent-encoded``, or in plain ASCII."""
    charset, quote, rest = value.partition("'")
    if quote:
        _, quote, coded = rest.partition("'")
        if not quote or charset.casefold() != "utf-8":  # RFC 8187 §3.2.1
            raise DoorError("door.purpose", "the reason is not encoded as UTF-8''text")
        try:
            value = unquote_to_bytes(coded).decode("utf-8")
        except UnicodeDecodeError:
            raise DoorError("door.purpose", "the reason is not encoded as UTF-8''text") from None
    text = " ".join(value.split())
    if len(text) > _LONGEST_REASON or not text.isprintable():
        raise DoorError("door.purpose", f"the reason is one line of at most {_LONGEST_REASON} characters")
    return text


# -- what the directory says (reads) -------------------------------------------------------------------


def _of_bearer(conn: Connection, bearer: Bearer, door: Door) -> _Found:
    claim = annuaire.Claim(person=True, id_nat=bearer.id_nat, profession=bearer.profession)
    actor = Actor(
        by="professional",
        ident=bearer.id_nat,
        name=bearer.name,
        profession=bearer.profession,
        speciality=bearer.speciality,
        structure=bearer.structure,
        organisation=bearer.organisation,
    )
    return _person(conn, actor, claim, door)


def _of_certificate(conn: Connection, verdict: CertVerdict, door: Door) -> _Found:
    who = verdict.identity
    claim = annuaire.claim_of(who)
    if claim.person:
        name = " ".join(part for part in (who.given, who.name) if part)
        actor = Actor(
            by="professional",
            ident=claim.id_nat,
            name=name,
            profession=who.profession,
            speciality=next((code for code in who.specialities if code), ""),
        )
        return _person(conn, actor, claim, door)
    if who.kind not in ("organisation", "server") or not claim.struct_id:
        return _Found(
            Actor(by="structure", ident=""), "the certificate names neither a person nor a structure"
        )
    actor = Actor(
        by="structure",
        ident=claim.struct_id,
        name=who.name,
        structure=claim.struct_id,
        organisation=who.name,
    )
    return _Found(actor)


def _person(conn: Connection, actor: Actor, claim: annuaire.Claim, door: Door) -> _Found:
    if not claim.id_nat:
        return _Found(actor, "the certificate names no professional by his IdNat_PS")
    match = annuaire.holder_match(conn, claim)
    refused = {"struck_off", "other_profession", "card_opposed", "no_identity"}
    if door.unlisted == "refuse":
        refused |= {"unknown", "no_activity"}
    for check in match.checks:
        if check.reason in refused:
            return _Found(actor, check.text)
    activities = annuaire.activities(conn, claim.id_nat)
    return _Found(_completed(conn, actor, activities), regulates=_regulates(actor, activities, door))


def _completed(conn: Connection, actor: Actor, activities: list[annuaire.Activity]) -> Actor:
    """With what the directory knows and the credential left out; nothing where it knows two of a kind."""
    professions = {one.profession for one in activities} - {""}
    structures = {one.structures[0]: one.structure_name for one in activities if one.structures}
    names = {(one.given, one.family) for one in activities}
    changes: dict[str, str] = {}
    if not actor.profession and len(professions) == 1:
        changes["profession"] = next(iter(professions))
    if not actor.speciality:
        known = annuaire.specialities(conn, actor.ident)
        if len(known) == 1:
            changes["speciality"] = known[0][0]
    if not actor.structure and len(structures) == 1:
        changes["structure"], changes["organisation"] = next(iter(structures.items()))
    if not actor.name and len(names) == 1:
        changes["name"] = " ".join(part for part in next(iter(names)) if part)
    return msgspec.structs.replace(actor, **changes)


def _regulates(actor: Actor, activities: list[annuaire.Activity], door: Door) -> bool:
    """A physician whom the directory places in a SAMU structure, and who does not act for another."""
    there = {known for one in activities if one.profession == _PHYSICIAN for known in one.structures}
    return bool(there & door.regulation) and (not actor.structure or actor.structure in door.regulation)
