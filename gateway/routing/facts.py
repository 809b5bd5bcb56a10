"""Gathering the facts that the rules ask for: look-ups, and nothing decided.

Every function takes a read connection first; all of them run in a reader thread, never on the loop.
"""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection

import annuaire
import patients
from gateway.routing import answering, rules
from gateway.routing.model import Origin
from gateway.routing.policy import Policy, domain_of
from store import mail, now_ms

_REPLY_TO: Final = 20  # addresses of one Reply-To that are looked at
_LONGEST: Final = 320  # characters of an address that is kept


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a recipient's copy goes: a box here (``box_id``), or another operator (0)."""

    recipient: str
    box_id: int = 0
    ins: str = ""
    checks: list[rules.Check]


def operator_sender(
    conn: Connection, policy: Policy, origin: Origin, mail_from: str, at: int | None = None
) -> rules.OperatorSender:
    """Facts on the reverse-path that an operator shows; the directory as at ``at`` (ms; None: now)."""
    domain = domain_of(mail_from)
    known = not origin.refusal_rule and bool(origin.dn)
    listings = annuaire.mailbox(conn, mail_from, at) if known and domain else []
    if domain:
        allowed = known and annuaire.whitelist_allows(conn, domain, origin.dn, at)
    else:
        allowed = known and bool(annuaire.whitelist_domains(conn, origin.dn, at))
    active = any(listing.active for listing in listings)
    gone = annuaire.Former()
    standing: annuaire.Standing = "unchecked"
    since = 0
    if known and domain and not active:  # the ordinary sender asks nothing more of the directory
        if not listings:
            gone = annuaire.former(conn, mail_from, at)
        holders = [listing.id_nat for listing in listings] or [gone.id_nat]
        standing, since = _standing_of_all(conn, holders, at)
    return rules.OperatorSender(
        encrypted=bool(origin.tls),
        certificate_rule=origin.refusal_rule,
        certificate_reason=origin.refusal_reason,
        shown=bool(origin.dn) or bool(origin.refusal_rule),
        domain=domain,
        domain_listed=bool(domain) and annuaire.domain_listed(conn, domain, at),
        dn_allowed=allowed,
        list_usable=whitelist_usable(conn, policy, at),
        listed=bool(listings),
        active=active,
        hidden=bool(listings) and all(listing.red_list for listing in listings),
        box_gone_at=gone.gone_at,
        standing=standing,
        gone_at=since,
        unlisted=policy.unlisted,
        from_patients=bool(domain) and domain == policy.patient_domain,
    )


def _standing_of_all(conn: Connection, holders: list[str], at: int | None) -> tuple[annuaire.Standing, int]:
    """Where the holders of an address stand: struck off only when every one of them is."""
    found = [annuaire.professional(conn, id_nat, at) for id_nat in holders if annuaire.is_person(id_nat)]
    if not found:
        return "unchecked", 0
    return next((one for one in found if one[0] != "struck_off"), found[0])


def whitelist_usable(conn: Connection, policy: Policy, at: int | None = None) -> bool:
    """A list is there, and at that moment (ms; None: now) not older than the policy allows (fail closed)."""
    if at is None:
        age = annuaire.whitelist_age(conn, now_ms())
    else:
        then = (one for one in annuaire.whitelist_versions(conn) if one.imported_at <= at)
        age = next((one.age(at) for one in then), None)
    return age is not None and (policy.whitelist_max_age == 0 or age <= policy.whitelist_max_age)


def submitting_sender(
    conn: Connection, origin: Origin, mail_from: str, at: int | None = None
) -> rules.SubmittingSender:
    """Facts on the reverse-path of someone who signed in here; the directory as at ``at`` (ms; None: now).

    For the null one (a receipt, RFC 8098 §2.1), and for signing in, only who the sender is counts.
    """
    signed_in = origin.kind != "none"
    box = mail.box_by_address(conn, mail_from) if mail_from else None
    told = rules.SubmittingSender(
        signed_in=signed_in,
        owned=_owns(conn, origin, box, at) if box is not None else signed_in and not mail_from,
        open=box is None or box.state == "open",
        why_not="there is no such mailbox here" if mail_from and box is None else "",
    )
    if origin.kind == "patient":
        state = profile_state(conn, patients.profile_by_box(conn, origin.box_id), at)
        entered = told.open if at is None else state in ("opened", "activated", "suspended")
        return msgspec.structs.replace(told, open=entered, suspended=state == "suspended")
    professional = _professional(conn, origin, box)
    if professional:
        standing, since = annuaire.professional(conn, professional, at)
        told = msgspec.structs.replace(told, standing=standing, gone_at=since)
    if origin.claim is None:
        return told
    match = annuaire.holder_match(conn, origin.claim, mail_from if box is not None else "", at)
    checks = {check.name: check for check in match.checks}
    profession, card, address = (checks.get(f"holder.{name}") for name in ("profession", "card", "address"))
    return msgspec.structs.replace(
        told,
        owned=told.owned or (address is not None and address.ok),
        why_not=address.text if address is not None else told.why_not,
        mismatch=profession.text if profession is not None and not profession.ok else "",
        card="" if card is None or not match.card_known else "good" if card.ok else "opposed",
    )


