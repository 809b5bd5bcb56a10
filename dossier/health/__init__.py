"""The medical profile: what a patient tells of his health, of those around him, of his wishes.

:func:`items` and :func:`profile_for` read for one reader without a trace, :func:`read_profile` with one;
:func:`put`, :func:`end` and :func:`remove` change it. From the event loop use ``Store.in_thread``.
"""

from dossier.health.carnet import Protection, carnet
from dossier.health.dates import Language, PartialDate, check_date, parse_date
from dossier.health.doses import UNITS, Dose, parse_dose
from dossier.health.errors import HealthError
from dossier.health.fhir import to_fhir
from dossier.health.fhir_reading import from_fhir
from dossier.health.importing import BadItem, Imported, import_fhir, resources_of
from dossier.health.items import (
    CAN_BE_NONE,
    SECTIONS,
    Administrative,
    Allergy,
    Contact,
    FamilyHistory,
    Illness,
    Item,
    NoneKnown,
    Section,
    Treatment,
    Vaccination,
    Wish,
    section_of,
)
from dossier.health.model import Author, Filled, HealthProfile, ProfileItem, State
from dossier.health.reading import (
    counts,
    filled,
    hidden_from,
    item_of,
    items,
    profile_for,
    read_profile,
    readable,
    versions,
)
from dossier.health.telling import name_of
from dossier.health.writing import end, hide, put, remove, show

__all__ = [
    "CAN_BE_NONE",
    "SECTIONS",
    "UNITS",
    "Administrative",
    "Allergy",
    "Author",
    "BadItem",
    "Contact",
    "Dose",
    "FamilyHistory",
    "Filled",
    "HealthError",
    "HealthProfile",
    "Illness",
    "Imported",
    "Item",
    "Language",
    "NoneKnown",
    "PartialDate",
    "ProfileItem",
    "Protection",
    "Section",
    "State",
    "Treatment",
    "Vaccination",
    "Wish",
    "carnet",
    "check_date",
    "counts",
    "end",
    "filled",
    "from_fhir",
    "hidden_from",
    "hide",
    "import_fhir",
    "item_of",
    "items",
    "name_of",
    "parse_date",
    "parse_dose",
    "profile_for",
    "put",
    "read_profile",
    "readable",
    "remove",
    "resources_of",
    "section_of",
    "show",
    "to_fhir",
    "versions",
]
