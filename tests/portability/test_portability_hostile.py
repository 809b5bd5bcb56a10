"""Archives that were changed, cut, swollen, or are somebody else's: refused as a whole, nothing changed."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dossier
import patients
from gateway.portability import ArchiveReader, Limits, PortabilityError
from tests.dmp_bridge.bridge_support import OTHER_INS, cda
from tests.portability.portability_support import OPERATOR, Space


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("from")
    space = Space(folder / "home")
    with space.store:
        space.fill(folder)
        return space.export()[0]


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Space]:
    space = Space(tmp_path / "home")
    yield space
    space.store.close()


def rewritten(
    archive: bytes,
    change: Callable[[dict[str, bytes]], None] = lambda files: None,
    manifest: Callable[[dict[str, Any]], None] = lambda said: None,
    *,
    sound: bool = True,
) -> bytes:
    """The archive with other files, whose manifest agrees again where ``sound``."""
    with zipfile.ZipFile(io.BytesIO(archive)) as source:
        files = {name: source.read(name) for name in source.namelist()}
    said = json.loads(files.pop("manifest.json"))
    change(files)
    if sound:
        said["files"] = [
            {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in files.items()
        ]
    manifest(said)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in files.items():
            target.writestr(name, data)
        target.writestr("manifest.json", json.dumps(said))
    return out.getvalue()


def refused(space: Space, archive: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(PortabilityError) as caught:
        space.take(archive, limits=limits)
    assert space.mailbox() == {} and "archive_imported" not in space.journal()
    return caught.value.rule


def change(name: str, data: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda files: files.update({name: data})


def test_a_sound_copy_is_taken(space: Space, archive: bytes) -> None:
    assert space.take(rewritten(archive)).missing == []


def test_a_changed_file(space: Space, archive: bytes) -> None:
    swapped = rewritten(archive, change("mail/eml/INBOX/1.eml", b"forged"), sound=False)
    assert refused(space, swapped) == "portability.content"

    def same_size(files: dict[str, bytes]) -> None:
        files["mail/eml/INBOX/1.eml"] = bytes(len(files["mail/eml/INBOX/1.eml"]))

    assert refused(space, rewritten(archive, same_size, sound=False)) == "portability.content"


def test_a_missing_file(space: Space, archive: bytes) -> None:
    lost = rewritten(archive, lambda files: files.pop("profile/items.json") and None, sound=False)
    assert refused(space, lost) == "portability.content"


def test_a_file_that_the_manifest_does_not_name_is_never_read(space: Space, archive: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as source:
        data = source.read("mail/INBOX.json")
    out = io.BytesIO(archive)
    with zipfile.ZipFile(out, "a") as target:
        target.writestr("mail/Extra.json", data)
    taken = space.take(out.getvalue())
    assert {one.part: one.came for one in taken.parts}["mail"] == 6


@pytest.mark.parametrize(
    "name", ["/etc/x", "../x", "mail/../../x", "a\\b", "c:x", "mail/\x01x", "..", "MANIFEST.JSON"]
)
def test_names_that_lead_out(space: Space, archive: bytes, name: str) -> None:
    assert refused(space, rewritten(archive, change(name, b"x"))) == "portability.name"


def test_a_link_and_a_name_that_stands_twice(space: Space, archive: bytes) -> None:
    link = io.BytesIO(archive)
    info = zipfile.ZipInfo("mail/link")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(link, "a") as target:
        target.writestr(info, "/etc/passwd")
    assert refused(space, link.getvalue()) == "portability.name"
    twice = io.BytesIO(archive)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(twice, "a") as target:
            target.writestr("LISEZMOI.txt", "x")
    assert refused(space, twice.getvalue()) == "portability.name"


def test_bombs(space: Space, archive: bytes) -> None:
    bomb = rewritten(archive, change("mail/eml/bomb.eml", bytes(3_000_000)))
    assert refused(space, bomb, Limits(ratio=20, ratio_from=1_000_000)) == "portability.size"
    assert refused(space, bomb, Limits(total=1_000_000)) == "portability.size"
    assert refused(space, archive, Limits(manifest=100)) == "portability.size"
    assert refused(space, archive, Limits(directory=100)) == "portability.size"


def test_a_file_that_inflates_beyond_what_it_says(space: Space, archive: bytes) -> None:
    """Manifest and directory say 10 octets, the stream holds a million."""

    def small(said: dict[str, Any]) -> None:
        for one in said["files"]:
            if one["name"] == "mail/eml/bomb.eml":
                one["size"] = 10

    data = bytearray(rewritten(archive, change("mail/eml/bomb.eml", bytes(1_000_000)), small))
    # the central directory's record of the file: its length stands 22 octets before its name
    struct.pack_into("<I", data, data.rindex(b"mail/eml/bomb.eml") - 22, 10)
    assert ArchiveReader(io.BytesIO(data)).facts["mail/eml/bomb.eml"].size == 10
    assert refused(space, bytes(data)) == "portability.content"


@pytest.mark.parametrize("size", [0, 1, 21, 100, 5_000, -30, -1])
def test_cut_short(space: Space, archive: bytes, size: int) -> None:
    # of an archive cut within its directory, that of an XDM archive inside may be found: it has no manifest
    rules = ("portability.archive", "portability.content", "portability.manifest")
    assert refused(space, archive[:size]) in rules


def test_another_person(tmp_path: Path, archive: bytes) -> None:
    for number, traits in enumerate(
        [{"birth_name": "AUTRE"}, {"birth_date": "1979-03-29"}, {"sex": "M"}, {"given_names": "MARIE"}]
    ):
        other = Space(tmp_path / str(number), **traits)
        with other.store:
            assert refused(other, archive) == "portability.person"


def test_the_name_may_be_written_otherwise(tmp_path: Path, archive: bytes) -> None:
    same = Space(tmp_path / "home", birth_name="Pat Trois")
    with same.store:
        assert {one.part: one.failed for one in same.take(archive).parts}["mail"] == 0


@pytest.mark.parametrize(
    "said",
    [{"format": "zip"}, {"version": 2}, {"person": {}}, {"files": 3}, {"made_at": "soon"}],
    ids=lambda said: next(iter(said)),
)
def test_another_manifest(space: Space, archive: bytes, said: dict[str, Any]) -> None:
    assert (
        refused(space, rewritten(archive, manifest=lambda told: told.update(said))) == "portability.manifest"
    )


def test_parts_that_say_nonsense_fail_alone(space: Space, archive: bytes) -> None:
    broken = rewritten(archive, change("documents/documents.json", b'[{"file": 3}]'))
    taken = space.take(broken)
    failed = {one.part: (one.came, one.failed) for one in taken.parts}
    assert failed["documents"] == (0, 1) and failed["mail"] == (6, 0) and failed["measures"] == (2, 0)
    assert taken.missing[0].part == "documents"


def test_a_message_file_that_is_not_there(space: Space, archive: bytes) -> None:
    def elsewhere(files: dict[str, bytes]) -> None:
        said = json.loads(files["mail/INBOX.json"])
        said["messages"][0]["file"] = "profile/items.json"
        files["mail/INBOX.json"] = json.dumps(said).encode()

    taken = space.take(rewritten(archive, elsewhere))
    assert {one.part: one.failed for one in taken.parts}["mail"] == 1 and space.mailbox() == {}


def test_somebody_elses_document_is_left_out(space: Space, archive: bytes) -> None:
    foreign = cda(55, ins=OTHER_INS)

    def smuggle(files: dict[str, bytes]) -> None:
        documents = json.loads(files["documents/documents.json"])
        files["documents/files/00077.xml"] = foreign
        digest = hashlib.sha256(foreign).hexdigest()
        change = {
            "archive": "", "file": "documents/files/00077.xml", "size": len(foreign), "sha256": digest,
            "content_sha256": digest, "unique_id": "1.2.55", "set_id": "", "replaced_by": "",
        }  # fmt: skip
        documents.append(documents[0] | change)
        files["documents/documents.json"] = json.dumps(documents).encode()

    taken = space.take(rewritten(archive, smuggle))
    assert [(one.item, "INS" in one.reason) for one in taken.missing] == [("1.2.55", True)]


def test_a_profile_that_is_not_activated(tmp_path: Path, archive: bytes) -> None:
    space = Space(tmp_path / "home")
    with space.store:
        patients.suspend(space.store, space.ins, actor="desk", reason="asked")
        with pytest.raises(Exception, match=r"dossier.closed|portability.closed"):
            space.take(archive, OPERATOR)


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=60)
@given(data=st.data())
def test_any_flipped_octet_is_refused_or_harmless(archive: bytes, data: st.DataObject) -> None:
    """Whatever is read back is what the manifest named; nothing else than our refusal is raised."""
    at = data.draw(st.integers(0, len(archive) - 1))
    changed = bytearray(archive)
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        reader = ArchiveReader(io.BytesIO(bytes(changed)))
        reader.verify(lambda done, total: None)
    except PortabilityError as error:
        assert error.rule.startswith("portability.")
        return
    whole = ArchiveReader(io.BytesIO(archive))
    assert {name: one.sha256 for name, one in reader.facts.items()} == {
        name: one.sha256 for name, one in whole.facts.items()
    }


def edited(name: str, edit: Callable[[Any], None]) -> Callable[[dict[str, bytes]], None]:
    def apply(files: dict[str, bytes]) -> None:
        said = json.loads(files[name])
        edit(said)
        files[name] = json.dumps(said).encode()

    return apply


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("content_sha256", "no digest"),
        ("content_sha256", "aa"),
        ("sha256", "AA" * 32),
        ("created_at", 2**62),
        ("created_at", 2**64 + 1),
        ("ended_at", -(2**62)),
    ],
)
def test_impossible_facts_of_documents_fail_alone(
    space: Space, archive: bytes, field: str, value: object
) -> None:
    """They once broke the whole run, or every list of the record that showed them."""
    swap = edited("documents/documents.json", lambda said: said[0].update({field: value}))
    taken = {one.part: (one.came, one.failed) for one in space.take(rewritten(archive, swap)).parts}
    assert taken["documents"] == (0, 1)
    assert taken["mail"] == (6, 0) and taken["agenda"] == (2, 0)


@pytest.mark.parametrize("told", [{"mime": "text/html"}, {"mime": "image/png"}, {"service_at": 2**62}])
def test_a_document_that_is_not_what_is_said_is_left_out(
    space: Space, archive: bytes, told: dict[str, object]
) -> None:
    swap = edited("documents/documents.json", lambda said: [one["info"].update(told) for one in said])
    taken = {one.part: (one.came, one.failed) for one in space.take(rewritten(archive, swap)).parts}
    assert taken["documents"] == (0, 4)


def test_words_said_of_documents_are_cleaned(space: Space, archive: bytes) -> None:
    told = {
        "title": "\u202eCR\x00\x1b[31m\n" + "t" * 500,
        "author": "Dr\u2066\r\nX",
        "filename": "../a\x07.pdf",
    }
    swap = edited("documents/documents.json", lambda said: [one["info"].update(told) for one in said])
    assert space.take(rewritten(archive, swap)).missing == []
    for one in dossier.list_documents(space.store, space.box_id, space.me):
        assert one.info.title.startswith("CR[31m t") and len(one.info.title) == 128
        assert (one.info.author, one.info.filename) == ("Dr X", "a.pdf")


def test_dates_and_keywords_that_no_mailbox_can_show(space: Space, archive: bytes) -> None:
    def old(said: Any) -> None:
        said["messages"][0]["internal_date"] = -(10**14)

    def worded(said: Any) -> None:
        said["messages"][0]["keywords"] = ["x" * 101, "good", *(f"k{number}" for number in range(500))]

    taken = space.take(rewritten(archive, edited("mail/INBOX.json", old)))
    assert {one.part: one.failed for one in taken.parts}["mail"] == 1
    assert space.take(rewritten(archive, edited("mail/INBOX.json", worded))).missing == []
    words = next(row[2] for row in space.mailbox()["INBOX"] if row[2]).split()
    assert len(words) == 100 and "good" in words and max(map(len, words)) < 100
