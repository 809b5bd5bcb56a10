"""Where a section of a message stands in its octets (RFC 3501 §6.4.5)."""

from __future__ import annotations

from typing import Literal

from gateway.message.types import MessageIndex, Part

Section = Literal["", "HEADER", "TEXT", "MIME"]


def find_part(root: Part, path: tuple[int, ...]) -> Part | None:
    """The part of that number. A message that is not a multipart has one part, 1, itself; within a
    message/rfc822 part numbers go on in the inner message."""
    part = root
    for depth, number in enumerate(path):
        if depth and part.media == "message/rfc822":
            part = part.children[0]
        if part.media.startswith("multipart/"):
            if not 1 <= number <= len(part.children):
                return None
            part = part.children[number - 1]
        elif number != 1 or (depth + 1 < len(path) and part.media != "message/rfc822"):
            return None
    return part


def section_span(index: MessageIndex, path: tuple[int, ...], what: Section) -> tuple[int, int] | None:
    """[start, end) in the raw body of BODY[path.what], None when the message has no such section.

    HEADER and TEXT of a path are those of a message/rfc822 part; MIME needs a path. The blank line belongs to
    HEADER and MIME. A prefix stored apart is not counted: it goes before () and () HEADER and, for a message
    that is not a multipart, (1,) MIME.
    """
    root = index.root
    if not path:
        if what == "MIME":
            return None
        start = 0 if what != "TEXT" else root.body_start
        return start, index.size if what != "HEADER" else root.body_start
    part = find_part(root, path)
    if part is None:
        return None
    if what == "":
        return part.body_start, part.end
    if what == "MIME":
        return part.header_start, part.body_start
    if part.media != "message/rfc822" or not part.children:
        return None
    inner = part.children[0]
    if what == "HEADER":
        return inner.header_start, inner.body_start
    return inner.body_start, inner.end
