"""The rights to a record as one pure function: who asks for what, the facts, and nothing else.

It fails closed: an asker, an action or a purpose that no line allows is refused. The order of the checks is
part of the rule: what is kept from somebody is refused before anything that would tell him of it.
"""

from __future__ import annotations

from typing import Final

from dossier.model import DELETED
from dossier.rights.model import (
    DOCUMENT_ACTIONS,
    PART_ACTIONS,
    Action,
    Asker,
    Decision,
    DocumentFacts,
    RecordFacts,
)
from dossier.rights.words import allow, refuse

_OF_DOCUMENTS: Final = frozenset(DOCUMENT_ACTIONS)
_OF_PARTS: Final = frozenset(PART_ACTIONS)
#: What an operator does at the patient's written request, on the record as a whole.
_AT_REQUEST: Final = frozenset(
    {
        "mask_all", "unmask_all", "block", "unblock", "authorise", "appoint", "dismiss", "set_emergency",
        "read_history", "export", "import",
    }
)  # fmt: skip


def decide(
    action: Action, asker: Asker, record: RecordFacts, document: DocumentFacts | None = None
) -> Decision:
    """Whether ``asker`` may do ``action`` in a record.

    :param document: the document it is asked of; for ``deposit`` the new one, where it is known.

    Raises :class:`ValueError` when an action on a document comes without one.
    """
    if action in _OF_DOCUMENTS and document is None:
        raise ValueError(f"{action} is asked of a document")
    if asker.by in ("patient", "representative"):
        return _person(action, asker, record, document)
    if asker.by == "professional":
        return _professional(action, asker, record, document)
    if asker.by == "structure":
        return _structure(action, record, document)
    if asker.by == "operator":
        return _operator(action, asker, record, document)
    return refuse("dossier.stranger")  # services and the gateway itself: nothing of the record


# -- the patient's side ---------------------------------------------------------------------------


def _person(action: Action, asker: Asker, record: RecordFacts, document: DocumentFacts | None) -> Decision:
    if asker.viewer == "stranger":
        return refuse("dossier.stranger")
    if not record.open:
        return refuse("dossier.closed")
    himself = asker.by == "patient" and asker.viewer == "self"
    if document is not None and action in _OF_DOCUMENTS:
        if document.status == DELETED:
            return refuse("dossier.deleted", kept=True)
        if document.withheld:
            return refuse("dossier.withheld", kept=True)
        if document.hidden and not himself:
            return refuse("dossier.hidden", kept=True)
    if action in ("replace", "delete") and (document is None or not document.by_patient):
        return refuse("dossier.author")
    if action in ("withhold", "announce", "declare_consent"):
        return refuse("dossier.reserved")
    if (action == "hide" and asker.by != "patient") or (action == "show" and not himself):
        return refuse("dossier.reserved")
    return allow("dossier.patient" if himself else "dossier.representative")


# -- professionals --------------------------------------------------------------------------------


def _professional(
    action: Action, asker: Asker, record: RecordFacts, document: DocumentFacts | None
) -> Decision:
    if not record.open:
        return refuse("dossier.closed")
    if action == "deposit":
        return _deposit(document)
    if document is not None and action in _OF_DOCUMENTS:
        if document.status == DELETED:
            return refuse("dossier.deleted", kept=True)
        if action in ("see", "read"):
            return _seen(asker, record, document)
        return _changed(action, asker, record, document)
    if action in _OF_PARTS:
        return _part(action, asker, record)
    if action == "declare_consent":
        return refuse("dossier.blocked") if record.blocked else allow("dossier.consent")
    if action in ("block", "read_history") and record.treating:
        return refuse("dossier.blocked") if record.blocked else allow("dossier.treating")
    return refuse("dossier.reserved")


def _deposit(document: DocumentFacts | None) -> Decision:
    """Feeding the record is a duty (L.1111-15 CSP): neither a block nor a missing consent ends it."""
    if document is not None and document.masked and document.withheld:
        return refuse("dossier.together")  # EX_2.1-1050
    return allow("dossier.feeding")


