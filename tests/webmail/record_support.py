"""A record before the pages: documents filed by its people, and what the journal holds of the pages' use."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

import activity
import dossier
from activity import Activity, Actor
from dossier import Depositor, Document, DocumentInfo, Said
from gateway.demo import cast
from tests.webmail.web_kit import ALICE, COLLEAGUE, DOCTOR, Site

PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n"


def image(form: str, size: tuple[int, int] = (8, 6), pages: int = 1) -> bytes:
    buffer = io.BytesIO()
    pictures = [Image.new("RGB", size, (number, 99, 7)) for number in range(pages)]
    more: dict[str, Any] = {"save_all": True, "append_images": pictures[1:]} if pages > 1 else {}
    pictures[0].save(buffer, form, **more)
    return buffer.getvalue()


def professional(who: cast.Professional, **changes: Any) -> Actor:
    """A professional of the demonstration as a room knows him."""
    values = {
        "by": "professional",
        "ident": who.id_nat,
        "name": f"{who.given.title()} {who.family}",
        "profession": who.profession,
        "structure": f"1{who.finess}",
        "organisation": who.legal_name,
        "address": who.address,
    }
    return Actor(**(values | changes))


THE_DOCTOR, THE_COLLEAGUE = professional(DOCTOR), professional(COLLEAGUE)


class Record:
    """The record of one of the site's people; ``me`` is that person, ``by`` another who acts in it."""

    def __init__(self, site: Site, whose: cast.Patient = ALICE, by: cast.Patient | None = None) -> None:
        self.store = site.store
        self.box_id = site.box(whose)
        self.me = self.store.read(activity.person, self.box_id, (by or whose).ins)

    def deposit(self, name: str = "lettre.pdf", content: bytes = PDF, **changes: Any) -> int:
        """A file of the patient's side."""
        values = {"filename": name, "category": "Comptes rendus"} | changes
        return dossier.deposit(self.store, self.box_id, self.me, content=content, **values).document_id

    def letter(self, content: bytes = PDF, by: Actor = THE_DOCTOR, **changes: Any) -> int:
        """A document of a professional's."""
        codes = changes.pop("codes", [])
        values = {"title": "Compte rendu", "type_code": "11488-4", "filename": "cr.pdf"} | changes
        filed = dossier.deposit(
            self.store, self.box_id, by, content=content, said=Said(confidentiality=codes), **values
        )
        return filed.document_id

    def raw(self, content: bytes, mime: str, *, body_mime: str = "", title: str = "Pièce") -> int:
        """A document that nobody looked at, as a former record may hold one."""
        spool = self.store.spool()
        spool.write(content)
        unique = dossier.new_oid()
        info = DocumentInfo(
            title=title,
            type_code="11488-4",
            type_label="CR",
            class_code="10",
            class_label="Compte rendu",
            format_code="f",
            author="Dr Ancien",
            mime=mime,
            body_mime=body_mime,
        )
        new = dossier.prepare_document(
            self.store,
            spool,
            box_id=self.box_id,
            unique_id=unique,
            set_id="",
            version=1,
            author_id="",
            author_struct="",
            depositor=Depositor(address="", id_nat="cli:test", by="operator"),
            created_at=1_700_000_000_000,
            content_sha256=spool.sha256,
            replaces=[],
            trace_id="t",
            message_id=0,
            info=info,
        )
        return self.store.write(dossier.file_document, new=new).document_id

    def seen(self, who: Actor | None = None, *, history: bool = False) -> list[Document]:
        return self.store.read(
            dossier.documents_for, self.store, self.box_id, who or self.me, history=history
        )

    def journal(self) -> list[Activity]:
        """The entries, the oldest first."""
        return self.store.read(activity.entries, self.store, self.box_id)[::-1]

    def told(self, since: int = 0) -> list[tuple[str, str, str]]:
        """(what, subject, rule) of each entry from the number ``since`` on."""
        return [(one.what, one.subject, one.rule) for one in self.journal()[since:]]
