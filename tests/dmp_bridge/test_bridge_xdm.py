from __future__ import annotations

import contextlib
import io
import struct
import zipfile

import pytest
from bridge_support import INS, OID, SHARED, archive, cda, needs_shared, pdf, rezip
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dmp_bridge import ArchiveDocument, BridgeError, XdmArchive, codes, read_cda, read_metadata
from gateway.dmp_bridge.errors import ArchiveError
from gateway.dmp_bridge.xdm import Limits, is_xdm_name


def opened(raw: bytes, limits: Limits | None = None) -> XdmArchive:
    return XdmArchive(io.BytesIO(raw), limits)


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as target:
        for name, data in files.items():
            target.writestr(name, data)
    return out.getvalue()


def rule_of(raw: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(BridgeError) as caught:
        found = opened(raw, limits)
        for document in found.documents:
            found.read(document)
    return caught.value.rule


def test_what_we_write_we_read_and_names_are_strict() -> None:
    one, two = cda(1), cda(2, type_code="11502-2")
    raw = archive(one, ArchiveDocument(two, "C"))
    with zipfile.ZipFile(io.BytesIO(raw)) as plain:
        assert plain.namelist() == [
            "INDEX.HTM",
            "README.TXT",
            "IHE_XDM/SUBSET01/METADATA.XML",
            "IHE_XDM/SUBSET01/DOC00001.XML",
            "IHE_XDM/SUBSET01/DOC00002.XML",
        ]
    found = opened(raw)
    assert [found.read(document) for document in found.documents] == [one, two]
    said = found.documents[1].metadata
    assert (said.type_code.code, said.class_code.code, said.action) == ("11502-2", "10", "C")
    assert said.unique_id == read_cda(two).header.unique_id
    assert (said.patient.value, said.patient.oid) == (INS, OID)
    assert said.traits == read_cda(two).header.traits
    assert said.format_code.code == "urn:ihe:iti:xds-sd:pdf:2008"
    assert said.authors[0].person.id == "899700000001"
    assert said.authors[0].organisation.id == "1750803447"
    assert found.submissions[0].submission.source_id == "1.2.250.1.999.4"
    assert archive(one) == archive(one)


def test_case_noise_wrapping_folder_and_glued_metadata_are_read() -> None:
    raw = archive(cda(1))
    lower = rezip(
        raw, rename=str.lower, extra={"__MACOSX/IHE_XDM/SUBSET01/._DOC00001.XML": b"x", ".DS_Store": b""}
    )
    wrapped = rezip(raw, rename=lambda name: "envoi/" + name)
    named = rezip(raw, rename=lambda name: name.replace("SUBSET01", "Lucy_0"))
    glued = rezip(raw, rename=lambda name: name.replace("SUBSET01/", "SUBSET01"))
    for variant in (lower, wrapped, named, glued):
        found = opened(variant)
        assert found.read(found.documents[0]) == cda(1)


@needs_shared
@pytest.mark.parametrize("name", ["MIE.zip", "Medicity.zip"])
def test_archives_of_vendors(name: str) -> None:
    with (SHARED / "xdm" / name).open("rb") as file:
        found = XdmArchive(file)
        assert len(found.documents) == 1
        assert b"ClinicalDocument" in found.read(found.documents[0])


@pytest.mark.parametrize(
    "name",
    [
        "../evil.xml",
        "/etc/passwd",
        "IHE_XDM/SUBSET01/../../x",
        "IHE_XDM\\SUBSET01\\X.XML",
        "C:/x.xml",
        "a\x01b",
    ],
)
def test_names_that_leave_the_archive(name: str) -> None:
    assert rule_of(rezip(archive(cda(1)), extra={name: b"x"})) == "xdm.path"


@pytest.mark.parametrize("uri", ["../DOC.XML", "/DOC.XML", "..\\DOC.XML", "file:///etc/passwd"])
def test_uris_that_leave_the_subset(uri: str) -> None:
    raw = rezip(
        archive(cda(1)),
        replace=lambda name, data: data.replace(b"DOC00001.XML", uri.encode()) if "META" in name else data,
    )
    assert rule_of(raw) == "xdm.path"


def test_links_duplicates_and_missing_parts() -> None:
    link = zipfile.ZipInfo("IHE_XDM/SUBSET01/LINK.XML")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    out = io.BytesIO(archive(cda(1)))
    with zipfile.ZipFile(out, "a") as target:
        target.writestr(link, "/etc/passwd")
    assert rule_of(out.getvalue()) == "xdm.path"
    assert rule_of(rezip(archive(cda(1)), extra={"ihe_xdm/subset01/doc00001.xml": b"x"})) == "xdm.duplicate"
    assert rule_of(zipped({"README.TXT": b"x"})) == "xdm.metadata"
    assert rule_of(zipped({"IHE_XDM/S/METADATA.XML": b"<x/>"})) == "metadata.shape"
    gone = rezip(archive(cda(1)), rename=lambda name: name.replace("DOC00001.XML", "AUTRE.XML"))
    assert rule_of(gone) == "xdm.missing"


def test_size_and_hash_are_checked() -> None:
    changed = lambda old, new: rezip(  # noqa: E731
        archive(cda(1)), replace=lambda name, data: data.replace(old, new) if "DOC0" in name else data
    )
    assert rule_of(changed(b"EXEMPLE", b"EXAMPLE")) == "xdm.hash"
    assert rule_of(changed(b"EXEMPLE", b"EXEMPLES")) == "xdm.size"


def test_bombs() -> None:
    bomb = rezip(archive(cda(1)), replace=lambda name, data: bytes(8 << 20) if "DOC0" in name else data)
    assert rule_of(bomb) == "xdm.bomb"
    many = {f"IHE_XDM/S/{number}": b"" for number in range(300)}
    assert rule_of(zipped(many)) == "xdm.bomb"
    assert rule_of(archive(cda(1)), Limits(entry_size=100)) == "xdm.bomb"
    assert rule_of(archive(cda(1), cda(2)), Limits(total_size=5000)) == "xdm.bomb"
    # metadata that inflates beyond its own limit
    fat = {"IHE_XDM/S/METADATA.XML": b"<a>" + bytes(6 << 20).replace(b"\0", b" ") + b"</a>"}
    assert rule_of(zipped(fat)) == "xdm.bomb"


def test_declared_sizes_are_not_believed() -> None:
    raw = bytearray(archive(cda(1)))
    real = len(cda(1))
    for at in range(len(raw) - 4):  # every place that states the size now states 10
        if raw[at : at + 4] == struct.pack("<I", real):
            raw[at : at + 4] = struct.pack("<I", 10)
    assert rule_of(bytes(raw)) in ("xdm.zip", "xdm.size")


def test_encrypted_and_odd_archives() -> None:
    raw = bytearray(archive(cda(1)))
    at = raw.find(b"PK\x01\x02")
    raw[at + 8] |= 1
    assert rule_of(bytes(raw)) == "xdm.encrypted"
    assert rule_of(b"") == "xdm.zip"
    assert rule_of(b"PK\x05\x06" + bytes(10)) == "xdm.zip"
    assert rule_of(zipped({"IHE_XDM/S/METADATA.XML": b"<x/>"}, zipfile.ZIP_BZIP2)) == "xdm.zip"
    assert rule_of(archive(cda(1))[:-40]) == "xdm.zip"


def test_nested_archives_stay_closed() -> None:
    raw = rezip(archive(cda(1)), extra={"IHE_XDM/SUBSET01/INNER.ZIP": archive(cda(2))})
    found = opened(raw)
    assert len(found.documents) == 1
    assert found.unlisted() == ["IHE_XDM/SUBSET01/INNER.ZIP"]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 10_000), st.booleans())