def _door(asker: Asker, record: RecordFacts) -> Decision:
    """What lets a professional in: the patient, or an emergency."""
    if asker.purpose == "regulation":
        return (
            refuse("dossier.emergency_refused") if record.regulation_refused else allow("dossier.regulation")
        )
    if record.blocked:
        return refuse("dossier.blocked")
    if asker.purpose == "break_glass":
        if record.glass_refused:
            return refuse("dossier.emergency_refused")
        return allow("dossier.break_glass") if asker.reasoned else refuse("dossier.reason")
    if record.treating:
        return allow("dossier.treating")
    return allow("dossier.authorised") if record.authorised else refuse("dossier.not_authorised")


def _seen(asker: Asker, record: RecordFacts, document: DocumentFacts) -> Decision:
    if document.own and not record.blocked:
        return allow("dossier.own")
    door = _door(asker, record)
    if not door.allowed:
        return door
    if _masked(record, document) and not (_treats(record) or document.own):
        return refuse("dossier.masked", kept=True)
    if not document.allowed and not document.own:
        return refuse("dossier.habilitation")
    return door


def _treats(record: RecordFacts) -> bool:
    """Whether he has a treating physician's rights to others' documents: blocked he has none, though
    regulation lets him in."""
    return record.treating and not record.blocked


def _masked(record: RecordFacts, document: DocumentFacts) -> bool:
    return document.masked or (record.all_masked and not document.bared)


def _changed(action: Action, asker: Asker, record: RecordFacts, document: DocumentFacts) -> Decision:
    """Only his own documents, blocked or not; the treating physician also masks and announces others'."""
    if not document.own:
        seen = _seen(asker, record, document)
        if not seen.allowed:
            return seen
        if action not in ("mask", "announce") or not _treats(record):
            return refuse("dossier.author")
    if action == "unmask":
        return refuse("dossier.reserved")  # a mask is the patient's will
    if (action == "mask" and document.withheld) or (action == "withhold" and document.masked):
        return refuse("dossier.together")  # EX_2.1-1050
    if action == "withhold" and document.announced:
        return refuse("dossier.announced")  # EX_3.3-1045
    return allow("dossier.own" if document.own else "dossier.treating")


def _part(action: Action, asker: Asker, record: RecordFacts) -> Decision:
    if action in ("write_profile", "write_measures"):
        return refuse("dossier.reserved")
    door = _door(asker, record)
    if not door.allowed:
        return door
    opened = {
        "read_profile": record.sees_profile,
        "read_vaccinations": record.sees_vaccinations,
        "add_vaccination": record.adds_vaccinations,
        "read_wishes": record.sees_wishes,
        "read_measures": record.sees_measures,
    }
    return door if opened.get(action, False) else refuse("dossier.habilitation")


# -- structures, support --------------------------------------------------------------------------


def _structure(action: Action, record: RecordFacts, document: DocumentFacts | None) -> Decision:
    """A structure that proves itself by its certificate (indirect authentication)."""
    if not record.open:
        return refuse("dossier.closed")
    if action == "deposit":
        return _deposit(document)
    if document is None or action not in _OF_DOCUMENTS:
        return refuse("dossier.reserved")
    if document.status == DELETED:
        return refuse("dossier.deleted", kept=True)
    if not document.own:
        return refuse("dossier.author", kept=True)
    if action in ("see", "read", "replace", "delete"):
        return allow("dossier.own")
    return refuse("dossier.reserved")  # it changes a mask by replacing the document


def _operator(action: Action, asker: Asker, record: RecordFacts, document: DocumentFacts | None) -> Decision:
    if document is not None and action in _OF_DOCUMENTS:
        if document.status == DELETED:
            return refuse("dossier.deleted", kept=True)
        if action == "see":
            return allow("dossier.operator")
    if action == "read" or (action in _OF_PARTS and action.startswith("read_")):
        return refuse("dossier.content")
    if action in ("replace", "delete"):
        return refuse("dossier.author")
    if action not in _AT_REQUEST and action not in ("mask", "unmask", "announce", "hide"):
        return refuse("dossier.reserved")
    if not record.open and action not in ("read_history", "export"):
        return refuse("dossier.closed")  # what a closed record holds is kept, and given to its patient
    if not asker.reasoned:
        return refuse("dossier.reason")
    if action == "mask" and document is not None and document.withheld:
        return refuse("dossier.together")  # EX_2.1-1050
    return allow("dossier.operator")
