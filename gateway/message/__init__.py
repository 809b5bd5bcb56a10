"""What a message is: read once as it comes in, then known by offsets and ready IMAP bytes.

`Indexer` makes a `MessageIndex` out of raw octets; `section_span` and `header_fields` answer IMAP's
BODY[...]; `signed_parts` finds what an S/MIME signature signs; `decode_stream` undoes transfer encodings;
`encode_meta` and `decode_meta` keep the index beside the body. Raw messages are never parsed and written
again.
"""

from gateway.message.headers import header_fields
from gateway.message.meta import decode_meta, encode_meta
from gateway.message.scanner import Indexer
from gateway.message.sections import Section, find_part, section_span
from gateway.message.signed import SignedParts, canonical, signed_parts
from gateway.message.transfer import decode_stream
from gateway.message.types import (
    Address,
    Facts,
    MessageIndex,
    MessageMeta,
    Part,
    Signature,
    attachments,
    calendars,
    walk,
)
from gateway.message.words import codec_of, decode_words

__all__ = [
    "Address",
    "Facts",
    "Indexer",
    "MessageIndex",
    "MessageMeta",
    "Part",
    "Section",
    "Signature",
    "SignedParts",
    "attachments",
    "calendars",
    "canonical",
    "codec_of",
    "decode_meta",
    "decode_stream",
    "decode_words",
    "encode_meta",
    "find_part",
    "header_fields",
    "section_span",
    "signed_parts",
    "walk",
]
