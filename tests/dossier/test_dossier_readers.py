"""What a representative sees of a minor's record: nothing that is kept from him, whoever he is and when."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import dossier
import patients
from activity import Actor
from cli import app
from dossier.rights import RightsError
from gateway.message import Indexer, MessageMeta, encode_meta
from patients import calendar
from store import NotFoundError, Store, mail, now_ms
from tests.patients.patients_support import DOMAIN, ins_of, person

CHILD, MOTHER, FATHER, STRANGER = (ins_of(number) for number in range(4))
SECRET = ["N", "INVISIBLE_REPRESENTANTS_LEGAUX"]
RAW = b"From: a@pro.test\r\nTo: b@pro.test\r\nSubject: x\r\n\r\nhello %d\r\n"


def patient(ins: str) -> Actor:
    return Actor(by="patient", ident=ins)


class Record:
    """A child of ten with two parents, and what is filed."""

    def __init__(self, home: Path) -> None:
        home.mkdir(exist_ok=True)
        (home / "passerelle.toml").write_text(
            f'[gateway]\nhostname = "gateway.passerelle.test"\npatient_domain = "{DOMAIN}"\n',
            encoding="utf-8",
        )
        self.home = home
        self.store = Store.open(home)
        born = f"{calendar.today(now_ms()).year - 10}-01-01"
        persons = [person(0, birth_date=born), person(1), person(2), person(3)]
        self.store.write(patients.add_persons, persons=persons, actor="test")
        for ins in (CHILD, MOTHER, FATHER):
            patients.activate(self.store, ins, DOMAIN, actor="test")
        for parent in (MOTHER, FATHER):
            self.store.write(
                patients.attach_representative, ins=CHILD, representative=parent, capacity="parent",
                actor="desk", reason="",
            )  # fmt: skip
        found = self.store.read(patients.profile, CHILD)
        assert found is not None and found.box_id is not None
        self.box_id = found.box_id

    def file(self, number: int, masks: list[str], *, replaces: int = 0, message_id: int = 0) -> int:
        spool = self.store.spool()
        spool.write(b"<x>%d</x>" % number)
        info = dossier.DocumentInfo(title="t", type_code="1", type_label="l", class_code="1", class_label="l",
                                    format_code="f", author="a", confidentiality=masks)  # fmt: skip
        new = dossier.prepare_document(
            self.store, spool, box_id=self.box_id, unique_id=f"1.2.{number}", set_id="", version=number,
            author_id="8", author_struct="", depositor=dossier.Depositor(address="a@pro.test", id_nat="8"),
            created_at=number, content_sha256=spool.sha256, replaces=[f"1.2.{replaces}"] if replaces else [],
            trace_id="t", message_id=message_id, info=info,
        )  # fmt: skip
        return self.store.write(dossier.file_document, new=new).document_id

    def message(self, number: int) -> int:
        spool, indexer = self.store.spool(), Indexer()
        spool.write(RAW % number)
        indexer.feed(RAW % number)
        meta = encode_meta(MessageMeta(prefix=b"", index=indexer.close()))
        message = self.store.new_message(self.box_id, spool, meta)
        self.store.write(mail.append, box_id=self.box_id, folder_id=mail.INBOX_ID, message=message)
        return message.message_id

    def seen(self, who: str, *, history: bool = True) -> set[str]:
        found = self.store.read(dossier.documents_for, self.store, self.box_id, patient(who), history=history)
        return {one.unique_id for one in found}


@pytest.fixture
def record(tmp_path: Path):  # type: ignore[no-untyped-def]  # a generator of Record
    made = Record(tmp_path / "home")
    yield made
    made.store.close()


def test_what_is_kept_from_representatives(record: Record) -> None:
    record.file(1, ["N"])
    secret = record.file(2, SECRET)
    record.file(3, ["N"], replaces=2)  # what takes the place of a secret is one
    record.file(4, ["N", "MASQUE_PS"])
    record.file(5, ["INVISIBLE_PATIENT"])
    for parent in (MOTHER, FATHER):
        assert record.seen(parent) == {"1.2.1", "1.2.4"}
        with pytest.raises(NotFoundError) as caught:
            record.store.read(dossier.document_for, record.store, record.box_id, secret, patient(parent))
        assert caught.value.rule == "dossier.unknown"
    assert record.seen(CHILD) == {"1.2.1", "1.2.4"}  # a parent may have set that sign-in up
    assert record.seen(STRANGER) == set()
    with pytest.raises(RightsError) as refused:
        record.store.read(dossier.document_for, record.store, record.box_id, secret, patient(STRANGER))
    assert refused.value.rule == "dossier.stranger"
    record.store.write(
        patients.remove_representative, ins=CHILD, representative=FATHER, actor="desk", reason="court"
    )
    assert record.seen(FATHER) == set()
    record.store.write(
        patients.attach_representative,
        ins=CHILD,
        representative=FATHER,
        capacity="guardian",
        actor="d",
        reason="",
    )
    assert record.seen(FATHER) == {"1.2.1", "1.2.4"}


def test_the_patient_of_age_sees_all_but_what_is_withheld(record: Record) -> None:
    record.file(2, SECRET)
    record.file(5, ["INVISIBLE_PATIENT"])
    born = f"{calendar.today(now_ms()).year - 18}-01-01"
    record.store.write(patients.add_persons, persons=[person(0, birth_date=born)], actor="test")
    assert record.seen(CHILD) == {"1.2.2"}
    assert record.seen(MOTHER) == set()


def test_message_and_document_hide_each_other(record: Record) -> None:
    carrier, plain, other = (record.message(number) for number in (1, 2, 3))
    record.file(1, SECRET, message_id=carrier)
    record.file(2, ["N"], message_id=plain)
    record.file(3, ["N"], message_id=other)
    asked = [carrier, plain, other]
    assert record.store.read(patients.hidden_messages, record.box_id, asked) == {carrier}
    assert record.seen(MOTHER) == {"1.2.2", "1.2.3"}
    [row] = record.store.read(mail.message_rows, record.box_id, [plain])
    record.store.write(
        patients.set_secret, box_id=record.box_id, kind="message", item=row.sha256, event="hide",
        by="professional", actor="8",
    )  # fmt: skip
    assert record.seen(MOTHER) == {"1.2.3"}
    record.file(4, ["N"], replaces=2, message_id=other)  # replaces what a hidden message brought
    assert record.seen(MOTHER, history=False) == set()


def test_lists_and_exports_for_a_reader(record: Record, tmp_path: Path) -> None:
    carrier = record.message(1)
    record.message(2)
    record.file(1, SECRET, message_id=carrier)
    number = record.file(2, ["N"])
    record.store.close()

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, [*words, "--home", str(record.home)])
        return result.exit_code, result.output

    def listed(*words: str) -> list[int]:
        text = run("dossier", "list", CHILD, "--json", "--reason", "asked", *words)[1]
        return [row["number"] for row in json.loads(text[text.index("[") :])]

    assert len(listed()) == 2
    assert listed("--for", MOTHER) == [number]
    assert listed("--for", STRANGER) == []
    address = f"{CHILD}@{DOMAIN}"
    for words, messages in (([], 2), (["--for", MOTHER], 1), (["--for", CHILD], 1)):
        folder = tmp_path / f"export{len(list(tmp_path.iterdir()))}"
        assert run("mailbox", "export", address, str(folder), *words)[0] == 0
        assert len(list(folder.rglob("*.eml"))) == messages
    code, text = run("mailbox", "export", address, str(tmp_path / "no"), "--for", STRANGER)
    assert code == 1
    assert "[guardian.reader]" in text
    assert (
        "hidden"
        in run("patient", "guardian", "hide", CHILD, "--document", str(number), "--reason", "asked")[1]
    )
    assert listed("--for", MOTHER) == []
