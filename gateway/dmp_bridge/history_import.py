"""The history of a former DMP: IHE_XDM archives into a patient's record, as they were.

Dates, authors, ids, versions, masks and status stay those of the documents. An older version never takes the
place of a newer one, whichever comes first; the same archive twice changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

import activity
import dossier
import patients
from activity import Actor
from dossier import PATIENT_KINDS, Said, check_file, file_kind
from dossier.rights import RightsError, require
from gateway.dmp_bridge.cda import check_header, looks_like_cda, read_cda
from gateway.dmp_bridge.described import must_be, said_of_cda, said_of_entry
from gateway.dmp_bridge.errors import ArchiveError, BridgeError
from gateway.dmp_bridge.identity import check_identity
from gateway.dmp_bridge.plan import check_metadata_patient, is_signature
from gateway.dmp_bridge.xdm import Limits, XdmArchive, XdmDocument
from patients import Profile
from store import InvalidInputError, PasserelleError, Store, StoreError

#: A whole record may come in one archive: more than one message brings.
LIMITS: Final = Limits(entries=2000, total_size=1024 * 1024 * 1024)
_OTHER: Final = 906


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one document of an archive. ``place``: "name.zip, document 003"; ``outcome`` filed,
    replaced (it took another's place), duplicate, refused, or new (a dry run: it would be filed); ``code``
    (900 to 906), ``rule`` and ``reason`` when refused."""

    place: str
    outcome: str
    unique_id: str = ""
    code: int = 0
    rule: str = ""
    reason: str = ""


@dataclass(frozen=True)
class _Found:
    place: str
    said: Said
    load: Callable[[], bytes]


def import_history(
    store: Store, box_id: int, actor: Actor, archives: Sequence[Path], *, dry_run: bool = False
) -> list[Imported]:
    """File what IHE_XDM archives hold of a former record, oldest versions first. Blocking.

    Each document is told in the journal, then the import as a whole (``archive_imported``).

    :param dry_run: read and check everything, file nothing.

    Raises :class:`dossier.rights.RightsError` (told in the journal), :class:`InvalidInputError`
    ``dossier.archive``: a file that cannot be opened, or no patient's box. An archive or a document that is
    refused is a line of the result.
    """
    require(store, box_id, actor, "import", what="archive_imported")
    owner = store.read(patients.profile_by_box, box_id)
    if owner is None:
        raise InvalidInputError("dossier.archive", "no patient has this mailbox")
    lines: list[Imported] = []
    with ExitStack() as stack:
        found = [one for path in archives for one in _read(path, owner, stack, lines)]
        found.sort(key=lambda one: (one.said.version, one.said.created_at or 0, one.place))
        lines += [_file(store, box_id, actor, one, dry_run) for one in found]
    done = sum(line.outcome in ("filed", "replaced") for line in lines)
    if done:
        more = {"documents": str(done)}
        store.write(
            activity.record, entry=activity.entry(store, box_id, actor, "archive_imported", more=more)
        )
    return sorted(lines, key=lambda line: line.place)


def _read(path: Path, owner: Profile, stack: ExitStack, lines: list[Imported]) -> list[_Found]:
    """The documents of one archive that are this patient's; others become lines."""
    try:
        file = stack.enter_context(path.open("rb"))
    except OSError as error:
        reason = error.strerror or "it cannot be opened"
        raise InvalidInputError(
            "dossier.archive", "an archive cannot be read", log=f"{path}: {reason}"
        ) from None
    try:
        archive = XdmArchive(file, LIMITS)
    except BridgeError as error:
        lines.append(_refused(path.name, "", error))
        return []
    ids = {one.metadata.entry_id: one.metadata.unique_id for one in archive.documents}
    found = []
    for number, document in enumerate(archive.documents, 1):
        place = f"{path.name}, document {number:03}"
        if is_signature(document):
            continue
        try:
            found.append(_Found(place, _said(archive, document, owner, ids), _loader(archive, document)))
        except (BridgeError, dossier.DossierError) as error:
            lines.append(_refused(place, document.metadata.unique_id, error))
    return found


def _loader(archive: XdmArchive, document: XdmDocument) -> Callable[[], bytes]:
    return lambda: archive.read(document)


def _said(archive: XdmArchive, document: XdmDocument, owner: Profile, ids: dict[str, str]) -> Said:
    entry = document.metadata
    content = archive.read(document)
    check_metadata_patient(entry.patient, owner)
    if entry.action == "D":
        raise ArchiveError("metadata.action", "an import deletes nothing")
    if not looks_like_cda(content):
        must_be(check_identity(entry.patient, entry.traits, owner, place_required=False))
        mime = file_kind(entry.mime, entry.uri, PATIENT_KINDS)
        check_file(mime, content, PATIENT_KINDS)
        if not entry.unique_id:
            raise ArchiveError("metadata.unique_id", "METADATA.XML gives no id for a document")
        replaced = ids.get(entry.replaces, entry.replaces)
        return said_of_entry(entry, content, mime, [replaced] if replaced else [])
    cda = read_cda(content)
    header = cda.header
    must_be(check_identity(header.patient, header.traits, owner))
    check_header(cda)
    if entry.unique_id and entry.unique_id != header.unique_id:
        raise BridgeError("metadata.unique_id", "METADATA.XML and the CDA document disagree on its id")
    return said_of_cda(cda, content, entry)


def _file(store: Store, box_id: int, actor: Actor, one: _Found, dry_run: bool) -> Imported:
    said = one.said
    if store.read(dossier.is_filed, box_id, said.unique_id, said.content_sha256):
        return Imported(place=one.place, outcome="duplicate", unique_id=said.unique_id)
    if dry_run:
        return Imported(place=one.place, outcome="new", unique_id=said.unique_id)
    try:
        content = one.load()
        if hashlib.sha256(content).digest() != said.content_sha256:
            raise ArchiveError("xdm.zip", "the archive changed while it was read")
        filed = dossier.keep(store, box_id, actor, content, said, past=True)
    except (RightsError, StoreError):
        raise
    except PasserelleError as error:
        return _refused(one.place, said.unique_id, error)
    return Imported(place=one.place, outcome=filed.outcome, unique_id=said.unique_id)


def _refused(place: str, unique_id: str, error: PasserelleError) -> Imported:
    code = getattr(error, "application", _OTHER)
    return Imported(
        place=place, outcome="refused", unique_id=unique_id, code=code, rule=error.rule, reason=error.peer
    )
