"""CDA documents made to cost: what is read once however often it is named, and what no page may hold."""

from __future__ import annotations

import base64

import pytest
from lxml import etree

from dossier import UnsafeXmlError, render_cda
from dossier.cda import body
from tests.dossier.test_rendering import cda


def test_an_image_is_decoded_once_however_often_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty thousand references to twenty megabytes would keep a thread for an hour."""
    large = base64.b64encode(b"\xff\xd8\xff" + b"0" * 6_100_000).decode()
    media = f"<observationMedia ID='a'><value representation='B64' mediaType='image/jpeg'>{large}</value>"
    shown = f"<renderMultiMedia referencedObject='{' '.join(['a'] * 20)}'/>" * 50
    decoded, really = [], body.decoded

    def counted(value: etree._Element) -> bytes:
        decoded.append(value)
        return really(value)

    monkeypatch.setattr(body, "decoded", counted)
    page = render_cda(cda(shown, more=f"<entry>{media}</observationMedia></entry>"))
    assert page.text.count("[image non affichée]") == 1000
    assert len(decoded) == 1


def test_a_line_of_blanks_is_not_looked_at_again_for_each_element() -> None:
    """This kept a thread for minutes: every empty paragraph read the whole line."""
    blanks, empty = "\u00a0" * 900_000, "<paragraph/>" * 28_000
    page = render_cda(cda(f"<paragraph>{blanks}{empty}</paragraph>fin"))
    assert page.text.rstrip().endswith("fin")


def test_controls_of_a_text_file_reach_no_page() -> None:
    text = base64.b64encode("a\x01b\x1b[31mc\x08\ufffe\x9bd\té".encode()).decode()
    wrapped = f"<nonXMLBody><text mediaType='text/plain' representation='B64'>{text}</text></nonXMLBody>"
    page = render_cda(cda(body=wrapped))
    etree.fromstring(page.html)  # well-formed, as it says
    assert "ab[31mcd\té" in page.html
    assert "\x1b" not in page.text


@pytest.mark.parametrize(
    "declaration",
    [
        f"<?xml version='1.0'{' ' * 500}encoding='UTF-7'?>",
        "<?xml version='1.0' standalone='no' encoding='UTF-7'?>",
        "<?xml version='1.0' encoding ='UTF-7' x='>'?>",
        "<?xml encoding='UTF-7'?>",
        "<?xml\tversion='1.0'\nencoding\n=\n'utf-7'\n?>",
    ],
)
def test_an_encoding_hidden_from_us_is_refused(declaration: str) -> None:
    """UTF-7 writes a DTD without the letters that a DTD is looked for by."""
    dtd = b'+ADwAIQ-DOCTYPE ClinicalDocument +AFsAPAAh-ENTITY a "BOOM"+AD4AXQA+-'
    with pytest.raises(UnsafeXmlError) as caught:
        render_cda(declaration.encode() + dtd + cda("x"))
    assert caught.value.rule == "xml.encoding"


@pytest.mark.parametrize(
    "declaration",
    [
        "<?xml version='1.0'?>",
        '<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>\n',
        "\ufeff<?xml version = '1.0' encoding = 'ISO-8859-1'?>",
        "<?xml version='1.1'?>",
    ],
)
def test_declarations_as_they_are_written(declaration: str) -> None:
    assert render_cda(declaration.encode() + cda("mot")).text.rstrip().endswith("mot")