def test_arbitrary_bytes_raise_only_our_errors(junk: bytes, at: int, splice: bool) -> None:
    raw = _SAMPLE
    if splice:
        at %= len(raw)
        raw = raw[:at] + junk + raw[at + len(junk) :]
    else:
        raw = junk
    try:
        found = opened(raw)
        for document in found.documents:
            found.read(document)
    except BridgeError:
        pass


_SAMPLE = archive(cda(1))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 20_000))
def test_arbitrary_metadata_raise_only_our_errors(junk: bytes, at: int) -> None:
    with zipfile.ZipFile(io.BytesIO(_SAMPLE)) as plain:
        raw = plain.read("IHE_XDM/SUBSET01/METADATA.XML")
    at %= len(raw)
    with contextlib.suppress(BridgeError):
        read_metadata(raw[:at] + junk + raw[at + len(junk) :])


@pytest.mark.parametrize("name", ["action", "Action", "urn:asip:ci-sis:action", "urn:x:ACTION"])
@pytest.mark.parametrize(("value", "expected"), [("C", "C"), ("d", "D"), ("", ""), ("X", "")])
def test_action_under_any_of_its_names(name: str, value: str, expected: str) -> None:
    with zipfile.ZipFile(io.BytesIO(archive(ArchiveDocument(cda(1), "C")))) as plain:
        raw = plain.read("IHE_XDM/SUBSET01/METADATA.XML")
    raw = raw.replace(b'name="action"', f'name="{name}"'.encode()).replace(
        b"<rim:Value>C</rim:Value>", f"<rim:Value>{value}</rim:Value>".encode()
    )
    assert read_metadata(raw).documents[0].action == expected


