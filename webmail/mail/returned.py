"""What came back: the report of another operator that could not deliver what he had taken."""

from __future__ import annotations

import re
from typing import Final

from gateway.message import Part, decode_meta
from store import BodyReader, Store
from store.mail import StoredMessage
from webmail.mail.letters import Letter
from webmail.mail.octets import read_some
from webmail.mail.reports import report_in, reports_of
from webmail.mail.views import View
from webmail.turn import Turn

#: Reports that one look opens, newest first, and the octets read of each returned header.
_OPENED: Final = 20
_HEADER: Final = 64 * 1024
#: RFC 6522 §3, RFC 6533 §4.
_ORIGINALS: Final = ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers")
_MESSAGE_ID: Final = re.compile(r"^message-id:\s*(<[^>\s]{1,998}>)", re.I | re.M)


async def returned(turn: Turn, letter: Letter, view: View) -> int:
    """The message id of the report that a letter of the patient's came back with; 0 when none did.

    Only a report of failure counts that arrived later, returns the header of this letter and names one to
    whom it went (RFC 3464 §2.3.2, RFC 6522 §3); ``view`` holds what this reader may see.
    """
    facts = letter.meta.index.facts
    ids = [one.message_id for one in view.items if one.auto == "dsn" and one.at >= letter.message.received_at]
    if not ids or not facts.message_id:
        return 0
    found = await turn.read(turn.store.messages, turn.visit.box_id, ids[:_OPENED])
    to = frozenset(one.address.casefold() for one in (*facts.to, *facts.cc))
    reports = [found[one] for one in ids[:_OPENED] if one in found]
    return await turn.run(_first, turn.store, reports, facts.message_id, to)


def _first(store: Store, reports: list[StoredMessage], message_id: str, to: frozenset[str]) -> int:
    for one in reports:
        root, body = decode_meta(one.meta).index.root, store.open_body(one)
        if _original(body, root) != message_id:
            continue
        if any(said.kind == "error" and said.who.casefold() in to for said in reports_of(body, root, "dsn")):
            return one.message_id
    return 0


def _original(body: BodyReader, root: Part) -> str:
    """The Message-ID of what a report returns: a whole message or its header (RFC 6522 §3)."""
    for part in report_in(root).children:
        if part.media in _ORIGINALS:
            header = read_some(body, part, _HEADER)[0].decode("utf-8", "replace").replace("\r\n", "\n")
            named = _MESSAGE_ID.search(header.partition("\n\n")[0])
            return named[1] if named else ""
    return ""
