"""What became of the last attempts to bring a source up to date: kept, so that `doctor` can tell.

A source that fails is tried again sooner than its period, later and later, and never oftener than once
a minute; what was in use before stays in use meanwhile.
"""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Integer, String, Table, Text, select

from store import Tx, metadata, operation, upsert

_MINUTE: Final = 60_000
_FIRST_RETRY: Final = 5 * _MINUTE

refresh = Table(
    "annuaire_refresh",
    metadata,
    Column("source", String(16), primary_key=True),  # whitelist, fhir
    Column("tried_at", BigInteger, nullable=False),
    Column("succeeded_at", BigInteger, nullable=False),  # 0: never
    Column("failures", Integer, nullable=False),  # since the last success
    Column("rule", String(64), nullable=False),
    Column("reason", Text, nullable=False),
)


class RefreshState(msgspec.Struct, frozen=True, kw_only=True):
    """The last attempts at one source. Times in ms; 0: never. ``rule``, ``reason``: why the last failed."""

    source: str
    tried_at: int = 0
    succeeded_at: int = 0
    failures: int = 0
    rule: str = ""
    reason: str = ""

    def due(self, now: int, period: int) -> bool:
        """Whether it is time to try again, with ``period`` ms between two successes."""
        wait = min(period, _FIRST_RETRY << min(self.failures - 1, 16)) if self.failures else period
        # A clock that was set back must not put off the next attempt for ever.
        return not self.tried_at or abs(now - self.tried_at) >= max(wait, _MINUTE)


@operation("annuaire.refreshed")
def refreshed(tx: Tx, *, source: str, rule: str, reason: str) -> int:
    """Write an attempt down; ``rule`` "" when it succeeded. Returns how many failed since a success."""
    held = refresh_state(tx.conn, source)
    failures = held.failures + 1 if rule else 0
    values = {
        "source": source,
        "tried_at": tx.now,
        "succeeded_at": held.succeeded_at if rule else tx.now,
        "failures": failures,
        "rule": rule,
        "reason": reason,
    }
    tx.conn.execute(upsert(refresh, values, keys=["source"]))
    return failures


def refresh_state(conn: Connection, source: str) -> RefreshState:
    """The last attempts at ``source``."""
    row = conn.execute(select(refresh).where(refresh.c.source == source)).one_or_none()
    return RefreshState(source=source) if row is None else RefreshState(**row._mapping)
