"""The parts of a message while it is read, and their BODY and BODYSTRUCTURE (RFC 3501 §7.4.2)."""

from __future__ import annotations

from enum import Enum

from gateway.message.mime import NO_CONTENT, Content, decoded_params
from gateway.message.quoting import string
from gateway.message.types import Part

# RFC 3501's grammar wants a part in every multipart: an empty one shows an empty text.
_EMPTY_TEXT = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0'


class Kind(Enum):
    """What kind of BODYSTRUCTURE a part has (RFC 3501 §7.4.2)."""

    TEXT = "text"
    LEAF = "leaf"
    MULTIPART = "multipart"
    MESSAGE = "message"


class Node:
    """One part being read. `seen` counts the line ends before the body; `end` and `lines` are set last."""

    __slots__ = (
        "body_start",
        "children",
        "content",
        "depth",
        "digest",
        "end",
        "envelope",
        "kind",
        "lines",
        "overflow",
        "seen",
        "start",
    )

    def __init__(self, start: int, depth: int) -> None:
        self.start = self.body_start = self.end = start
        self.depth = depth
        self.seen = self.lines = 0
        self.kind = Kind.TEXT
        self.digest = self.overflow = False
        self.content: Content = NO_CONTENT
        self.children: list[Node] = []
        self.envelope = b""


def write_structures(root: Node) -> tuple[bytes, bytes]:
    """BODYSTRUCTURE and BODY, parentheses included."""
    if root.kind is not Kind.MULTIPART and root.kind is not Kind.MESSAGE:
        start = _leaf(root)
        return b"%b %b%b)" % (start, root.content.md5, root.content.tail), start + b")"
    full: list[bytes] = []
    short: list[bytes] = []
    _write(root, full, short)
    return b"".join(full), b"".join(short)


def _write(node: Node, full: list[bytes], short: list[bytes]) -> None:
    content = node.content
    if node.kind is Kind.MULTIPART:
        full.append(b"(")
        short.append(b"(")
        for child in node.children:
            _write(child, full, short)
        if not node.children:
            full.append(_EMPTY_TEXT + b" NIL NIL NIL NIL)")
            short.append(_EMPTY_TEXT + b")")
        subtype = string(content.type.subtype) if content.type else b'"mixed"'
        full.append(b" %b %b%b)" % (subtype, content.params, content.tail))
        short.append(b" %b)" % subtype)
        return
    if node.kind is Kind.MESSAGE:
        size = node.end - node.body_start
        start = b'("message" "rfc822" %b %d %b ' % (content.other_head, size, node.envelope)
        full.append(start)
        short.append(start)
        for child in node.children:
            _write(child, full, short)
        start = b" %d" % node.lines
    else:
        start = _leaf(node)
    full.append(b"%b %b%b)" % (start, content.md5, content.tail))
    short.append(start + b")")


def _leaf(node: Node) -> bytes:
    """What BODY and BODYSTRUCTURE have in common of a part that holds no other."""
    content = node.content
    size = node.end - node.body_start
    if node.overflow:
        return b'("application" "octet-stream" %b %d' % (content.other_head, size)
    kind = content.type
    media = b'"text" "plain"' if kind is None else b"%b %b" % (string(kind.kind), string(kind.subtype))
    if node.kind is Kind.TEXT:
        return b"(%b %b %d %d" % (media, content.text_head, size, node.lines)
    return b"(%b %b %d" % (media, content.other_head, size)


def to_part(node: Node) -> Part:
    """The node and what is below it as the struct that is stored."""
    content = node.content
    kind = content.type
    media = "message/rfc822" if node.kind is Kind.MESSAGE else kind.media if kind else "text/plain"
    if node.overflow:
        media = "application/octet-stream"
    return Part(
        node.start,
        node.body_start,
        node.end,
        node.lines,
        media,
        decoded_params(kind.params) if kind and kind.params else {},
        content.encoding,
        content.disposition,
        content.filename,
        content.content_id,
        [to_part(child) for child in node.children] if node.children else [],
        node.envelope,
    )
