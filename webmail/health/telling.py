"""What pages say of an item of the medical profile: its name, a line about it, its facts, who wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

import annuaire
from dossier.health import (
    Administrative,
    Allergy,
    Author,
    Contact,
    Dose,
    FamilyHistory,
    Illness,
    Item,
    NoneKnown,
    PartialDate,
    ProfileItem,
    Treatment,
    Vaccination,
    Wish,
    name_of,
)
from webmail.health import labels
from webmail.health.forms import FORMS
from webmail.languages import N_
from webmail.turn import Turn

_CHOICES: Final[dict[str, Mapping[str, str]]] = {
    "severity": labels.SEVERITIES,
    "relation": labels.RELATIONS,
    "role": labels.ROLES,
    "subject": labels.SUBJECTS,
    "answer": labels.ANSWERS,
    "topic": labels.TOPICS,
}


class Shown(msgspec.Struct, frozen=True):
    """An item as a list has it. ``stands``: it is not over; ``proven``: a professional added it."""

    item_id: int
    name: str
    about: str
    stands: bool
    proven: bool
    hidden: bool
    severe: bool


def shown(turn: Turn, one: ProfileItem) -> Shown:
    """An item of a list."""
    item = one.item
    ended = one.state == "ended" or getattr(item, "end", None) is not None
    severe = isinstance(item, Allergy) and item.severity == "severe"
    return Shown(one.item_id, name(turn, item), about(turn, item), not ended, one.proven, one.hidden, severe)


def name(turn: Turn, item: Item) -> str:
    """What an item is called on the page."""
    if isinstance(item, NoneKnown):
        return turn.say(labels.SECTION_WORDS[item.of].none)
    if isinstance(item, FamilyHistory):
        relation = turn.say(labels.RELATIONS[item.relation])
        return turn.say("%(relation)s : %(illness)s", relation=relation, illness=item.illness)
    if isinstance(item, Wish):
        subject = turn.say(labels.SUBJECTS[item.subject])
        if not item.answer:
            return subject
        answer = turn.say(labels.ANSWERS[item.answer]).lower()
        return turn.say("%(subject)s : %(answer)s", subject=subject, answer=answer)
    if isinstance(item, Administrative):
        return turn.say(labels.TOPICS[item.topic])
    return name_of(item)


def about(turn: Turn, item: Item) -> str:
    """The rest in one line."""
    found: list[str] = []
    if isinstance(item, Treatment):
        found += [item.dose.words(turn.language) if item.dose is not None else "", item.rhythm]
        found += [turn.say("pour : %(reason)s", reason=item.reason) if item.reason else ""]
    elif isinstance(item, Allergy):
        found += [item.reaction]
        found += [turn.say(labels.SEVERITIES[item.severity]) if item.severity else ""]
    elif isinstance(item, Vaccination):
        found += [item.date.words(turn.language), ", ".join(item.diseases)]
        found += [turn.say("dose n° %(number)s", number=item.number) if item.number else ""]
        found += [turn.say("rappel") if item.booster else ""]
    elif isinstance(item, FamilyHistory):
        age = item.onset_age
        found += [turn.say("à partir de %(age)s ans", age=age) if age is not None else ""]
    elif isinstance(item, Contact):
        found += [turn.say(labels.ROLES[item.role]), item.relation, item.phone]
    elif isinstance(item, Wish):
        found += [item.where, item.text]
    elif isinstance(item, Administrative):
        found += [item.text, item.number]
    elif isinstance(item, Illness):
        found += [turn.say("chronique") if item.chronic else "", "ALD" if item.ald else "", item.code]
    begin, end = getattr(item, "begin", None), getattr(item, "end", None)
    if end is not None:
        found.append(turn.say("jusqu'à : %(date)s", date=end.words(turn.language)))
    elif begin is not None:
        found.append(turn.say("depuis : %(date)s", date=begin.words(turn.language)))
    return " · ".join(one for one in found if one)


def facts(turn: Turn, item: Item) -> list[tuple[str, str]]:
    """Everything that an item tells: label and value; what was not told is left out."""
    if isinstance(item, NoneKnown):
        return []
    found = []
    for field in FORMS[item.section].fields:
        value = getattr(item, field.name)
        text = _fact(turn, field.name, value)
        if field.name == "kind" and isinstance(item, Allergy):
            text = turn.say(labels.ALLERGY_KINDS[item.kind]) if item.kind else ""
        if text:
            found.append((turn.say(field.label).rstrip("\u00a0 ?"), text))
    if isinstance(item, Vaccination) and item.giver_id and not item.giver:
        found.append((turn.say("Qui a vacciné"), item.giver_id))
    return found


def _fact(turn: Turn, field: str, value: object) -> str:
    if value is None or value == "" or value is False or (field == "number" and value == 0):
        return ""
    if value is True:
        return turn.say("oui")
    if isinstance(value, PartialDate | Dose):
        return value.words(turn.language)
    if isinstance(value, list):
        return ", ".join(value)
    text = str(value)
    return turn.say(_CHOICES[field].get(text, text)) if field in _CHOICES else text


def writer(turn: Turn, by: Author) -> str:
    """Who wrote a version."""
    if by.by in ("patient", "representative") and by.ident == turn.visit.ins:
        return turn.say("vous")
    if by.by == "patient":
        return by.name or turn.say(N_("le patient"))
    if by.by == "representative":
        return turn.say("%(name)s (représentant légal)", name=by.name or turn.say(N_("un parent")))
    if by.by in ("professional", "structure"):
        profession = annuaire.profession_label(by.profession)[turn.language == "en"] if by.profession else ""
        said = [by.name or by.organisation or turn.say(N_("un professionnel")), profession.lower()]
        said += [by.organisation] if by.name and by.organisation else []
        return ", ".join(one for one in said if one)
    return turn.say(N_("le support, à votre demande"))
