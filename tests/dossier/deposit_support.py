"""A patient, his mother's kin, and files to deposit."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

import activity
import dossier
import patients
from activity import Activity, Actor
from patients import calendar
from store import Store, now_ms
from tests.patients.patients_support import DOMAIN, ins_of, person

PATIENT, CHILD, MOTHER, STRANGER = (ins_of(number) for number in range(4))
DOCTOR = Actor(
    by="professional",
    ident="810000000001",
    name="Marie EXEMPLE",
    profession="10",
    structure="1750803447",
    organisation="Hôpital Exemple",
    address="marie.exemple@hopital.mssante.fr",
)
HOSPITAL = Actor(by="structure", ident="1750803447", name="Hôpital Exemple", organisation="Hôpital Exemple")
OPERATOR = Actor(by="operator", ident="support", reason="demande écrite du patient")
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n"


def image(form: str, size: tuple[int, int] = (8, 6), pages: int = 1) -> bytes:
    buffer = io.BytesIO()
    pictures = [Image.new("RGB", size, (number, 99, 7)) for number in range(pages)]
    more = {"save_all": True, "append_images": pictures[1:]} if pages > 1 else {}
    pictures[0].save(buffer, form, **more)
    return buffer.getvalue()


KINDS = {
    "photo.jpg": ("image/jpeg", image("JPEG")),
    "dessin.png": ("image/png", image("PNG")),
    "fax.tif": ("image/tiff", image("TIFF", pages=3)),
    "lettre.pdf": ("application/pdf", PDF),
    "note.rtf": ("text/rtf", b"{\\rtf1 bonjour}"),
    "mot.txt": ("text/plain", "à jeûn".encode()),
}


class Desk:
    """A store with a grown-up, a child of ten and her mother."""

    def __init__(self, home: Path, *, url: str = "") -> None:
        home.mkdir(exist_ok=True)
        (home / "passerelle.toml").write_text(
            f'[gateway]\nhostname = "gateway.passerelle.test"\npatient_domain = "{DOMAIN}"\n',
            encoding="utf-8",
        )
        self.home = home
        self.store = Store.open(home, url=url)
        born = f"{calendar.today(now_ms()).year - 10}-01-01"
        persons = [person(0), person(1, birth_date=born), person(2), person(3)]
        self.store.write(patients.add_persons, persons=persons, actor="test")
        for ins in (PATIENT, CHILD, MOTHER):
            patients.activate(self.store, ins, DOMAIN, actor="test")
        self.store.write(
            patients.attach_representative, ins=CHILD, representative=MOTHER, capacity="parent",
            actor="desk", reason="",
        )  # fmt: skip
        self.box_id = self.box_of(PATIENT)
        self.me = self.person(PATIENT)

    def box_of(self, ins: str) -> int:
        found = self.store.read(patients.profile, ins)
        assert found is not None and found.box_id is not None
        return found.box_id

    def person(self, ins: str, of: str = "") -> Actor:
        return self.store.read(activity.person, self.box_of(of or ins), ins)

    def deposit(self, name: str = "lettre.pdf", **changes: object) -> dossier.Filed:
        values: dict[str, object] = {
            "content": KINDS[name][1] if name in KINDS else b"",
            "filename": name,
            "category": "Comptes rendus",
        }
        actor = changes.pop("actor", self.me)
        box_id = changes.pop("box_id", self.box_id)
        return dossier.deposit(self.store, box_id, actor, **(values | changes))  # type: ignore[arg-type]

    def seen(
        self, actor: Actor | None = None, *, history: bool = False, box_id: int = 0
    ) -> list[dossier.Document]:
        return self.store.read(
            dossier.documents_for, self.store, box_id or self.box_id, actor or self.me, history=history
        )

    def bytes_of(self, document_id: int, actor: Actor | None = None, box_id: int = 0) -> bytes:
        _, reader = dossier.read_document(self.store, box_id or self.box_id, document_id, actor or self.me)
        return reader.read(0, 100_000_000)

    def journal(self, box_id: int = 0) -> list[Activity]:
        return list(reversed(self.store.read(activity.entries, self.store, box_id or self.box_id)))

    def told(self, box_id: int = 0) -> list[tuple[str, str]]:
        """What the journal tells of deposits, oldest first: what, and the rule that refused."""
        return [(one.what, one.rule) for one in self.journal(box_id) if one.what != "document_read"]
