"""The form of an appointment: what was typed ↔ :class:`agenda.Details`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from agenda import Change, Details, Professional
from webmail.calendar.clocks import Fault, clock_typed, day_typed
from webmail.calendar.repeats import Repeat, repeat_from, repeat_of, rule_of
from webmail.calendar.repeats import values_of as repeat_values
from webmail.languages import N_

PARIS: Final = "Europe/Paris"
#: Zones of the French territories, by what their clocks are called.
ZONES: Final[dict[str, str]] = {
    PARIS: N_("France métropolitaine"),
    "America/Guadeloupe": N_("Guadeloupe"),
    "America/Martinique": N_("Martinique"),
    "America/Cayenne": N_("Guyane"),
    "America/Miquelon": N_("Saint-Pierre-et-Miquelon"),
    "Indian/Reunion": N_("La Réunion"),
    "Indian/Mayotte": N_("Mayotte"),
    "Pacific/Noumea": N_("Nouvelle-Calédonie"),
    "Pacific/Tahiti": N_("Polynésie (Tahiti)"),
    "Pacific/Wallis": N_("Wallis-et-Futuna"),
}
#: Minutes before, and how they are said.
REMINDERS: Final[dict[int, str]] = {
    0: N_("Au début"),
    30: N_("30 minutes avant"),
    60: N_("1 heure avant"),
    120: N_("2 heures avant"),
    1440: N_("La veille"),
    2880: N_("2 jours avant"),
    10080: N_("Une semaine avant"),
}
_ONCE: Final = timedelta(hours=1)
_TEXTS: Final = ("titre", "lieu", "notes", "avec", "jour", "debut", "jour_fin", "fin_heure", "zone")
_REPEAT: Final = ("repete", "tous", "fin", "jusquau", "fois")
FIELDS: Final = (*_TEXTS, *_REPEAT, "journee", "partage")


class Typed(msgspec.Struct):
    """What was typed: texts by field, weekdays and reminders; ``faults``: texts to be translated, by
    field; ``details`` None where nothing can be made of it."""

    values: dict[str, str]
    weekdays: list[str] = []
    reminders: list[str] = []
    faults: dict[str, str] = {}
    details: Details | None = None


def blank(day: date, begin: str = "") -> Typed:
    """The form of a new appointment on a day."""
    values = dict.fromkeys(FIELDS, "") | {
        "jour": day.isoformat(), "debut": begin, "zone": PARIS, "tous": "1", "fin": "jamais",
    }  # fmt: skip
    return Typed(values, [], ["1440"], {})


def typed_of(details: Details) -> Typed:
    """The form of an appointment that is there."""
    last = details.end
    if details.all_day:
        last = (date.fromisoformat(details.end) - timedelta(days=1)).isoformat()
    repeat = repeat_of(details.rule)
    values = {
        "titre": details.title,
        "lieu": details.place,
        "notes": details.notes,
        "avec": details.professional.name,
        "jour": details.begin[:10],
        "debut": details.begin[11:16],
        "jour_fin": "" if last[:10] == details.begin[:10] else last[:10],
        "fin_heure": "" if details.end == details.begin else last[11:16],
        "zone": details.zone or PARIS,
        "journee": "oui" if details.all_day else "",
        "partage": "oui" if details.shared else "",
        **repeat_values(repeat),
    }
    return Typed(values, [str(one) for one in repeat.weekdays], [str(one) for one in details.reminders], {})


def details_from(
    given: Mapping[str, str],
    weekdays: Sequence[str] = (),
    reminders: Sequence[str] = (),
    *,
    before: Details | None = None,
) -> Typed:
    """What a form asks; ``before`` keeps what it does not show. The agenda judges the rest."""
    values = {name: given.get(name, "") for name in FIELDS}
    typed = Typed(values, list(weekdays), list(reminders), {})
    try:
        typed.details = _details(values, list(weekdays), list(reminders), before)
    except Fault as fault:
        typed.faults[fault.field] = fault.text
    return typed


def _details(
    values: dict[str, str], weekdays: list[str], reminders: list[str], before: Details | None
) -> Details:
    if not values["titre"].strip():
        raise Fault("titre", N_("Donnez un titre : par exemple « Dentiste »."))
    all_day = bool(values["journee"])
    begin, end = walls(values, all_day=all_day)
    repeat = repeat_from(values, weekdays, date.fromisoformat(begin[:10]))
    rule = _rule(repeat, before)
    zone = values["zone"]
    if zone not in ZONES and (before is None or zone != before.zone):
        raise Fault("zone", N_("Choisissez une réponse de la liste."))
    professional = before.professional if before is not None else Professional()
    if values["avec"] != professional.name:
        professional = Professional(name=values["avec"])
    made = replace(
        before or Details(title="", begin="", end=""),
        title=values["titre"],
        begin=begin,
        end=end,
        all_day=all_day,
        zone="" if all_day else zone,
        place=values["lieu"],
        notes=values["notes"],
        professional=professional,
        rule=rule,
        reminders=[int(one) for one in reminders if one.isascii() and one.isdecimal() and len(one) < 6],
        shared=bool(values["partage"]),
    )
    if before is not None and not _same_times(before, made):
        made = replace(made, extra=[], excluded=[], changes=[])
    return made


def _rule(repeat: Repeat, before: Details | None) -> str:
    if before is not None and (repeat.every == "autre" or repeat == repeat_of(before.rule)):
        return before.rule  # as whoever made it wrote it
    if repeat.every == "autre":
        raise Fault("repete", N_("Choisissez une réponse de la liste."))
    return rule_of(repeat)


def _same_times(one: Details, other: Details) -> bool:
    """Whether single occurrences that differ still name times at which something begins."""
    return (one.begin, one.zone, one.all_day, one.rule) == (
        other.begin, other.zone, other.all_day, other.rule,
    )  # fmt: skip


def walls(values: Mapping[str, str], *, all_day: bool) -> tuple[str, str]:
    """Begin and end as the agenda keeps them; without an end, an hour, or that day. Raises :class:`Fault`."""
    first = day_typed(values.get("jour", ""), "jour")
    last = day_typed(values["jour_fin"], "jour_fin") if values.get("jour_fin") else first
    if last < first:
        raise Fault("jour_fin", N_("La fin doit venir après le début."))
    if all_day:
        return first.isoformat(), (last + timedelta(days=1)).isoformat()
    begin = clock_typed(first, values.get("debut", ""), "debut")
    if values.get("fin_heure"):
        end = clock_typed(last, values["fin_heure"], "fin_heure")
    elif last > first:
        raise Fault("fin_heure", N_("Donnez l'heure de fin."))
    else:
        end = begin + _ONCE
    if end < begin:
        raise Fault("fin_heure", N_("La fin doit venir après le début."))
    return begin.isoformat(timespec="seconds"), end.isoformat(timespec="seconds")


def change_from(given: Mapping[str, str], at: str, *, all_day: bool) -> Change:
    """One occurrence that differs. Raises :class:`Fault`."""
    if not given.get("titre", "").strip():
        raise Fault("titre", N_("Donnez un titre : par exemple « Dentiste »."))
    begin, end = walls(given, all_day=all_day)
    return Change(
        at=at, begin=begin, end=end, title=given["titre"], place=given.get("lieu", ""),
        notes=given.get("notes", ""),
    )  # fmt: skip
