"""Professionals and others as the record's pages name them: by name, profession and place."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection

import annuaire
from dossier import Document
from webmail.languages import Language
from webmail.people import contact_of
from webmail.visit import Visit


class Professional(msgspec.Struct, frozen=True, kw_only=True):
    """A professional (IdNat_PS). ``listed``: the directory knows him; ``professions`` French and English."""

    ident: str
    name: str = ""
    profession: str = ""
    professions: tuple[str, str] = ("", "")
    place: str = ""
    listed: bool = False

    def label(self, language: Language) -> str:
        return self.professions[0 if language == "fr" else 1]

    @property
    def physician(self) -> bool:
        return self.profession == "10"  # G15

    @property
    def initials(self) -> str:
        words = [one for one in self.name.replace("-", " ").split() if one[:1].isalpha()]
        return "".join(one[0] for one in (words[:1] + words[-1:] if len(words) > 1 else words)).upper()


def professional_of(conn: Connection, ident: str, name: str = "", profession: str = "") -> Professional:
    """Who an IdNat_PS is; ``name`` and ``profession`` (G15) are what he was known by, for who is not in the
    directory."""
    acts = annuaire.activities(conn, ident)
    if acts:
        act = acts[0]
        return Professional(
            ident=ident,
            name=f"{act.given.title()} {act.family.upper()}".strip(),
            profession=act.profession,
            professions=annuaire.profession_label(act.profession),
            place=_place(act.structure_name, act.town),
            listed=True,
        )
    boxes = annuaire.by_id_nat(conn, ident)
    if boxes:
        box = boxes[0]
        return Professional(
            ident=ident,
            name=box.name,
            profession=box.profession,
            professions=annuaire.profession_label(box.profession) if box.profession else ("", ""),
            place=_place(box.service, box.town),
            listed=True,
        )
    label = annuaire.profession_label(profession) if profession else ("", "")
    return Professional(ident=ident, name=name, profession=profession, professions=label)


def _place(structure: str, town: str) -> str:
    return ", ".join(one for one in (structure, town) if one)


class Filer(msgspec.Struct, frozen=True, kw_only=True):
    """Who put a document here. ``kind``: professional, structure, me, patient, representative, former."""

    kind: str
    name: str = ""
    professions: tuple[str, str] = ("", "")
    place: str = ""
    address: str = ""

    def label(self, language: Language) -> str:
        return self.professions[0 if language == "fr" else 1]


def filers_of(conn: Connection, visit: Visit, documents: Iterable[Document]) -> dict[int, Filer]:
    """Who filed each document, by its number."""
    return {one.document_id: _filer(conn, visit, one) for one in documents}


def _filer(conn: Connection, visit: Visit, one: Document) -> Filer:
    if one.from_patient:
        if one.depositor_id == visit.ins:
            return Filer(kind="me")
        if one.depositor_id == visit.profile.ins:
            return Filer(kind="patient", name=visit.profile.name)
        return Filer(kind="representative")
    if one.deposited_by in ("operator", "gateway"):
        return Filer(kind="former")
    if one.depositor:
        contact = contact_of(conn, one.depositor)
        if contact.name:
            place = ", ".join(part for part in (contact.place, contact.town) if part)
            return Filer(
                kind="professional",
                name=contact.name,
                professions=contact.professions,
                place=place,
                address=one.depositor,
            )
    if one.deposited_by == "structure":
        return Filer(kind="structure", name=one.info.organisation)
    known = professional_of(conn, one.depositor_id, one.info.author)
    return Filer(kind="professional", name=known.name, professions=known.professions, place=known.place)
