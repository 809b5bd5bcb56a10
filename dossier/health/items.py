"""What the medical profile is made of: one small type for each kind of item."""

from __future__ import annotations

from typing import ClassVar, Final, Literal, TypeAlias, get_args

import msgspec

from dossier.health.dates import PartialDate
from dossier.health.doses import Dose

#: The sections of the profile, in the order of display; each holds one kind of item.
Section = Literal[
    "illness", "treatment", "allergy", "vaccination", "family", "contact", "wish", "administrative"
]
SECTIONS: Final[tuple[Section, ...]] = get_args(Section)
#: Sections of which "I have none" is an answer.
CAN_BE_NONE: Final[frozenset[Section]] = frozenset(
    {"illness", "treatment", "allergy", "vaccination", "family"}
)

CodeSystem = Literal["", "CIM-10", "SNOMED CT"]
AllergyKind = Literal["", "medicine", "food", "contact", "airborne", "venom", "other"]
Severity = Literal["", "mild", "moderate", "severe"]
Relation = Literal[
    "mother", "father", "sister", "brother", "daughter", "son", "grandmother", "grandfather", "aunt",
    "uncle", "cousin", "other",
]  # fmt: skip
#: ``trusted``: personne de confiance (L.1111-6 CSP); ``warn``: to be told; ``physician``: the treating one,
#: in words (the declared one is a right of access, not an item).
Role = Literal["trusted", "warn", "physician", "carer", "other"]
Subject = Literal["organ_donation", "directives", "other"]
Answer = Literal["", "yes", "no"]
Topic = Literal["insurance", "language", "needs", "work", "housing", "other"]


class _Item(msgspec.Struct, frozen=True, omit_defaults=True):
    section: ClassVar[Section]
    #: Text fields that may not be empty.
    needed: ClassVar[tuple[str, ...]] = ()


class Illness(_Item, tag="illness", kw_only=True, frozen=True):
    """A disease or a matter of health. ``code`` is of ``system``, as text; ``chronic``: it lasts;
    ``ald``: recognised as a long-term illness (affection de longue durée)."""

    section: ClassVar[Section] = "illness"
    needed: ClassVar[tuple[str, ...]] = ("label",)

    label: str
    system: CodeSystem = ""
    code: str = ""
    begin: PartialDate | None = None
    end: PartialDate | None = None
    chronic: bool = False
    ald: bool = False
    note: str = ""


class Treatment(_Item, tag="treatment", kw_only=True, frozen=True):
    """What is taken. ``rhythm`` in words ("matin et soir"), ``reason`` what for."""

    section: ClassVar[Section] = "treatment"
    needed: ClassVar[tuple[str, ...]] = ("label",)

    label: str
    dose: Dose | None = None
    rhythm: str = ""
    begin: PartialDate | None = None
    end: PartialDate | None = None
    reason: str = ""
    note: str = ""


class Allergy(_Item, tag="allergy", kw_only=True, frozen=True):
    """What is not borne, how the body answers, how badly."""

    section: ClassVar[Section] = "allergy"
    needed: ClassVar[tuple[str, ...]] = ("substance",)

    substance: str
    kind: AllergyKind = ""
    reaction: str = ""
    severity: Severity = ""
    begin: PartialDate | None = None
    note: str = ""


class Vaccination(_Item, tag="vaccination", kw_only=True, frozen=True):
    """One line of the carnet. ``number``: which dose, 0 for not told; ``giver_id`` the IdNat_PS of who gave
    it, as told: proven only where the item was added by him; ``next_due`` may be in the future."""

    section: ClassVar[Section] = "vaccination"
    needed: ClassVar[tuple[str, ...]] = ("vaccine",)

    vaccine: str
    diseases: list[str] = []
    date: PartialDate
    number: int = 0
    booster: bool = False
    lot: str = ""
    giver: str = ""
    giver_id: str = ""
    place: str = ""
    next_due: PartialDate | None = None
    note: str = ""


class FamilyHistory(_Item, tag="family", kw_only=True, frozen=True):
    """An illness of a relative; ``onset_age`` in years, None for not known."""

    section: ClassVar[Section] = "family"
    needed: ClassVar[tuple[str, ...]] = ("illness",)

    relation: Relation
    illness: str
    onset_age: int | None = None
    note: str = ""


class Contact(_Item, tag="contact", kw_only=True, frozen=True):
    """Somebody of the entourage. ``relation`` in words ("époux"); ``phone`` in figures, + first or not."""

    section: ClassVar[Section] = "contact"
    needed: ClassVar[tuple[str, ...]] = ("name",)

    role: Role
    name: str
    relation: str = ""
    phone: str = ""
    note: str = ""


class Wish(_Item, tag="wish", kw_only=True, frozen=True):
    """What is wanted. On organ donation ``answer`` is yes or no to giving and ``family_told`` whether the
    family knows; for directives ``answer`` is whether they exist, ``where`` they are kept and ``document``
    the unique id of the document of the record that holds them."""

    section: ClassVar[Section] = "wish"

    subject: Subject
    answer: Answer = ""
    family_told: bool = False
    where: str = ""
    document: str = ""
    text: str = ""


class Administrative(_Item, tag="administrative", kw_only=True, frozen=True):
    """A fact for whoever receives the patient: complementary insurance, language, needs of a disability…"""

    section: ClassVar[Section] = "administrative"
    needed: ClassVar[tuple[str, ...]] = ("text",)

    topic: Topic
    text: str
    number: str = ""  # of a contract
    until: PartialDate | None = None
    note: str = ""


class NoneKnown(_Item, tag="none", kw_only=True, frozen=True):
    """The statement that there is nothing in a section: not the same as an empty one."""

    of: Section


Item: TypeAlias = (
    Illness | Treatment | Allergy | Vaccination | FamilyHistory | Contact | Wish | Administrative | NoneKnown
)


def section_of(item: Item) -> Section:
    """The section that an item stands in."""
    return item.of if isinstance(item, NoneKnown) else item.section
