"""What an agenda holds: appointments, their occurrences, invitations, proposals and their answers.

Wall times are text without an offset: ``"2026-03-29T14:30:00"``, or ``"2026-03-29"`` of an all-day one; the
zone stands beside them by its IANA name, so that 14:30 in La Réunion stays 14:30 whatever a country decides
about summer time. Moments are ms since the epoch.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from activity import By

Source = Literal["patient", "professional", "proposal", "import", "invitation"]
Status = Literal["planned", "cancelled", "removed"]
Shows = Literal["busy", "full"]
ProposalKind = Literal["vaccination", "screening", "visit"]
Said = Literal["accepted", "declined", "done"]
InvitationStatus = Literal["open", "accepted", "declined", "withdrawn"]


class Professional(msgspec.Struct, frozen=True, kw_only=True):
    """With whom: IdNat_PS where it is known, a name in words, or both."""

    id_nat: str = ""
    name: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One occurrence that differs: ``at`` is the wall time at which it would have begun. A cancelled one
    needs nothing else; another states all of its own."""

    at: str
    cancelled: bool = False
    begin: str = ""
    end: str = ""
    title: str = ""
    place: str = ""
    notes: str = ""


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """What an appointment says; sealed as a whole.

    ``end`` is exclusive (an all-day one of one day ends on the next). ``zone`` is "" for all-day ones.
    ``rule`` is an RRULE without its name, ``extra`` (RDATE) and ``excluded`` (EXDATE) are wall times.
    ``reminders`` are minutes before the beginning (of an all-day one: before midnight in Paris).
    ``shared``: professionals of the circle of care may see it.
    """

    title: str
    begin: str
    end: str
    all_day: bool = False
    zone: str = "Europe/Paris"
    place: str = ""
    notes: str = ""
    professional: Professional = Professional()
    rule: str = ""
    extra: list[str] = []
    excluded: list[str] = []
    changes: list[Change] = []
    reminders: list[int] = []
    shared: bool = False


class Appointment(msgspec.Struct, frozen=True, kw_only=True):
    """An appointment in its present version, or a past one. ``at``: when this version was made, by whom;
    ``hidden``: kept from legal representatives; ``uid`` names it in iCalendar, for ever."""

    box_id: int
    appointment_id: int
    version: int
    at: int
    status: Status
    source: Source
    by: By
    ident: str
    uid: str
    hidden: bool
    details: Details


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """One appointment at one time. ``at`` is the wall time at which its rule has it begin (RECURRENCE-ID);
    ``begin`` and ``end`` as walls, ``since`` and ``until`` as moments (``until`` exclusive)."""

    appointment_id: int
    at: str
    begin: str
    end: str
    since: int
    until: int
    all_day: bool
    zone: str
    title: str
    place: str
    notes: str
    professional: Professional
    source: Source
    shared: bool
    hidden: bool
    cancelled: bool = False


class Due(msgspec.Struct, frozen=True):
    """A reminder: ``at`` (ms) for the occurrence that begins at ``begins`` (ms)."""

    box_id: int
    appointment_id: int
    at: int
    begins: int


class BadPart(msgspec.Struct, frozen=True):
    """A component or row that was left out: its line in the file and why, without what it said."""

    line: int
    reason: str


class Imported(msgspec.Struct, kw_only=True):
    """What an import did; ``bad`` names at most 200 of ``bad_count``."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    dropped_alarms: int = 0  # actions that are no display: mail, sound files, programs
    bad_count: int = 0
    bad: list[BadPart] = msgspec.field(default_factory=list)


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A private subscription. ``used_day`` is the last day (days since the epoch) it was fetched, 0 never."""

    feed_id: int
    created_at: int
    by: By
    ident: str
    shows: Shows
    label: str
    used_day: int
    revoked_at: int | None
