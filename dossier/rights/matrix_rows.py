"""Rows of the habilitation matrix out of CSV: all of them right, or none taken."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from dossier.codes import find
from dossier.rights.errors import MatrixError

COLUMNS: Final = ("profession", "item", "rights")
PARTS: Final = ("profile", "vaccinations", "wishes", "measures")
RIGHTS: Final = ("none", "read", "read+add")
MAX_BYTES: Final = 1 << 20
KEPT_FAULTS: Final = 50
_PROFESSION: Final = re.compile(r"[A-Z0-9_-]{1,16}", re.ASCII)


class Habilitation(msgspec.Struct, frozen=True, array_like=True):
    """One row: a profession, an item, its rights."""

    profession: str
    item: str
    rights: str


class BadHabilitation(msgspec.Struct, frozen=True):
    """A row that cannot be taken: its line number (the header is line 1) and the reason."""

    line: int
    reason: str


def read(content: bytes) -> tuple[list[Habilitation], list[BadHabilitation]]:
    """The rows of a CSV and those that cannot be taken.

    UTF-8; a header that names at least ``profession``, ``item``, ``rights``, in any order, with ``;`` or
    ``,`` between; lines that begin with ``#`` are remarks. Raises :class:`MatrixError`
    ``dossier.matrix_file`` (not UTF-8, too long), ``dossier.matrix_header``.
    """
    if len(content) > MAX_BYTES:
        raise MatrixError("dossier.matrix_file", "the file is longer than 1 MiB: this is no matrix")
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise MatrixError("dossier.matrix_file", "the file is not UTF-8") from None
    numbered = [(n, line) for n, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    header = numbered[0][1] if numbered else ""
    separator = ";" if header.count(";") >= header.count(",") else ","
    names = [name.strip().casefold() for name in header.split(separator)]
    missing = [name for name in COLUMNS if names.count(name) != 1]
    if missing:
        text = f"the header lacks {', '.join(missing)}, or names it twice"
        raise MatrixError("dossier.matrix_header", text)
    found: dict[tuple[str, str], Habilitation] = {}
    bad: list[BadHabilitation] = []
    for number, line in numbered[1:]:
        row = _row(line, names, separator)
        if isinstance(row, str):
            bad.append(BadHabilitation(number, row))
        elif (row.profession, row.item) in found:
            bad.append(BadHabilitation(number, "this profession and item have a row already"))
        else:
            found[row.profession, row.item] = row
    return list(found.values()), bad


def parse(content: bytes) -> list[Habilitation]:
    """The rows of a CSV. Raises as :func:`read`, and ``dossier.matrix_rows`` when one cannot be taken."""
    found, bad = read(content)
    if bad:
        raise MatrixError("dossier.matrix_rows", f"line {bad[0].line}: {bad[0].reason}")
    return found


def written(rows: Iterable[Habilitation]) -> str:
    """Rows as the CSV that :func:`read` takes, lines ended by LF."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(msgspec.structs.astuple(one) for one in rows)
    return out.getvalue()


def _row(line: str, names: list[str], separator: str) -> Habilitation | str:
    try:
        cells = next(csv.reader([line], delimiter=separator, strict=True))
    except csv.Error as error:
        return f"not CSV: {error}"
    if len(cells) != len(names):
        return f"{len(cells)} columns where the header has {len(names)}"
    by_name = dict(zip(names, (cell.strip() for cell in cells), strict=True))
    profession, item, rights = (by_name[name] for name in COLUMNS)
    if not _PROFESSION.fullmatch(profession):
        return "profession: not a code (capital letters, digits, - and _, 16 at most)"
    if rights not in RIGHTS:
        return f"rights: not one of {', '.join(RIGHTS)}"
    if item not in PARTS:
        class_code, slash, type_code = item.partition("/")
        if find("class", class_code) is None:
            return "item: neither a class of JDV_J57 nor a part of the record"
        if slash and find("type", type_code) is None:
            return "item: its type is not in JDV_J66"
    if rights == "read+add" and item != "vaccinations":
        return "rights: only vaccinations are added to"
    return Habilitation(profession, item, rights)
