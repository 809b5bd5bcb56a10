"""Gathering the facts that the rules ask for: look-ups, and nothing decided.

Every function takes a read connection first; all of them run in a reader thread, never on the loop.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

import annuaire
import patients
from gateway.routing import correspondence, rules
from gateway.routing.model import Origin
from gateway.routing.policy import Policy, domain_of
from store import mail, now_ms


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a recipient's copy goes: a box here (``box_id``), or another operator (0)."""

    recipient: str
    box_id: int = 0
    ins: str = ""
    checks: list[rules.Check]


def operator_sender(conn: Connection, policy: Policy, origin: Origin, mail_from: str) -> rules.OperatorSender:
    """Facts on the reverse-path that an operator shows."""
    domain = domain_of(mail_from)
    known = not origin.refusal_rule and bool(origin.dn)
    listings = annuaire.mailbox(conn, mail_from) if known and domain else []
    if domain:
        allowed = known and annuaire.whitelist_allows(conn, domain, origin.dn)
    else:
        allowed = known and bool(annuaire.whitelist_domains(conn, origin.dn))
    return rules.OperatorSender(
        encrypted=bool(origin.tls),
        certificate_rule=origin.refusal_rule,
        certificate_reason=origin.refusal_reason,
        shown=bool(origin.dn) or bool(origin.refusal_rule),
        domain=domain,
        domain_listed=bool(domain) and annuaire.domain_listed(conn, domain),
        dn_allowed=allowed,
        list_usable=whitelist_usable(conn, policy),
        listed=bool(listings),
        active=any(listing.active for listing in listings),
        unlisted=policy.unlisted,
        from_patients=bool(domain) and domain == policy.patient_domain,
    )


def whitelist_usable(conn: Connection, policy: Policy) -> bool:
    """A list is there, and not older than the policy allows (fail closed)."""
    age = annuaire.whitelist_age(conn, now_ms())
    return age is not None and (policy.whitelist_max_age == 0 or age <= policy.whitelist_max_age)


def submitting_sender(conn: Connection, origin: Origin, mail_from: str) -> rules.SubmittingSender:
    """Facts on the reverse-path of someone who signed in here."""
    signed_in = origin.kind != "none"
    if not mail_from:  # a receipt (RFC 8098 §2.1): its From is checked when the content is there
        return rules.SubmittingSender(signed_in=signed_in, owned=signed_in)
    box = mail.box_by_address(conn, mail_from)
    if box is None:
        return rules.SubmittingSender(signed_in=signed_in, owned=False)
    return rules.SubmittingSender(
        signed_in=signed_in, owned=_owns(conn, origin, box), open=box.state == "open"
    )


def _owns(conn: Connection, origin: Origin, box: mail.Box) -> bool:
    """Whether the proven identity owns a mailbox: signed in to it, its holder, or so the annuaire says."""
    if box.box_id == origin.box_id:
        return True
    if origin.kind != "professional":
        return False
    ids = {origin.id_nat, origin.struct_id} - {""}
    return box.owner in ids or annuaire.owns(
        conn, box.address, id_nat=origin.id_nat, struct_id=origin.struct_id
    )


def target(conn: Connection, policy: Policy, origin: Origin, recipient: str, size: int = 0) -> Target:
    """Where a recipient's copy goes, and the checks on whether it may. ``size``: octets, once known."""
    domain = domain_of(recipient)
    from_patient = origin.kind == "patient"
    checks: list[rules.Check] = []
    if from_patient:
        checks += rules.patient_writes(patient_writes(conn, policy, origin.box_id, recipient))
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
                state=profile.state if profile else "",
                full=box is not None and _full(box, size),
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
            full=box is not None and _full(box, size),
        )
        return Target(recipient=recipient, box_id=box.box_id if box else 0, checks=checks)
    if origin.kind == "operator":
        checks += rules.no_relay()
    elif not from_patient:
        checks += rules.trusted_domain(listed=annuaire.domain_listed(conn, domain))
    return Target(recipient=recipient, checks=checks)


def _full(box: mail.Box, size: int) -> bool:
    return bool(box.quota) and box.used + size >= box.quota


def patient_writes(
    conn: Connection, policy: Policy, box_id: int, recipient: str, at: int = correspondence.FOREVER
) -> rules.PatientWrites:
    """Facts on a patient's message to one address, as they stood at ``at`` (ms)."""
    domain = domain_of(recipient)
    contact = correspondence.contact(conn, box_id, recipient, at)
    return rules.PatientWrites(
        to_patient=bool(policy.patient_domain) and domain == policy.patient_domain,
        trusted=domain in policy.hosted or annuaire.domain_listed(conn, domain),
        contacted=contact.contacted,
        opened_at=contact.opened_at,
        ended_at=contact.ended_at,
        officine=annuaire.is_officine(conn, recipient),
    )


def contact_address(conn: Connection, policy: Policy, author: str, reply_to: list[str]) -> str:
    """The address that a message opens: its Reply-To when in the trust space, else its From."""
    for address in reply_to:
        domain = domain_of(address)
        if domain in ("", policy.patient_domain):
            continue
        if domain in policy.hosted or annuaire.domain_listed(conn, domain):
            return address.casefold()
    return author


def from_allowed(conn: Connection, origin: Origin, author: str) -> bool:
    """Whether the From address is the proven identity's, or of a domain of the proven operator's."""
    if origin.kind == "operator":
        return annuaire.whitelist_allows(conn, domain_of(author), origin.dn)
    box = mail.box_by_address(conn, author)
    return box is not None and _owns(conn, origin, box)
