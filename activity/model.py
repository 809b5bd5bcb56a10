"""Who acts, what is done, on what: the terms in which every room tells what happened to a record."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

By = Literal["patient", "representative", "professional", "structure", "operator", "service", "gateway"]
Purpose = Literal["normal", "regulation", "break_glass"]
#: Everything that is written down; :mod:`activity.words` says each in French and English.
What = Literal[
    "documents_listed",
    "document_read",
    "document_deposited",
    "document_saved",  # from a message
    "document_replaced",
    "document_deleted",
    "document_masked",  # from professionals
    "document_unmasked",
    "documents_masked",  # all at once
    "documents_unmasked",
    "document_withheld",  # from the patient, until he was told
    "document_announced",
    "document_hidden",  # from legal representatives
    "document_shown",
    "professional_blocked",
    "professional_unblocked",
    "professional_authorised",
    "consent_declared",  # by a professional: the patient agreed, before him
    "physician_appointed",  # the treating one
    "physician_dismissed",
    "emergency_changed",
    "rights_read",  # by support: who may do what
    "profile_read",
    "profile_item_added",
    "profile_item_changed",
    "profile_item_removed",
    "measures_read",
    "measure_added",
    "measure_removed",
    "measures_imported",
    "measures_counted",  # how many, without reading any
    "summary_made",
    "history_read",
    "appointments_read",
    "appointment_added",
    "appointment_changed",
    "appointment_removed",
    "calendar_imported",
    "calendar_exported",
    "feed_opened",
    "feed_revoked",
    "proposal_accepted",
    "proposal_declined",
    "proposal_done",
    "proposal_received",  # an invitation by mail
    "proposal_withdrawn",
    "consent_given",
    "consent_revoked",
    "consents_read",
    "data_exchanged",
    "notices_changed",
    "archive_exported",
    "archive_imported",
]
Kind = Literal[
    "record",
    "document",
    "item",
    "measure",
    "appointment",
    "feed",
    "proposal",
    "service",
    "professional",
    "message",
]


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts, as proven by who calls.

    ``ident``: INS of a patient or representative, IdNat_PS of a professional, Struct_IdNat of a structure,
    login of an operator, id of a service. ``profession`` is the code of G15 (``"10"``), ``speciality`` of R38
    (``"SM26"``), ``structure`` the Struct_IdNat one acts for and ``organisation`` its name, ``address`` the
    mail address where mail is what proved him. ``reason`` is the written reason of breaking the glass, or of
    an operator. ``operator``: login of the operator at whose hands it is done, by the rights and at the
    written request of the person that the other fields name; the journal tells of the operator.
    """

    by: By
    ident: str
    operator: str = ""
    name: str = ""
    profession: str = ""
    speciality: str = ""
    structure: str = ""
    organisation: str = ""
    address: str = ""
    purpose: Purpose = "normal"
    reason: str = ""


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """What of an entry is sealed: who it was in words, the written reason, and what only this entry knows
    (``more``: short strings by name)."""

    name: str = ""
    profession: str = ""
    organisation: str = ""
    reason: str = ""
    more: dict[str, str] = {}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry ready to be written: see :func:`activity.entry`. ``rule`` is "" when it was allowed, else
    the rule that refused; ``subject`` is the id of what was acted on."""

    activity_id: int
    box_id: int
    by: By
    ident: str
    structure: str
    what: What
    kind: Kind
    subject: str
    rule: str
    purpose: Purpose
    sealed: bytes


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as it stands in the journal. ``at`` in ms."""

    activity_id: int
    at: int
    by: By
    ident: str
    structure: str
    what: What
    kind: Kind
    subject: str
    rule: str
    purpose: Purpose
    details: Details

    @property
    def refused(self) -> bool:
        return bool(self.rule)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are asked for; empty: all. ``by`` and ``what``: any of these. ``ident``: of who acted.

    ``after_seq`` and ``upto_seq``: only those whose record of evidence has a greater number than the one, and
    none than the other.
    """

    by: tuple[By, ...] = ()
    ident: str = ""
    what: tuple[What, ...] = ()
    kind: Kind | Literal[""] = ""
    subject: str = ""
    refused: bool = False
    after_seq: int = 0
    upto_seq: int = 0


#: Everybody but the patient, who represents him, and the gateway itself.
OTHERS: Final[tuple[By, ...]] = ("professional", "structure", "operator", "service")
PROFESSIONALS: Final[tuple[By, ...]] = ("professional", "structure")


class Counts(msgspec.Struct):
    """How many entries: all, by kind of who acted, those refused, those of broken glass."""

    entries: int = 0
    by: dict[str, int] = msgspec.field(default_factory=dict)
    refused: int = 0
    glass_broken: int = 0
