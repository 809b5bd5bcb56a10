"""Provisional codes: what the notice, or a message at the first sign-in, brings a person to prove he got it.

A code has twelve characters of an alphabet without look-alikes, 59 random bits. Only its HMAC is kept, under
a key derived from the home's master key: a copied table alone answers no guess, and checking costs
microseconds, so that a campaign can make a million. Each code ends by its date, by being used, or after
:data:`MOST_FAILURES` wrong guesses.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from sqlalchemy import bindparam, delete, select, update

from patients.tables import provisional_code
from store import Bulk, Tx, key_file_passphrase

#: ``notice``: told by the campaign's letter or mail. ``entry``: sent at the first sign-in.
Purpose = Literal["notice", "entry"]
ALPHABET: Final = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
LENGTH: Final = 12
MOST_FAILURES: Final = 10
DAY_MS: Final = 86_400_000
#: How long the code of a notice is good: the six weeks, and as long again.
NOTICE_CODE_MS: Final = 90 * DAY_MS

_columns: Final = ("ins", "purpose", "hash", "created_at", "expires_at", "failures")
_insert: Final = Bulk(provisional_code, [provisional_code.c[name] for name in _columns])


class HashedCode(NamedTuple):
    """What is kept of a code."""

    ins: str
    hash: bytes


def random_code() -> str:
    """A new code as it is written: ``"ABCD-EFGH-JKMN"``."""
    number, letters = secrets.randbelow(len(ALPHABET) ** LENGTH), ""
    for _ in range(LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        letters += ALPHABET[digit]
    return "-".join(letters[place : place + 4] for place in range(0, LENGTH, 4))


def hashed_code(home: Path, ins: str, code: str, purpose: Purpose = "notice") -> bytes:
    """What is kept of ``code`` (any case; blanks and hyphens do not count) for ``ins``.

    Raises :class:`StoreError` when the home's master key cannot be read.
    """
    bare = "".join(letter for letter in code if letter not in " -\u00a0").upper()
    said = f"{purpose}\0{ins}\0{bare}".encode("utf-8", "surrogatepass")
    return hmac.new(_key(home), said, hashlib.sha256).digest()


def new_provisional_code(
    tx: Tx, ins: str, *, purpose: Purpose = "notice", lifetime_ms: int = NOTICE_CODE_MS
) -> str:
    """Make a code for ``ins`` in place of the one of the same purpose; part of an operation.

    Returns the code, which cannot be had again.
    """
    code = random_code()
    keep_codes(tx, [HashedCode(ins, hashed_code(tx.home, ins, code, purpose))], lifetime_ms, purpose)
    return code


def keep_codes(tx: Tx, codes: Sequence[HashedCode], lifetime_ms: int, purpose: Purpose = "notice") -> None:
    """Keep the hashes of new codes (each INS once, some hundred), in place of the older ones."""
    forget_codes(tx, [code.ins for code in codes], purpose)
    rows = [(code.ins, purpose, code.hash, tx.now, tx.now + lifetime_ms, 0) for code in codes]
    _insert.run(tx.conn, rows)


def check_provisional_code(tx: Tx, ins: str, code: str, *, purpose: Purpose = "notice") -> bool:
    """Whether ``code`` is the good one of ``ins``; a wrong guess is counted. Part of an operation.

    The code stays good until :func:`forget_codes`, which activation and objection call. Unknown persons,
    ended codes and wrong ones cost the same and give the same answer.
    """
    given = hashed_code(tx.home, ins, code, purpose)
    row = tx.conn.execute(
        select(provisional_code.c.hash, provisional_code.c.expires_at, provisional_code.c.failures).where(
            provisional_code.c.ins == ins, provisional_code.c.purpose == purpose
        )
    ).one_or_none()
    kept, expires_at, failures = row or (bytes(32), 0, 0)
    good = hmac.compare_digest(given, kept) and tx.now < expires_at and failures < MOST_FAILURES
    if not good:
        tx.conn.execute(
            update(provisional_code)
            .where(provisional_code.c.ins == ins, provisional_code.c.purpose == purpose)
            .values(failures=provisional_code.c.failures + 1)
        )
    return good


def forget_codes(tx: Tx, persons: Sequence[str], purpose: Purpose | None = None) -> None:
    """Drop the codes of some persons (some hundred), of one purpose or of all; part of an operation."""
    statement = delete(provisional_code).where(
        provisional_code.c.ins.in_(bindparam("persons", expanding=True))
    )
    if purpose is not None:
        statement = statement.where(provisional_code.c.purpose == purpose)
    tx.conn.execute(statement, {"persons": list(persons)})


@functools.lru_cache(maxsize=8)
def _key(home: Path) -> bytes:
    return hmac.new(key_file_passphrase(home), b"passerelle: provisional codes", hashlib.sha256).digest()
