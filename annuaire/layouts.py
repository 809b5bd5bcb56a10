"""The columns of the Annuaire's public extractions, and how a file's header is matched to them.

Labels drift from year to year ("Code département" and "Code departement", a lost "d'"), so they are
compared folded; a label that is not found falls back to its known position when the header otherwise
is the known one. A required column found neither way refuses the file.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from annuaire.errors import ExtractionError
from annuaire.names import fold

_SMALL_WORDS: Final = frozenset({"d", "de", "du", "des", "l", "la", "le", "les"})


class Layout(msgspec.Struct, frozen=True):
    """One extraction: its columns in published order, and the fields that we take from them."""

    source: str
    title: str
    columns: tuple[str, ...]
    fields: dict[str, str]  # our name of a field -> label of its column
    required: frozenset[str]


class Mapping(msgspec.Struct, frozen=True):
    """How the columns of one file answer to a layout: ``places`` gives each field's column index."""

    layout: Layout
    width: int
    places: dict[str, int]
    drifted: tuple[str, ...]  # labels taken by position


def _columns(labels: str) -> tuple[str, ...]:
    return tuple(labels.split("|"))


MAILBOXES: Final = Layout(
    source="mailboxes",
    title="Extraction_Correspondance_MSSante",
    columns=_columns(
        "Type de BAL|Adresse BAL|Type Identifiant PP|Identifiant PP|Identification nationale PP|"
        "Type identifiant structure|Identification Structure|Service de rattachement|Civilité d'exercice|"
        "Nom d'exercice|Prénom d'exercice|Catégorie profession|Libellé de catégorie profession|"
        "Code Profession|Libellé Profession|Code savoir-faire|Libellé savoir-faire|Dématérialisation|"
        "Raison Sociale structure BAL|Enseigne commerciale structure BAL|"
        "L2COMPLEMENTLOCALISATION structure BAL|L3COMPLEMENTDISTRIBUTION structure BAL|"
        "L4NUMEROVOIE structure BAL|L4COMPLEMENTNUMEROVOIE structure BAL|NL4TYPEVOIE structure BAL|"
        "L4LIBELLEVOIE structure BAL|L5LIEUDITMENTION structure BAL|L6LIGNEACHEMINEMENT structure BAL|"
        "Code postal structure BAL|Département structure BAL|Pays structure BAL"
    ),
    fields={
        "kind": "Type de BAL",
        "address": "Adresse BAL",
        "id_kind": "Type Identifiant PP",
        "identifier": "Identifiant PP",
        "national": "Identification nationale PP",
        "structure_kind": "Type identifiant structure",
        "structure": "Identification Structure",
        "service": "Service de rattachement",
        "civility": "Civilité d'exercice",
        "family": "Nom d'exercice",
        "given": "Prénom d'exercice",
        "profession": "Code Profession",
        "profession_label": "Libellé Profession",
        "speciality": "Code savoir-faire",
        "speciality_label": "Libellé savoir-faire",
        "legal_name": "Raison Sociale structure BAL",
        "trade_name": "Enseigne commerciale structure BAL",
        "delivery_line": "L6LIGNEACHEMINEMENT structure BAL",
        "postcode": "Code postal structure BAL",
        "department": "Département structure BAL",
        "red_list": "Liste rouge",  # in local lists only
    },
    required=frozenset({"kind", "address", "national", "structure_kind", "structure", "family", "given"}),
)

ACTIVITIES: Final = Layout(
    source="activities",
    title="PS_LibreAcces_Personne_activite",
    columns=_columns(
        "Type d'identifiant PP|Identifiant PP|Identification nationale PP|Code civilité d'exercice|"
        "Libellé civilité d'exercice|Code civilité|Libellé civilité|Nom d'exercice|Prénom d'exercice|"
        "Code profession|Libellé profession|Code catégorie professionnelle|"
        "Libellé catégorie professionnelle|Code type savoir-faire|Libellé type savoir-faire|"
        "Code savoir-faire|Libellé savoir-faire|Code mode exercice|Libellé mode exercice|"
        "Numéro SIRET site|Numéro SIREN site|Numéro FINESS site|Numéro FINESS établissement juridique|"
        "Identifiant technique de la structure|Raison sociale site|Enseigne commerciale site|"
        "Complément destinataire (coord. structure)|Complément point géographique (coord. structure)|"
        "Numéro Voie (coord. structure)|Indice répétition voie (coord. structure)|"
        "Code type de voie (coord. structure)|Libellé type de voie (coord. structure)|"
        "Libellé Voie (coord. structure)|Mention distribution (coord. structure)|"
        "Bureau cedex (coord. structure)|Code postal (coord. structure)|Code commune (coord. structure)|"
        "Libellé commune (coord. structure)|Code pays (coord. structure)|Libellé pays (coord. structure)|"
        "Téléphone (coord. structure)|Téléphone 2 (coord. structure)|Télécopie (coord. structure)|"
        "Adresse e-mail (coord. structure)|Code Département (structure)|Libellé Département (structure)|"
        "Ancien identifiant de la structure|Autorité d'enregistrement|Code secteur d'activité|"
        "Libellé secteur d'activité|Code section tableau pharmaciens|Libellé section tableau pharmaciens|"
        "Code rôle|Libellé rôle|Code genre activité|Libellé genre activité"
    ),
    fields={
        "id_kind": "Type d'identifiant PP",
        "identifier": "Identifiant PP",
        "national": "Identification nationale PP",
        "civility": "Code civilité d'exercice",
        "civil_title": "Code civilité",
        "family": "Nom d'exercice",
        "given": "Prénom d'exercice",
        "profession": "Code profession",
        "category": "Code catégorie professionnelle",
        "speciality": "Code savoir-faire",
        "mode": "Code mode exercice",
        "siret": "Numéro SIRET site",
        "finess": "Numéro FINESS site",
        "finess_legal": "Numéro FINESS établissement juridique",
        "technical": "Identifiant technique de la structure",
        "legal_name": "Raison sociale site",
        "trade_name": "Enseigne commerciale site",
        "cedex": "Bureau cedex (coord. structure)",
        "postcode": "Code postal (coord. structure)",
        "town": "Libellé commune (coord. structure)",
        "department": "Code Département (structure)",
        "sector": "Code secteur d'activité",
        "sector_label": "Libellé secteur d'activité",
        "role": "Code rôle",
        "genre": "Code genre activité",
    },
    required=frozenset(
        {"national", "family", "given", "profession", "siret", "finess", "technical", "sector"}
    ),
)

