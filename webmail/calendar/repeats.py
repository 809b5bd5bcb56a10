"""Recurrence as a form asks it, as a rule writes it (RFC 5545 §3.3.10) and as words tell it.

The form knows every so many days, weeks (on some weekdays), months or years, until a day, for a number of
times, or without end. Any other rule is kept as it is, and told as a rule of its own kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final, Literal

import msgspec

from webmail.calendar.clocks import Fault, day_typed
from webmail.formats import day as written
from webmail.formats import weekday
from webmail.languages import N_
from webmail.turn import Turn

Every = Literal["", "jour", "semaine", "mois", "an", "autre"]
Ends = Literal["jamais", "le", "apres"]
_FREQ: Final[dict[str, Every]] = {"DAILY": "jour", "WEEKLY": "semaine", "MONTHLY": "mois", "YEARLY": "an"}
_NAMES: Final[dict[Every, str]] = {every: freq for freq, every in _FREQ.items()}
DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
EVERY: Final[dict[Every, str]] = {
    "": N_("Une seule fois"),
    "jour": N_("Tous les jours"),
    "semaine": N_("Toutes les semaines"),
    "mois": N_("Tous les mois"),
    "an": N_("Tous les ans"),
}
#: "Chaque …" by what repeats, for one and for several.
_ONE: Final[dict[Every, str]] = {
    "jour": N_("chaque jour"),
    "semaine": N_("chaque semaine"),
    "mois": N_("chaque mois"),
    "an": N_("chaque année"),
}
_SEVERAL: Final[dict[Every, str]] = {
    "jour": N_("tous les %(number)s jours"),
    "semaine": N_("toutes les %(number)s semaines"),
    "mois": N_("tous les %(number)s mois"),
    "an": N_("tous les %(number)s ans"),
}
MOST_APART: Final = 99
MOST_TIMES: Final = 500


class Repeat(msgspec.Struct, frozen=True, kw_only=True):
    """What a form asks: ``every`` ``apart`` periods, on ``weekdays`` (0 is Monday; of weeks only, none: the
    day of the beginning), ending ``le`` a day (``until``), ``apres`` so many ``times``, or ``jamais``.
    ``every`` "autre" stands for a rule that the form has no fields for."""

    every: Every = ""
    apart: int = 1
    weekdays: tuple[int, ...] = ()
    ends: Ends = "jamais"
    until: date | None = None
    times: int = 0


def rule_of(asked: Repeat) -> str:
    """The rule; "" for something that happens once."""
    if asked.every in ("", "autre"):
        return ""
    parts = [f"FREQ={_NAMES[asked.every]}"]
    if asked.apart > 1:
        parts.append(f"INTERVAL={asked.apart}")
    if asked.weekdays and asked.every == "semaine":
        parts.append("BYDAY=" + ",".join(DAYS[one] for one in sorted(set(asked.weekdays))))
    if asked.ends == "le" and asked.until is not None:
        parts.append(f"UNTIL={asked.until:%Y%m%d}")
    if asked.ends == "apres" and asked.times:
        parts.append(f"COUNT={asked.times}")
    return ";".join(parts)


def repeat_of(rule: str) -> Repeat:
    """The reverse of :func:`rule_of`; ``every`` "autre" where the form cannot say it."""
    if not rule:
        return Repeat()
    fields = dict(part.partition("=")[::2] for part in rule.split(";"))
    other = Repeat(every="autre")
    every = _FREQ.get(fields.pop("FREQ", ""))
    fields.pop("WKST", "") if fields.get("WKST") == "MO" else None
    names = fields.pop("BYDAY", "").split(",") if "BYDAY" in fields else []
    interval, until, count = fields.pop("INTERVAL", "1"), fields.pop("UNTIL", ""), fields.pop("COUNT", "0")
    if every is None or fields or any(one not in DAYS for one in names) or (names and every != "semaine"):
        return other
    if not (interval.isdecimal() and count.isdecimal()) or (until and not until.isdecimal()):
        return other
    if not 1 <= int(interval) <= MOST_APART or int(count) > MOST_TIMES or (until and len(until) != 8):
        return other
    try:
        last = date(int(until[:4]), int(until[4:6]), int(until[6:])) if until else None
    except ValueError:
        return other
    ends: Ends = "le" if last is not None else "apres" if int(count) else "jamais"
    return Repeat(
        every=every, apart=int(interval), weekdays=tuple(sorted(DAYS.index(one) for one in names)),
        ends=ends, until=last, times=int(count),
    )  # fmt: skip


def repeat_from(given: Mapping[str, str], weekdays: list[str], begin: date) -> Repeat:
    """What the fields of a form ask. Raises :class:`Fault`."""
    every = next((one for one in (*EVERY, "autre") if one == given.get("repete", "")), None)
    if every is None:
        raise Fault("repete", N_("Choisissez une réponse de la liste."))
    if every in ("", "autre"):
        return Repeat(every="autre" if every == "autre" else "")
    apart = _number(given.get("tous", "") or "1", "tous", MOST_APART)
    chosen = tuple(sorted({int(one) for one in weekdays if one in ("0", "1", "2", "3", "4", "5", "6")}))
    found = Repeat(every=every, apart=apart, weekdays=chosen if every == "semaine" else ())
    ends = given.get("fin", "jamais")
    if ends == "le":
        if not given.get("jusquau"):
            raise Fault("jusquau", N_("Donnez le dernier jour de la répétition."))
        until = day_typed(given["jusquau"], "jusquau")
        if until < begin:
            raise Fault("jusquau", N_("La répétition finirait avant d'avoir commencé."))
        return msgspec.structs.replace(found, ends="le", until=until)
    if ends == "apres":
        times = _number(given.get("fois", ""), "fois", MOST_TIMES)
        return msgspec.structs.replace(found, ends="apres", times=times)
    return found


def _number(text: str, field: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 5 and 1 <= int(text) <= most):
        raise Fault(field, N_("Écrivez un nombre à partir de 1."))
    return int(text)


def values_of(asked: Repeat) -> dict[str, str]:
    """What the fields of the form show, without the weekdays."""
    return {
        "repete": asked.every,
        "tous": str(asked.apart),
        "fin": asked.ends,
        "jusquau": asked.until.isoformat() if asked.until is not None else "",
        "fois": str(asked.times) if asked.times else "",
    }


def words_of(turn: Turn, rule: str) -> str:
    """The rule in words: "chaque semaine le lundi et le jeudi, jusqu'au 3 mars 2026"; "" without one."""
    asked = repeat_of(rule)
    if not rule:
        return ""
    if asked.every == "autre":
        return turn.say(N_("selon une règle particulière"))
    if asked.apart == 1:
        text = turn.say(_ONE[asked.every])
    else:
        text = turn.say(_SEVERAL[asked.every], number=asked.apart)
    if asked.weekdays:
        monday = date(2026, 3, 2)
        names = [weekday(monday.replace(day=2 + one), language=turn.language) for one in asked.weekdays]
        # read out as "le lundi", "on Monday"
        named = [turn.say("le %(weekday)s", weekday=one) for one in names]
        joined = ", ".join(named[:-1])
        last = named[-1]
        text += " " + (turn.say("%(some)s et %(last)s", some=joined, last=last) if joined else last)
    if asked.until is not None:
        text += turn.say(", jusqu'au %(day)s", day=written(asked.until, language=turn.language))
    if asked.times:
        text += ", " + turn.count("%(num)s fois", "%(num)s fois", asked.times)
    return text
