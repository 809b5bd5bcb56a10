"""Reads a raw message once, as it comes, and makes its index.

Only offsets, counts and header blocks are kept, so memory does not grow with the message; a body is looked at
by `bytes.find` and `bytes.count` alone. CRLF and bare LF both end a line, and octets are counted as they are.
"""

from __future__ import annotations

from enum import Enum

from gateway.message.boundaries import NEED_MORE, WINDOW, Boundaries, Match, NeedMore
from gateway.message.envelope import Envelope, build_envelope
from gateway.message.facts import build_facts
from gateway.message.headers import Fields, read_fields
from gateway.message.mime import read_content
from gateway.message.structure import Kind, Node, to_part, write_structures
from gateway.message.types import (
    ADDRESS_LIMIT,
    DEPTH_LIMIT,
    HEADER_LIMIT,
    PART_LIMIT,
    MessageIndex,
)

Buffer = bytes | bytearray


class _State(Enum):
    HEADER = 1
    BODY = 2
    BOUNDARY = 3  # the rest of a boundary line


class Indexer:
    """A push parser: `feed` the message in chunks of any size, then `close` for its index.

    The index does not depend on how the message was cut. No input is refused; what cannot be read is told by
    `MessageIndex.defects`. One use only.
    """

    def __init__(self) -> None:
        self._pending = bytearray()
        self._base = 0  # offset in the message of what is being looked at
        self._state = _State.HEADER
        self._root = Node(0, 0)
        self._open = [self._root]
        self._boundaries = Boundaries()
        self._parts = 1
        self._lines = 0
        self._counted = 0  # offset up to which line ends are counted
        self._at_line_start = True
        self._searched = 0  # offset from which the end of the header is still to be looked for
        self._cut_block: bytes | None = None
        self._room = HEADER_LIMIT
        self._addresses = ADDRESS_LIMIT
        self._header = b""
        self._fields: Fields = {}
        self._envelope: Envelope | None = None
        self._defects: list[str] = []
        self._nuls = self._eight_bit = False

    # -- what callers use

    def feed(self, chunk: bytes) -> None:
        """Takes the next octets of the message."""
        if not chunk:
            return
        if not self._eight_bit and not chunk.isascii():
            self._eight_bit = True
        if not self._nuls and b"\0" in chunk:
            self._nuls = True
        pending = self._pending
        if pending:
            pending += chunk
            used = self._run(pending, final=False)
            del pending[:used]
        else:
            used = self._run(chunk, final=False)
            if used < len(chunk):
                pending += chunk[used:] if used else chunk
        self._base += used

    def close(self) -> MessageIndex:
        """The index of all that was fed. Its cost grows with the headers, not with the message: beyond 64 KiB
        of headers it may take tens of milliseconds."""
        data = bytes(self._pending)
        self._base += self._run(data, final=True)
        size = self._base
        for node in self._open:
            node.end = size
            node.lines = self._lines - node.seen
        if self._boundaries.texts:
            self._note("boundary.open")
        root = self._root
        part = to_part(root)
        envelope = self._envelope or build_envelope({}, 0)
        bodystructure, body = write_structures(root)
        return MessageIndex(
            size,
            root.body_start,
            self._header,
            self._lines,
            part,
            envelope.wire,
            bodystructure,
            body,
            build_facts(self._fields, envelope, part, max(self._addresses, 0)),
            self._defects,
            self._nuls,
            self._eight_bit,
        )

    # -- the machine: each step takes the place reached in `data` and gives the next one; to wait for more it
    # gives -1 - n, where n is how far `data` is done with

    def _run(self, data: Buffer, *, final: bool) -> int:
        place = 0
        while True:
            if self._state is _State.HEADER:
                reached = self._read_header(data, place, final)
            elif place >= len(data):
                break
            elif self._state is _State.BODY:
                reached = self._read_body(data, place, final)
            else:
                reached = self._read_boundary_line(data, place)
            if reached < 0:
                place = -1 - reached
                break
            place = reached
        self._count_lines(data, place)
        return place

    def _count_lines(self, data: Buffer, place: int) -> None:
        self._lines += data.count(b"\n", self._counted - self._base, place)
        self._counted = self._base + place

    def _match(self, data: Buffer, place: int, final: bool) -> Match | NeedMore | None:
        return self._boundaries.match(bytes(data[place : place + WINDOW]), final=final)

    def _searching(self) -> bool:
        return bool(self._boundaries.texts) and self._parts < PART_LIMIT

    def _find_boundary(self, data: Buffer, place: int, limit: int, final: bool) -> tuple[int, Match | None]:
        """The first boundary line after a line end in data[place:limit]: the offset of that LF, and the
        match. Without a match, -1, or the LF from which to look again when more has come."""
        needle = self._boundaries.needle
        found = data.find(needle, place, limit)
        while found >= 0:
            match = self._match(data, found + 1, final)
            if isinstance(match, Match):
                return found, match
            if match is NEED_MORE:
                return found, None
            found = data.find(needle, found + 1, limit)
        if final or limit < len(data):
            return -1, None
        # a needle may have begun in the last octets
        last = data.rfind(b"\n", max(place, limit - len(needle) + 1), limit)
        return (last, None) if last >= 0 and needle.startswith(data[last:limit]) else (-1, None)

    def _read_body(self, data: Buffer, place: int, final: bool) -> int:
        end = len(data)
        if not self._searching():
            return end
        if self._at_line_start:
            match = self._match(data, place, final)
            if match is NEED_MORE:
                return -1 - place
            self._at_line_start = False
            if isinstance(match, Match):
                return self._enter_boundary(data, place, place, match)
        found, match = self._find_boundary(data, place, end, final)
        if found >= 0:
            start = found - 1 if found > place and data[found - 1] == 0x0D else found
            if match is None:
                return -1 - start
            return self._enter_boundary(data, start, found + 1, match)
        if not final and data[end - 1] == 0x0D:  # it may belong to a boundary
            return -end
        return end

    def _enter_boundary(self, data: Buffer, start: int, line: int, match: Match) -> int:
        """A boundary whose line end is at `start` and whose dashes are at `line`: what it ends is closed."""
        self._count_lines(data, start)
        depth = self._boundaries.depths[match.place]
        while len(self._open) - 1 > depth:
            node = self._open.pop()
            node.end = self._base + start
            node.lines = self._lines - node.seen
        self._boundaries.cut(match.place if match.closing else match.place + 1)
        self._state = _State.BOUNDARY
        return line

    def _read_boundary_line(self, data: Buffer, place: int) -> int:
        stop = data.find(b"\n", place)
        if stop < 0:
            return len(data)
        top = self._open[-1]
        self._at_line_start = True
        if self._boundaries.depths and self._boundaries.depths[-1] == top.depth:
            self._start_part(self._base + stop + 1)
        else:
            self._state = _State.BODY  # the epilogue
        return stop + 1

    # -- headers

    def _start_part(self, offset: int) -> None:
        parent = self._open[-1]
        node = Node(offset, parent.depth + 1)
        parent.children.append(node)
        self._open.append(node)
        self._parts += 1
        if self._parts == PART_LIMIT:
            self._note("parts.limit")
        self._state = _State.HEADER
        self._at_line_start = True
        self._searched = offset
        self._cut_block = None

    def _read_header(self, data: Buffer, place: int, final: bool) -> int:
        """Looks for the blank line, or the boundary, that ends the header of the innermost part. Until then
        nothing of it is consumed, unless it is too long to keep."""
        end = len(data)
        searching = self._searching()
        if self._at_line_start:
            if searching:
                match = self._match(data, place, final)
                if match is NEED_MORE:
                    return -1 - place
                if isinstance(match, Match):
                    return self._end_header(data, place, place, place, place, match)
            first = bytes(data[place : place + 2])
            if first.startswith(b"\n"):
                return self._end_at_blank(data, place, place, place + 1, final)
            if first == b"\r\n":
                return self._end_at_blank(data, place, place, place + 2, final)
            if not final and first in (b"", b"\r"):
                return -1 - place
            self._at_line_start = False
        begin = max(self._searched - self._base, place)
        blank = data.find(b"\n\r\n", begin)
        short = data.find(b"\n\n", begin, blank if blank >= 0 else end)
        stop, after = (short, short + 2) if short >= 0 else (blank, blank + 3)
        again = max(begin, end - 2)
        if searching:
            found, match = self._find_boundary(data, begin, stop + 1 if stop >= 0 else end, final)
            if match is not None:
                start = found - 1 if found > place and data[found - 1] == 0x0D else found
                return self._end_header(data, place, start, start, found + 1, match)
            if stop < 0 and found >= 0:
                again = min(again, found)
        if stop >= 0:
            self._searched = self._base + stop
            return self._end_at_blank(data, place, stop + 1, after, final)
        if final:
            self._note("header.open")
            return self._end_header(data, place, end, end, -1, None)
        self._searched = self._base + again
        if self._cut_block is None:
            if end - place <= self._room:
                return -1 - place
            self._cut_block = bytes(data[place : place + self._room])
        # too long to keep: only what may end it is held back
        return -1 - max(place, again - 1)

    def _end_at_blank(self, data: Buffer, place: int, blank: int, after: int, final: bool) -> int:
        """The blank line is data[blank:after]. When a boundary of an outer multipart comes next, the blank
        line is the line end that belongs to it, and the part has no body (RFC 2046 §5.1.1 body-part)."""
        if self._searching() and self._match(data, after, final) is NEED_MORE:
            return -1 - place
        return self._end_header(data, place, blank, after, after, None)

    def _end_header(
        self, data: Buffer, start: int, blank: int, stop: int, line: int, match: Match | None
    ) -> int:
        """The header of the innermost part is data[start:stop]; its blank line, if any, is data[blank:stop].
        What follows is at `line`: the boundary that ended the header when there is a `match`, the body
        otherwise, -1 when nothing does. Decides what the part is, and what is read next."""
        block = self._cut_block
        if block is None:
            block = bytes(data[start : min(stop, start + self._room)])
        node = self._open[-1]
        if node.start + len(block) < self._base + stop:
            self._note("header.limit")
        self._room -= len(block)
        self._cut_block = None
        searching = self._searching()
        self._classify(node, block, bounded=blank < stop)
        if searching and blank < stop:
            found = self._match(data, stop, True)
            if isinstance(found, Match) and self._boundaries.depths[found.place] != node.depth:
                stop, match = blank, found
        self._count_lines(data, stop)
        node.body_start = self._base + stop
        node.seen = self._lines
        self._state = _State.BODY
        self._at_line_start = True
        if node.kind is Kind.MESSAGE:
            self._start_part(node.body_start)
            if match is not None:  # an inner message without any octet
                self._end_header(data, stop, stop, stop, -1, None)
        return stop if match is None else self._enter_boundary(data, stop, line, match)

    def _classify(self, node: Node, block: bytes, *, bounded: bool) -> None:
        """Reads the header `block` of `node`; `bounded` when the blank line was seen, without which there is
        no body to look for parts in."""
        parent = self._open[-2] if len(self._open) > 1 else None
        fields = read_fields(block) if block else {}
        if parent is None:
            self._header, self._fields = block, fields
        if parent is None or parent.kind is Kind.MESSAGE:
            envelope = build_envelope(fields, max(self._addresses, 0))
            self._addresses -= envelope.total()
            if self._addresses <= 0:
                self._note("addresses.limit")
            if parent is None:
                self._envelope = envelope
            else:
                parent.envelope = envelope.wire
            is_mime = b"content-type" in fields or b"mime-version" in fields
        else:
            is_mime = True
        if is_mime and fields:
            node.content = read_content(fields)
        self._choose_kind(node, parent, bounded)

    def _choose_kind(self, node: Node, parent: Node | None, bounded: bool) -> None:
        typed = node.content.type
        deep = node.depth + 1 >= DEPTH_LIMIT
        if typed is None:
            # RFC 2046 §5.1.5: within a digest the default is message/rfc822
            node.kind = Kind.MESSAGE if parent is not None and parent.digest else Kind.TEXT
        elif typed.kind.lower() == b"text":
            node.kind = Kind.TEXT
        elif typed.media == "message/rfc822":
            node.kind = Kind.MESSAGE
        elif typed.kind.lower() == b"multipart":
            node.kind = Kind.MULTIPART if typed.subtype else Kind.LEAF
            node.overflow = not typed.subtype
        else:
            node.kind = Kind.LEAF
        if node.kind is Kind.MESSAGE:
            if deep or self._parts >= PART_LIMIT:
                self._give_up(node)
        elif node.kind is Kind.MULTIPART and typed is not None:
            self._open_multipart(node, typed.boundary(), typed.media, deep, bounded)

    def _open_multipart(
        self, node: Node, boundary: bytes | None, media: str, deep: bool, bounded: bool
    ) -> None:
        node.digest = media == "multipart/digest"
        if boundary is None:
            self._note("boundary.missing")
        elif bounded and deep:
            self._give_up(node)
        elif bounded:
            self._boundaries.push(boundary, node.depth)

    def _give_up(self, node: Node) -> None:
        """Too deep or too many: what it holds stays opaque."""
        node.kind = Kind.LEAF
        node.overflow = True
        self._note("depth.limit" if node.depth + 1 >= DEPTH_LIMIT else "parts.limit")

    def _note(self, defect: str) -> None:
        if defect not in self._defects:
            self._defects.append(defect)
