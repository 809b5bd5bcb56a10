"""What a decision on access is made of: who asks for what, and the facts of record and document."""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

from activity import By, Purpose
from dossier.model import Status
from patients import Viewer

#: What is asked of one document. ``see``: find it in a list, with its title; ``read``: its content.
DocumentAction = Literal[
    "see",
    "read",
    "replace",
    "delete",
    "mask",  # from professionals
    "unmask",
    "withhold",  # from the patient until he was told
    "announce",
    "hide",  # from legal representatives
    "show",
]
#: What is asked of the parts of a record that are no documents.
PartAction = Literal[
    "read_profile",
    "write_profile",
    "read_vaccinations",
    "add_vaccination",
    "read_wishes",  # entourage et volontés
    "read_measures",
    "write_measures",
]
#: What is asked of the record as a whole.
RecordAction = Literal[
    "deposit",
    "mask_all",
    "unmask_all",
    "block",
    "unblock",
    "authorise",  # a professional, by the patient
    "declare_consent",  # by the professional: the patient agreed, before him
    "appoint",  # the treating physician
    "dismiss",
    "set_emergency",
    "read_history",  # of accesses
    "export",
    "import",
]
#: What can be asked for.
Action = DocumentAction | PartAction | RecordAction

DOCUMENT_ACTIONS: Final[tuple[DocumentAction, ...]] = get_args(DocumentAction)
PART_ACTIONS: Final[tuple[PartAction, ...]] = get_args(PartAction)
RECORD_ACTIONS: Final[tuple[RecordAction, ...]] = get_args(RecordAction)
ACTIONS: Final[tuple[Action, ...]] = (*DOCUMENT_ACTIONS, *PART_ACTIONS, *RECORD_ACTIONS)


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, as far as it decides. ``viewer``: what a person is to the patient (see
    :func:`patients.viewer_of`); "stranger" for everybody who is no patient."""

    by: By
    viewer: Viewer = "stranger"
    purpose: Purpose = "normal"
    reasoned: bool = False  # a written reason was given


class RecordFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What holds of the record for this asker. ``open``: there is a profile, and it takes documents."""

    open: bool
    authorised: bool = False  # the patient lets him in, or he declared that the patient agreed
    blocked: bool = False  # the patient blocked this professional
    treating: bool = False  # he is a physician, and the treating one
    regulation_refused: bool = False
    glass_refused: bool = False
    all_masked: bool = False
    sees_profile: bool = False  # rows of the habilitation matrix on the parts that are no documents
    sees_vaccinations: bool = False
    sees_wishes: bool = False
    sees_measures: bool = False
    adds_vaccinations: bool = False


class DocumentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What holds of one document for this asker, or of the one he wants to deposit.

    ``own``: he, or the structure he acts for, wrote or filed it; ``allowed``: the habilitation matrix lets
    his profession read its class; ``masked``: by itself; ``bared``: unmasked by itself since all were masked.
    """

    status: Status
    own: bool = False
    by_patient: bool = False  # the patient, or who represents him, filed it
    allowed: bool = False
    masked: bool = False
    bared: bool = False
    withheld: bool = False
    announced: bool = False  # it was withheld, and is no more: for good
    hidden: bool = False


class Decision(msgspec.Struct, frozen=True):
    """Whether it is allowed, the rule that decided, and why: for the asker, in French and in English.

    ``kept``: who asks is not to learn that there is such a document.
    """

    allowed: bool
    rule: str
    french: str = ""
    english: str = ""
    kept: bool = False
