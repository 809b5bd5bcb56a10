from __future__ import annotations

import contextlib
import hashlib
import time

import pytest
from bridge_support import OID, SHARED, TRAITS, cda, needs_shared, patient, pdf, structured
from hypothesis import given, settings
from hypothesis import strategies as st

from dossier import MAX_ELEMENTS
from gateway.dmp_bridge import (
    BridgeError,
    Identifier,
    Level1,
    Organisation,
    Person,
    cda_level1,
    check_header,
    codes,
    media,
    read_cda,
    traits_of,
    xmlsafe,
)
from gateway.dmp_bridge.level1 import UNKNOWN_SECTOR


def level1(**changes: object) -> bytes:
    values: dict[str, object] = {
        "unique_id": "2.25.1",
        "set_id": "2.25.2",
        "type": codes.document_type("11488-4"),
        "title": "Titre",
        "created_at": 1_700_000_000_000,
        "service_at": 1_700_000_000_000,
        "patient": Identifier("279035121518989", OID),
        "traits": TRAITS,
        "author": Person("899700000001", "", "EXEMPLE", "Marie"),
        "organisation": Organisation("1750803447", "", "Hôpital"),
        "mime": "application/pdf",
        "content": pdf(),
    }
    return cda_level1(Level1(**(values | changes)))  # type: ignore[arg-type]  # each test changes one field


def rule_of(action: object, *args: object) -> str:
    assert callable(action)
    with pytest.raises(BridgeError) as caught:
        action(*args)
    return caught.value.rule


def test_level1_read_back() -> None:
    document = read_cda(level1(replaces="2.25.9", sector="SA05"))
    check_header(document)
    header = document.header
    assert (header.unique_id, header.id_extension, header.set_id, header.version) == (
        "2.25.1",
        "",
        "2.25.2",
        1,
    )
    assert (header.code.code, header.title, header.language) == ("11488-4", "Titre", "fr-FR")
    assert header.effective_time == "20231114221320+0000"
    assert header.created_at == header.service_start == 1_700_000_000_000
    assert header.patient == Identifier("279035121518989", OID)
    assert header.traits == TRAITS == traits_of(patient())
    assert header.author.person == Person("899700000001", "1.2.250.1.71.4.2.1", "EXEMPLE", "Marie")
    assert header.author.organisation.id == header.custodian.id == "1750803447"
    assert (header.replaces, header.level, header.facility.code) == (["2.25.9"], 1, "SA05")
    assert document.body is not None
    assert (document.body.mime, document.body.content) == ("application/pdf", pdf())
    assert document.embedded_sha256 == [hashlib.sha256(pdf()).digest()]
    assert read_cda(level1()).header.facility.code == UNKNOWN_SECTOR
    assert level1() == level1()


@pytest.mark.parametrize(
    ("mime", "content"),
    [
        ("text/plain", "Été".encode()),
        ("text/rtf", b"{\\rtf1 a}"),
        ("image/jpeg", b"\xff\xd8\xff\xe0x"),
        ("image/tiff", b"II*\0x"),
    ],
)
def test_the_other_kinds(mime: str, content: bytes) -> None:
    body = read_cda(level1(mime=mime, content=content)).body
    assert body is not None
    assert (body.mime, body.content) == (mime, content)


def test_what_level1_refuses() -> None:
    refused = lambda **changes: rule_of(lambda: level1(**changes))  # noqa: E731
    assert refused(content=b"MZ\x90") == "cda.media"
    assert refused(content=b"") == "cda.media"
    assert refused(mime="image/png", content=b"\x89PNG") == "cda.media"
    assert refused(unique_id="2.25.1^5") == "cda.id"
    assert refused(unique_id="2.25." + "1" * 70) == "cda.id"
    assert refused(title="  ") == "cda.title"


def test_titles_are_cut_and_cleaned() -> None:
    title = read_cda(level1(title="a\x00b " + "x" * 300)).header.title
    assert title.startswith("ab x")
    assert len(title) <= 128


def edited(old: str, new: str, raw: bytes | None = None) -> bytes:
    text = (raw or level1()).decode()
    assert old in text
    return text.replace(old, new, 1).encode()


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ('<id root="2.25.1"/>', '<id root="2.25.1" extension="7"/>', "cda.id"),
        ('<id root="2.25.1"/>', '<id root="not-an-oid"/>', "cda.id"),
        ('"20231114221320+0000"', '"20231114"', "cda.time"),
        ('"20231114221320+0000"', '"20231114221320"', "cda.time"),
        ("<title>Titre</title>", "", "cda.title"),
        ("<title>Titre</title>", f"<title>{'x' * 129}</title>", "cda.title"),
        ('<confidentialityCode code="N"', '<confidentialityCode code="R"', "cda.confidentiality"),
        ('<confidentialityCode code="N"', '<confidentialityCode code="X"', "cda.confidentiality"),
        ('mediaType="application/pdf"', 'mediaType="image/png"', "cda.media"),
        ('mediaType="application/pdf"', 'mediaType="image/jpeg"', "cda.media"),
    ],
)
def test_headers_that_no_schema_catches(old: str, new: str, rule: str) -> None:
    assert rule_of(lambda: check_header(read_cda(edited(old, new)))) == rule


def test_headers_that_cannot_be_read() -> None:
    assert rule_of(read_cda, b"<html/>") == "cda.root"
    assert rule_of(read_cda, edited('<id root="2.25.1"/>', "")) == "cda.id"
    assert (
        rule_of(read_cda, edited('<versionNumber value="1"/>', '<versionNumber value="un"/>'))
        == "cda.version"
    )
    assert rule_of(read_cda, edited("JVBER", "!!!!!")) == "cda.body"


