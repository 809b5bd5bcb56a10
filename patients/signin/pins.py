"""One-time codes of six digits: ten minutes, three tries, three sendings. Pure functions over plain data."""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path
from typing import Final, Literal

import msgspec

from patients.signin.keys import tag

DIGITS: Final = 6
PIN_MS: Final = 10 * 60_000
MOST_TRIES: Final = 3
MOST_SENT: Final = 3
Judgement = Literal["right", "wrong", "over"]


class Pin(msgspec.Struct, frozen=True):
    """What is kept of a code: its digest, its end (ms), wrong tries so far, how often one was sent."""

    digest: bytes
    until: int
    tries: int = 0
    sent: int = 1


def new_pin() -> str:
    """Six random digits."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


def keep_pin(home: Path, token: str, digits: str, now: int, sent: int = 1, tries: int = 0) -> Pin:
    """What is kept of ``digits``, good for the flow of ``token`` only."""
    return Pin(_digest(home, token, digits), now + PIN_MS, tries, sent)


def judge_pin(home: Path, token: str, pin: Pin, digits: str, now: int) -> tuple[Judgement, Pin]:
    """Whether ``digits`` (blanks do not count) are the code, and the code after this try.

    ``over``: too late or one try too many, whatever the digits. A right code is over at once.
    """
    if now >= pin.until or pin.tries >= MOST_TRIES:
        return "over", pin
    right = hmac.compare_digest(_digest(home, token, "".join(digits.split())), pin.digest)
    if right:
        return "right", msgspec.structs.replace(pin, until=0)
    return "wrong", msgspec.structs.replace(pin, tries=pin.tries + 1)


def _digest(home: Path, token: str, digits: str) -> bytes:
    return tag(home, "pin", token, digits)
