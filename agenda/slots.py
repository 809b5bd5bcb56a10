"""When an appointment takes place: its rule, extra and excluded dates and changed occurrences, as moments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import msgspec

from agenda.check import parts
from agenda.model import Change, Details
from agenda.recurrence import ends_at, starts
from agenda.walls import DAY, LAST_YEAR, PARIS, at_wall, instant, month, text_of, wall, zone

#: What a moment may be off when it is compared as a wall time: zones go from -12 to +14 hours.
_SLACK: Final = 2 * DAY
_MS: Final = timedelta(milliseconds=1)
_FAR: Final = datetime(LAST_YEAR + 1, 1, 1)  # noqa: DTZ001  # a wall time


class Slot(msgspec.Struct, frozen=True):
    """One occurrence: the wall at which the rule has it, its own walls and moments, what changed of it."""

    at: str
    begin: str
    end: str
    since: int
    until: int
    change: Change | None = None


def slots(details: Details, since: int, until: int, *, days_of: str = PARIS) -> list[Slot]:
    """Every occurrence that touches [``since``, ``until``) (ms), in the order of their beginnings; cancelled
    single ones are among them (``change.cancelled``).

    ``details`` are checked ones. All-day occurrences are the days of the zone ``days_of``.
    """
    begin, end, place, _ = parts(details)
    where = place or zone(days_of)
    length = end - begin
    # RFC 5545 §3.8.5.3: the exact duration of the first applies to all; of days, the number of days
    exact = (instant(end, where) - instant(begin, where)) * _MS
    low, high = at_wall(since, where) - length - _SLACK, at_wall(until, where) + _SLACK
    changes = {one.at: one for one in details.changes}
    found: dict[int | str, Slot] = {}
    for start in _starts(details, low, high):
        at = text_of(start, all_day=details.all_day)
        change = changes.get(at)
        if change is not None and not change.cancelled:
            continue
        from_ = instant(start, where)
        if place is None:
            finish = start + length
            to = instant(finish, where)
        else:
            to = from_ + exact // _MS
            finish = at_wall(to, where)
        slot = Slot(at, at, text_of(finish, all_day=details.all_day), from_, to, change)
        if _touches(slot, since, until):
            found.setdefault(from_, slot)  # two walls that are one moment, where summer time begins: once
    for change in details.changes:
        if change.cancelled:
            continue
        slot = Slot(
            change.at,
            change.begin,
            change.end,
            instant(wall(change.begin, all_day=details.all_day), where),
            instant(wall(change.end, all_day=details.all_day), where),
            change,
        )
        if _touches(slot, since, until) and change.at not in details.excluded:
            found[change.at] = slot
    return sorted(found.values(), key=lambda one: (one.since, one.at))


def _touches(slot: Slot, since: int, until: int) -> bool:
    return slot.since < until and (slot.until > since or slot.since >= since)


def _starts(details: Details, low: datetime, high: datetime) -> Iterator[datetime]:
    """The walls at which something begins, changed occurrences by their original wall."""
    begin, _, place, rule = parts(details)
    excluded = {wall(one, all_day=details.all_day) for one in details.excluded}
    given = set()
    if rule is None:
        if low <= begin < high:
            given.add(begin)
    else:
        given.update(starts(rule, begin, place, low, high))
    extra = (wall(one, all_day=details.all_day) for one in details.extra)
    given.update(one for one in extra if low <= one < high)
    yield from sorted(given - excluded)


def occurs(details: Details, at: str) -> bool:
    """Whether an occurrence begins at this wall time by the appointment's own rule and dates."""
    start = wall(at, all_day=details.all_day)
    return start in set(_starts(details, start, start + timedelta(seconds=1)))


def window(details: Details) -> tuple[int, int | None]:
    """The first and last month in which it may take place (see ``walls.month``); None: without end."""
    begin, end, place, rule = parts(details)
    walls = [begin, end]
    for change in details.changes:
        if not change.cancelled:
            walls += [wall(change.begin, all_day=details.all_day), wall(change.end, all_day=details.all_day)]
    walls += [wall(one, all_day=details.all_day) for one in details.extra]
    first = min(walls) - _SLACK
    last: datetime | None = max(walls)
    if rule is not None:
        ends = ends_at(rule, begin, place)
        last = None if ends is None else max(*walls, ends)
    if last is None:
        return month(first), None
    return month(first), month(min(last + (end - begin) + _SLACK, _FAR))


def due_of(details: Details, since: int, until: int) -> list[tuple[int, int]]:
    """Reminders due in [``since``, ``until``) (ms): (when, when the occurrence begins), soonest first."""
    if not details.reminders:
        return []
    ahead = [minutes * 60_000 for minutes in details.reminders]
    found = {
        (slot.since - lead, slot.since)
        for slot in slots(details, since + min(ahead), until + max(ahead))
        if slot.change is None or not slot.change.cancelled
        for lead in ahead
        if since <= slot.since - lead < until
    }
    return sorted(found)


def next_due(details: Details, after: int) -> int | None:
    """The first reminder at or after ``after`` (ms), or None when there is none in the ten years to come."""
    if not details.reminders:
        return None
    day = 86_400_000
    begin = after
    for days in (8, 40, 400, 3_700):  # most are near: look near first
        end = after + days * day
        found = due_of(details, begin, end)
        if found:
            return found[0][0]
        begin = end
    return None