#: Who holds which CPS or CPF card. Published without names.
CARDS: Final = Layout(
    source="cards",
    title="Porteurs_CPS_CPF",
    columns=_columns(
        "Identifiant PP|Code type de carte|Libellé type de carte|Numéro carte|"
        "Identifiant national contenu dans la carte|Date début validité|Date fin validité|"
        "Date opposition|Date de mise à jour"
    ),
    fields={
        "identifier": "Identifiant PP",
        "kind": "Code type de carte",
        "number": "Numéro carte",
        "national": "Identifiant national contenu dans la carte",
        "begins": "Date début validité",
        "ends": "Date fin validité",
        "opposed": "Date opposition",
    },
    required=frozenset({"number", "national", "ends", "opposed"}),
)

SKILLS: Final = Layout(
    source="skills",
    title="PS_LibreAcces_SavoirFaire",
    columns=_columns(
        "Type d'identifiant PP|Identifiant PP|Identification nationale PP|Nom d'exercice|Prénom d'exercice|"
        "Code profession|Libellé profession|Code catégorie professionnelle|"
        "Libellé catégorie professionnelle|Code type savoir-faire|Libellé type savoir-faire|"
        "Code savoir-faire|Libellé savoir-faire"
    ),
    fields={
        "id_kind": "Type d'identifiant PP",
        "identifier": "Identifiant PP",
        "national": "Identification nationale PP",
        "profession": "Code profession",
        "kind": "Code type savoir-faire",
        "code": "Code savoir-faire",
        "label": "Libellé savoir-faire",
    },
    required=frozenset({"national", "profession", "code"}),
)

#: Recognised and judged row by row; nothing of it is kept, for nothing here reads diplomas.
DIPLOMAS: Final = Layout(
    source="diplomas",
    title="PS_LibreAcces_Dipl_AutExerc",
    columns=_columns(
        "Type d'identifiant PP|Identifiant PP|Identification nationale PP|Nom d'exercice|Prénom d'exercice|"
        "Code type diplôme obtenu|Libellé type diplôme obtenu|Code diplôme obtenu|"
        "Libellé diplôme obtenu|Code type autorisation|Libellé type autorisation|"
        "Code discipline autorisation|Libellé discipline autorisation"
    ),
    fields={
        "id_kind": "Type d'identifiant PP",
        "identifier": "Identifiant PP",
        "national": "Identification nationale PP",
        "diploma": "Code diplôme obtenu",
        "permit": "Code type autorisation",
    },
    required=frozenset({"national", "diploma", "permit"}),
)

LAYOUTS: Final = (MAILBOXES, ACTIVITIES, CARDS, SKILLS, DIPLOMAS)


def fold_label(label: str) -> str:
    """A column label for comparison: no accents, case, punctuation or small words."""
    found = re.findall(r"[a-z0-9]+", fold(label))
    return " ".join(word for word in found if word not in _SMALL_WORDS)


def _likeness(layout: Layout, folded: set[str]) -> float:
    """The share of labels that a header and a layout have in common: one's columns may all be another's."""
    labels = {fold_label(column) for column in layout.columns}
    return len(labels & folded) / len(labels | folded)


def match_header(cells: list[str]) -> Mapping:
    """Recognise an extraction by its header line and place the fields that we take.

    Raises :class:`~annuaire.errors.ExtractionError` when the header belongs to no known extraction, names
    a column twice, or lacks a required column.
    """
    while cells and not cells[-1].strip():
        cells = cells[:-1]  # every line of the PS_LibreAcces files ends with a separator
    folded = [fold_label(cell) for cell in cells]
    layout = max(LAYOUTS, key=lambda one: _likeness(one, set(folded)))
    known = {fold_label(column): place for place, column in enumerate(layout.columns)}
    if len(known.keys() & set(folded)) * 2 < len(known):
        raise ExtractionError(
            "annuaire.header",
            "the first line is not the header of a known extraction "
            f"({', '.join(one.title for one in LAYOUTS)})",
        )
    for label in layout.columns:
        if folded.count(fold_label(label)) > 1:
            raise ExtractionError("annuaire.header", f"the column {label!r} appears twice")
    places: dict[str, int] = {}
    drifted: list[str] = []
    for field, label in layout.fields.items():
        wanted = fold_label(label)
        if wanted in folded:
            places[field] = folded.index(wanted)
            continue
        place = known.get(wanted, -1)
        if place < 0:
            continue  # a column of local lists
        # By position only where the header is as long as the known one and the label there is a new one.
        if len(cells) == len(layout.columns) and folded[place] and folded[place] not in known:
            places[field] = place
            drifted.append(cells[place].strip())
        elif field in layout.required:
            raise ExtractionError("annuaire.column", f"the column {label!r} is missing from {layout.title}")
    return Mapping(layout=layout, width=len(cells), places=places, drifted=tuple(drifted))
