"""What an archive holds, for whom, and that others read it: unzip, formail, mailbox, icalendar, csv, json."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import mailbox
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

import activity
import patients
from activity import Actor
from dossier import health, rights
from gateway.dmp_bridge import XdmArchive
from gateway.portability import PortabilityError, export_archive, export_to_file, mboxrd
from gateway.portability.writing import ArchiveWriter
from store import mail, now_ms
from tests.dmp_bridge.bridge_support import cda
from tests.patients.patients_support import DOMAIN, ins_of, person
from tests.portability.portability_support import LETTERS, OPERATOR, Space, opened


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Space]:
    space = Space(tmp_path / "home")
    space.fill(tmp_path)
    yield space
    space.store.close()


def test_the_manifest_names_every_octet(space: Space) -> None:
    archive, manifest = space.export()
    with opened(archive) as files:
        assert files.testzip() is None
        names = set(files.namelist())
        assert names == {one.name for one in manifest.files} | {"manifest.json"}
        for one in manifest.files:
            data = files.read(one.name)
            assert (len(data), hashlib.sha256(data).hexdigest()) == (one.size, one.sha256)
        said = json.loads(files.read("manifest.json"))
        text = files.read("LISEZMOI.txt").decode()
    assert said["person"]["ins"] == space.ins and said["counts"]["messages"] == 6
    assert said["made_by"] == said["reader"] == "patient"
    for part in ("mail/eml/", "IHE_XDM", "bundle.json", "agenda.ics", "history.csv", "consents.json"):
        assert text.count(part) >= 2  # in both languages
    assert text.index("données de santé") < text.index("health data")
    names = {
        "mail/INBOX.mbox",
        "mail/eml/INBOX/1.eml",
        "profile/bundle.json",
        "documents/IHE_XDM_001.ZIP",
    } - names
    assert names == set()


def test_each_message_is_there_byte_for_byte(space: Space) -> None:
    with opened(space.export()[0]) as files:
        assert files.read("mail/eml/INBOX/1.eml") == LETTERS[0] + LETTERS[1]
        assert files.read("mail/eml/INBOX/2.eml") == LETTERS[2]
        inbox = json.loads(files.read("mail/INBOX.json"))
        folders = [json.loads(files.read(one)) for one in files.namelist()
                   if one.startswith("mail/") and one.endswith(".json")]  # fmt: skip
    assert inbox["messages"][0]["flags"] == ["\\Seen", "\\Flagged"]
    assert inbox["messages"][0]["keywords"] == ["$Forwarded", "work"]
    assert inbox["messages"][1]["internal_date"] == 1_500_000_000_123
    assert {one["name"] for one in folders} >= {"Santé/Été: 2025?", "Santé_Été_ 2025_", "Envoyés"}


def test_python_reads_the_mbox(space: Space, tmp_path: Path) -> None:
    path = tmp_path / "in.mbox"
    with opened(space.export()[0]) as files:
        path.write_bytes(files.read("mail/INBOX.mbox"))
    box = mailbox.mbox(path)
    found = list(box)
    box.close()
    assert [one["Subject"] for one in found] == ["=?utf-8?q?R=C3=A9sultats?=", None]
    text = found[0].get_payload()
    assert "\n>From here\n>>From there\n" in text


@pytest.mark.package("formail")
def test_formail_reads_the_mbox(space: Space) -> None:
    with opened(space.export()[0]) as files:
        data = files.read("mail/INBOX.mbox")
    run = subprocess.run(["formail", "-czx", "From:", "-s"], input=data, capture_output=True, check=False)
    split = subprocess.run(["formail", "-s", "echo", "one"], input=data, capture_output=True, check=True)
    assert split.stdout.count(b"one") == 2, run.stderr


@pytest.mark.package("unzip")
def test_unzip_finds_it_sound(space: Space, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(space.export()[0])
    run = subprocess.run(["unzip", "-tq", str(path)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
    with zipfile.ZipFile(path) as files:
        inner = tmp_path / "xdm.zip"
        inner.write_bytes(files.read("documents/IHE_XDM_001.ZIP"))
    assert subprocess.run(["unzip", "-tq", str(inner)], capture_output=True, check=False).returncode == 0


def test_the_documents_are_a_strict_archive_and_files(space: Space) -> None:
    with opened(space.export()[0]) as files:
        xdm = XdmArchive(io.BytesIO(files.read("documents/IHE_XDM_001.ZIP")))
        documents = json.loads(files.read("documents/documents.json"))
        note = next(one for one in documents if not one["archive"])
        assert files.read(note["file"]) == b"Note du patient\n" and note["file"].endswith(".txt")
    assert [xdm.read(one) for one in xdm.documents] == [
        cda(1), cda(2, set_number=1, version=2, replaces="1.2.250.1.999.1.1"), cda(3),
    ]  # fmt: skip
    by_id = {one["unique_id"]: one for one in documents}
    assert by_id["1.2.250.1.999.1.1"]["status"] == "deprecated"
    assert by_id["1.2.250.1.999.1.1"]["replaced_by"] == "1.2.250.1.999.1.2"
    assert by_id["1.2.250.1.999.1.3"]["masked"] and not by_id["1.2.250.1.999.1.2"]["masked"]


def test_the_bundle_is_fhir(space: Space) -> None:
    with opened(space.export()[0]) as files:
        text = files.read("profile/bundle.json").decode()
    bundle = json.loads(text, parse_float=str)
    assert bundle["resourceType"] == "Bundle" and bundle["type"] == "collection"
    resources = [one["resource"] for one in bundle["entry"]]
    urls = [one["fullUrl"] for one in bundle["entry"]]
    assert len(set(urls)) == len(urls)
    kinds = [one["resourceType"] for one in resources]
    assert kinds == ["Patient", "Condition", "AllergyIntolerance", "Observation", "Observation", "Consent"]
    assert resources[0]["identifier"][0]["value"] == space.ins
    refs = [one.get("subject") or one["patient"] for one in resources[1:]]
    assert refs == [{"reference": urls[0]}] * 5
    weight, pressure = resources[3:5]
    assert weight["valueQuantity"] == {"value": "72.5", "unit": "kg", "system": "http://unitsofmeasure.org",
                                       "code": "kg"}  # fmt: skip
    assert (
        weight["effectiveDateTime"] == "2026-03-01T08:00:00+04:00" and weight["note"][0]["text"] == "à jeun"
    )
    assert len(pressure["component"]) == 2
    assert {health.from_fhir(one).label for one in resources if one["resourceType"] == "Condition"} == {
        "Asthme"
    }


def test_others_read_agenda_history_and_consents(space: Space) -> None:
    with opened(space.export()[0]) as files:
        calendar = Calendar.from_ical(files.read("agenda/agenda.ics"))
        rows = list(csv.reader(io.StringIO(files.read("history/history.csv").decode("utf-8-sig"))))
        lines = json.loads(files.read("history/history.json"))
        consents = json.loads(files.read("catalogue/consents.json"))
    assert sorted(str(one["SUMMARY"]) for one in calendar.walk("VEVENT")) == ["Kiné", "À jeun"]
    assert len(rows) == len(lines) + 1 > 5 and len({len(row) for row in rows}) == 1
    assert consents[0]["standing"] == "given" and "accord donné" in consents[0]["sentence"]


def test_the_journal_has_it_with_counts_before_anything_is_given(space: Space) -> None:
    class Shut(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError("nothing may be written")

    with pytest.raises(OSError):
        export_archive(space.store, space.box_id, space.me, Shut())
    (entry,) = [
        one
        for one in space.store.read(activity.entries, space.store, space.box_id)
        if one.what == "archive_exported"
    ]
    assert entry.details.more["messages"] == "6" and entry.details.more["documents"] == "4"


def test_an_operator_says_for_whom_and_why(space: Space) -> None:
    with pytest.raises(PortabilityError) as caught:
        space.export(OPERATOR)
    assert caught.value.rule == "portability.person"
    with pytest.raises(rights.RightsError):
        space.export(Actor(by="operator", ident="cli:x"), space.me)
    archive, manifest = space.export(OPERATOR, space.me)
    assert (manifest.made_by, manifest.reader, manifest.counts["documents"]) == ("operator", "patient", 4)
    assert b"cli:test" not in archive and manifest.missing == []


@pytest.mark.parametrize("by", ["professional", "service", "structure", "gateway"])
def test_nobody_else_exports(space: Space, by: str) -> None:
    with pytest.raises((rights.RightsError, PortabilityError)):
        space.export(Actor(by=by, ident="899700000001", profession="10"))  # type: ignore[arg-type]


def test_a_representative_gets_nothing_that_is_kept_from_him(tmp_path: Path) -> None:
    child = Space(tmp_path / "home", birth_date=f"{patients.calendar.today(now_ms()).year - 10}-03-28")
    with child.store:
        child.store.write(patients.add_persons, persons=[person(1)], actor="test")
        patients.activate(child.store, ins_of(1), DOMAIN, actor="test")
        child.store.write(
            patients.attach_representative, ins=child.ins, representative=ins_of(1), capacity="parent",
            actor="desk", reason="",
        )  # fmt: skip
        child.letter(b"Subject: open\r\n\r\n1\r\n")
        secret = child.letter(b"Subject: secret\r\n\r\n2\r\n")
        child.store.write(
            patients.set_secret, box_id=child.box_id, kind="message", item=secret, event="hide",
            by="patient", actor=child.ins,
        )  # fmt: skip
        child.file_cda(1)
        child.file_cda(2, masks=["N", "INVISIBLE_REPRESENTANTS_LEGAUX"])
        child.file_cda(3, masks=["N", "INVISIBLE_PATIENT"])
        mother = child.store.read(activity.person, child.box_id, ins_of(1))
        # who signs in as the child may be the parent who set up the sign-in: the same
        for who in (mother, child.me):
            archive, manifest = child.export(who)
            assert (manifest.counts["messages"], manifest.counts["documents"]) == (1, 1)
            with opened(archive) as files:
                everything = b"".join(files.read(name) for name in files.namelist())
            assert b"secret" not in everything and b"1.2.250.1.999.1.2" not in everything
            assert b"1.2.250.1.999.1.3" not in everything


def test_what_is_withheld_from_the_patient_is_not_in_it(space: Space) -> None:
    space.file_cda(7, masks=["N", "INVISIBLE_PATIENT"])
    archive, manifest = space.export()
    assert manifest.counts["documents"] == 4
    with opened(archive) as files:
        assert b"1.2.250.1.999.1.7" not in b"".join(files.read(name) for name in files.namelist())


def test_a_damaged_body_is_told_and_the_rest_comes(space: Space) -> None:
    (first, *_) = space.store.read(mail.entries, space.box_id, mail.INBOX_ID)
    ref = space.store.read(mail.message_rows, space.box_id, [first.message_id])[0]
    (segment,) = (space.home / "segments").glob("*.seg")
    with segment.open("r+b") as file:
        file.seek(ref.offset + ref.length - 3)
        file.write(b"xxx")
    archive, manifest = space.export()
    with opened(archive) as files:
        assert "mail/eml/INBOX/1.eml" not in json.loads(files.read("mail/INBOX.json"))["messages"][0]["file"]
    assert len(manifest.missing) == 1
    assert manifest.counts["messages"] + manifest.counts["documents"] == 9


def test_a_file_is_whole_or_not_there(space: Space, tmp_path: Path) -> None:
    out = tmp_path / "out.zip"
    export_to_file(space.store, space.box_id, space.me, out)
    assert out.stat().st_mode & 0o777 == 0o600 and zipfile.ZipFile(out).testzip() is None
    with pytest.raises(PortabilityError) as caught:
        export_to_file(space.store, space.box_id, space.me, out)
    assert caught.value.rule == "portability.file"
    other = tmp_path / "other.zip"
    with pytest.raises(rights.RightsError):
        export_to_file(space.store, space.box_id, Actor(by="operator", ident="x"), other, reader=space.me)
    assert [one.name for one in tmp_path.glob("*zip*")] == ["out.zip"]
    with pytest.raises(PortabilityError):
        export_to_file(space.store, space.box_id, space.me, tmp_path / "no" / "such.zip")


def test_names_of_folders_are_safe_and_told_apart() -> None:
    writer = ArchiveWriter(io.BytesIO(), 1_700_000_000_000)
    names = [
        writer.safe(one)
        for one in ("a/b", "a:b", "A_B", "../..", "CON", "con", "\0", "É", "E\u0301", "x" * 300)
    ]
    assert names[:5] == ["a_b", "a_b 2", "A_B 3", "_____", "_CON"]
    assert len({one.casefold() for one in names}) == len(names)
    assert all(len(one) < 90 and not set(one) & set('/\\:*?"<>|\0.') for one in names)


@given(st.lists(st.binary(max_size=40), max_size=6), st.integers(1, 9))
def test_mboxrd_can_be_undone(pieces: list[bytes], cut: int) -> None:
    raw = b"".join(pieces) + b"\r\nFrom x\r\n>>From y\r\n"
    chunks = [raw[at : at + cut] for at in range(0, len(raw), cut)]
    made = b"".join(mboxrd("a@b", 1_700_000_000_000, chunks))
    first, rest = made.split(b"\n", 1)
    assert first == b"From a@b Tue Nov 14 22:13:20 2023" and rest.endswith(b"\n\n")
    lines = rest[:-1].split(b"\n")
    assert not any(line.startswith(b"From ") for line in lines)
    undone = [line[1:] if line.lstrip(b">").startswith(b"From ") else line for line in lines]
    assert b"\n".join(undone) == raw.replace(b"\r\n", b"\n")