def test_split_uri_and_bad_values() -> None:
    def metadata(slot: str) -> bytes:
        return (
            '<r:RegistryObjectList xmlns:r="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">'
            f'<r:ExtrinsicObject id="D">{slot}</r:ExtrinsicObject></r:RegistryObjectList>'
        ).encode()

    values = "<r:Value>2|001.XML</r:Value><r:Value>1|DOC00</r:Value>"
    split = f'<r:Slot name="URI"><r:ValueList>{values}</r:ValueList></r:Slot>'
    assert read_metadata(metadata(split)).documents[0].uri == "DOC00001.XML"
    for slot, value in (("size", "12kB"), ("size", "-1"), ("hash", "abc")):
        text = f'<r:Slot name="{slot}"><r:ValueList><r:Value>{value}</r:Value></r:ValueList></r:Slot>'
        with pytest.raises(BridgeError) as caught:
            read_metadata(metadata(text))
        assert caught.value.rule == "metadata.value"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IHE_XDM.ZIP", True),
        ("ihe_xdm.zip", True),
        ("IHE_XDM (1).zip", True),
        ("ihe-xdm.Zip", True),
        ("photos.zip", False),
        ("IHE_XDM.pdf", False),
        ("", False),
    ],
)
def test_archive_names(name: str, expected: bool) -> None:
    assert is_xdm_name(name) is expected


def test_codes_are_closed_sets() -> None:
    assert len(codes.codes("type")) == 107
    assert codes.document_class(codes.document_type("18748-4")).code == "31"
    with pytest.raises(BridgeError) as caught:
        codes.document_type("11528-7")  # in the CI-SIS set, not in the DMP's
    assert caught.value.rule == "codes.type"
    implant = codes.document_type("101881-1")  # no class in ASS_X04
    assert codes.document_class(implant, "10").code == "10"
    with pytest.raises(BridgeError) as caught:
        codes.document_class(implant)
    assert caught.value.rule == "codes.class"
    for kind in codes.codes("type"):
        if kind.class_code:
            assert codes.find("class", kind.class_code) is not None, kind.code


def test_archive_errors_are_told_with_906() -> None:
    with pytest.raises(ArchiveError) as caught:
        opened(b"no zip")
    assert caught.value.application == 906
    assert pdf().startswith(b"%PDF")
