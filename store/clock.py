"""Time and identifiers, in the two shapes that the tables use."""

from __future__ import annotations

import itertools
import os
import time

_EPOCH_MS = 1_577_836_800_000  # 2020-01-01T00:00:00Z: leaves 41 bits of milliseconds until 2089
_sequence = itertools.count(int.from_bytes(os.urandom(3), "big"))
_salt = int.from_bytes(os.urandom(1), "big")


def now_ms() -> int:
    """The present, in milliseconds since 1970-01-01T00:00:00Z."""
    return time.time_ns() // 1_000_000


def new_id() -> int:
    """A new 63-bit identifier, nearly ordered by time: 41 bits of ms, 6 of process, 16 of sequence."""
    return (
        ((now_ms() - _EPOCH_MS) << 22) | (((os.getpid() ^ _salt) & 0x3F) << 16) | (next(_sequence) & 0xFFFF)
    )
