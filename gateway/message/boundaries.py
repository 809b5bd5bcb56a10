"""The boundaries that are open while a message is read (RFC 2046 §5.1.1)."""

from __future__ import annotations

from typing import NamedTuple

from gateway.message.types import BOUNDARY_LIMIT

# What must be at hand of a line to judge it: two dashes, a boundary, two dashes, a line end.
WINDOW = 2 + BOUNDARY_LIMIT + 2 + 2


class Match(NamedTuple):
    """A boundary line: which of the open boundaries, and whether it closes it."""

    place: int
    closing: bool


class NeedMore:
    """The answer when the line may be a boundary but has not all come yet."""


NEED_MORE = NeedMore()


class Boundaries:
    """A stack of (boundary, depth of its multipart), innermost last."""

    __slots__ = ("_by_text", "_lengths", "depths", "needle", "texts")

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.depths: list[int] = []
        self.needle = b"\n--"  # every boundary line starts with it
        self._by_text: dict[bytes, int] = {}
        self._lengths: list[int] = []

    def push(self, text: bytes, depth: int) -> None:
        self.texts.append(text[:BOUNDARY_LIMIT])
        self.depths.append(depth)
        self._refresh()

    def cut(self, size: int) -> None:
        """Forgets all but the outer `size` boundaries."""
        if len(self.texts) > size:
            del self.texts[size:], self.depths[size:]
            self._refresh()

    def _refresh(self) -> None:
        self.needle = b"\n--" + _common_start(self.texts)
        self._by_text = {text: place for place, text in enumerate(self.texts)}
        self._lengths = sorted({len(text) for text in self.texts}, reverse=True)

    def match(self, window: bytes, *, final: bool) -> Match | NeedMore | None:
        """Judges the line that starts `window`: WINDOW octets, or all there are (`final` when no more come).

        It is enough that the line starts with the boundary, whatever follows. Of several that fit the longest
        is meant, the innermost of equals; "x--" closes an inner "x" rather than opens an outer "x--".
        """
        if not window.startswith(b"--"):
            return NEED_MORE if not final and window in (b"", b"-") else None
        stop = window.find(b"\n")
        if stop < 0 and len(window) < WINDOW and not final:
            return NEED_MORE
        line = window[2:] if stop < 0 else window[2:stop].removesuffix(b"\r")
        best = -1
        for length in self._lengths:
            if length <= len(line):
                best = self._by_text.get(line[:length], -1)
                if best >= 0:
                    break
        if best < 0:
            return None
        if stop >= 0 and len(line) > 2 and line.endswith(b"--"):
            best = max(best, self._by_text.get(line[:-2], -1))
        size = len(self.texts[best])
        return Match(best, line[size : size + 2] == b"--")


def _common_start(texts: list[bytes]) -> bytes:
    if not texts:
        return b""
    low, high = min(texts), max(texts)
    for place, octet in enumerate(low):
        if high[place] != octet:
            return low[:place]
    return low
