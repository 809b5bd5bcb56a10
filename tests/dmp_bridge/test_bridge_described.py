"""A CDA document deposited through another door is read by the bridge: his, well-formed, of a known type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bridge_support import OTHER_INS, T0, pdf

import dossier
from dossier import Said
from gateway.dmp_bridge import BridgeError, read_deposited_cda
from store import PasserelleError
from tests.dmp_bridge.saving_support import his_cda
from tests.dossier.deposit_support import DOCTOR, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "home")
    with made.store:
        yield made


def deposited(desk: Desk, content: bytes) -> dossier.Filed:
    said = Said(mime="text/xml")
    return dossier.deposit(
        desk.store, desk.box_id, DOCTOR, content=content, said=said, read_cda=read_deposited_cda
    )


def test_its_header_says_all(desk: Desk) -> None:
    deposited(desk, his_cda(1))
    (found,) = desk.seen()
    assert (found.unique_id, found.set_id) == ("1.2.250.1.999.1.1", "1.2.250.1.999.2.1")
    assert (found.created_at, found.author_id) == (T0, "899700000001")
    assert (found.info.type_code, found.info.class_code) == ("11488-4", "10")
    assert found.info.format_code == "urn:ihe:iti:xds-sd:pdf:2008"
    assert dossier.embedded(desk.bytes_of(found.document_id)) == ("application/pdf", pdf("document 1"))


@pytest.mark.parametrize(
    ("content", "rule", "code"),
    [
        (his_cda(1, ins=OTHER_INS), "identity.ins", 904),
        (his_cda(1).replace(b"EXEMPLE</family>", b"AUTRE</family>", 1), "identity.birth_name", 904),
        (his_cda(1).replace(b'code="N"', b'code="R"'), "cda.confidentiality", 906),
        (his_cda(1).replace(b'code="11488-4"', b'code="no-such"'), "codes.type", 906),
        (b"<ClinicalDocument>", "xml.syntax", 906),
    ],
)
def test_what_is_refused_is_told(desk: Desk, content: bytes, rule: str, code: int) -> None:
    with pytest.raises(BridgeError) as caught:
        deposited(desk, content)
    assert (caught.value.rule, caught.value.application) == (rule, code)
    assert desk.seen() == []
    assert desk.told() == [("document_deposited", rule)]


@pytest.mark.parametrize("mime", ["text/plain", "text/plain; charset=utf-8", "text/rtf", ""])
def test_a_cda_document_by_another_name_is_read_all_the_same(desk: Desk, mime: str) -> None:
    """Called a text it would be filed unread, and in a wrong record."""
    for content in (
        his_cda(1, ins=OTHER_INS),
        b"\xef\xbb\xbf\n" + his_cda(1, ins=OTHER_INS).partition(b"?>")[2],
    ):
        with pytest.raises(PasserelleError) as caught:
            dossier.deposit(
                desk.store, desk.box_id, DOCTOR, content=content, filename="" if mime else "x.txt",
                said=Said(mime=mime, type_code="11488-4"), read_cda=read_deposited_cda,
            )  # fmt: skip
        assert caught.value.rule in ("identity.ins", "dossier.media")
    assert desk.seen() == []
