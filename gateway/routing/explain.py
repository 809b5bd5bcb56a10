"""The verdict for a pair of addresses, rule by rule, now or at a past moment.

One road: what is explained is asked of the same facts and the same rules as mail on its way, and said in the
same words. ``passerelle explain`` prints it, the webmail shows its French.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection

import annuaire
import patients
from gateway.routing import facts, rules
from gateway.routing.model import Origin, Verdict
from gateway.routing.policy import Policy, domain_of
from store import NotFoundError, mail


class Explanation(msgspec.Struct, frozen=True):
    """Every check that was made, in order, and the verdict they give; ``at`` (ms): None for now."""

    sender: str
    recipient: str
    checks: list[rules.Check]
    verdict: Verdict
    at: int | None = None

    @property
    def french(self) -> str:
        """What decides, as a patient reads it."""
        return rules.deciding(self.checks).french

    @property
    def warnings(self) -> list[rules.Check]:
        """What a patient is told before he sends all the same."""
        return [check for check in self.checks if check.warning]


def explain(
    conn: Connection, policy: Policy, sender: str, recipient: str, at: int | None = None
) -> Explanation:
    """Would a message from ``sender`` reach ``recipient``, and which rule says so?

    The session itself is taken as proven (certificate valid, signed in): what is explained is the pair.
    Correspondence, directory, whitelist, dispensations and the states of profiles are taken as they stood at
    ``at`` (ms); how full a mailbox was is not known of the past.

    :raises NotFoundError: the sender's address says nothing of its owner: a patient's that nobody has, or
        had then.
    :raises InvalidInputError: the directory's history does not reach back that far.
    """
    domain = domain_of(sender)
    if policy.patient_domain and domain == policy.patient_domain:
        origin = _patient(conn, sender, at)
    elif domain in policy.hosted:
        box = mail.box_by_address(conn, sender)
        origin = Origin(kind="professional", box_id=box.box_id if box else 0, address=sender, tls="TLS")
    else:
        origin = _operator_of(conn, domain, at)
    checks = sender_checks(conn, policy, origin, sender, at)
    if all(check.ok for check in checks):
        checks = checks + facts.target(conn, policy, origin, recipient, at=at).checks
    return Explanation(sender, recipient, checks, rules.verdict(checks), at)


def explain_all(
    conn: Connection, policy: Policy, origin: Origin, recipients: Iterable[str]
) -> list[Explanation]:
    """The verdict for each recipient of one message, all at once: what RCPT would answer, now.

    :param origin: who signed in. His right to send is not asked again: it has no recipient.
    """
    told = []
    for recipient in recipients:
        checks = facts.target(conn, policy, origin, recipient).checks
        told.append(Explanation(origin.address, recipient, checks, rules.verdict(checks)))
    return told


def as_data(told: Explanation) -> dict[str, Any]:
    """An explanation for machines: plain values, ready for JSON. Times in ms."""
    return {
        "from": told.sender,
        "to": told.recipient,
        "at": told.at,
        "verdict": told.verdict.action,
        "rule": told.verdict.rule,
        "reply": told.verdict.reply,
        "french": told.french,
        "checks": [
            {"rule": c.rule, "ok": c.ok, "text": c.text, "french": c.french, "warning": c.warning}
            for c in told.checks
        ],
    }


def sender_checks(
    conn: Connection, policy: Policy, origin: Origin, mail_from: str, at: int | None = None
) -> list[rules.Check]:
    """The checks on a reverse-path, by the kind of session."""
    if origin.kind in ("patient", "professional"):
        return rules.submitting_sender(facts.submitting_sender(conn, origin, mail_from, at))
    return rules.operator_sender(facts.operator_sender(conn, policy, origin, mail_from, at))


def _patient(conn: Connection, address: str, at: int | None) -> Origin:
    profile = patients.profile_by_address(conn, address)
    entered = facts.profile_state(conn, profile, at)
    if profile is None or profile.box_id is None or entered in ("", "known", "notified", "opposed"):
        raise NotFoundError("sender.unknown", "no patient has the sender address")
    return Origin(kind="patient", box_id=profile.box_id, address=address, tls="TLS")


def _operator_of(conn: Connection, domain: str, at: int | None) -> Origin:
    """The operator that the whitelist names for a domain, as if its certificate had been shown."""
    for entry in annuaire.whitelist_entries(conn, domain, at):
        return Origin(kind="operator", dn=entry.dn, tls="TLS")
    return Origin(kind="operator", dn="(no certificate is named for this domain)", tls="TLS")
