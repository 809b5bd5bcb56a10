"""A record as something that can be handed out and checked elsewhere."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from evidence.chain import Record


def receipt(link: Record) -> dict[str, str | int]:
    """A record as a JSON-ready mapping; ``signature`` is over ``digest`` (Ed25519, base64).

    The digest is SHA-256 of the msgpack array of previous, seq, at, event, trace_id, message_id,
    sender, recipient, rule, sha256 and detail, in this order.
    """
    return {
        "number": link.seq,
        "time": datetime.fromtimestamp(link.at / 1000, UTC).isoformat(timespec="milliseconds"),
        "at": link.at,
        "event": link.event,
        "trace_id": link.trace_id,
        "message_id": link.message_id,
        "sender": link.sender,
        "recipient": link.recipient,
        "rule": link.rule,
        "sha256": link.sha256.hex(),
        "detail": link.detail,
        "previous": link.previous.hex(),
        "digest": link.digest.hex(),
        "signature": base64.b64encode(link.signature).decode(),
    }
