"""The rules of the trust space, as pure functions over plain facts (DESIGN §5).

Each function answers with the ordered list of checks it made. The first that failed is the verdict
(:func:`verdict`); the whole list is what ``passerelle explain`` prints. Nothing here reads a clock, a
table or a setting: all of it comes in the facts.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from annuaire import Standing, standing_text
from annuaire import day as day_of
from gateway.routing.model import Verdict
from gateway.routing.words import english, french

ProfileState = Literal[
    "", "known", "notified", "opened", "activated", "opposed", "closed", "suspended", "deleted"
]
Unlisted = Literal["accept", "refuse"]
#: Who signed in, to the patient whose box it is: himself, who represents him at that moment, or neither.
Acting = Literal["self", "representative", "stranger"]


class Check(msgspec.Struct, frozen=True):
    """One rule applied: did it hold, and in which words (ASCII: they go into SMTP replies).

    ``at`` (ms): the day that the words speak of, 0 for none; ``warning``: it holds, and is to be read before
    sending all the same.
    """

    rule: str
    ok: bool
    text: str
    code: int = 550
    enhanced: str = "5.7.1"
    at: int = 0
    warning: bool = False

    @property
    def french(self) -> str:
        """The same, as a patient reads it."""
        return french(self.rule, self.ok, self.at)


def deciding(checks: list[Check]) -> Check:
    """The check that decides: the first that failed, otherwise the last one."""
    return next((check for check in checks if not check.ok), checks[-1])


def verdict(checks: list[Check]) -> Verdict:
    """The deciding check refuses or, with a 4yz code, defers; when it holds, it accepts."""
    check = deciding(checks)
    if check.ok:
        return Verdict(action="accept", rule=check.rule, peer="OK", log=check.text)
    return Verdict(
        action="defer" if check.code < 500 else "refuse",
        rule=check.rule,
        code=check.code,
        enhanced=check.enhanced,
        peer=check.text,
        log=check.text,
    )


# -- who sends ----------------------------------------------------------------------------------


class OperatorSender(msgspec.Struct, frozen=True, kw_only=True):
    """Facts on a message that another operator brings.

    ``domain`` is that of the reverse-path, "" for the null one; ``domain_listed``: it is in the
    whitelist; ``dn_allowed``: for this domain with this certificate's DN (any domain for the null
    reverse-path). ``listed``/``active``: the address is in the annuaire, its holder practises.
    ``hidden``: it is there, on the liste rouge. ``box_gone_at`` (ms): since when it is there no more, 0 if it
    never was. ``standing``: of its holder, the former one when it is gone, since ``gone_at`` (ms).
    """

    encrypted: bool
    certificate_rule: str = ""
    certificate_reason: str = ""
    shown: bool = True
    domain: str
    domain_listed: bool
    dn_allowed: bool
    list_usable: bool = True
    listed: bool = False
    active: bool = True
    hidden: bool = False
    box_gone_at: int = 0
    standing: Standing = "unchecked"
    gone_at: int = 0
    unlisted: Unlisted = "accept"
    from_patients: bool = False


def operator_sender(facts: OperatorSender) -> list[Check]:
    """May this operator bring mail from this address?"""
    checks = [_encrypted(facts), _certificate(facts), _list_usable(facts)]
    if facts.domain:
        held = facts.dn_allowed and not facts.from_patients
        if held:
            text = "the whitelist names this certificate for the sender's domain"
        elif facts.from_patients:
            text = "patients' addresses are served here and nowhere else"
        elif facts.domain_listed:
            text = "the sender's domain belongs to another operator's certificate"
        else:
            text = "the sender's domain is not in the whitelist of the trust space"
        checks.append(Check("sender.whitelist", held, text))
        checks.append(_in_annuaire(facts))
    else:  # RFC 5321 §4.5.5: notifications have the null reverse-path
        text = (
            "the whitelist names this certificate"
            if facts.dn_allowed
            else "the whitelist does not name this certificate"
        )
        checks.append(Check("sender.whitelist", facts.dn_allowed, text))
    return checks


def _encrypted(facts: OperatorSender) -> Check:
    text = "the session is encrypted" if facts.encrypted else "STARTTLS is required first"
    return Check("sender.tls", facts.encrypted, text, 530, "5.7.0")


def _certificate(facts: OperatorSender) -> Check:
    if facts.certificate_rule == "sender.revocation_unknown":  # our list is old: the peer may try again
        return Check(facts.certificate_rule, False, facts.certificate_reason, 451, "4.7.1")
    if facts.certificate_rule or not facts.shown:
        text = facts.certificate_reason or "a client certificate of the trust space is required"
        return Check(facts.certificate_rule or "sender.certificate", False, text)
    return Check("sender.certificate", True, "the client certificate is valid")


def _list_usable(facts: OperatorSender) -> Check:
    text = (
        "the list of authorised domains is usable"
        if facts.list_usable
        else "the list of authorised domains is missing or too old here, try again later"
    )
    return Check("sender.whitelist", facts.list_usable, text, 451, "4.7.1")


def _in_annuaire(facts: OperatorSender) -> Check:
    # Who was struck off has left the annuaire with his mailbox: that he is not published says nothing then.
    if facts.standing == "struck_off" and not (facts.listed and facts.active):
        return Check("sender.annuaire", False, standing_text("struck_off", facts.gone_at))
    if facts.listed and not facts.active:
        return Check("sender.annuaire", False, standing_text(facts.standing, facts.gone_at))
    if facts.listed:
        how = "known to the annuaire, on the liste rouge," if facts.hidden else "published in the annuaire"
        return Check("sender.annuaire", True, f"the sender is {how} and practises")
    held = facts.unlisted == "accept"
    if facts.box_gone_at:
        text = f"the annuaire no longer publishes the sender since {day_of(facts.box_gone_at)}"
    else:
        text = "the sender is not published in the annuaire"
    return Check("sender.annuaire", held, f"{text}, which this gateway accepts" if held else text)


class SubmittingSender(msgspec.Struct, frozen=True, kw_only=True):
    """Facts on a message that someone with a mailbox here submits.

    ``owned``: the proven identity owns the reverse-path address; ``why_not``: the annuaire's reason.
    ``mismatch``: in what else certificate and annuaire disagree. ``standing``: of the professional behind
    the session, since ``gone_at`` (ms); None for anybody else. ``card``: "" where none can be judged.
    ``suspended``: the sender is a patient whose space is.
    """

    signed_in: bool
    owned: bool
    open: bool = True
    why_not: str = ""
    mismatch: str = ""
    standing: Standing | None = None
    gone_at: int = 0
    card: Literal["", "good", "opposed"] = ""
    suspended: bool = False


def submitting_sender(facts: SubmittingSender) -> list[Check]:
    """May this session send as this address?"""
    checks = [
        Check(
            "sender.signed_in",
            facts.signed_in,
            english("sender.signed_in", facts.signed_in),
            530,
            "5.7.0",
        )
    ]
    if facts.card:
        held = facts.card == "good"
        text = "the card of the certificate is not opposed" if held else "the card is opposed"
        checks.append(Check("sender.card", held, text))
    if facts.standing is not None:
        # Only who was there and has gone is refused: what was never loaded or never known accuses nobody.
        held = facts.standing != "struck_off"
        checks.append(Check("sender.annuaire", held, standing_text(facts.standing, facts.gone_at)))
    return [
        *checks,
        Check(
            "sender.identity",
            facts.owned and not facts.mismatch,
            _identity_text(facts),
            550,
            "5.7.1",
        ),
        Check(
            "sender.closed",
            facts.open,
            english("sender.closed", facts.open),
            550,
            "5.2.1",
        ),
        *(
            [Check("sender.suspended", False, english("sender.suspended", False), 450, "4.2.1")]
            if facts.suspended
            else []
        ),
    ]


def _identity_text(facts: SubmittingSender) -> str:
    if facts.mismatch:
        return facts.mismatch
    reason = f": {facts.why_not}" if facts.why_not and not facts.owned else ""
    return english("sender.identity", facts.owned) + reason


class Authorship(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses of the reverse-path, From and Sender fields, folded; ``report``: a DSN or MDN.

    ``from_allowed``: the From address is the proven identity's, or of a domain of the proven operator's.
    """

    mail_from: str
    from_: tuple[str, ...]
    sender: str = ""
    report: bool = False
    from_allowed: bool = True