def test_other_authorities_are_no_ins() -> None:
    for oid in ("1.2.250.1.213.1.4.2", "1.2.250.1.213.1.4.13", "1.2.3"):
        assert read_cda(edited(f'root="{OID}"', f'root="{oid}"')).header.patient == Identifier()


def test_structured_documents() -> None:
    document = read_cda(structured())
    check_header(document)
    assert (document.header.level, document.body, document.embedded_sha256) == (3, None, [])


def test_entities_and_dtds_are_refused() -> None:
    many = "&a;" * 10
    laughs = f'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "{many}">]><l>&b;</l>'
    outside = '<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><l>&x;</l>'
    remote = '<!DOCTYPE l SYSTEM "http://127.0.0.1:1/x.dtd"><l/>'
    for text in (laughs, outside, remote):
        assert rule_of(read_cda, text.encode()) == "xml.dtd"
    assert rule_of(read_cda, laughs.encode("utf-16")) == "xml.encoding"
    assert rule_of(read_cda, laughs.encode("utf-16-le")) == "xml.encoding"
    seven = b'<?xml version="1.0" encoding="utf-7"?>+ADwAIQ-DOCTYPE x+AD4-<x/>'
    assert rule_of(read_cda, seven) == "xml.encoding"
    assert rule_of(read_cda, b"<l>&undeclared;</l>") == "xml.syntax"


def test_depth_size_and_syntax_are_bounded() -> None:
    assert rule_of(read_cda, b"<a>" * 5000 + b"</a>" * 5000) in ("xml.depth", "xml.syntax")
    assert rule_of(read_cda, b"<a>" + b"<b/>" * (MAX_ELEMENTS + 5) + b"</a>") == "xml.depth"
    assert rule_of(lambda: xmlsafe.parse(b"<a/>" * 10, "x", limit=8)) == "xml.size"
    for raw in (b"", b"<a>", b"\x00\x01", b"<a/><b/>", b"<a x='1' x='2'/>", b"\xff" * 9):
        assert rule_of(read_cda, raw) in ("xml.syntax", "xml.encoding")


def test_a_large_embedded_file_is_read_quickly() -> None:
    content = pdf("x" * 15_000_000)
    raw = level1(content=content)
    start = time.process_time()
    document = read_cda(raw)
    assert document.body is not None
    assert document.body.content == content
    assert time.process_time() - start < 5


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 5000))
def test_arbitrary_bytes_raise_only_our_errors(junk: bytes, at: int) -> None:
    for raw in (junk, _SAMPLE[:at] + junk + _SAMPLE[at + len(junk) :]):
        with contextlib.suppress(BridgeError):
            check_header(read_cda(raw))


_SAMPLE = cda(1)

FACTS = {
    "BIO-CR-BIO_2024.01_TSH_1": ("1.2.250.1.213.1.1.1.55.2024.9.1", "11502-2", 3, 1, "CAMPARINI", "SA25"),
    "DOC_NON_STRUCTURE_CDA-R2-N1": (
        "1.3.6.1.4.1.19376.1.2.20.12345.1.1",
        "11502-2",
        1,
        1,
        "CAMPARINI",
        "SA07",
    ),
    "IMG_CR_IMG_2024.01_CDA-R2-Niveau-1": (
        "1.2.250.1.213.1.1.1.45.2024.2.1",
        "18748-4",
        1,
        2,
        "BIDEAULT",
        "SA08",
    ),
    "LDL-SES_2022.01": ("1.2.250.1.213.1.1.1.29.2022.1.1", "11490-0", 3, 1, "DAVID", "SA01"),
    "VSM_1.4_2022.01": ("1.2.250.1.213.1.1.1.13.2022.1.1", "SYNTH", 3, 1, "MEDIONI", "SA04"),
    "eP-MED-DM_2024.01_PosoStruct": ("1.2.250.1.213.1.1.1.39.2024.2.1", "57833-6", 3, 1, "PIOU", "SA07"),
}


@needs_shared
@pytest.mark.parametrize("name", sorted(FACTS))
def test_official_samples(name: str) -> None:
    document = read_cda((SHARED / "cda" / f"{name}.xml").read_bytes())
    check_header(document)
    header = document.header
    assert FACTS[name] == (
        header.unique_id,
        header.code.code,
        header.level,
        header.version,
        header.author.person.name,
        header.facility.code,
    )
    assert header.patient == Identifier("279035121518989", OID)
    assert header.traits == TRAITS
    assert header.author.person.oid == "1.2.250.1.71.4.2.1"
    if header.level == 1:
        assert document.body is not None
        assert document.body.content.startswith(b"%PDF")


@needs_shared
def test_replaced_document_of_a_sample() -> None:
    raw = (SHARED / "cda" / "IMG_CR_IMG_2024.01_CDA-R2-Niveau-1.xml").read_bytes()
    assert read_cda(raw).header.replaces == ["90E1C8EC-F951-4B26-A305-A34848818DD6"]


@pytest.mark.parametrize(
    ("claimed", "filename", "expected"),
    [
        ("application/pdf", "x", "application/pdf"),
        ("Application/X-PDF", "x", "application/pdf"),
        ("application/octet-stream", "a.PDF", "application/pdf"),
        ("application/octet-stream", "a.tif", "image/tiff"),
        ("application/octet-stream", "a.exe", ""),
        ("application/rtf", "a.rtf", "text/rtf"),
        ("text/plain", "a.rtf", "text/rtf"),
        ("image/jpg", "a.jpg", "image/jpeg"),
        ("image/png", "a.pdf", ""),
        ("text/html", "a.txt", ""),
    ],
)
def test_kinds(claimed: str, filename: str, expected: str) -> None:
    assert media.kind(claimed, filename) == expected
