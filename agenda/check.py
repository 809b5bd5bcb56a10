"""What an appointment may say: an impossible value is refused with a sentence before anything is written."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from agenda.errors import AgendaError
from agenda.model import Change, Details, Professional
from agenda.recurrence import Rule, affordable, parse_rule
from agenda.walls import text_of, wall, zone

LONGEST: Final = timedelta(days=366)
MAX_REMINDER: Final = 40_320  # minutes: four weeks
MAX_REMINDERS: Final = 10
MAX_DATES: Final = 500
MAX_CHANGES: Final = 200
MAX_SEALED: Final = 64 * 1024
_TITLE: Final = 200
_PLACE: Final = 500
_NOTES: Final = 4_000


def checked(details: Details) -> Details:
    """``details`` in the one way of writing them.

    Raises :class:`AgendaError`: ``agenda.title``, ``agenda.text``, ``agenda.date``, ``agenda.end``,
    ``agenda.zone``, ``agenda.rule``, ``agenda.changes``, ``agenda.reminder``.
    """
    all_day = details.all_day
    if not all_day:
        zone(details.zone)
    begin, end = span(details.begin, details.end, all_day=all_day)
    rule = parse_rule(details.rule) if details.rule.strip() else None
    if rule is not None and all_day and (rule.freq == "HOURLY" or rule.hours or rule.minutes):
        raise AgendaError("agenda.rule", "hours in an all-day recurrence")
    if rule is not None and not affordable(rule, wall(begin, all_day=all_day)):
        raise AgendaError("agenda.rule", "a COUNT that is reached too late")
    if max(len(details.extra), len(details.excluded)) > MAX_DATES or len(details.changes) > MAX_CHANGES:
        raise AgendaError("agenda.changes")
    found = Details(
        title=_title(details.title),
        begin=begin,
        end=end,
        all_day=all_day,
        zone="" if all_day else details.zone,
        place=text(details.place, _PLACE),
        notes=text(details.notes, _NOTES, lines=True),
        professional=Professional(
            id_nat=text(details.professional.id_nat, 64), name=text(details.professional.name, _TITLE)
        ),
        rule=details.rule.strip().upper().rstrip(";"),
        extra=_walls(details.extra, all_day=all_day),
        excluded=_walls(details.excluded, all_day=all_day),
        changes=_changes(details.changes, all_day=all_day),
        reminders=_reminders(details.reminders),
        shared=details.shared,
    )
    if len(msgspec.msgpack.encode(found)) > MAX_SEALED:
        raise AgendaError("agenda.text", "more than 64 KiB in all")
    return found


def span(begin: str, end: str, *, all_day: bool) -> tuple[str, str]:
    """Both ends as walls; without an end, one day, or no length. Raises ``agenda.date``, ``agenda.end``."""
    first = wall(begin, all_day=all_day)
    # RFC 5545 §3.6.1: without DTEND a date lasts that day, a time ends where it begins
    last = wall(end, all_day=all_day) if end else first + timedelta(days=int(all_day))
    if not timedelta(days=int(all_day)) <= last - first <= LONGEST:
        raise AgendaError("agenda.end")
    return text_of(first, all_day=all_day), text_of(last, all_day=all_day)


def text(value: str, most: int, *, lines: bool = False) -> str:
    """A text of at most ``most`` characters, normalised. Raises ``agenda.text``."""
    found = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n")).strip()
    allowed = "\n\t" if lines else ""
    if len(found) > most or any(
        unicodedata.category(char) in ("Cc", "Cs") and char not in allowed for char in found
    ):
        raise AgendaError("agenda.text")
    return found


def _title(value: str) -> str:
    try:
        found = text(value, _TITLE)
    except AgendaError:
        raise AgendaError("agenda.title") from None
    if not found:
        raise AgendaError("agenda.title")
    return found


def _walls(values: list[str], *, all_day: bool) -> list[str]:
    return sorted({text_of(wall(one, all_day=all_day), all_day=all_day) for one in values})


def _changes(values: list[Change], *, all_day: bool) -> list[Change]:
    found: dict[str, Change] = {}
    for one in values:
        at = text_of(wall(one.at, all_day=all_day), all_day=all_day)
        if at in found:
            raise AgendaError("agenda.changes")
        if one.cancelled:
            found[at] = Change(at=at, cancelled=True)
            continue
        begin, end = span(one.begin, one.end, all_day=all_day)
        found[at] = Change(
            at=at,
            begin=begin,
            end=end,
            title=_title(one.title),
            place=text(one.place, _PLACE),
            notes=text(one.notes, _NOTES, lines=True),
        )
    return [found[at] for at in sorted(found)]


def _reminders(values: list[int]) -> list[int]:
    if len(values) > MAX_REMINDERS or any(not 0 <= one <= MAX_REMINDER for one in values):
        raise AgendaError("agenda.reminder")
    return sorted(set(values))


def parts(details: Details) -> tuple[datetime, datetime, ZoneInfo | None, Rule | None]:
    """Begin and end as walls, the zone (None: all-day), the rule, of checked details."""
    return (
        wall(details.begin, all_day=details.all_day),
        wall(details.end, all_day=details.all_day),
        None if details.all_day else zone(details.zone),
        parse_rule(details.rule) if details.rule else None,
    )