def authorship(facts: Authorship) -> list[Check]:
    """Do envelope, From and proven identity agree? (RFC 5322 §3.6.2; DESIGN §5 sender.identity)"""
    if len(facts.from_) != 1 or not facts.from_[0]:
        return [
            Check("sender.identity", False, "exactly one address is needed in the From field", 550, "5.6.0")
        ]
    author = facts.from_[0]
    if not facts.from_allowed:
        return [Check("sender.identity", False, "the From address is not one of the proven sender")]
    if not facts.mail_from:
        return [
            Check(
                "sender.identity",
                facts.report,
                "a notification needs no reverse-path"
                if facts.report
                else "only delivery and disposition notifications may have the null reverse-path",
            )
        ]
    held = author == facts.mail_from or facts.sender == facts.mail_from
    return [
        Check(
            "sender.identity",
            held,
            "envelope, From and proven identity agree"
            if held
            else "the From address is not the proven sender's",
        )
    ]


# -- who receives -------------------------------------------------------------------------------


class PatientRecipient(msgspec.Struct, frozen=True, kw_only=True):
    """Facts on a patient's address. ``valid``: 15 characters with their key; ``state``: "" for no profile."""

    valid: bool
    state: ProfileState
    full: bool = False


_NOT_THERE: dict[str, Check] = {
    "": Check("recipient.unknown", False, "no patient has this address", 550, "5.1.1"),
    "known": Check("recipient.unknown", False, "this patient's space is not open yet", 550, "5.1.1"),
    "notified": Check("recipient.unknown", False, "this patient's space is not open yet", 550, "5.1.1"),
    "opposed": Check(
        "recipient.opposed", False, "this patient has opposed the opening of a space", 550, "5.2.1"
    ),
    "closed": Check("recipient.closed", False, "this patient's space is closed", 550, "5.2.1"),
    "deleted": Check("recipient.closed", False, "this patient's space is closed", 550, "5.2.1"),
    "suspended": Check(
        "recipient.suspended", False, "this patient's space is suspended, try again later", 450, "4.2.1"
    ),
}


