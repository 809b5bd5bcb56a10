"""Change notices over PostgreSQL's LISTEN and NOTIFY: every node hears every node."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from store.operations import Notice

_CHANNEL = "passerelle"
_MAX_NOTICES = 150  # one payload is at most 8000 bytes


class PostgresNotices:
    """Announces commits and listens to those of all nodes, itself included."""

    def __init__(self, url: str, sink: Callable[[list[Notice]], None]) -> None:
        engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._sink = sink
        self._stopping = False
        self._sender: Any = engine.raw_connection()
        self._receiver: Any = engine.raw_connection()
        listener: Any = self._receiver.driver_connection
        listener.execute(f"LISTEN {_CHANNEL}")
        self._thread = threading.Thread(target=self._listen, name="store-notices", daemon=True)
        self._thread.start()

    def announce(self, notices: list[Notice]) -> None:
        for start in range(0, len(notices), _MAX_NOTICES):
            payload = msgspec.json.encode(notices[start : start + _MAX_NOTICES]).decode()
            self._sender.driver_connection.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, payload))

    def _listen(self) -> None:
        while not self._stopping:
            for notice in self._receiver.driver_connection.notifies(timeout=0.2):
                self._sink(msgspec.json.decode(notice.payload, type=list[Notice]))

    def close(self) -> None:
        self._stopping = True
        self._thread.join(timeout=5)
        for connection in (self._sender, self._receiver):
            with contextlib.suppress(Exception):
                connection.close()
