"""The files of the catalogue: CSV or JSON, read row by row; a bad row is told by its line and its reason."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from catalogue.errors import CatalogueFileError
from catalogue.listing import ID
from catalogue.model import Criterion, List, Service
from catalogue.scopes import parse_scope

MAX_BYTES: Final = 16 * 1024 * 1024
MAX_ROWS: Final = 5_000
_LONGEST: Final = 4_000  # characters of one text
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CONTROL: Final = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f\\ud800-\\udfff]")
_LISTS: Final = ("criteria", "scopes")
#: Columns of the files: required ones, then those that may be missing.
COLUMNS: Final[dict[List, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "services": (
        (
            "id",
            "name",
            "publisher",
            "category",
            "description_fr",
            "price",
            "sector",
            "since",
            "url",
            "contact",
        ),
        ("description_en", "criteria", "until", "scopes"),
    ),
    "criteria": (("code", "theme", "label_fr"), ("label_en",)),
}


class BadRow(msgspec.Struct, frozen=True):
    """A row that cannot be taken: the line of the CSV where it ends, or its rank in the JSON; and why."""

    line: int
    reason: str


Entry = Service | Criterion
Row = tuple[int, dict[str, Any] | str]


def read_rows(data: bytes, which: List, name: str) -> Iterator[Row]:
    """``(line, cells by column or fault)`` of a file; JSON where it begins with a bracket.

    Raises :class:`CatalogueFileError` ``catalogue.file``: too large, not UTF-8, no usable header or JSON.
    """
    if len(data) > MAX_BYTES:
        raise CatalogueFileError("catalogue.file", f"{name}: more than {MAX_BYTES} octets")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CatalogueFileError("catalogue.file", f"{name}: not UTF-8") from None
    if text.lstrip()[:1] in ("[", "{"):
        return _json_rows(text, which, name)
    return _csv_rows(text, which, name)


def _json_rows(text: str, which: List, name: str) -> Iterator[Row]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise CatalogueFileError("catalogue.file", f"{name}: not JSON") from None
    items = found.get(which) if isinstance(found, dict) else found
    if not isinstance(items, list):
        raise CatalogueFileError("catalogue.file", f"{name}: no list of {which}")
    for number, item in enumerate(items, 1):
        yield number, item if isinstance(item, dict) else "not an object"


def _csv_rows(text: str, which: List, name: str) -> Iterator[Row]:
    required, optional = COLUMNS[which]
    first = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first else ",", strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
    except csv.Error:
        header = []
    missing = [column for column in required if column not in header]
    if missing or len(set(header)) != len(header):
        wrong = f"columns missing: {', '.join(missing)}" if missing else "a column stands there twice"
        raise CatalogueFileError("catalogue.file", f"{name}: {wrong}")
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:  # a quote that does not end eats what follows: no row after it is sure
            yield reader.line_num, f"not CSV: {error}"
            return
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            yield reader.line_num, f"{len(cells)} columns where the header has {len(header)}"
            continue
        known = {*required, *optional}
        yield (
            reader.line_num,
            {
                column: cell.split() if column in _LISTS else cell
                for column, cell in zip(header, cells, strict=True)
                if column in known
            },
        )


def entry_of(cells: dict[str, Any], which: List, criteria: set[str]) -> Entry:
    """The service or criterion that a row says; ``criteria`` are the codes that a service may name.

    Raises :class:`ValueError` with the reason, a sentence without the row's text beyond short codes.
    """
    required, optional = COLUMNS[which]
    values: dict[str, Any] = {}
    for column in (*required, *optional):
        value = cells.get(column, [] if column in _LISTS else "")
        values[column] = _codes(column, value) if column in _LISTS else _text(column, value)
        if column in required and not values[column]:
            raise ValueError(f"{column} is empty")
    if which == "criteria":
        if not _CODE.fullmatch(values["code"]):
            raise ValueError("code: letters, digits, dots and dashes, at most 64")
        return Criterion(**values)
    _check_service(values, criteria)
    return Service(**values)


def _text(column: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{column} is not a text")
    if len(value) > _LONGEST or _CONTROL.search(value):
        raise ValueError(f"{column} is longer than {_LONGEST} characters, or holds control characters")
    return "\n".join(" ".join(line.split()) for line in value.strip().split("\n"))


def _codes(column: str, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"{column} is not a list of codes")
    if len(set(value)) != len(value):
        raise ValueError(f"{column} names one twice")
    return sorted(value)


def _check_service(values: dict[str, Any], criteria: set[str]) -> None:
    if not ID.fullmatch(values["id"]):
        raise ValueError("id: small letters, digits, dots and dashes, at most 64")
    if values["sector"] not in ("public", "private"):
        raise ValueError("sector is public or private")
    for column in ("since", "until"):
        day = values[column]
        if day and not _is_day(day):
            raise ValueError(f"{column} is not a day (YYYY-MM-DD)")
    if values["until"] and values["until"] < values["since"]:
        raise ValueError("until lies before since")
    unknown = [code for code in values["criteria"] if code not in criteria]
    if unknown:
        raise ValueError(f"criterion {unknown[0][:64]} is not in the table of criteria in use")
    for scope in values["scopes"]:
        parse_scope(scope)
    try:
        address = urlsplit(values["url"])
        usable = address.scheme == "https" and bool(address.hostname)
    except ValueError:
        usable = False
    if not usable or any(letter.isspace() for letter in values["url"]):
        raise ValueError("url is not an https address")


def _is_day(text: str) -> bool:
    try:
        return bool(_DAY.fullmatch(text)) and bool(date.fromisoformat(text))
    except ValueError:
        return False
