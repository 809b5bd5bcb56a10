"""Attachments: what is taken, and how much; from the device, and from the dossier."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

import dossier
from activity import Actor
from dossier import PATIENT_KINDS, DossierError
from store import PasserelleError, Store
from webmail.languages import N_
from webmail.writing.building import File

MOST: Final = 20
#: Octets of a message that are left to its text, its header and those of its parts.
_LEFT: Final = 64 * 1024
#: base64 (RFC 2045 §6.8): 57 octets become a line of 76 characters and its end.
_IN, _OUT = 57, 78

#: What the chooser of files offers first.
ACCEPT: Final = ".pdf,.jpg,.jpeg,.png,.tif,.tiff,.txt,.rtf"

EMPTY: Final = N_("Ce fichier est vide.")
KIND: Final = N_(
    "Ce fichier n'est pas d'un type accepté (PDF, JPEG, PNG, TIFF, TXT ou RTF), ou il est abîmé."
)
IMAGE: Final = N_("Cette image est trop grande : plus de 60 millions de points.")
ROOM: Final = N_("Ce fichier ne tient pas dans la place qui reste.")
MANY: Final = N_("Il y a déjà 20 pièces jointes, le plus qu'un message puisse porter.")
GONE: Final = N_("Ce document n'est plus lisible.")


class Fault(msgspec.Struct, frozen=True):
    """A file that was not taken; ``text`` is a msgid."""

    name: str
    text: str


def room(limit: int) -> int:
    """Octets of files that a message of ``limit`` octets can carry."""
    return max(0, (limit - _LEFT) * _IN // _OUT)


def left(files: Iterable[File], limit: int) -> int:
    """Octets of files that may still be added."""
    return max(0, room(limit) - sum(len(one.content) for one in files))


def take(
    kept: list[File], given: Iterable[tuple[str, str, bytes]], limit: int
) -> tuple[list[File], list[Fault]]:
    """The attachments with those that are new (name, claimed type, content), and those that are not taken.

    Blocking: images are opened. A file that is there already is passed over.
    """
    taken, faults = list(kept), []
    for name, claimed, content in given:
        shown = dossier.clean_filename(name) or "fichier"
        media = dossier.file_kind(claimed, name, PATIENT_KINDS) or dossier.file_kind("", name, PATIENT_KINDS)
        fault = _refused(media, content) or _too_much(taken, content, limit)
        if any(one.content == content and one.name == shown for one in taken):
            continue
        if fault:
            faults.append(Fault(shown, fault))
        else:
            taken.append(File(shown, media, content))
    return taken, faults


def take_documents(
    kept: list[File], store: Store, box_id: int, actor: Actor, wanted: Iterable[int], limit: int
) -> tuple[list[File], list[Fault]]:
    """The same with documents of the dossier. Each one is read by its own rights, and told to the journal.

    Blocking. The file inside a document goes along as what it is; a document without one as it stands.
    """
    taken, faults = list(kept), []
    for document_id in wanted:
        if len(taken) >= MOST:
            faults.append(Fault("", MANY))
            break
        try:
            document, body = dossier.read_document(store, box_id, document_id, actor)
            content = b"".join(body.chunks())
        except PasserelleError:
            faults.append(Fault("", GONE))
            continue
        title = document.info.title
        media, content = _inside(document.info.mime, content)
        fault = _too_much(taken, content, limit)
        if fault:
            faults.append(Fault(title, fault))
        elif not any(one.content == content for one in taken):
            name = f"{dossier.clean_filename(title) or 'document'}.{dossier.file_extension(media)}"
            taken.append(File(name, media, content))
    return taken, faults


def _refused(media: str, content: bytes) -> str:
    if not content:
        return EMPTY
    if not media:
        return KIND
    try:
        dossier.check_file(media, content, PATIENT_KINDS)
    except DossierError as error:
        return IMAGE if error.rule == "dossier.image" else KIND
    return ""


def _too_much(taken: list[File], content: bytes, limit: int) -> str:
    if len(taken) >= MOST:
        return MANY
    return ROOM if len(content) > left(taken, limit) else ""


def _inside(mime: str, content: bytes) -> tuple[str, bytes]:
    if mime != "text/xml":
        return mime, content
    try:
        return dossier.embedded(content) or (mime, content)
    except PasserelleError:
        return mime, content
