"""Delivery status notifications (RFC 3461, RFC 3462/6522, RFC 3464; RFC 6533 for UTF-8 addresses).

Pure functions. A report has a null sender (the caller's envelope), is never made about a message that
had one (RFC 5321 §4.5.5), obeys NOTIFY, and returns headers only, whatever RET says: of the original's
header only Message-ID, Date, From and To are shown (:data:`gateway.smtp.reports.SHOWN_FIELDS`), and
never its Subject, because the report may leave the trust space's careful hands.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from gateway.smtp.params import xtext_decode
from gateway.smtp.reports import encoded, new_boundary, one_line, rfc_date, seven_bit, shown_header
from store.errors import InvalidInputError, PasserelleError

DsnAction = Literal["failed", "delayed", "delivered", "relayed"]
_NOTIFY_WORD: Final = {"failed": "FAILURE", "delayed": "DELAY", "delivered": "SUCCESS", "relayed": "SUCCESS"}
_TITLES: Final = {
    "failed": "Message non distribué",
    "delayed": "Message en attente de distribution",
    "delivered": "Message distribué",
    "relayed": "Message transmis",
}
_FRENCH: Final = {
    "failed": "Votre message n'a pas pu être distribué à :",
    "delayed": "Votre message n'a pas encore pu être distribué à :",
    "delivered": "Votre message a été distribué à :",
    "relayed": "Votre message a été transmis, sans garantie d'un accusé ultérieur, à :",
}
_ENGLISH: Final = {
    "failed": "Your message could not be delivered to:",
    "delayed": "Your message could not be delivered yet to:",
    "delivered": "Your message was delivered to:",
    "relayed": "Your message was relayed, with no promise of a later report, to:",
}
# Cause by rule, French then English. An opposed patient is told like a closed box: the sender need not
# know which of the two it is.
_CAUSES: Final = {
    "recipient.unknown": (
        "aucun profil patient ne correspond à cette adresse",
        "no patient with this address",
    ),
    "recipient.invalid": ("l'adresse n'est pas valide", "the address is not valid"),
    "recipient.closed": ("la boîte aux lettres est fermée", "the mailbox is closed"),
    "recipient.opposed": ("la boîte aux lettres est fermée", "the mailbox is closed"),
    "message.size": ("le message est trop volumineux", "the message is too large"),
    "mailbox.quota": ("la boîte aux lettres est pleine", "the mailbox is full"),
    "relay.expired": ("le délai de distribution est dépassé", "delivery took too long"),
}


class DsnRecipient(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one recipient.

    :param orcpt: ORCPT as given in RCPT (xtext, case kept), ``""`` when absent.
    :param status: RFC 3463 code, e.g. ``5.1.1``.
    :param diagnostic: the SMTP reply that decided, with the rule id at its end; ``""`` when none.
    :param remote: host that gave the reply, ``""`` when it was us.
    :param retry_until: ms, for ``delayed``.
    """

    address: str
    action: DsnAction
    status: str
    orcpt: str = ""
    rule: str = ""
    diagnostic: str = ""
    remote: str = ""
    retry_until: int = 0


def wanted(mail_from: str, notify: str, action: DsnAction) -> bool:
    """Whether the sender is to be told (RFC 3461 §4.1, RFC 5321 §4.5.5).

    Without NOTIFY a failure is told and a delay is not; success only on demand.
    """
    if not mail_from or notify == "NEVER":
        return False
    if not notify:
        return action == "failed"
    return _NOTIFY_WORD[action] in notify.split(",")