def patient_recipient(facts: PatientRecipient) -> list[Check]:
    """May a professional's message reach this patient? (Mon espace santé: « Message non distribué »)"""
    if not facts.valid:
        return [
            Check(
                "recipient.invalid",
                False,
                "a patient's address is an INS of 15 characters with its key",
                550,
                "5.1.3",
            )
        ]
    checks = [Check("recipient.invalid", True, "the address is an INS with its key")]
    if facts.state in _NOT_THERE:
        return [*checks, _NOT_THERE[facts.state]]
    return [
        *checks,
        _room(facts.full),
        Check("recipient.open", True, f"the patient's space is {facts.state}"),
    ]


def _room(full: bool) -> Check:
    return Check("recipient.quota", not full, english("recipient.quota", not full), 452, "4.2.2")


def hosted_recipient(*, exists: bool, is_open: bool, full: bool) -> list[Check]:
    """May a message reach this mailbox of a professional, hosted here?"""
    if not exists:
        return [Check("recipient.unknown", False, english("recipient.unknown", False), 550, "5.1.1")]
    if not is_open:
        return [Check("recipient.closed", False, english("recipient.closed", False), 550, "5.2.1")]
    return [_room(full), Check("recipient.open", True, english("recipient.open", True))]


def trusted_domain(*, listed: bool) -> list[Check]:
    """Professional to professional: between domains of the trust space only."""
    return [
        Check(
            "recipient.domain",
            listed,
            "the recipient's domain is in the whitelist"
            if listed
            else "the recipient's domain is not in the trust space",
        )
    ]


def no_relay() -> list[Check]:
    """Another operator may bring mail for addresses here only (RFC 5321 §7.1)."""
    return [Check("recipient.relay", False, "this gateway takes mail for its own mailboxes only")]


# -- a patient writes ---------------------------------------------------------------------------


class PatientWrites(msgspec.Struct, frozen=True, kw_only=True):
    """Facts on a patient's message to one address.

    ``acting``: who signed in, to the patient whose box it is. ``opened_at``/``ended_at``: when (any growing
    number, 0: never) the address last became one that may be answered, and when that last ended;
    ``contacted``: it wrote at least once. What the annuaire said since it wrote: ``other_holder``, the
    address is somebody else's now; ``left_at``, since when (ms) its holder practises no more, 0 while he
    may; ``gone_at``, since when (ms) it is published no more, 0 otherwise. ``other_mailbox``: the holder of
    the address wrote, from another one. ``dispensed``: with a dispensation feed, whether one is on record
    within a year; ``None``: no feed.
    """

    acting: Acting = "self"
    to_patient: bool
    trusted: bool
    contacted: bool
    opened_at: int
    ended_at: int
    other_holder: bool = False
    left_at: int = 0
    gone_at: int = 0
    other_mailbox: bool = False
    officine: bool
    dispensed: bool | None = None


