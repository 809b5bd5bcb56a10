"""A record with people before it: a patient, professionals, documents they filed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import activity
import dossier
import patients
from activity import Activity, Actor
from dossier import Depositor, DocumentInfo
from patients import calendar
from store import Store, now_ms
from tests.patients.patients_support import DOMAIN, ins_of, person

PATIENT, MOTHER, STRANGER = (ins_of(number) for number in range(3))
SUPPORT = Actor(by="operator", ident="cli:test", reason="letter of 3 May")
BIOLOGY, PRESCRIPTION, RESIDENCE = ("10", "11502-2"), ("42", "57833-6"), ("95", "ATTEST-RESID")


def doctor(number: int, **changes: Any) -> Actor:
    """The ``number``-th professional, a physician of his own practice."""
    values = {
        "by": "professional",
        "ident": f"81000000000{number}",
        "name": f"Docteur {number}",
        "profession": "10",
        "structure": f"199{number:07}",
        "address": f"doc{number}@pro.test",
    }
    return Actor(**(values | changes))


def physiotherapist(number: int) -> Actor:
    return doctor(number, profession="70")


class Record:
    """A patient's record in a store of its own; ``age`` of the patient in years."""

    def __init__(self, home: Path, *, age: int = 40, url: str = "") -> None:
        home.mkdir(parents=True, exist_ok=True)
        text = f'[gateway]\nhostname = "gateway.passerelle.test"\npatient_domain = "{DOMAIN}"\n'
        (home / "passerelle.toml").write_text(text, encoding="utf-8")
        self.home = home
        self.store = Store.open(home, url=url)
        born = f"{calendar.today(now_ms()).year - age}-01-01"
        everybody = [person(0, birth_date=born), person(1), person(2)]
        self.store.write(patients.add_persons, persons=everybody, actor="test")
        for ins in (PATIENT, MOTHER):
            patients.activate(self.store, ins, DOMAIN, actor="test")
        if age < 18:
            self.store.write(
                patients.attach_representative, ins=PATIENT, representative=MOTHER, capacity="parent",
                actor="desk", reason="",
            )  # fmt: skip
        found = self.store.read(patients.profile, PATIENT)
        assert found is not None and found.box_id is not None
        self.box_id = found.box_id
        self.patient = self.person(PATIENT)
        self.filed = 0

    def person(self, ins: str) -> Actor:
        return self.store.read(activity.person, self.box_id, ins)

    def file(
        self,
        by: Actor,
        codes: tuple[str, ...] = ("N",),
        *,
        kind: tuple[str, str] = ("10", "11488-4"),
        replaces: int = 0,
        message_id: int = 0,
        author: str = "",
    ) -> int:
        """File a document of class and type ``kind``, by its depositor or ``author``; its number."""
        self.filed += 1
        spool = self.store.spool()
        spool.write(b"<document>%d</document>" % self.filed)
        info = DocumentInfo(
            title=f"Document {self.filed}", type_code=kind[1], type_label="t", class_code=kind[0],
            class_label="c", format_code="f", author=by.name, confidentiality=list(codes),
        )  # fmt: skip
        before = [self.unique_id(replaces)] if replaces else []
        new = dossier.prepare_document(
            self.store, spool, box_id=self.box_id, unique_id=f"1.2.{self.filed}", set_id="",
            version=self.filed, author_id=author or (by.ident if by.by == "professional" else ""),
            author_struct=by.structure, depositor=depositor(by), created_at=self.filed,
            content_sha256=spool.sha256, replaces=before, trace_id="t", message_id=message_id, info=info,
        )  # fmt: skip
        return self.store.write(dossier.file_document, new=new).document_id

    def unique_id(self, number: int) -> str:
        return next(one for one in self.all() if one.document_id == number).unique_id

    def all(self) -> list[dossier.Document]:
        """Everything but what was deleted, as support sees it."""
        return self.store.read(dossier.documents_for, self.store, self.box_id, SUPPORT, history=True)

    def seen(self, who: Actor, *, history: bool = False, at: int | None = None) -> set[int]:
        found = self.store.read(dossier.documents_for, self.store, self.box_id, who, history=history, at=at)
        return {one.document_id for one in found}

    def read(self, who: Actor, number: int) -> bytes:
        return dossier.read_document(self.store, self.box_id, number, who)[1].read(0, 10**6)

    def journal(self) -> list[Activity]:
        """The entries, the oldest first."""
        return self.store.read(activity.entries, self.store, self.box_id)[::-1]

    def told(self) -> list[tuple[str, str, str]]:
        """(what, subject, rule) of each entry, the oldest first."""
        return [(one.what, one.subject, one.rule) for one in self.journal()]


def depositor(by: Actor) -> Depositor:
    return Depositor(address=by.address, id_nat=by.ident, struct_id=by.structure, by=by.by)
