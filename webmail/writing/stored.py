"""What stored messages say of themselves, for drafts and quotations. Everything blocks: use a thread."""

from __future__ import annotations

import re
from typing import Final

from gateway.message import (
    MessageIndex,
    Part,
    attachments,
    codec_of,
    decode_meta,
    decode_stream,
    header_fields,
    walk,
)
from store import Store
from store.mail import StoredMessage
from webmail.mail.html import words_of
from webmail.writing.building import (
    PRIVATE,
    TEXT,
    File,
    Writing,
    cleaned,
    new_token,
    private_of,
    token_of,
    unflowed,
)

_READ: Final = 4 * TEXT


def text_in(store: Store, message: StoredMessage) -> str:
    """The text of a message: its first part of plain text, else its HTML without the marks, else ""."""
    index = decode_meta(message.meta).index
    files = attachments(index.root)
    parts = [one for _, one in walk(index.root) if not any(one is other for other in files)]
    for media in ("text/plain", "text/html"):
        for part in parts:
            if part.media == media:
                text = _decoded(store, message, part)
                return cleaned(words_of(text) if media == "text/html" else text)
    return ""


def writing_in(store: Store, message: StoredMessage) -> Writing:
    """A draft as it goes on being written, whichever mail client kept it last."""
    index = decode_meta(message.meta).index
    facts = index.facts
    original, quote = private_of(_private(index))
    return Writing(
        token=token_of(facts.message_id) or new_token(),
        to=[one.address for one in facts.to if one.address],
        subject=facts.subject,
        text=text_in(store, message).removesuffix("\n"),
        quote=quote,
        original=original,
        in_reply_to=facts.in_reply_to,
        references=facts.references[-30:],
        files=[_file(store, message, part) for part in attachments(index.root)],
    )


def _private(index: MessageIndex) -> str:
    wanted = PRIVATE.lower().encode()
    found = header_fields(index.header, [PRIVATE]) if wanted in index.header.lower() else b""
    return found.partition(b":")[2].split(b"\r\n")[0].decode("ascii", "replace").strip()


def _file(store: Store, message: StoredMessage, part: Part) -> File:
    known = re.fullmatch(r"[a-z0-9.+-]+/[a-z0-9.+-]+", part.media) and part.media != "message/rfc822"
    media = part.media if known else "application/octet-stream"
    return File(part.filename or "fichier", media, _octets(store, message, part))


def _octets(store: Store, message: StoredMessage, part: Part, most: int | None = None) -> bytes:
    size = part.size if most is None else min(part.size, most)
    chunks = store.open_body(message).chunks(part.body_start, size)
    return b"".join(decode_stream(chunks, part.encoding))


def _decoded(store: Store, message: StoredMessage, part: Part) -> str:
    octets = _octets(store, message, part, _READ)
    codec = codec_of(part.params.get("charset", "utf-8"))
    text = octets.decode(codec.name if codec is not None else "utf-8", "replace")
    return unflowed(text) if part.params.get("format", "").lower() == "flowed" else text
