"""The forms of the medical profile: a field for each thing that is told, an item made of what was typed.

``values_of(item)`` fills the form that ``item_from`` reads: one after the other gives the item again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final, Literal

import msgspec

from dossier.health import (
    Administrative,
    Allergy,
    Contact,
    Dose,
    FamilyHistory,
    HealthError,
    Illness,
    Item,
    Language,
    NoneKnown,
    PartialDate,
    Section,
    Treatment,
    Vaccination,
    Wish,
    check_date,
    parse_date,
    parse_dose,
)
from webmail.health import labels
from webmail.languages import N_

Kind = Literal["text", "area", "date", "dose", "select", "check", "number", "list"]
_THREE_DECIMALS: Final = re.compile(r"^[1-9][0-9]*[.,][0-9]{3}(?![0-9])")
_FIELD_MISSING: Final = N_("Ce champ est nécessaire.")
_NO_NUMBER: Final = N_("Écrivez un nombre entier, ou rien.")
_NO_CHOICE: Final = N_("Choisissez une réponse de la liste.")
_DATE_HELP: Final = N_("Une année, un mois ou un jour : 2019, 05/2019 ou 12/05/2019.")


class Field(msgspec.Struct, frozen=True):
    """One field; ``future``: a date may be to come; ``rare``: stands under "more details"."""

    name: str
    label: str
    kind: Kind = "text"
    help: str = ""
    required: bool = False
    options: Mapping[str, str] = {}
    future: bool = False
    rare: bool = False


class Form(msgspec.Struct, frozen=True):
    """The fields of a section, and the type of its items."""

    type: Callable[..., Item]
    fields: tuple[Field, ...]


_NOTE: Final = Field("note", N_("Remarque"), "area")
_BEGIN: Final = Field("begin", N_("Depuis quand"), "date", _DATE_HELP)
_END: Final = Field("end", N_("Jusqu'à quand"), "date", N_("Seulement si c'est terminé."))

FORMS: Final[dict[Section, Form]] = {
    "illness": Form(
        Illness,
        (
            Field("label", N_("Nom de la maladie ou du sujet"), required=True),
            _BEGIN,
            _END,
            Field("chronic", N_("Elle dure (maladie chronique)"), "check"),
            Field(
                "ald",
                N_("Elle est reconnue comme affection de longue durée (ALD)"),
                "check",
                N_("L'Assurance Maladie prend alors en charge certains soins en entier."),
            ),
            _NOTE,
            Field("system", N_("Code de la maladie"), "select", options=labels.SYSTEMS, rare=True),
            Field(
                "code",
                N_("Le code"),
                help=N_("Par exemple E11.9, s'il figure sur un courrier."),
                rare=True,
            ),
        ),
    ),
    "treatment": Form(
        Treatment,
        (
            Field("label", N_("Nom du médicament ou du traitement"), required=True),
            Field(
                "dose",
                N_("Dose à chaque prise"),
                "dose",
                N_("Un nombre et une unité : 2,5 mg, 1/2 comprimé, 10 gouttes."),
            ),
            Field(
                "rhythm",
                N_("Quand vous le prenez"),
                help=N_("Par exemple : matin et soir, pendant le repas."),
            ),
            Field("reason", N_("Pourquoi")),
            _BEGIN,
            _END,
            _NOTE,
        ),
    ),
    "allergy": Form(
        Allergy,
        (
            Field("substance", N_("À quoi êtes-vous allergique ?"), required=True),
            Field("kind", N_("De quel type ?"), "select", options=labels.ALLERGY_KINDS),
            Field(
                "reaction",
                N_("Que se passe-t-il ?"),
                help=N_("Par exemple : boutons, gonflement, gêne pour respirer."),
            ),
            Field("severity", N_("Est-ce grave ?"), "select", options=labels.SEVERITIES),
            _BEGIN,
            _NOTE,
        ),
    ),
    "vaccination": Form(
        Vaccination,
        (
            Field("vaccine", N_("Nom du vaccin"), required=True),
            Field(
                "diseases",
                N_("Contre quelles maladies"),
                "list",
                N_("Séparées par des virgules : diphtérie, tétanos."),
            ),
            Field("date", N_("Date du vaccin"), "date", _DATE_HELP, required=True),
            Field("number", N_("Numéro de la dose"), "number", N_("1 pour la première.")),
            Field("booster", N_("C'est un rappel"), "check"),
            Field("next_due", N_("Prochain vaccin prévu"), "date", _DATE_HELP, future=True),
            Field("giver", N_("Qui a vacciné")),
            Field("place", N_("Où"), rare=True),
            Field("lot", N_("Numéro de lot"), rare=True),
            _NOTE,
        ),
    ),
    "family": Form(
        FamilyHistory,
        (
            Field(
                "relation",
                N_("Qui, dans votre famille ?"),
                "select",
                required=True,
                options=labels.RELATIONS,
            ),
            Field("illness", N_("Quelle maladie ?"), required=True),
            Field("onset_age", N_("À quel âge a-t-elle commencé ?"), "number", N_("En années.")),
            _NOTE,
        ),
    ),
    "contact": Form(
        Contact,
        (
            Field("role", N_("Son rôle pour vous"), "select", required=True, options=labels.ROLES),
            Field("name", N_("Son nom"), required=True),
            Field("relation", N_("Son lien avec vous"), help=N_("Par exemple : époux, fille, voisin.")),
            Field("phone", N_("Son téléphone")),
            _NOTE,
        ),
    ),
    "wish": Form(
        Wish,
        (
            Field("subject", N_("De quoi s'agit-il ?"), "select", required=True, options=labels.SUBJECTS),
            Field(
                "answer",
                N_("Votre réponse"),
                "select",
                N_("Don d'organes : oui si vous acceptez. Directives : oui si elles existent."),
                options=labels.ANSWERS,
            ),
            Field("family_told", N_("J'en ai parlé à mes proches"), "check"),
            Field("where", N_("Où se trouve le document, s'il y en a un")),
            Field("text", N_("Avec vos mots"), "area"),
        ),
    ),
    "administrative": Form(
        Administrative,
        (
            Field("topic", N_("De quoi s'agit-il ?"), "select", required=True, options=labels.TOPICS),
            Field("text", N_("L'information"), required=True),
            Field("number", N_("Numéro de contrat")),
            Field("until", N_("Valable jusqu'à"), "date", _DATE_HELP, future=True),
            _NOTE,
        ),
    ),
}  # fmt: skip


class Typed(msgspec.Struct):
    """What was typed, made an item (None where it cannot be) and what is wrong: sentences by field, in the
    language asked for where the room says them, else texts to be translated."""

    values: dict[str, str]
    item: Item | None = None
    faults: dict[str, str] = {}


def blank(section: Section) -> dict[str, str]:
    """An empty form."""
    return {one.name: "" for one in FORMS[section].fields}


def values_of(item: Item, language: Language = "fr") -> dict[str, str]:
    """What the form of an item shows."""
    found: dict[str, str] = {}
    if isinstance(item, NoneKnown):
        return found
    for one in FORMS[item.section].fields:
        value = getattr(item, one.name)
        found[one.name] = "" if one.name == "number" and value == 0 else _shown(value, language)
    return found


def _shown(value: object, language: Language) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "oui" if value else ""
    if isinstance(value, PartialDate):
        return "/".join(reversed(str(value).split("-")))
    if isinstance(value, Dose):
        # 1,125 may be read in two ways, and is refused: 1,1250 is not
        return _THREE_DECIMALS.sub(r"\g<0>0", value.words(language))
    if isinstance(value, list):
        return ", ".join(value)
    return str(value)


def item_from(
    section: Section,
    given: Mapping[str, str],
    *,
    born: str,
    today: date,
    language: Language = "fr",
    before: Item | None = None,
) -> Typed:
    """The item that a form tells; ``before`` keeps what the form does not show.

    :param born: YYYY-MM-DD, "" unknown: no date is before it.
    """
    form = FORMS[section]
    typed = Typed({one.name: given.get(one.name, "").strip() for one in form.fields}, None, {})
    made: dict[str, Any] = {}
    for one in form.fields:
        try:
            made[one.name] = _value(one, typed.values[one.name])
            if one.kind == "date":
                check_date(made[one.name], born=born, today=today, future=one.future)
        except HealthError as error:
            typed.faults[one.name] = error.said(language)
        except _FieldError as fault:
            typed.faults[one.name] = str(fault)
    if not typed.faults:
        if before is not None:
            typed.item = msgspec.structs.replace(before, **made)
        else:
            typed.item = form.type(**made)
    return typed


class _FieldError(ValueError):
    """A field that is wrong, in a text to be translated."""


def _value(field: Field, text: str) -> object:
    if field.required and not text:
        raise _FieldError(_FIELD_MISSING)
    if field.kind == "check":
        return bool(text)
    if field.kind == "select":
        if text not in field.options:
            raise _FieldError(_NO_CHOICE)
        return text
    if field.kind == "list":
        return [word for one in text.split(",") if (word := one.strip())]
    if field.kind == "number":
        return _number(field, text)
    if field.kind == "date":
        return parse_date(text) if text else None
    if field.kind == "dose":
        return parse_dose(text) if text else None
    return text


def _number(field: Field, text: str) -> int | None:
    if not text:
        return 0 if field.name == "number" else None
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise _FieldError(_NO_NUMBER)
    return int(text)
