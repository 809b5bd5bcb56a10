"""Days and hours as browsers send them, and as people write them."""

from __future__ import annotations

from datetime import date, datetime

from webmail.languages import N_


class Fault(ValueError):  # noqa: N818  # something typed that cannot be, by its field
    """``field`` is wrong: ``text`` says why, to be translated."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field
        self.text = text


def day_typed(text: str, field: str) -> date:
    """The day in ``2026-05-12``, ``12/05/2026``, ``12.5.2026``. Raises :class:`Fault`."""
    plain = text.strip().replace(".", "/").replace(" ", "/")
    parts = plain.split("/")
    if len(parts) == 3 and all(one.isascii() and one.isdecimal() for one in parts) and len(parts[2]) == 4:
        plain = f"{parts[2]}-{parts[1]:0>2}-{parts[0]:0>2}"
    try:
        found = date.fromisoformat(plain)
    except ValueError:
        raise Fault(field, N_("Écrivez une date comme 12/05/2026.")) from None
    if not 1900 <= found.year <= 2198:
        raise Fault(field, N_("Cette date est trop éloignée."))
    return found


def clock_typed(day: date, text: str, field: str) -> datetime:
    """The wall time in ``14:30``, ``14h30``, ``14 h`` of a day. Raises :class:`Fault`."""
    hours, _, minutes = text.strip().lower().replace(" ", "").replace("h", ":").partition(":")
    parts = (hours, minutes.partition(":")[0] or "0")
    if not all(one.isascii() and one.isdecimal() and len(one) <= 2 for one in parts):
        raise Fault(field, N_("Écrivez une heure comme 14:30."))
    hour, minute = int(parts[0]), int(parts[1])
    if hour > 23 or minute > 59:
        raise Fault(field, N_("Écrivez une heure comme 14:30."))
    return datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001  # a wall time
