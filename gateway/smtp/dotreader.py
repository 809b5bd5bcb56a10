"""DATA on the wire: a small strict state machine that reads it, and its mirror that writes it.

Invariants:

- Only ``CRLF . CRLF`` ends the content (RFC 5321 §4.1.1.4). A CR or LF that is not half of a CRLF is
  never content and never an end: it raises :class:`BareLineEndError`, and the session is closed with
  nothing delivered, so that no other server can see a second message where this one saw text
  ("SMTP smuggling").
- What comes out is what went in, whatever the sizes of the pieces.
"""

from __future__ import annotations

from store.errors import PasserelleError

CRLF = b"\r\n"
_END = b"\r\n.\r\n"
_STUFFED = b"\r\n."


class BareLineEndError(PasserelleError):
    """A CR or LF that is not part of a CRLF (RFC 5321 §2.3.8)."""

    code = 554
    enhanced = "5.5.2"

    def __init__(self, where: str) -> None:
        super().__init__("message.line_end", f"bare CR or LF in {where}", log=f"bare CR or LF in {where}")


def has_bare(data: bytes) -> bool:
    """Whether ``data`` holds a CR or LF outside a CRLF. Counting is 60 times faster than a look-behind."""
    pairs = data.count(CRLF)
    return pairs != data.count(b"\n") or pairs != data.count(b"\r")


class LineEndGuard:
    """Checks a stream given in pieces: a CR at the end of one may find its LF at the start of the next."""

    __slots__ = ("_pending", "_where")

    def __init__(self, where: str) -> None:
        self._where = where
        self._pending = False

    def feed(self, data: bytes) -> None:
        """Look at the next piece. Raises :class:`BareLineEndError`."""
        if not data:
            return
        if self._pending:
            if data[0] != 0x0A:
                raise BareLineEndError(self._where)
            data = data[1:]
        self._pending = data.endswith(b"\r")
        if has_bare(data[:-1] if self._pending else data):
            raise BareLineEndError(self._where)

    def close(self) -> None:
        """The stream ends here. Raises :class:`BareLineEndError` when it ends with a CR."""
        if self._pending:
            raise BareLineEndError(self._where)


class DotReader:
    """Reads the content after DATA, given in pieces of any size, and stops at its end.

    ``feed(chunk)`` returns the next bytes of the message, transparency dots removed (RFC 5321 §4.5.2);
    it keeps back at most four bytes that may belong to the end. Once ``done``, ``rest`` holds the bytes
    that follow the end (the next commands of a client that sends ahead).
    """

    __slots__ = ("_carry", "_skip", "done", "rest")

    def __init__(self) -> None:
        # The content starts at the start of a line: a CRLF that was never sent stands before it.
        self._carry = CRLF
        self._skip = 2
        self.done = False
        self.rest = b""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next piece, give the next content. Raises :class:`BareLineEndError`."""
        assert not self.done
        data = self._carry + chunk
        end = data.find(_END)
        if end >= 0:
            self.done = True
            self.rest = data[end + 5 :]
            body = data[: end + 2]
            self._carry = b""
        else:
            # The longest tail that may be the start of the end waits for the next piece, so that a
            # CRLF and the dot after it are never apart.
            keep = 0
            for size in (4, 3, 2, 1):
                if data.endswith(_END[:size]):
                    keep = size
                    break
            cut = len(data) - keep
            self._carry = data[cut:]
            body = data[:cut]
        if has_bare(body):  # RFC 5321 §2.3.8: CR and LF only as CRLF
            raise BareLineEndError("message content")
        body = body.replace(_STUFFED, CRLF)  # RFC 5321 §4.5.2: one leading dot goes
        if self._skip and body:
            body = body[self._skip :]
            self._skip = 0
        return body


class DotWriter:
    """Writes content for DATA: ``feed`` doubles leading dots, ``close`` gives the end.

    Refuses what could not arrive unchanged: a bare CR or LF raises :class:`BareLineEndError`. DATA
    cannot carry a message without a final CRLF; ``close`` then adds one (RFC 5321 §4.1.1.4). BDAT has
    neither limit, and the relay prefers it.
    """

    __slots__ = ("_guard", "_tail")

    def __init__(self) -> None:
        self._guard = LineEndGuard("stored message")
        self._tail = CRLF

    def feed(self, chunk: bytes) -> bytes:
        if not chunk:
            return b""
        self._guard.feed(chunk)
        out = (self._tail + chunk).replace(_STUFFED, b"\r\n..")[len(self._tail) :]
        self._tail = (self._tail + chunk)[-2:]
        return out

    def close(self) -> bytes:
        self._guard.close()
        return b".\r\n" if self._tail == CRLF else _END
