"""Times of iCalendar files: dates, UTC, floating, and zones under whatever name a program gave them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from agenda.errors import AgendaError
from agenda.ics_lines import Component, Line
from agenda.walls import FIRST_YEAR, LAST_YEAR, ZONES, at_wall, instant, zone

_DATE: Final = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_TIME: Final = re.compile(r"(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(Z?)", re.ASCII)
_DURATION: Final = re.compile(
    r"([+-]?)P(?:(\d{1,5})W|(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?)", re.ASCII
)
_FOLDED: Final = {name.casefold(): name for name in ZONES}
#: A zone that a file defines under a name nobody knows, by its offsets (standard, daylight) in minutes.
_BY_OFFSETS: Final = {
    (60, 120): "Europe/Paris",
    (0, 60): "Europe/London",
    (120, 180): "Europe/Athens",
    (240,): "Indian/Reunion",
    (180,): "Indian/Mayotte",
    (-240,): "America/Guadeloupe",
    (-180,): "America/Cayenne",
    (-180, -120): "America/Miquelon",
    (660,): "Pacific/Noumea",
    (-600,): "Pacific/Tahiti",
    (720,): "Pacific/Wallis",
    (0,): "UTC",
}


class When(msgspec.Struct, frozen=True):
    """A time of a file: its wall, whether it is a date, the zone's IANA name ("" of a date)."""

    wall: datetime
    all_day: bool
    zone: str

    def within(self, name: str) -> datetime:
        """The wall time in another zone."""
        if self.all_day or name in ("", self.zone):
            return self.wall
        return at_wall(instant(self.wall, zone(self.zone)), zone(name))


class Zones:
    """The zones of a file. :param default: of floating times (RFC 5545 §3.3.5 form 1)."""

    def __init__(self, components: list[Component], default: str) -> None:
        zone(default)
        self._default = default
        self._own = {
            line.value.strip(): one
            for one in components
            if one.name == "VTIMEZONE" and (line := one.one("TZID")) is not None
        }

    def name_of(self, tzid: str) -> str:
        """The IANA name of a TZID. Raises :class:`AgendaError` ``agenda.zone``."""
        tzid = tzid.strip().strip('"')
        known = _iana(tzid)
        if known:
            return known
        own = self._own.get(tzid)
        if own is not None:
            for label in ("X-LIC-LOCATION", "TZURL"):
                line = own.one(label)
                known = _iana(line.value) if line is not None else ""
                if known:
                    return known
            offsets = tuple(
                sorted({_offset(part) for part in own.inside[:50]} - {None}, key=lambda one: one or 0)
            )
            if offsets in _BY_OFFSETS:
                return _BY_OFFSETS[offsets]  # type: ignore[index]  # None was taken out
        raise AgendaError("agenda.zone")

    def times(self, line: Line) -> list[When]:
        """The values of a property of dates or times. Raises ``agenda.date``, ``agenda.zone``."""
        return [self.time(one.strip(), line) for one in line.value.split(",")]

    def time(self, value: str, line: Line) -> When:
        """One value; PERIODs are taken by their beginning."""
        value = value.partition("/")[0]
        if found := _DATE.fullmatch(value):
            return When(_checked(found.groups()), True, "")
        match = _TIME.fullmatch(value)
        if match is None:
            raise AgendaError("agenda.date")
        moment = _checked(match.groups()[:6])
        if match[7]:
            return When(moment, False, "UTC")
        tzid = line.params.get("TZID", "")
        return When(moment, False, self.name_of(tzid) if tzid else self._default)


def _checked(groups: tuple[str, ...]) -> datetime:
    numbers = [int(one) for one in groups]
    if len(numbers) == 6 and numbers[5] == 60:
        numbers[5] = 59  # RFC 5545 §3.3.12: a leap second
    try:
        found = datetime(*numbers)  # type: ignore[arg-type]  # noqa: DTZ001  # three or six numbers; a wall time
    except ValueError:
        raise AgendaError("agenda.date") from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise AgendaError("agenda.date")
    return found


def _iana(tzid: str) -> str:
    """Exact, in other capitals, a Windows name, or the end of a path: ``/mozilla.org/2005/Europe/Paris``."""
    if tzid in ZONES:
        return tzid
    if tzid.casefold() in _FOLDED:
        return _FOLDED[tzid.casefold()]
    if tzid in WINDOWS_TO_OLSON:
        return WINDOWS_TO_OLSON[tzid]
    steps = tzid.replace("\\", "/").split("/")
    for count in (3, 2):
        ending = "/".join(steps[-count:]).casefold()
        if len(steps) > count and ending in _FOLDED:
            return _FOLDED[ending]
    return ""


def _offset(part: Component) -> int | None:
    line = part.one("TZOFFSETTO")
    match = re.fullmatch(r"([+-])(\d{2})(\d{2})(\d{2})?", line.value.strip()) if line is not None else None
    if match is None:
        return None
    minutes = int(match[2]) * 60 + int(match[3])
    return -minutes if match[1] == "-" else minutes


def duration(text: str) -> timedelta:
    """A DURATION (RFC 5545 §3.3.6). Raises :class:`AgendaError` ``agenda.date``."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()[1:]):
        raise AgendaError("agenda.date")
    weeks, days, hours, minutes, seconds = (int(one or 0) for one in match.groups()[1:])
    found = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -found if match[1] == "-" else found


def utc_ms(text: str) -> int:
    """A time in UTC as ms, 0 for anything else: it only decides which of two revisions is newer."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return 0
    try:
        return int(_checked(match.groups()[:6]).replace(tzinfo=UTC).timestamp()) * 1000
    except AgendaError:
        return 0
