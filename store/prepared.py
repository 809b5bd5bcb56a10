"""Statements of the hot path: written in SQLAlchemy Core, compiled once, run without its machinery.

On SQLite, executing a Core statement costs ten times what SQLite itself needs. A :class:`Prepared`
keeps the compiled text and the order of its parameters and hands them to the driver; on any other
database it executes the Core statement as usual. Rows are plain tuples in the order of the columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Column, Connection, Table
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

    def each(self, conn: Connection, parameters: Mapping[str, Any]) -> Iterator[Sequence[Any]]:
        """The rows one by one, for results that do not fit in memory."""
        if conn.dialect.name != "sqlite":
            with conn.execution_options(stream_results=True).execute(
                self.statement, dict(parameters)
            ) as found:
                yield from found
            return
        yield from self._raw(conn).execute(self._sql, self._values(parameters))

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


#: Rows of one INSERT: the lock of the interpreter is let go once for all of them, not once for each.
_BLOCK: Final = 100


class Bulk:
    """INSERT of many rows into ``table``, each a sequence in the order of ``columns``.

    On SQLite a third faster than ``executemany`` and a hundred times fewer waits for the interpreter's
    lock, so that a thread which loads rows does not stand still beside a busy event loop; COPY on PostgreSQL.
    """

    __slots__ = ("_block", "_columns", "_name", "_one")

    def __init__(self, table: Table, columns: Sequence[Column[Any]]) -> None:
        self._name = table.name
        self._columns = ", ".join(f'"{column.name}"' for column in columns)
        marks = "(" + ", ".join("?" * len(columns)) + ")"
        self._one = f"INSERT INTO {self._name} ({self._columns}) VALUES {marks}"  # noqa: S608  # our own names
        self._block = self._one + f", {marks}" * (_BLOCK - 1)

    def run(self, conn: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Insert ``rows`` within the transaction of ``conn``."""
        raw: Any = conn.connection.dbapi_connection
        if conn.dialect.name != "sqlite":
            copy = f"COPY {self._name} ({self._columns}) FROM STDIN"
            with raw.cursor() as cursor, cursor.copy(copy) as stream:
                for row in rows:
                    stream.write_row(row)
            return
        whole = len(rows) - len(rows) % _BLOCK
        for start in range(0, whole, _BLOCK):
            raw.execute(self._block, [value for row in rows[start : start + _BLOCK] for value in row])
        if whole < len(rows):
            raw.executemany(self._one, rows[whole:])
