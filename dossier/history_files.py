"""A history as a file: CSV for spreadsheets (RFC 4180), JSON for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from dossier.cells import quoted
from dossier.history import Line
from patients import calendar

COLUMNS: Final = (
    "date",
    "qui",
    "action",
    "action (anglais)",
    "objet",
    "refusé",
    "motif du refus",
)


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    date: str
    who: str
    what: str
    kind: str
    fr: str
    en: str
    title: str
    deleted: bool
    purpose: str
    refused: bool
    reason: str


def to_csv(lines: Sequence[Line]) -> bytes:
    """The lines as CSV: UTF-8 with its mark, CRLF, a header; no cell is a formula."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")  # RFC 4180 §2
    writer.writerow(COLUMNS)
    for one in lines:
        refused = "oui" if one.refused else "non"
        cells = (moment(one.at), one.who, one.french, one.english, one.title, refused, one.why)
        writer.writerow(map(quoted, cells))
    return written.getvalue().encode("utf-8-sig", "replace")


def to_json(lines: Sequence[Line]) -> bytes:
    """The lines as a JSON array of objects, UTF-8."""
    told = [
        _Told(
            date=moment(one.at),
            who=one.who,
            what=one.what,
            kind=one.kind,
            fr=one.french,
            en=one.english,
            title=one.title,
            deleted=one.gone,
            purpose=one.purpose,
            refused=one.refused,
            reason=one.why,
        )
        for one in lines
    ]
    return msgspec.json.format(msgspec.json.encode(told), indent=2)


def moment(at: int) -> str:
    """A moment (ms) as ISO 8601 to the second, in Paris."""
    return datetime.fromtimestamp(at // 1000, calendar.PARIS).isoformat(timespec="seconds")