def acts_for(acting: Acting) -> list[Check]:
    """May who signed in act in this patient's box: read it, write from it? Asked each time, never kept.

    Nothing to ask for the patient himself. A representative may for as long as he is one.
    """
    if acting == "self":
        return []
    held = acting == "representative"
    return [Check("patient.acting", held, english("patient.acting", held))]


def patient_writes(facts: PatientWrites) -> list[Check]:
    """May this patient write to this address? (Mon espace santé: answers only, pharmacies excepted)"""
    checks = [
        *acts_for(facts.acting),
        Check(
            "patient.to_patient", not facts.to_patient, english("patient.to_patient", not facts.to_patient)
        ),
    ]
    if facts.contacted and not facts.trusted:
        checks.append(Check("reply.domain_gone", False, english("reply.domain_gone", False)))
    else:
        checks.append(Check("patient.outside", facts.trusted, english("patient.outside", facts.trusted)))
    if not all(check.ok for check in checks):
        return checks
    opened = facts.opened_at > facts.ended_at
    if opened and not facts.other_holder and not facts.left_at:
        if facts.gone_at:
            text = english("reply.box_gone", True, facts.gone_at)
            checks.append(Check("reply.box_gone", True, text, at=facts.gone_at, warning=True))
        return [*checks, Check("reply.contacted", True, english("reply.contacted", True))]
    if facts.officine and facts.dispensed is not False:
        return [*checks, Check("reply.pharmacy", True, english("reply.pharmacy", True))]
    return [*checks, _no_right(facts, opened)]


def _no_right(facts: PatientWrites, opened: bool) -> Check:
    """Why an address may not be written to: the reason that tells the patient most."""
    if opened and facts.other_holder:
        return Check("reply.holder_changed", False, english("reply.holder_changed", False))
    if opened:
        text = english("reply.not_practising", False, facts.left_at)
        return Check("reply.not_practising", False, text, at=facts.left_at)
    if facts.contacted:
        return Check("reply.ended", False, english("reply.ended", False))
    if facts.officine:
        return Check("reply.pharmacy", False, english("reply.pharmacy", False))
    if facts.other_mailbox:
        return Check("reply.other_mailbox", False, english("reply.other_mailbox", False))
    return Check("reply.never_contacted", False, english("reply.never_contacted", False))


# -- the message --------------------------------------------------------------------------------


def message_signature(state: str, reason: str, refuse_broken: bool) -> list[Check]:
    """Is the message unaltered, as far as its S/MIME signature tells, or is that only to be reported?"""
    ok = state != "broken" or not refuse_broken
    text = "the signature does not forbid delivery" if ok else f"the signature does not hold: {reason}"
    return [Check("message.signature", ok, text, 550, "5.7.7")]  # RFC 3463 §3.8: integrity failure


def message_size(*, size: int, limit: int) -> list[Check]:
    """Is the message within the announced size? (octets; RFC 1870 §6.1)"""
    return [
        Check(
            "message.size",
            size <= limit,
            "the message is within the size limit"
            if size <= limit
            else f"the message exceeds {limit} octets",
            552,
            "5.3.4",
        )
    ]


Effect = Literal["opens", "ends", "silent", "nothing"]
#: Nobody wrote it: a report, a receipt or an answer; or a process did, of its own accord (RFC 3834 §5).
Automatic = Literal["no", "answer", "generated"]


def automatic(auto: str, *, null_path: bool) -> Automatic:
    """How automatic a message is. ``auto``: "dsn", "mdn", the keyword of Auto-Submitted, "" for none."""
    if auto in ("dsn", "mdn", "auto-replied") or null_path:
        return "answer"
    return "generated" if auto else "no"


def effect_on_correspondence(*, subject: str, end_header: bool, automatic: Automatic) -> Effect:
    """What a professional's message does to the patient's right to answer.

    « [FIN] », exactly, as the subject ends all earlier messages; ``X-MSS-MES: FIN`` lets this one open
    nothing. Notifications and automatic answers do nothing at all; what a process sends of its own accord
    (RFC 3834 §5) may end, and opens nothing.
    """
    if automatic == "answer":
        return "nothing"
    if subject == "[FIN]":
        return "ends"
    return "silent" if end_header or automatic == "generated" else "opens"
