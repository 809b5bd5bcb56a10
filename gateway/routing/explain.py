"""The verdict for a pair of addresses, rule by rule: what ``passerelle explain`` prints."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

import annuaire
from gateway.routing import facts, rules
from gateway.routing.correspondence import FOREVER
from gateway.routing.model import Origin, Verdict
from gateway.routing.policy import Policy, domain_of
from store import NotFoundError, mail


class Explanation(msgspec.Struct, frozen=True):
    """Every check that was made, in order, and the verdict they give."""

    sender: str
    recipient: str
    checks: list[rules.Check]
    verdict: Verdict


def explain(conn: Connection, policy: Policy, sender: str, recipient: str, at: int = FOREVER) -> Explanation:
    """Would a message from ``sender`` reach ``recipient``, and which rule says so?

    The session itself is taken as proven (certificate valid, signed in): what is explained is the pair.
    Correspondence, directory and whitelist are taken as they stood at ``at`` (ms); mailboxes and profiles as
    they are now.

    :raises NotFoundError: the sender's address says nothing of its owner: no mailbox of ours, and its
        domain is not in the whitelist.
    """
    then = None if at == FOREVER else at
    domain = domain_of(sender)
    box = mail.box_by_address(conn, sender)
    if policy.patient_domain and domain == policy.patient_domain:
        if box is None:
            raise NotFoundError("sender.unknown", "no patient has the sender address")
        origin = Origin(kind="patient", box_id=box.box_id, address=sender, tls="TLS")
    elif domain in policy.hosted:
        origin = Origin(kind="professional", box_id=box.box_id if box else 0, address=sender, tls="TLS")
    else:
        origin = _operator_of(conn, domain, then)
    if origin.kind == "operator":
        checks = rules.operator_sender(facts.operator_sender(conn, policy, origin, sender, then))
    else:
        checks = rules.submitting_sender(facts.submitting_sender(conn, origin, sender, then))
    if all(check.ok for check in checks):
        if origin.kind == "patient":
            writes = rules.patient_writes(facts.patient_writes(conn, policy, origin.box_id, recipient, at))
            reached = facts.target(conn, policy, origin, recipient).checks if at == FOREVER else writes
            checks = checks + reached
        else:
            checks = checks + facts.target(conn, policy, origin, recipient, at=then).checks
    return Explanation(sender, recipient, checks, rules.verdict(checks))


def _operator_of(conn: Connection, domain: str, at: int | None) -> Origin:
    """The operator that the whitelist names for a domain, as if its certificate had been shown."""
    for entry in annuaire.whitelist_entries(conn, domain, at):
        return Origin(kind="operator", dn=entry.dn, tls="TLS")
    return Origin(kind="operator", dn="(no certificate is named for this domain)", tls="TLS")
