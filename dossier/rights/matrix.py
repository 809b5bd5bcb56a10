"""The habilitation matrix: which profession reads which class of documents, and which part of the record.

A row is a profession (code of G15, or of a role), an item and its rights. The item is a class of JDV_J57
(``10``), a type within a class that is judged apart (``95/ATTEST-RESID``), or a part that is no document
(``profile``, ``vaccinations``, ``wishes``, ``measures``). The rights are ``read``, ``read+add`` (vaccinations
only) or ``none``. What has no row is not open: neither an unknown profession nor an unknown class.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Connection, select

from dossier.rights.matrix_rows import Habilitation, parse
from dossier.rights.matrix_tables import habilitation, habilitation_version

DEFAULT_FILE: Final = Path(__file__).parents[1] / "data" / "habilitations.csv"
_KEPT: Final = 8  # matrices kept in memory
_held: Final[dict[tuple[int, bytes], Matrix]] = {}


class MatrixVersion(msgspec.Struct, frozen=True):
    """One import: ``at`` in ms, ``source`` the file's name. Version 0 is the one shipped with the product."""

    version: int
    at: int
    actor: str
    source: str
    sha256: bytes
    row_count: int


class Matrix(msgspec.Struct, frozen=True):
    """A matrix in use: rights by (profession, item)."""

    version: int
    rights: dict[tuple[str, str], str]

    def opens(self, profession: str, class_code: str, type_code: str) -> bool:
        """Whether a profession reads documents of a class and type; a row on the type goes before."""
        found = self.rights.get((profession, f"{class_code}/{type_code}"))
        if found is None:
            found = self.rights.get((profession, class_code), "none")
        return found != "none"

    def reads(self, profession: str, part: str) -> bool:
        """Whether a profession reads ``profile``, ``vaccinations``, ``wishes`` or ``measures``."""
        return self.rights.get((profession, part), "none") != "none"

    def adds(self, profession: str, part: str) -> bool:
        """Whether a profession adds to a part."""
        return self.rights.get((profession, part), "none") == "read+add"


def matrix_of(version: int, rows: Iterable[Habilitation]) -> Matrix:
    """A matrix from its rows."""
    return Matrix(version, {(one.profession, one.item): one.rights for one in rows})


def digest_of(rows: Iterable[Habilitation]) -> bytes:
    """SHA-256 of rows, whatever order they came in."""
    ordered = sorted(msgspec.structs.astuple(one) for one in rows)
    return hashlib.sha256(msgspec.msgpack.encode(ordered)).digest()


@cache
def default_rows() -> tuple[Habilitation, ...]:
    """The rows shipped with the product: our conservative reading, not the official table."""
    return tuple(parse(DEFAULT_FILE.read_bytes()))


@cache
def default_version() -> MatrixVersion:
    """The version that holds where nothing was imported."""
    rows = default_rows()
    return MatrixVersion(0, 0, "", DEFAULT_FILE.name, digest_of(rows), len(rows))


def matrix_versions(conn: Connection) -> list[MatrixVersion]:
    """Every version, the newest first, the shipped one last."""
    fields = [habilitation_version.c[name] for name in MatrixVersion.__struct_fields__]
    query = select(*fields).order_by(habilitation_version.c.version.desc())
    return [*(MatrixVersion(*row) for row in conn.execute(query)), default_version()]


def matrix_version(conn: Connection, at: int | None = None) -> MatrixVersion:
    """The version in use, now or at a past moment ``at`` (ms)."""
    fields = [habilitation_version.c[name] for name in MatrixVersion.__struct_fields__]
    query = select(*fields).order_by(habilitation_version.c.version.desc()).limit(1)
    if at is not None:
        query = query.where(habilitation_version.c.at <= at)
    row = conn.execute(query).one_or_none()
    return default_version() if row is None else MatrixVersion(*row)


def matrix_rows(conn: Connection, version: int) -> list[Habilitation]:
    """The rows of a version, by profession and item; none when there is no such version."""
    if version == 0:
        found = list(default_rows())
    else:
        query = select(habilitation.c.profession, habilitation.c.item, habilitation.c.rights)
        found = [Habilitation(*row) for row in conn.execute(query.where(habilitation.c.version == version))]
    return sorted(found, key=msgspec.structs.astuple)


def current_matrix(conn: Connection, at: int | None = None) -> Matrix:
    """The matrix in use, now or at a past moment ``at`` (ms); versions never change, so they are kept."""
    version = matrix_version(conn, at)
    key = (version.version, bytes(version.sha256))
    found = _held.get(key)
    if found is None:
        if len(_held) >= _KEPT:
            _held.clear()
        found = _held[key] = matrix_of(version.version, matrix_rows(conn, version.version))
    return found
