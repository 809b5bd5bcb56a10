"""Time and identifiers, in the two shapes that the tables use."""

from __future__ import annotations

import os
import threading
import time

_EPOCH_MS = 1_577_836_800_000  # 2020-01-01T00:00:00Z: leaves 41 bits of milliseconds until 2089
_sequence = int.from_bytes(os.urandom(2), "big")
_salt = int.from_bytes(os.urandom(1), "big")
_last = 0
_lock = threading.Lock()


def now_ms() -> int:
    """The present, in milliseconds since 1970-01-01T00:00:00Z."""
    return time.time_ns() // 1_000_000


def new_id() -> int:
    """A new 63-bit identifier: 41 bits of ms, 6 of process, 16 of sequence; in a process they only grow."""
    global _sequence, _last
    with _lock:
        _sequence = (_sequence + 1) & 0xFFFF
        made = ((now_ms() - _EPOCH_MS) << 22) | (((os.getpid() ^ _salt) & 0x3F) << 16) | _sequence
        if made <= _last:  # the clock stood still while the sequence began anew, or went back
            made = _last + 1
        _last = made
        return made