def build_dsn(
    *,
    hostname: str,
    mail_from: str,
    report_id: str,
    now: int,
    arrival: int,
    recipients: list[DsnRecipient],
    header: bytes,
    envid: str = "",
    message_id: str = "",
    sender: str = "",
) -> bytes:
    """One report about recipients of one message, ready to be stored or sent with MAIL FROM:<>.

    :param mail_from: the original's sender, who gets the report.
    :param report_id: unique; becomes the Message-ID.
    :param now: ms. :param arrival: when the original was accepted (ms).
    :param header: the original's header block, raw.
    :param envid: ENVID as given in MAIL (xtext). :param message_id: the original's, for In-Reply-To.
    :param sender: whom it comes from; ``mailer-daemon@`` our host when left out.
    :raises InvalidInputError: the original had a null sender, or there is no recipient.
    """
    if not mail_from:
        raise InvalidInputError("dsn.null_sender", "no report about a message with a null sender")
    if not recipients:
        raise InvalidInputError("dsn.recipients", "a report needs a recipient")
    action = next((item.action for item in recipients if item.action == "failed"), recipients[0].action)
    boundary = new_boundary()
    shown = shown_header(header)
    wide = not all(item.address.isascii() for item in recipients)  # RFC 6533 §3
    top = [
        f"From: Passerelle <{sender or 'mailer-daemon@' + hostname}>",
        f"To: <{mail_from}>",
        f"Subject: {encoded(_TITLES[action])}",
        f"Date: {rfc_date(now)}",
        f"Message-ID: <{report_id}@{hostname}>",
        "Auto-Submitted: auto-replied",  # RFC 3834 §5
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="{boundary}"',
    ]
    if message_id.startswith("<") and message_id.endswith(">") and message_id.isascii():
        top.insert(5, f"In-Reply-To: {one_line(message_id)}")
    status_type = "message/global-delivery-status" if wide else "message/delivery-status"
    header_type = "text/rfc822-headers" if shown.isascii() else "message/global-headers"
    parts = [
        ("text/plain; charset=utf-8", _text(recipients).encode()),
        (status_type, _status(hostname, envid, arrival, now, recipients)),
        (header_type, shown),
    ]
    out = ["\r\n".join(top).encode() + b"\r\n\r\n"]
    for media, content in parts:
        # The report may be signed, and nobody on its way shall have to convert it (RFC 8551 §3.1.3).
        encoding = "7bit" if content.isascii() else "quoted-printable"
        head = f"--{boundary}\r\nContent-Type: {media}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
        out.append(head.encode() + (content if content.isascii() else seven_bit(content)) + b"\r\n")
    out.append(f"--{boundary}--\r\n".encode())
    return b"".join(out)


def _text(recipients: list[DsnRecipient]) -> str:
    """What a person reads: French, then the same in English."""
    lines = []
    for language, phrases in enumerate((_FRENCH, _ENGLISH)):
        for action in dict.fromkeys(item.action for item in recipients):
            lines += [phrases[action], ""]
            for item in recipients:
                if item.action == action:
                    cause = _CAUSES.get(item.rule, ("", ""))[language]
                    lines.append(f"    {item.address}" + (f" ({cause})" if cause else ""))
                    if item.diagnostic:
                        lines.append(f"    {one_line(item.diagnostic)}")
            lines.append("")
    return "\r\n".join(lines)


def _status(hostname: str, envid: str, arrival: int, now: int, recipients: list[DsnRecipient]) -> bytes:
    """The machine's part (RFC 3464 §2)."""
    lines = []
    if envid:
        lines.append(f"Original-Envelope-Id: {_decoded(envid)}")  # RFC 3464 §2.2.1: decoded
    lines += [f"Reporting-MTA: dns; {hostname}", f"Arrival-Date: {rfc_date(arrival)}"]
    for item in recipients:
        lines.append("")
        if item.orcpt:
            kind, _, address = item.orcpt.partition(";")
            lines.append(f"Original-Recipient: {kind};{_decoded(address)}")
        kind = "rfc822" if item.address.isascii() else "utf-8"
        lines += [
            f"Final-Recipient: {kind};{item.address}",
            f"Action: {item.action}",
            f"Status: {item.status}",
        ]
        if item.remote:
            lines.append(f"Remote-MTA: dns; {one_line(item.remote)}")
        if item.diagnostic:
            lines.append(f"Diagnostic-Code: smtp; {one_line(item.diagnostic)}")
        if item.action != "delivered":
            lines.append(f"Last-Attempt-Date: {rfc_date(now)}")
        if item.action == "delayed" and item.retry_until:
            lines.append(f"Will-Retry-Until: {rfc_date(item.retry_until)}")
    return ("\r\n".join(lines) + "\r\n").encode()


def _decoded(text: str) -> str:
    try:
        decoded = xtext_decode(text)
    except PasserelleError:
        decoded = text  # utf-8 address type without xtext (RFC 6533 §3)
    return "".join(char if char.isprintable() else "?" for char in decoded)
