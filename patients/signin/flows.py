"""What somebody has begun and not ended: kept sealed under a digest of its token, for a few minutes.

The functions are parts of operations: only the one writer moves a flow, so a step is never taken twice.
"""

from __future__ import annotations

from typing import Final, Literal, TypeVar

import msgspec
from sqlalchemy import delete, select, update

from patients.signin.keys import seal, tag, unseal
from patients.signin.tables import flow
from store import Tx

Kind = Literal["activation", "sign-in", "step-up", "contact", "passkey-new", "passkey", "federated"]
S = TypeVar("S", bound=msgspec.Struct)
MINUTE_MS: Final = 60_000


def flow_tag(tx: Tx, token: str) -> bytes:
    """The key of a flow's row."""
    return tag(tx.home, "flow", token)


def begin(tx: Tx, token: str, kind: Kind, state: msgspec.Struct, lifetime_ms: int) -> None:
    """Keep a new flow."""
    key = flow_tag(tx, token)
    tx.conn.execute(
        flow.insert().values(
            flow_tag=key,
            kind=kind,
            sealed=seal(tx.home, key, msgspec.msgpack.encode(state)),
            created_at=tx.now,
            expires_at=tx.now + lifetime_ms,
        )
    )


def load(tx: Tx, token: str, kind: Kind, of: type[S]) -> S | None:
    """The state of a flow; None when there is none, it is of another kind, or it has ended."""
    key = flow_tag(tx, token)
    statement = select(flow.c.sealed).where(
        flow.c.flow_tag == key,
        flow.c.kind == kind,
        flow.c.created_at <= tx.now,
        flow.c.expires_at > tx.now,
    )
    # with PostgreSQL every node has a writer: the row is held until the step is done
    sealed = tx.conn.scalar(statement.with_for_update())
    return None if sealed is None else msgspec.msgpack.decode(unseal(tx.home, key, sealed), type=of)


def save(tx: Tx, token: str, state: msgspec.Struct) -> None:
    """Keep the state that a flow has now; its end stays."""
    key = flow_tag(tx, token)
    sealed = seal(tx.home, key, msgspec.msgpack.encode(state))
    tx.conn.execute(update(flow).where(flow.c.flow_tag == key).values(sealed=sealed))


def end(tx: Tx, token: str) -> None:
    """Forget a flow."""
    tx.conn.execute(delete(flow).where(flow.c.flow_tag == flow_tag(tx, token)))


def take(tx: Tx, token: str, kind: Kind, of: type[S]) -> S | None:
    """The state of a flow, which is thereby over: what it holds is used once."""
    state = load(tx, token, kind, of)
    end(tx, token)
    return state
