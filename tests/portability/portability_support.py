"""A patient whose space holds something of everything, and another home."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import activity
import agenda
import catalogue
import dossier
import patients
from activity import Actor
from dossier import health, measures
from gateway.dmp_bridge import read_cda
from gateway.message import Indexer, MessageMeta, decode_meta, encode_meta
from gateway.portability import Manifest, TakenOver, export_archive, import_archive
from patients.persons import Person
from store import Store, mail
from tests.catalogue.catalogue_support import WEIGHT, put, service
from tests.dmp_bridge.bridge_support import AUTHOR, INS, OID, SENDER, cda
from tests.patients.patients_support import DOMAIN

OPERATOR = Actor(by="operator", ident="cli:test", reason="written request of 3 May")
LETTERS = (
    b"Received: by us\r\n",
    b"From: Marie <marie@pro.test>\r\nSubject: =?utf-8?q?R=C3=A9sultats?=\r\n\r\n"
    b"Bonjour\r\nFrom here\r\n>From there\r\n",
    b"From: a@pro.test\r\nContent-Type: application/octet-stream\r\n\r\n\xff\xfe\x80 bare\rCR and no end",
    b"Subject: empty\r\n\r\n",
)


def settings(home: Path) -> None:
    home.mkdir(exist_ok=True)
    text = f'[gateway]\nhostname = "g.test"\npatient_domain = "{DOMAIN}"\n'
    (home / "passerelle.toml").write_text(text, encoding="utf-8")


class Space:
    """A home with one activated patient."""

    def __init__(self, home: Path, *, url: str = "", **traits: str) -> None:
        settings(home)
        self.home = home
        self.store = Store.open(home, url=url)
        values = {
            "ins": INS, "oid": OID, "birth_name": "PAT-TROIS", "given_names": "DOMINIQUE MARIE-LOUISE",
            "used_name": "", "sex": "F", "birth_date": "1979-03-28", "birth_place": "51215",
        }  # fmt: skip
        person = Person(**(values | traits))
        self.store.write(patients.add_persons, persons=[person], actor="test")
        patients.activate(self.store, person.ins, DOMAIN, actor="test")
        found = self.store.read(patients.profile, person.ins)
        assert found is not None and found.box_id is not None
        self.ins, self.box_id = person.ins, found.box_id

    @property
    def me(self) -> Actor:
        return self.store.read(activity.person, self.box_id, self.ins)

    def letter(self, raw: bytes, *, folder: str = "INBOX", prefix: bytes = b"", flags: int = 0,
               keywords: str = "", internal_date: int = 1_600_000_000_000) -> bytes:  # fmt: skip
        """Put a message into a folder; what hides it."""
        spool, indexer = self.store.spool(), Indexer()
        spool.write(raw)
        indexer.feed(raw)
        meta = encode_meta(MessageMeta(prefix=prefix, index=indexer.close()))
        message = self.store.new_message(self.box_id, spool, meta, prefix_size=len(prefix))
        place = self.store.read(mail.folder_by_name, self.box_id, folder)
        place = place or self.store.write(mail.create_folder, box_id=self.box_id, name=folder)
        self.store.write(
            mail.append, box_id=self.box_id, folder_id=place.folder_id, message=message, flags=flags,
            keywords=keywords, internal_date=internal_date,
        )  # fmt: skip
        return message.ref.sha256

    def file_cda(self, number: int, *, masks: list[str] | None = None, **more: Any) -> int:
        """File a CDA document as its doctor sends it."""
        content = cda(number, **more)
        spool = self.store.spool()
        spool.write(content)
        header = read_cda(content).header
        info = dossier.DocumentInfo(
            title=header.title, type_code="11488-4", type_label="Compte rendu", class_code="10",
            class_label="Compte rendu", format_code="f", author="Marie EXEMPLE", body_mime="application/pdf",
            confidentiality=masks or ["N"],
        )  # fmt: skip
        new = dossier.prepare_document(
            self.store, spool, box_id=self.box_id, unique_id=header.unique_id, set_id=header.set_id,
            version=header.version, author_id=AUTHOR.person.id, author_struct=AUTHOR.organisation.id,
            depositor=dossier.Depositor(
                address=SENDER.address, id_nat=SENDER.id_nat, struct_id=SENDER.struct_id),
            created_at=1_700_000_000_000, content_sha256=spool.sha256, replaces=header.replaces, trace_id="t",
            message_id=0, info=info,
        )  # fmt: skip
        return self.store.write(dossier.file_document, new=new).document_id

    def fill(self, folder: Path) -> None:
        """Something of everything."""
        self.letter(LETTERS[1], prefix=LETTERS[0], flags=mail.SEEN | mail.FLAGGED, keywords="$Forwarded work")
        self.letter(LETTERS[2], internal_date=1_500_000_000_123)
        self.letter(LETTERS[3], folder="Santé/Été: 2025?")
        self.letter(LETTERS[3], folder="Santé/Été: 2025?")
        self.letter(LETTERS[1], folder="Santé_Été_ 2025_", flags=mail.DRAFT | mail.ANSWERED | mail.DELETED)
        self.letter(LETTERS[3], folder="Envoyés", flags=mail.SEEN)
        self.file_cda(1)
        self.file_cda(2, set_number=1, version=2, replaces="1.2.250.1.999.1.1")
        masked = self.file_cda(3)
        dossier.rights.mask(self.store, self.box_id, self.me, masked)
        dossier.deposit(self.store, self.box_id, self.me, content=b"Note du patient\n", filename="note.txt",
                        category=dossier.CATEGORIES[-1])  # fmt: skip
        begin = health.parse_date("2010-05")
        asthma = health.Illness(label="Asthme", code="J45", system="CIM-10", begin=begin)
        health.put(self.store, self.box_id, self.me, asthma)
        pollen = health.put(self.store, self.box_id, self.me, health.Allergy(substance="Pollen"))
        health.end(self.store, self.box_id, self.me, pollen)
        moment = measures.moments.parse("2026-03-01T08:00:00+04:00")
        measures.add(
            self.store, self.box_id, self.me, measures.parse("weight", "72,5"), moment, note="à jeun"
        )
        measures.add(self.store, self.box_id, self.me, measures.parse("blood_pressure", "12/8"), moment)
        agenda.add(self.store, self.box_id, self.me, agenda.Details(
            title="Kiné", begin="2026-03-02T09:00:00", end="2026-03-02T09:45:00", rule="FREQ=WEEKLY;COUNT=10",
            reminders=[60]))  # fmt: skip
        agenda.add(self.store, self.box_id, self.me, agenda.Details(
            title="À jeun", begin="2026-04-01", end="2026-04-02", all_day=True, zone=""))  # fmt: skip
        put(self.store, folder, service("poids"))
        catalogue.consent(self.store, self.box_id, self.me, "poids", [WEIGHT])

    def export(self, actor: Actor | None = None, reader: Actor | None = None) -> tuple[bytes, Manifest]:
        out = io.BytesIO()
        manifest = export_archive(self.store, self.box_id, actor or self.me, out, reader=reader)
        return out.getvalue(), manifest

    def take(self, archive: bytes, actor: Actor | None = None, **options: Any) -> TakenOver:
        return import_archive(self.store, self.box_id, actor or OPERATOR, io.BytesIO(archive), **options)

    def mailbox(self) -> dict[str, list[tuple[bytes, int, str, int]]]:
        """Folder -> its messages as served, with flags, keywords, date."""
        found: dict[str, list[tuple[bytes, int, str, int]]] = {}
        for folder in self.store.read(mail.folders, self.box_id):
            for entry in self.store.read(mail.entries, self.box_id, folder.folder_id):
                one = self.store.read(self.store.messages, self.box_id, [entry.message_id])[entry.message_id]
                body = decode_meta(one.meta).prefix + self.store.open_body(one).read(0, one.ref.size)
                row = (body, entry.flags, entry.keywords, entry.internal_date)
                found.setdefault(folder.name, []).append(row)
        return found

    def journal(self) -> list[str]:
        return [one.what for one in self.store.read(activity.entries, self.store, self.box_id)]


def opened(archive: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(archive))


def content(archive: bytes) -> dict[str, Any]:
    """What two archives of the same content share: nothing of moments and numbers of a home."""
    found: dict[str, Any] = {}
    with opened(archive) as files:
        for name in files.namelist():
            if name.startswith("mail/") and name.endswith(".json"):
                folder = json.loads(files.read(name))
                found[f"mail {folder['name']}"] = [
                    (files.read(one["file"]), one["flags"], one["keywords"], one["internal_date"])
                    for one in folder["messages"]
                ]
            elif name.endswith(".mbox"):
                found[name] = files.read(name)
        documents = json.loads(files.read("documents/documents.json"))
        for one in documents:
            data = files.read(one["archive"] or one["file"])
            if one["archive"]:
                data = zipfile.ZipFile(io.BytesIO(data)).read(one["file"])
            here = ("archive", "file", "filed_at", "ended_at")
            found[one["unique_id"]] = (data, {k: v for k, v in one.items() if k not in here})
        items = json.loads(files.read("profile/items.json"))
        found["items"] = sorted(json.dumps([one["item"], one["ended"]]) for one in items)
        found["measures"] = files.read("profile/measures.csv")
        found["agenda"] = files.read("agenda/agenda.ics")
    return found
