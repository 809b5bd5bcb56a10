"""What a professional asks for: a period, a mailbox, a Message-ID, a page; and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final

import msgspec

from evidence import Cursor
from webmail.formats import midnight
from webmail.languages import N_

#: Days that are shown when none are asked for.
USUAL_DAYS: Final = 30
_LONGEST: Final = 998  # RFC 5322 §2.1.1: a line
_CURSOR: Final = re.compile(r"([0-9]{1,15})-([0-9]{1,15})")


class Asked(msgspec.Struct, frozen=True):
    """``box`` counts from 1 in the list of his mailboxes, 0 is all. ``faults`` are msgids by field.

    Days are those of France; ``until`` belongs to the period.
    """

    since: date
    until: date
    message_id: str = ""
    box: int = 0
    after: Cursor | None = None
    faults: dict[str, str] = {}

    @property
    def begin(self) -> int:
        """The first moment (ms)."""
        return midnight(self.since)

    @property
    def end(self) -> int:
        """The moment (ms) after the last."""
        return midnight(self.until + timedelta(days=1))


def read(query: Mapping[str, str], today: date, boxes: int) -> Asked:
    """The form's fields; what is not understood is a fault and counts as not said."""
    faults: dict[str, str] = {}
    until = _day(query.get("au", ""), "au", faults) or today
    since = _day(query.get("du", ""), "du", faults) or min(until, today) - timedelta(days=USUAL_DAYS)
    if since > until and not faults:
        faults["du"] = N_("Le premier jour vient après le dernier.")
    message_id = query.get("message", "").strip()
    if len(message_id) > _LONGEST or not message_id.isprintable():
        faults["message"] = N_("Un Message-ID tient sur une ligne, comme <abc@exemple.fr>.")
        message_id = ""
    chosen = query.get("boite", "").strip()
    box = int(chosen) if chosen.isascii() and chosen.isdecimal() and len(chosen) < 5 else 0
    cursor = _CURSOR.fullmatch(query.get("suite", ""))
    return Asked(
        since=since,
        until=until,
        message_id=message_id,
        box=box if box <= boxes else 0,
        after=Cursor(int(cursor[1]), int(cursor[2])) if cursor else None,
        faults=faults,
    )


def _day(value: str, name: str, faults: dict[str, str]) -> date | None:
    """A day as browsers send it, or as people write it."""
    value = value.strip()
    if not value:
        return None
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            found = datetime.strptime(value, form).date()  # noqa: DTZ007  # a day has no zone
        except ValueError:
            continue
        if 2000 <= found.year <= 2999:
            return found
    faults[name] = N_("Écrivez un jour comme 01/03/2026.")
    return None
