"""Lists made to mislead: whatever comes is refused by name, or says what was signed; the good one stays."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from signxml.algorithms import CanonicalizationMethod
from signxml.signer import XMLSigner

import annuaire
from annuaire import WhitelistEntry, WhitelistError
from annuaire.whitelist_xml import SCHEMA, parse_document
from store import Store
from tests.annuaire.annuaire_support import Signer, make_signer
from tests.annuaire.test_annuaire_whitelist import AT, CN, DN_A, EVIL, OU, accept, load, rule_of, signed

HEAD = b'<?xml version="1.0" encoding="UTF-8"?>'


def resigned(signer: Signer, change: bytes, into: bytes) -> bytes:
    """A list with ``change`` made in it and then signed by the right signer: only its content is wrong."""
    root = parse_document(signed(signer))
    root.remove(root[-1])
    text = etree.tostring(root)
    assert change in text
    maker = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
    maker.namespaces = {None: "http://www.w3.org/2000/09/xmldsig#"}  # type: ignore[dict-item]  # lxml's default
    parser = etree.XMLParser(huge_tree=True)
    changed = etree.fromstring(text.replace(change, into, 1), parser)
    return HEAD + bytes(etree.tostring(maker.sign(changed, key=signer.key, cert=[signer.cert])))


def test_the_maker_of_these_lists_signs_as_published(signer: Signer) -> None:
    data = resigned(signer, b"Domaine de", b"Domaine du")
    assert annuaire.read_signed_list(data).entries[0].description.startswith("Domaine du")


@pytest.mark.parametrize(
    ("change", "into"),
    [
        (DN_A.encode(), b"CN=" + b"x" * 1100),
        (b"Domaine de", b"y" * 5000),
        (b"hopital.mssante.fr", b"h" * 300 + b".mssante.fr"),
        (b"hopital.mssante.fr", b"hopital.mssante.fr,evil.fr"),
        (b"hopital.mssante.fr", b"*.mssante.fr"),
        (b"hopital.mssante.fr", b"fr"),
        (b"<DateDeGeneration>", b"<Autre/><DateDeGeneration>2999</DateDeGeneration><DateDeGeneration>"),
        (b"<ListeDomaines>", b"<ListeDomaines xmlns='urn:x'>"),
        (b"2025-02-28T15:42:07Z", b"10000-01-01T00:00:00Z"),
    ],
)
def test_signed_but_senseless(signer: Signer, change: bytes, into: bytes) -> None:
    assert rule_of(resigned(signer, change, into)) == "whitelist.xml"


def test_another_namespace(signer: Signer) -> None:
    data = signed(signer)
    for other in (b"", b"https://listeblanche.mssante.fr/schema/", b"http://listeblanche.mssante.fr/schema"):
        assert rule_of(data.replace(SCHEMA.encode(), other)) == "whitelist.xml"


def test_cut_anywhere(signer: Signer) -> None:
    data = signed(signer)
    for end in range(0, len(data) - 1, 101):
        assert rule_of(data[:end]) == "whitelist.xml"
    assert rule_of(data + b"<x/>") == "whitelist.xml"
    assert rule_of(data + data) == "whitelist.xml"


def test_encodings(signer: Signer) -> None:
    data = signed(signer)
    assert len(annuaire.read_signed_list(b"\xef\xbb\xbf" + data).entries) == 3  # a BOM says UTF-8
    text = data.decode()
    for encoding, codec in (
        ("UTF-16", "utf-16"),
        ("UTF-16LE", "utf-16-le"),
        ("UTF-32", "utf-32"),
        ("ISO-8859-1", "latin-1"),
        ("UTF-7", "utf-7"),
        ("IBM500", "cp500"),
    ):
        other = text.replace('encoding="UTF-8"', f'encoding="{encoding}"').encode(codec, "xmlcharrefreplace")
        assert rule_of(other) == "whitelist.xml", encoding
    assert rule_of(data.replace(b"UTF-8", b"UTF-16", 1)) == "whitelist.xml"
    assert rule_of(data.replace(b"h\xc3\xb4pital", b"h\xf4pital", 1)) == "whitelist.xml"
    assert rule_of(data.replace(b"Domaine de", b"Domaine\x00de", 1)) == "whitelist.xml"


BOMBS = {
    "laughs": b"".join(
        [b'<!DOCTYPE x [<!ENTITY a0 "ha">']
        + [b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10)]
        + [b"]>"]
    ),
    "quadratic": b'<!DOCTYPE x [<!ENTITY a9 "' + b"x" * 100_000 + b'">]>',
    "parameter": b'<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd">%p;<!ENTITY a9 "">]>',
    "external": b'<!DOCTYPE x [<!ENTITY a9 SYSTEM "file:///etc/hostname">]>',
    "network": b'<!DOCTYPE x PUBLIC "-//x" "http://127.0.0.1:9/x.dtd" [<!ENTITY a9 "">]>',
    "default attribute": b'<!DOCTYPE x [<!ATTLIST Nom xml:base CDATA "evil"><!ENTITY a9 "">]>',
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_at_once(signer: Signer, name: str) -> None:
    data = signed(signer).replace(HEAD, HEAD + BOMBS[name], 1)
    for body in (data, data.replace(b"Domaine de", b"&a9;" * 1000, 1)):
        began = time.process_time()
        assert rule_of(body) == "whitelist.xml"
        assert time.process_time() - began < 5  # a bomb that goes off takes minutes, or all memory


def test_depth_and_width(signer: Signer) -> None:
    assert rule_of(b"<a>" * 200_000) == "whitelist.xml"
    wide = b"<x " + b" ".join(b'a%d=""' % n for n in range(50_000)) + b"/>"
    assert rule_of(wide) == "whitelist.xml"
    assert rule_of(b"<a>" + b" " * (65 << 20)) == "whitelist.xml"
    assert rule_of(signed(signer).replace(b"Domaine de", b"y" * 11_000_000, 1)) == "whitelist.xml"


def test_what_stands_around_the_list_changes_nothing(signer: Signer) -> None:
    data = signed(signer)
    genuine = annuaire.read_signed_list(data).entries
    around = data.replace(HEAD, HEAD + b"<!-- evil.fr --><?evil x?>", 1) + b"<!-- x -->"
    inside = data.replace(b"<ListeDomaines>", b"<!-- " + EVIL.replace(b"--", b"") + b" --><ListeDomaines>", 1)
    for changed in (around, inside):
        try:
            assert annuaire.read_signed_list(changed).entries == genuine
        except WhitelistError as error:
            assert error.rule == "whitelist.signature"
    cdata = data.replace(b">Domaine<", b"><![CDATA[Domaine]]><", 1)
    assert cdata != data
    assert annuaire.read_signed_list(cdata).entries == genuine  # CDATA is the same text (C14N §2.3)
    instruction = data.replace(b"<Nom>hopital", b"<Nom>hop<?x y?>ital", 1)
    assert rule_of(instruction) == "whitelist.signature"


def test_the_signature_moved_or_doubled(signer: Signer) -> None:
    data = signed(signer)
    sign = re.search(rb"<Signature .*</Signature>", data, re.DOTALL)
    assert sign is not None
    inner = data.replace(HEAD, b"")
    other = signed(make_signer(CN, OU), AT + 1000)
    theirs = re.search(rb"<Signature .*</Signature>", other, re.DOTALL)
    assert theirs is not None
    for forged in (
        data.replace(sign[0], sign[0].replace(b"</Signature>", sign[0] + b"</Signature>")),
        data.replace(sign[0], b"<Object xmlns='urn:x'>" + sign[0] + b"</Object>"),
        data.replace(sign[0], sign[0] + EVIL),
        data.replace(sign[0], EVIL + sign[0]),
        data.replace(sign[0], theirs[0]),
        data.replace(b"<ListeDomaines>", b"<ListeDomaines>" + EVIL, 1),
        data.replace(b"<Domaine>", b"<Domaine>" + inner + b"</Domaine><Domaine>", 1),
        data.replace(b"<Signature ", b"<Signature Id='a' ", 1).replace(b'URI=""', b'URI="#a"'),
        data.replace(b"<SignedInfo>", b"<SignedInfo/><SignedInfo>", 1),
        data.replace(b"<DigestValue>", b"<DigestValue>AA==</DigestValue><DigestValue>", 1),
        data.replace(b"<Transforms>", b"<Transforms/><Transforms>", 1),
    ):
        assert forged != data
        assert rule_of(forged) in ("whitelist.signature", "whitelist.certificate", "whitelist.xml")


async def test_after_every_refusal_the_good_list_stays(store: Store, signer: Signer, tmp_path: Path) -> None:
    good = await load(store, tmp_path / "good.xml", signed(signer))
    for number, bad in enumerate(
        (
            b"",
            signed(signer)[:-20],
            signed(signer).replace(b"hopital", b"evil"),
            signed(signer).replace(HEAD, HEAD + BOMBS["laughs"], 1),
            resigned(signer, b"hopital.mssante.fr", b"*"),
            signed(signer, AT - 1000, [WhitelistEntry("evil.fr", DN_A, "", AT)]),
        )
    ):
        path = tmp_path / f"{number}.xml"
        path.write_bytes(bad)
        with pytest.raises(WhitelistError):
            await annuaire.import_whitelist(store, path, accept(), signer_cn=CN, signer_ou=OU)
        status = store.read(annuaire.whitelist_status)
        assert status is not None
        assert status.version == good.version
        assert not store.read(annuaire.domain_listed, "evil.fr")
        assert store.read(annuaire.whitelist_allows, "hopital.mssante.fr", DN_A)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@settings(max_examples=150, deadline=None)
def test_any_bytes(data: bytes) -> None:
    with pytest.raises(WhitelistError):
        annuaire.read_signed_list(data)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_change_is_refused_or_harmless(data: st.DataObject) -> None:
    body = bytearray(_DATA)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(body) - 1))
        length = data.draw(st.integers(0, 8))
        body[place : place + length] = data.draw(st.binary(max_size=8))
    try:
        found = annuaire.read_signed_list(bytes(body))
    except WhitelistError:
        return
    assert found.entries == _ENTRIES


_SIGNER = make_signer(CN, OU)
_DATA = signed(_SIGNER)
_ENTRIES = annuaire.read_signed_list(_DATA).entries
