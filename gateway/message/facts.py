"""What the rules, the search and the bridge look at in the header of a message."""

from __future__ import annotations

from gateway.message.address import addresses
from gateway.message.envelope import Envelope, entries_of
from gateway.message.headers import Fields, message_ids, plain_text, text_of
from gateway.message.types import Address, Facts, Part, attachments

XDM_NAME = "ihe_xdm.zip"  # the archive's fixed name, compared without case
_X_MSS = ((b"x-mss-codecda", "X-MSS-CODECDA"), (b"x-mss-ins", "X-MSS-INS"), (b"x-mss-nil", "X-MSS-NIL"))
_REQUIRED = (b"date", b"from")  # RFC 5322 §3.6
_ONCE = frozenset(b"date from sender reply-to to cc bcc message-id in-reply-to references subject".split())


def build_facts(fields: Fields, envelope: Envelope, root: Part, limit: int) -> Facts:
    """The facts of a message from its header fields, its envelope's addresses and its parts."""

    def last(name: bytes) -> str:
        values = fields.get(name)
        return plain_text(values[-1]) if values else ""

    subject = fields.get(b"subject")
    message_id = last(b"message-id")
    found_ids = message_ids(message_id)
    from_, sender, reply_to = (
        addresses(envelope.from_),
        addresses(envelope.sender),
        addresses(envelope.reply_to),
    )
    return Facts(
        found_ids[0] if found_ids else message_id,
        last(b"date"),
        text_of(subject[-1]) if subject else "",
        last(b"subject"),
        sender[0] if sender else None,
        from_,
        reply_to,
        addresses(envelope.to),
        addresses(envelope.cc),
        (message_ids(last(b"in-reply-to")) or [""])[0],
        message_ids(last(b"references")),
        last(b"x-mss-mes") == "FIN",  # the value is three capitals, compared exactly
        {shown: last(name) for name, shown in _X_MSS if name in fields},
        addresses(entries_of(fields, b"disposition-notification-to", limit)),
        _auto(fields, root),
        _has_xdm(root),
        _bad_headers(fields, from_, sender, reply_to),
    )


def _bad_headers(
    fields: Fields, from_: list[Address], sender: list[Address], reply_to: list[Address]
) -> list[str]:
    bad = [f"{name.decode()}:missing" for name in _REQUIRED if name not in fields]
    bad += [
        f"{name.decode()}:duplicate" for name, values in fields.items() if len(values) > 1 and name in _ONCE
    ]
    for shown, found in (("from", from_), ("sender", sender), ("reply-to", reply_to)):
        for address in found:
            if not address.address:
                bad.append(f"{shown}:syntax")
                break
    if not from_ and b"from" in fields:
        bad.append("from:syntax")
    return bad


def _has_xdm(root: Part) -> bool:
    if not root.children:
        return root.filename.lower() == XDM_NAME
    return any(part.filename.lower() == XDM_NAME for part in attachments(root))


def _auto(fields: Fields, root: Part) -> str:
    if root.media == "multipart/signed" and root.children:
        root = root.children[0]  # a report stays one when it is signed (RFC 8551 §3.5)
    if root.media == "multipart/report":
        report = root.params.get("report-type", "").lower()
        if report == "delivery-status":  # RFC 3464 §2
            return "dsn"
        if report == "disposition-notification":  # RFC 8098 §3
            return "mdn"
    submitted = fields.get(b"auto-submitted")
    if not submitted:
        return ""
    keyword = plain_text(submitted[-1]).partition(";")[0].partition("(")[0].strip().lower()
    return "" if keyword == "no" else keyword  # RFC 3834 §5.2
