"""The plain data that the rules speak about: who sends, what is asked, what was decided.

Nothing here does anything. The SMTP room fills an :class:`Origin` and an :class:`Envelope`, the rules
answer with a :class:`Verdict`, the pipeline keeps one :class:`RelayJob` or :class:`FilingJob` per
piece of work that is left to do.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from annuaire import Claim

OriginKind = Literal["operator", "professional", "patient", "none"]
Action = Literal["accept", "refuse", "defer"]


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Who is proven to be at the other end of a session, and how.

    ``operator``: another operator, by client certificate on the operators' port (``dn``).
    ``professional``: a person or organisation with a mailbox hosted here (certificate or password).
    ``patient``: a patient with a mailbox here. ``none``: nobody yet, or a certificate that was refused
    (then ``refusal_*`` say why). ``claim``: what the certificate of who signed in states about him.
    ``actor_ins``: who signed in when he acts in a patient's box that is not his own (a parent, a guardian).
    """

    kind: OriginKind = "none"
    name: str = ""
    dn: str = ""
    id_nat: str = ""
    struct_id: str = ""
    box_id: int = 0
    address: str = ""
    tls: str = ""
    peer: str = ""
    refusal_rule: str = ""
    refusal_reason: str = ""
    claim: Claim | None = None
    actor_ins: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule decided. ``rule`` names it; ``code``/``enhanced``/``peer`` are the SMTP answer."""

    action: Action
    rule: str
    code: int = 250
    enhanced: str = "2.0.0"
    peer: str = "OK"
    log: str = ""

    @property
    def accepted(self) -> bool:
        return self.action == "accept"

    @property
    def reply(self) -> str:
        """The reply line: ``550 5.7.1 text [rule]``; an acceptance does not name its rule."""
        suffix = "" if self.accepted else f" [{self.rule}]"
        return f"{self.code} {self.enhanced} {self.peer}{suffix}"


class Recipient(msgspec.Struct, kw_only=True):
    """One RCPT TO with its DSN parameters (RFC 3461 §4), values kept with their case."""

    address: str
    notify: str = ""  # "" | "NEVER" | comma list of SUCCESS,FAILURE,DELAY, as given
    orcpt: str = ""  # "rfc822;user@example", xtext still encoded, as given


class Envelope(msgspec.Struct, kw_only=True):
    """What the SMTP session learned about one message before its content (RFC 5321 §2.3.1)."""

    mail_from: str  # "" is the null reverse-path
    recipients: list[Recipient]
    trace_id: str
    received_at: int  # ms since the epoch
    helo: str = ""
    peer: str = ""
    protocol: str = "ESMTPS"  # "with" of Received (RFC 3848, RFC 6531 §4.3); "" from the pages
    ret: str = ""  # "" | "FULL" | "HDRS" (RFC 3461 §4.3)
    envid: str = ""
    body: str = "7BIT"  # or "8BITMIME" (RFC 6152)
    smtputf8: bool = False


class RelayJob(msgspec.Struct, kw_only=True):
    """Payload of a task in the queue ``relay``: one recipient at another operator."""

    mail_from: str
    recipient: Recipient
    message_id: int  # of the stored message in the sender's box (task.box_id)
    header_message_id: str
    trace_id: str
    sha256: bytes
    received_at: int
    ret: str = ""
    envid: str = ""
    body: str = "7BIT"
    smtputf8: bool = False
    delay_told: bool = False


class InvitationJob(msgspec.Struct, kw_only=True):
    """Payload of a task in the queue ``invitations``: a message with text/calendar in a patient's box."""

    ins: str
    message_id: int  # of the stored message in the patient's box (task.box_id)
    sender: str  # the address that was proven
    trace_id: str
    received_at: int


_invitation = msgspec.msgpack.Decoder(InvitationJob)


def decode_invitation(payload: bytes) -> InvitationJob:
    """The payload of a task in the queue ``invitations``. Raises :class:`msgspec.DecodeError`."""
    return _invitation.decode(payload)


class FilingJob(msgspec.Struct, kw_only=True):
    """Payload of a task in the queue ``filing``: one message delivered to one patient's box."""

    ins: str
    message_id: int  # of the stored message in the patient's box (task.box_id)
    header_message_id: str
    sender: str  # envelope or From address that was proven
    operator_dn: str
    trace_id: str
    received_at: int
    report_to: str = ""  # Disposition-Notification-To, when the sender asked for a receipt