def _professional(conn: Connection, origin: Origin, box: mail.Box | None) -> str:
    """IdNat_PS of the professional behind a session; "" for anybody else."""
    if origin.kind != "professional":
        return ""
    if origin.id_nat or origin.struct_id:
        return origin.id_nat
    own = box if box is not None and box.box_id == origin.box_id else mail.box_by_id(conn, origin.box_id)
    return own.owner if own is not None and annuaire.is_person(own.owner) else ""


def _owns(conn: Connection, origin: Origin, box: mail.Box, at: int | None = None) -> bool:
    """Whether the proven identity owns a mailbox: signed in to it, its holder, or so the annuaire says."""
    if box.box_id == origin.box_id:
        return True
    if origin.kind != "professional":
        return False
    ids = {origin.id_nat, origin.struct_id} - {""}
    return box.owner in ids or annuaire.owns(
        conn, box.address, id_nat=origin.id_nat, struct_id=origin.struct_id, at=at
    )


def target(
    conn: Connection, policy: Policy, origin: Origin, recipient: str, size: int = 0, at: int | None = None
) -> Target:
    """Where a recipient's copy goes, and the checks on whether it may. ``size``: octets, once known.

    ``at`` (ms; None: now): all of it as it stood then, but for how full mailboxes were, which nobody kept,
    and for professionals' mailboxes here, which are those of now.
    """
    domain = domain_of(recipient)
    from_patient = origin.kind == "patient"
    checks: list[rules.Check] = []
    if from_patient:
        checks += rules.patient_writes(answering.patient_writes(conn, policy, origin, recipient, at))
        if not all(check.ok for check in checks):
            return Target(recipient=recipient, checks=checks)
    if policy.patient_domain and domain == policy.patient_domain:
        ins = patients.ins_of_address(recipient, policy.patient_domain)
        valid = ins is not None and patients.valid_ins(ins)
        profile = patients.profile(conn, ins) if ins and valid else None
        box = mail.box_by_id(conn, profile.box_id) if profile and profile.box_id else None
        checks += rules.patient_recipient(
            rules.PatientRecipient(
                valid=valid,
                state=profile_state(conn, profile, at),
                full=box is not None and at is None and _full(box, size),
            )
        )
        return Target(
            recipient=recipient,
            box_id=box.box_id if box else 0,
            ins=profile.ins if profile else "",
            checks=checks,
        )
    if domain in policy.hosted:
        box = mail.box_by_address(conn, recipient)
        checks += rules.hosted_recipient(
            exists=box is not None,
            is_open=box is not None and box.state == "open",
            full=box is not None and at is None and _full(box, size),
        )
        return Target(recipient=recipient, box_id=box.box_id if box else 0, checks=checks)
    if origin.kind == "operator":
        checks += rules.no_relay()
    elif not from_patient:
        checks += rules.trusted_domain(listed=annuaire.domain_listed(conn, domain, at))
    return Target(recipient=recipient, checks=checks)


def profile_state(
    conn: Connection, profile: patients.Profile | None, at: int | None = None
) -> rules.ProfileState:
    """The state of a profile, now or at ``at`` (ms); "" for none."""
    if profile is None:
        return ""
    return profile.state if at is None else patients.state_at(conn, profile.ins, at) or ""


def _full(box: mail.Box, size: int) -> bool:
    return bool(box.quota) and box.used + size >= box.quota


def contact_addresses(conn: Connection, policy: Policy, author: str, reply_to: list[str]) -> tuple[str, ...]:
    """The addresses that a message opens: those of its Reply-To that are trusted mailboxes, else its From."""
    named = dict.fromkeys(address.casefold() for address in reply_to[:_REPLY_TO])
    trusted = tuple(address for address in named if _may_be_contact(conn, policy, address))
    return trusted or (author,)


def _may_be_contact(conn: Connection, policy: Policy, address: str) -> bool:
    """Whether answers may be sent to an address: a mailbox here, or one of a trusted domain; no patient's."""
    domain = domain_of(address)
    if domain in ("", policy.patient_domain) or len(address) > _LONGEST:
        return False
    if domain in policy.hosted:
        box = mail.box_by_address(conn, address)
        return box is not None and box.state == "open"
    return annuaire.domain_listed(conn, domain)


def from_allowed(conn: Connection, origin: Origin, author: str) -> bool:
    """Whether the From address is the proven identity's, or of a domain of the proven operator's."""
    if origin.kind == "operator":
        return annuaire.whitelist_allows(conn, domain_of(author), origin.dn)
    box = mail.box_by_address(conn, author)
    return box is not None and _owns(conn, origin, box)
