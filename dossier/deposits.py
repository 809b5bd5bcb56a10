"""Depositing into the record by who asks for it: what is taken, under which code, and what is told of it.

Invariants: no document without an entry of the journal in the same transaction; the rights decide before
anything is kept; the same file twice is one document.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Final

import msgspec

import activity
import patients
from activity import Actor, What
from dossier import media, rights
from dossier.categories import PATIENT_TYPES
from dossier.codes import MIME_SUFFICIENT, TypeCode, find
from dossier.documents import document_by_unique_id
from dossier.errors import DossierError
from dossier.keeping import CDA, keep, structure_of, type_of
from dossier.model import PATIENT_SIDE, Document, Filed, Said
from dossier.rights.words import refuse
from dossier.wording import clean, clean_filename, title_from
from dossier.xmlsafe import MAX_XML
from store import NotFoundError, PasserelleError, Store, StoreError, now_ms

#: Reads a CDA document for a profile: what its header says. Raises :class:`PasserelleError` for one that is
#: not this patient's or that the record does not take. The bridge to the DMP has one.
CdaReader = Callable[[bytes, patients.Profile], Said]

_DAY: Final = 86_400_000
_EARLIEST: Final = -2_208_988_800_000  # 1 January 1900
_MAX_SAID: Final = 256


def deposit(
    store: Store,
    box_id: int,
    actor: Actor,
    *,
    content: bytes,
    filename: str = "",
    title: str = "",
    category: str = "",
    type_code: str = "",
    date: int | None = None,
    replaces: str = "",
    said: Said | None = None,
    read_cda: CdaReader | None = None,
    what: What = "document_deposited",
) -> Filed:
    """File one document for ``actor``, if he may. Blocking.

    A patient, or who represents him, chooses a heading (``category``) and deposits one of
    :data:`media.PATIENT_KINDS` of at most :data:`media.PATIENT_LIMIT` octets, kept as the file it is. A
    professional or a structure gives a ``type_code`` of JDV_J66 and one of the five kinds, or a CDA document
    where ``read_cda`` reads it: then its header says all, and ``said`` only how it is kept confidential.

    :param title: "" for one made of the file's name. :param date: of the document (ms), now when None.
    :param replaces: unique id of the document that this one takes the place of.

    Raises :class:`RightsError` (told in the journal), :class:`DossierError`: ``dossier.media``,
    ``dossier.image``, ``dossier.size``, ``dossier.category``, ``dossier.type``, ``dossier.date``,
    ``dossier.unknown`` (what it replaces), ``dossier.identifier``, and as :func:`dossier.put_document`; what
    ``read_cda`` raises.
    """
    rights.require(store, box_id, actor, "deposit", what=what)
    try:
        replaced = _replaced(store, box_id, actor, replaces or ((said and said.replaces) or [""])[0])
        described = said or Said()
        given = {"title": title, "category": category, "type_code": type_code}
        described = msgspec.structs.replace(described, **{name: one for name, one in given.items() if one})
        if date is not None:
            described = msgspec.structs.replace(described, created_at=date)
        if filename:
            described = msgspec.structs.replace(described, filename=filename)
        described = _checked(store, box_id, actor, content, described, replaced, read_cda)
        return keep(store, box_id, actor, content, described, what=what)
    except (rights.RightsError, NotFoundError, StoreError):
        raise  # told already, or nobody's refusal
    except PasserelleError as error:
        tell_refusal(store, box_id, actor, what, error)
        raise


def tell_refusal(store: Store, box_id: int, actor: Actor, what: What, error: PasserelleError) -> None:
    """The patient learns what others tried; what he does himself he sees."""
    if actor.by not in PATIENT_SIDE:
        refused = activity.entry(store, box_id, actor, what, kind="document", rule=error.rule)
        store.write(activity.record, entry=refused)


def _replaced(store: Store, box_id: int, actor: Actor, unique_id: str) -> Document | None:
    """The document to replace, which the actor may replace."""
    if not unique_id:
        return None
    found = store.read(document_by_unique_id, store, box_id, unique_id)
    if found is None:
        unknown = refuse("dossier.unknown", kept=True)
        raise rights.refusal(store, box_id, actor, unknown, what="document_replaced", kind="document")
    rights.require(store, box_id, actor, "replace", what="document_replaced", document_id=found.document_id)
    return found


# -- what is taken --------------------------------------------------------------------------------


def _checked(
    store: Store,
    box_id: int,
    actor: Actor,
    content: bytes,
    said: Said,
    replaced: Document | None,
    read_cda: CdaReader | None,
) -> Said:
    """All that is known of a document to keep, of which everything was checked."""
    mine = actor.by in PATIENT_SIDE
    if len(content) > (media.PATIENT_LIMIT if mine else MAX_XML):
        limit = "5 MB" if mine else f"{MAX_XML // (1024 * 1024)} MiB"
        raise DossierError("dossier.size", f"the file is larger than {limit}")
    if _is_xml(said, content) and read_cda is not None:
        said = _of_cda(store, box_id, content, said, read_cda)
    else:
        kinds = media.PATIENT_KINDS if mine else media.FILE_KINDS
        mime = media.kind(said.mime, said.filename, kinds)
        media.check(mime, content, kinds)
        said = msgspec.structs.replace(said, mime=mime, format_code=said.format_code or MIME_SUFFICIENT)
    if mine and said.mime != CDA:
        said = _of_patient(said, actor, replaced)
    type_code = type_of(said.type_code)
    class_code = type_code.class_code or said.class_code
    if find("class", class_code) is None:
        raise DossierError("dossier.type", "no class of the set JDV_J57 for this type of document")
    return _in_words(msgspec.structs.replace(said, class_code=class_code), type_code, actor, replaced)


def _is_xml(said: Said, content: bytes) -> bool:
    """Whether it is a CDA document by its name, or by its octets: called a text, it would be filed unread."""
    named = said.mime.partition(";")[0].strip().lower() in (CDA, "application/xml", "application/hl7-v3+xml")
    begin = content[:256].lstrip(b"\xef\xbb\xbf \t\r\n")
    return named or begin.startswith((b"<?xml", b"<ClinicalDocument"))


def _of_cda(store: Store, box_id: int, content: bytes, said: Said, read_cda: CdaReader) -> Said:
    profile = store.read(patients.profile_by_box, box_id)
    if profile is None:
        raise DossierError("dossier.cda", "no patient has this record")
    read = read_cda(content, profile)
    if said.unique_id and said.unique_id != read.unique_id:
        raise DossierError("dossier.cda", "the document has another id than its metadata say")
    masks = [*read.confidentiality, *said.confidentiality]
    return msgspec.structs.replace(
        read,
        mime=CDA,
        confidentiality=masks,
        filename=said.filename,
        trace_id=said.trace_id,
        message_id=said.message_id,
    )


def _of_patient(said: Said, actor: Actor, replaced: Document | None) -> Said:
    """What a patient says of his file: a heading; the rest is not his to say."""
    code = replaced.info.type_code if replaced is not None else ""
    if said.category:
        code = PATIENT_TYPES.get(said.category, "")
    elif said.type_code in PATIENT_TYPES.values():
        code = said.type_code
    if code not in PATIENT_TYPES.values():
        raise DossierError("dossier.category", "choose under which heading the document is kept")
    return msgspec.structs.replace(
        said,
        type_code=code,
        class_code="",
        author=said.author or actor.name,
        author_id="",
        author_struct="",
        confidentiality=[],
    )


def _in_words(said: Said, type_code: TypeCode, actor: Actor, replaced: Document | None) -> Said:
    """Texts cleaned, ids and versions given where the depositor gave none."""
    now = now_ms()
    created_at = said.created_at if said.created_at is not None else now
    for moment in (created_at, said.service_at or created_at):
        if not _EARLIEST <= moment <= now + _DAY:
            raise DossierError("dossier.date", "the document's date lies in the future, or before 1900")
    known = ["N", *(code for code in said.confidentiality if find("confidentiality", code))]
    set_id, version, replaces = said.set_id, said.version, said.replaces
    if replaced is not None:
        replaces = list(dict.fromkeys([*(replaces if said.mime == CDA else []), replaced.unique_id]))
    if replaced is not None and said.mime != CDA:
        set_id, version = set_id or replaced.set_id, max(version, replaced.version + 1)
    mine = actor.by in PATIENT_SIDE
    return msgspec.structs.replace(
        said,
        title=clean(said.title) or title_from(said.filename, type_code.display),
        filename=clean_filename(said.filename),
        author=clean(said.author or actor.name, _MAX_SAID),
        author_id=said.author_id or ("" if mine or actor.by != "professional" else actor.ident),
        author_struct=said.author_struct or ("" if mine else structure_of(actor)),
        author_speciality=clean(said.author_speciality, _MAX_SAID),
        organisation=clean(said.organisation or ("" if mine else actor.organisation), _MAX_SAID),
        # MASQUE_PS and the like once each; R and V are not shared at all
        confidentiality=list(dict.fromkeys(code for code in known if code not in ("R", "V"))),
        created_at=created_at,
        service_at=said.service_at or created_at,
        unique_id=said.unique_id or new_oid(),
        set_id=set_id or new_oid(),
        version=version,
        replaces=replaces,
    )


def new_oid() -> str:
    """An id that nothing else has: an OID under 2.25 made of a random UUID (ITU-T X.667 §7)."""
    return f"2.25.{uuid.uuid4().int}"
