"""Gathering the facts on a patient who writes: correspondence, and what became of the mailbox since it wrote.

The right belongs to the mailbox that wrote. The annuaire can only take it away, when the mailbox passed to
somebody else or its holder practises no more; it never gives one, save to pharmacies.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

import annuaire
import patients
from gateway.routing import correspondence, rules
from gateway.routing.correspondence import FOREVER, Contact
from gateway.routing.model import Origin
from gateway.routing.policy import Policy, domain_of
from store import InvalidInputError, mail, now_ms

#: R257: kinds of mailboxes that a person holds, and those that a structure does.
_PERSONS = ("PER", "CAB")
_STRUCTURES = ("ORG", "APP", "CAB")


class Holder(msgspec.Struct, frozen=True):
    """What became of the mailbox since it wrote; see :class:`gateway.routing.rules.PatientWrites`."""

    other_holder: bool = False
    left_at: int = 0
    gone_at: int = 0


def patient_writes(
    conn: Connection, policy: Policy, origin: Origin, recipient: str, at: int | None = None
) -> rules.PatientWrites:
    """Facts on a patient's message to one address, now or as they stood at ``at`` (ms)."""
    domain = domain_of(recipient)
    contact = correspondence.contact(conn, origin.box_id, recipient, FOREVER if at is None else at)
    officine = annuaire.is_officine(conn, recipient, at)
    holder = holder_since(conn, recipient, contact.since, at) if contact.open else Holder()
    return rules.PatientWrites(
        acting=acting(conn, origin, at),
        to_patient=bool(policy.patient_domain) and domain == policy.patient_domain,
        trusted=domain in policy.hosted or annuaire.domain_listed(conn, domain, at),
        contacted=contact.contacted,
        opened_at=contact.opened_at,
        ended_at=contact.ended_at,
        other_holder=holder.other_holder,
        left_at=holder.left_at,
        gone_at=holder.gone_at,
        other_mailbox=not (contact.contacted or officine) and _wrote_elsewhere(conn, origin, recipient, at),
        officine=officine,
        dispensed=_dispensed(conn, policy, origin, recipient, at) if officine else None,
    )


def acting(conn: Connection, origin: Origin, at: int | None = None) -> rules.Acting:
    """Who signed in, to the patient of the box, at this moment: nothing is kept of it.

    Reading asks the same question as writing. A right that ended is gone with the next question.
    """
    if not origin.actor_ins:
        return "self"
    profile = patients.profile_by_box(conn, origin.box_id)
    if profile is None:
        return "stranger"
    if profile.ins == origin.actor_ins:
        return "self"
    return (
        "representative" if patients.may_act_for(conn, origin.actor_ins, profile.ins, at).ok else "stranger"
    )


def holder_since(conn: Connection, address: str, since: int, at: int | None = None) -> Holder:
    """What the annuaire says became of a mailbox after ``since`` (ms).

    What it never published, or published no more when the mailbox wrote, says nothing.
    """
    listings = annuaire.mailbox(conn, address, at)
    gone = annuaire.former(conn, address, at)
    if (
        listings
        and gone.gone_at > since
        and not _same_holder(conn, _then(conn, address, since), listings, at)
    ):
        return Holder(other_holder=True)
    left_at = 0
    if not any(listing.active for listing in listings):
        left_at = _struck_off(conn, [listing.id_nat for listing in listings] or [gone.id_nat], at)
    return Holder(left_at=left_at, gone_at=gone.gone_at if not listings and gone.gone_at > since else 0)


def _then(conn: Connection, address: str, at: int) -> list[annuaire.Mailbox]:
    try:
        return annuaire.mailbox(conn, address, at)
    except InvalidInputError:  # beyond the history that is kept
        return []


def _same_holder(
    conn: Connection, before: list[annuaire.Mailbox], after: list[annuaire.Mailbox], at: int | None
) -> bool:
    """Whether an address is still its holder's. Only two identities that differ for certain say no."""
    old, new = _holders(conn, before, at), _holders(conn, after, at)
    if not old or not new or old & new:
        return True
    # An ADELI number gives way to a RPPS, a FINESS to a SIRET: the name tells that it is the same holder.
    renumbered = {one[:1] for one in old}.isdisjoint(one[:1] for one in new)
    return renumbered and not _names(before).isdisjoint(_names(after))


def _holders(conn: Connection, listings: list[annuaire.Mailbox], at: int | None) -> set[str]:
    people = {one.id_nat for one in listings if one.kind in _PERSONS}
    places = {one.struct_id for one in listings if one.kind in _STRUCTURES}
    sites = (annuaire.same_site(conn, place, at) for place in places if place)
    return (people - {""}).union(*sites)


def _names(listings: list[annuaire.Mailbox]) -> set[str]:
    return {annuaire.fold(one.name) for one in listings} - {""}


def _struck_off(conn: Connection, holders: list[str], at: int | None) -> int:
    """Since when (ms) no holder of an address practises any more; 0 unless that is certain."""
    found = [annuaire.professional(conn, one, at) for one in holders if annuaire.is_person(one)]
    if not found or any(standing != "struck_off" for standing, _ in found):
        return 0
    return max(since for _, since in found)


def _wrote_elsewhere(conn: Connection, origin: Origin, recipient: str, at: int | None) -> bool:
    """Whether the professional who holds an address wrote from another one that may be answered."""
    people = {one.id_nat for one in annuaire.mailbox(conn, recipient, at) if one.kind == "PER"} - {""}
    if not people:
        return False
    until = FOREVER if at is None else at
    return any(
        contact.open and _is_of(conn, address, people, contact, at)
        for address, contact in correspondence.contacts(conn, origin.box_id, until)
    )


def _is_of(conn: Connection, address: str, people: set[str], contact: Contact, at: int | None) -> bool:
    held = {one.id_nat for one in annuaire.mailbox(conn, address, at)}
    return bool(people & (held or {annuaire.former(conn, address, at).id_nat}))


def _dispensed(
    conn: Connection, policy: Policy, origin: Origin, recipient: str, at: int | None
) -> bool | None:
    """Whether this pharmacy dispensed to the patient within a year; None where there is no feed."""
    if policy.dispensations == "off":
        return None
    box = mail.box_by_id(conn, origin.box_id)
    officines = [one.struct_id for one in annuaire.mailbox(conn, recipient, at) if one.officine]
    sites = {site for one in officines for site in annuaire.same_site(conn, one, at)}
    return box is not None and patients.dispensed(conn, box.owner, sites, now_ms() if at is None else at)
