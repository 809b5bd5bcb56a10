"""A patient with a space, professionals, and short ways to write into the journal."""

from __future__ import annotations

from typing import Any

import activity
import dossier
import evidence
import patients
from activity import Actor, What
from gateway.message import Indexer, MessageMeta, encode_meta
from patients.persons import Person
from store import Store, Tx, mail, new_id, operation

DOMAIN = "patient.exemple.fr"
DOCTOR = Actor(
    by="professional",
    ident="899900000101",
    name="Anne EXEMPLE",
    profession="10",
    speciality="SM26",
    structure="1750088888",
    organisation="CHU d'Exempleville",
    address="anne.exemple@chu.exemple.fr",
)
HOSPITAL = Actor(by="structure", ident="1750088888", name="CHU d'Exempleville", structure="1750088888")
SUPPORT = Actor(by="operator", ident="support7", reason="appel du 12 mars")


def matricule(number: int, born: str = "1980-03-21", sex: str = "2") -> str:
    first = f"{sex}{born[2:4]}{born[5:7]}75056{number:03d}"
    return first + patients.ins_key(first)


class Patient:
    """Somebody whose profile is activated, and his contact."""

    def __init__(
        self, store: Store, number: int = 1, *, born: str = "1980-03-21", email: str = "", quota: int = 0
    ) -> None:
        self.store = store
        self.ins = matricule(number, born)
        person = Person(self.ins, patients.OID_NIR_TEST, f"EXEMPLE{number}", "MARIE", "", "F", born, "75056")
        store.write(patients.add_persons, persons=[person], actor="test")
        patients.notify(store, self.ins, actor="test")
        profile = patients.activate(store, self.ins, DOMAIN, actor="test", quota=quota)
        assert profile.box_id is not None
        self.box_id = profile.box_id
        self.address = profile.address
        self.email = email
        if email:
            store.write(patients.signin.set_contact, ins=self.ins, channel="email", to=email)

    @property
    def actor(self) -> Actor:
        return self.store.read(activity.person, self.box_id, self.ins)

    def represented_by(self, other: Patient) -> None:
        self.store.write(
            patients.attach_representative,
            ins=self.ins,
            representative=other.ins,
            capacity="parent",
            actor="test",
            reason="",
        )

    def happens(self, actor: Actor, what: What, **more: Any) -> int:
        """Write one entry; its id."""
        made = activity.entry(self.store, self.box_id, actor, what, **more)
        self.store.write(activity.record, entry=made)
        return made.activity_id

    def files(self, title: str, *masks: str, actor: Actor = DOCTOR) -> int:
        """File a document as ``actor`` and write so into the journal; its id."""
        spool = self.store.spool()
        number = new_id()
        spool.write(b"<ClinicalDocument>%d</ClinicalDocument>" % number)
        new = dossier.prepare_document(
            self.store,
            spool,
            box_id=self.box_id,
            unique_id=f"1.2.{number}",
            set_id="",
            version=1,
            author_id=actor.ident,
            author_struct=actor.structure,
            depositor=dossier.Depositor(address=actor.address or "a@pro.test", id_nat=actor.ident),
            created_at=1,
            content_sha256=spool.sha256,
            replaces=[],
            trace_id=str(number),
            message_id=0,
            info=dossier.DocumentInfo(
                title=title,
                type_code="11488-4",
                type_label="CR",
                class_code="11",
                class_label="Comptes rendus",
                format_code="f",
                author=actor.name,
                confidentiality=["N", *masks],
            ),
        )
        document_id = self.store.write(dossier.file_document, new=new).document_id
        self.happens(actor, "document_deposited", kind="document", subject=str(document_id))
        return document_id

    def gets(self, subject: str, size: int = 0) -> None:
        """A message is delivered, as the pipeline leaves it: a row in the INBOX and a record of evidence."""
        raw = f"From: a@pro.test\r\nTo: b@x.test\r\nSubject: {subject}\r\n\r\n".encode() + b"x" * size
        spool, indexer = self.store.spool(), Indexer()
        spool.write(raw)
        indexer.feed(raw)
        meta = encode_meta(MessageMeta(prefix=b"", index=indexer.close()))
        message = self.store.new_message(self.box_id, spool, meta)
        self.store.write(deliver, box_id=self.box_id, address=self.address, message=message)


@operation("tests.activity.deliver")
def deliver(tx: Tx, *, box_id: int, address: str, message: mail.NewMessage) -> None:
    mail.append(tx, box_id=box_id, folder_id=mail.INBOX_ID, message=message)
    evidence.record(tx, "delivered", trace_id=str(message.message_id), recipient=address)
