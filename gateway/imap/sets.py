"""Sequence sets (RFC 3501 §9 sequence-set): parsing, resolving against a view, printing."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.imap.errors import BadError

STAR = 0
"""``*`` inside a range; no message number or UID is ever zero."""

MAX_NUMBER = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """Ranges as written, each (low, high); :data:`STAR` stands for ``*``."""

    ranges: tuple[tuple[int, int], ...]

    def bounds(self, largest: int) -> list[tuple[int, int]]:
        """The ranges with ``*`` replaced, low first, sorted and merged."""
        fixed = []
        for first, second in self.ranges:
            low, high = first or largest, second or largest
            fixed.append((low, high) if low <= high else (high, low))
        fixed.sort()
        merged: list[tuple[int, int]] = []
        for low, high in fixed:
            if merged and low <= merged[-1][1] + 1:
                if high > merged[-1][1]:
                    merged[-1] = (merged[-1][0], high)
            else:
                merged.append((low, high))
        return merged

    def numbers(self, count: int) -> list[int]:
        """Message numbers, ascending, in a folder whose client knows ``count`` messages.

        Raises :class:`BadError` for a number beyond (RFC 3501 §2.3.1.2: numbers are 1 to EXISTS).
        """
        out: list[int] = []
        for low, high in self.bounds(count):
            if low < 1 or high > count:
                raise BadError("There is no message with that number")
            out.extend(range(low, high + 1))
        return out

    def positions(self, uids: Sequence[int]) -> list[int]:
        """Indexes into the ascending ``uids`` of the UIDs in the set; absent ones are passed over."""
        if not uids:
            return []
        out: list[int] = []
        for low, high in self.bounds(uids[-1]):
            out.extend(range(bisect_left(uids, low), bisect_right(uids, high)))
        return out


def compress(numbers: Iterable[int]) -> str:
    """Numbers in the order given as a sequence set; runs of successors become ranges."""
    out: list[str] = []
    start = end = -1
    for number in numbers:
        if number == end + 1 and start >= 0:
            end = number
            continue
        if start >= 0:
            out.append(f"{start}:{end}" if end > start else str(start))
        start = end = number
    if start >= 0:
        out.append(f"{start}:{end}" if end > start else str(start))
    return ",".join(out)
