"""Recognises the PDF copy of a structured document by its name, where bytes cannot tell."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from gateway.dmp_bridge import codes
from gateway.dmp_bridge.cda import CdaHeader
from gateway.dmp_bridge.identity import fold

_NAMED_COPY: Final = re.compile(r"(\d{8})_(.+)\.pdf", re.IGNORECASE)
_SHORTEST_LABEL: Final = 12
_PARIS_SUMMER: Final = 2 * 3_600_000


def is_named_copy(filename: str, structured: list[CdaHeader], documents: int) -> bool:
    """True when ``filename`` is that of a copy of one of the ``structured`` documents.

    ECO 2.1.5 and 2.1.6: ``<date acte>_<type>_<NOM>_<prenom>[_<no dossier>].pdf``. Date, label and patient
    must all be the document's. ``documents`` is the number of CDA documents that came together.
    """
    match = _NAMED_COPY.fullmatch(filename.rsplit("/", 1)[-1])
    if match is None:
        return False
    rest = fold(match[2])
    return any(_names(header, match[1], rest, documents) for header in structured)


def _names(header: CdaHeader, date: str, rest: str, documents: int) -> bool:
    dates = {header.effective_time[:8], *_days(header.service_start), *_days(header.created_at)}
    who = fold(f"{header.traits.birth_name} {header.traits.first_given}")
    label, found, _ = f" {rest} ".partition(f" {who} ")
    label = label.strip()
    if date not in dates or not who or not found or not label:
        return False
    known = codes.find("type", header.code.code)
    labels = {fold(header.code.display), fold(header.title), fold(known.display if known else "")} - {""}
    return (
        label in labels
        or label == f"{documents} DOCUMENTS"
        # ECO 2.1.3 cuts labels at 40 characters
        or (len(label) >= _SHORTEST_LABEL and any(one.startswith(label) for one in labels))
    )


def _days(ms: int | None) -> set[str]:
    """The day of a moment, in UTC and in French summer time: near midnight either may be written."""
    if ms is None:
        return set()
    moments = (dt.datetime.fromtimestamp(at / 1000, dt.UTC) for at in (ms, ms + _PARIS_SUMMER))
    return {moment.strftime("%Y%m%d") for moment in moments}
