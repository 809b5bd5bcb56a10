"""Statements of the hot path: written in SQLAlchemy Core, compiled once, run without its machinery.

On SQLite, executing a Core statement costs ten times what SQLite itself needs. A :class:`Prepared`
keeps the compiled text and the order of its parameters and hands them to the driver; on any other
database it executes the Core statement as usual. Rows are plain tuples in the order of the columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import Dialect

_SQLITE: Dialect = sqlite.dialect()


class Prepared:
    """One statement whose only variables are named ``bindparam``s; no IN lists.

    Booleans come back as 0 and 1 from SQLite: convert them where it matters.
    """

    __slots__ = ("_constants", "_names", "_sql", "statement")

    def __init__(self, statement: Any) -> None:
        self.statement: Any = statement
        self._sql = ""
        self._names: Sequence[str] = ()
        self._constants: dict[str, Any] = {}

    def _compile(self) -> None:
        compiled: Any = self.statement.compile(dialect=_SQLITE)
        self._names = tuple(compiled.positiontup or ())
        self._constants = {name: value for name, value in compiled.params.items() if value is not None}
        self._sql = str(compiled)

    def _values(self, parameters: Mapping[str, Any]) -> list[Any]:
        if not self._constants:
            return [parameters[name] for name in self._names]
        constants = self._constants
        return [parameters[name] if name in parameters else constants[name] for name in self._names]

    def _raw(self, conn: Connection) -> Any:
        if not self._sql:
            self._compile()
        return conn.connection.dbapi_connection

    def all(self, conn: Connection, parameters: Mapping[str, Any]) -> list[Any]:
        """Every row."""
        if conn.dialect.name != "sqlite":
            return list(conn.execute(self.statement, dict(parameters)).all())
        rows: list[Any] = self._raw(conn).execute(self._sql, self._values(parameters)).fetchall()
        return rows

    def first(self, conn: Connection, parameters: Mapping[str, Any]) -> Any:
        """The first row or None; a statement that changes and returns has run to its end."""
        rows = self.all(conn, parameters)
        return rows[0] if rows else None

    def run(self, conn: Connection, parameters: Mapping[str, Any]) -> None:
        """Execute without looking at rows."""
        if conn.dialect.name != "sqlite":
            conn.execute(self.statement, dict(parameters))
        else:
            self._raw(conn).execute(self._sql, self._values(parameters))
