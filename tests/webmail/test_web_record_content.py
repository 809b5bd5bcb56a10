"""What a document's content becomes in a browser: shown harmless, named well, sent under a strict head."""

from __future__ import annotations

import base64
import io
import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.dossier.test_rendering import cda
from tests.webmail.record_support import PDF, Record, image
from tests.webmail.web_kit import Browser, Site
from webmail.content import disposition, file_name

SCRIPT = b"<script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script></svg>'
CDA = "text/xml"
HTML = b"<!doctype html><html><body onload=alert(1)>" + SCRIPT + b"</body></html>"


def level_1(record: Record, content: bytes, media: str) -> int:
    """A document that wraps a file."""
    text = base64.b64encode(content).decode()
    inner = f"<nonXMLBody><text mediaType='{media}' representation='B64'>{text}</text></nonXMLBody>"
    return record.raw(cda(body=inner), CDA, body_mime=media)


def harmless(answer: object) -> None:
    """What each answer with a document's content says of itself."""
    heads = answer.headers  # type: ignore[attr-defined]  # of httpx
    policy = heads["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'self'" in policy
    assert "script-src" not in policy and "form-action 'none'" in policy
    assert heads["x-content-type-options"] == "nosniff"
    assert heads["cache-control"] == "no-store"
    assert heads["referrer-policy"] == "no-referrer"
    assert heads["cross-origin-resource-policy"] == "same-origin"
    if heads["content-type"] != "application/pdf" or "attachment" in heads["content-disposition"]:
        assert policy.startswith("sandbox") and "allow-scripts" not in policy
        assert "allow-same-origin" not in policy


async def test_what_is_not_what_it_says_is_not_shown(site: Site, alice: Browser) -> None:
    record = Record(site)
    hostile = {
        "HTML called PDF": record.raw(HTML, "application/pdf"),
        "SVG called PDF": record.raw(SVG, "application/pdf"),
        "SVG called PNG": record.raw(SVG, "image/png"),
        "SVG": record.raw(SVG, "image/svg+xml"),
        "HTML": record.raw(HTML, "text/html"),
        "HTML wrapped as PDF": level_1(record, HTML, "application/pdf"),
        "SVG wrapped as JPEG": level_1(record, SVG, "image/jpeg"),
        "no CDA": record.raw(
            b"<html xmlns='http://www.w3.org/1999/xhtml'>" + SCRIPT + b"</html>", "text/xml"
        ),
        "no XML": record.raw(SCRIPT, "text/xml"),
        "a DTD": record.raw(b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", "text/xml"),
        "a bomb": record.raw(image("PNG")[:20] + b"\xff\xff\xff\xff" * 4, "image/png"),
        "an end": record.raw(b"%PDF-1.4 cut short", "application/pdf"),
    }
    for name, number in hostile.items():
        answer = await alice.client.get(f"/documents/{number}/contenu")
        assert answer.status_code == 200, name
        assert answer.headers["content-type"].startswith("text/html"), name
        assert "<script" not in answer.text and "onload" not in answer.text, name
        assert 'class="cut"' in answer.text or 'class="cda-file"' in answer.text, name
        harmless(answer)
        page = await alice.get(f"/documents/{number}")
        assert "alert(" not in page, name
        kept = await alice.client.get(f"/documents/{number}/telecharger")
        assert kept.headers["content-disposition"].startswith("attachment"), name
        assert "html" not in kept.headers["content-type"] and "xml" not in kept.headers["content-type"]
        harmless(kept)


async def test_a_pdf_is_given_to_the_browsers_viewer(site: Site, alice: Browser) -> None:
    record = Record(site)
    polyglot = PDF.replace(b"1 0 obj", b"%" + HTML + b"\n1 0 obj")
    numbers = {
        record.deposit(): PDF,
        level_1(record, PDF, "application/pdf"): PDF,
        record.raw(polyglot, "application/pdf"): polyglot,
    }
    for number, content in numbers.items():
        page = await alice.get(f"/documents/{number}")
        assert "sandbox=" not in re.findall(r"<iframe[^>]*>", page)[0]
        answer = await alice.client.get(f"/documents/{number}/contenu")
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-disposition"].startswith("inline")
        assert answer.content == content
        harmless(answer)
        kept = await alice.client.get(f"/documents/{number}/telecharger")
        assert kept.content == content
        assert kept.headers["content-disposition"].startswith("attachment")


async def test_pictures_are_drawn_anew(site: Site, alice: Browser) -> None:
    record = Record(site)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "<script>alert(3)</script>"  # turned by a quarter; a description
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(buffer, "JPEG", exif=exif)
    numbers = {
        record.deposit("a.jpg", buffer.getvalue() + HTML): (1, (20, 40)),
        record.deposit("b.png", image("PNG", (30, 10))): (1, (30, 10)),
        record.deposit("c.tif", image("TIFF", (12, 9), pages=3)): (3, (12, 9)),
        level_1(record, image("TIFF", (7, 5)), "image/tiff"): (1, (7, 5)),
    }
    for number, (pages, size) in numbers.items():
        answer = await alice.client.get(f"/documents/{number}/contenu")
        harmless(answer)
        found = re.findall(r'src="data:image/(?:jpeg|png);base64,([A-Za-z0-9+/=]+)"', answer.text)
        assert len(found) == pages
        drawn = base64.b64decode(found[0])
        assert b"script" not in drawn
        with Image.open(io.BytesIO(drawn)) as shown:
            assert shown.size == size
        assert "sandbox=" in await alice.get(f"/documents/{number}")


async def test_texts_and_cda_are_shown_as_text(site: Site, alice: Browser) -> None:
    record = Record(site)
    text = record.deposit("mot.txt", "à jeûn <b>& l'été</b>".encode())
    old = record.deposit("vieux.txt", "à jeûn".encode("cp1252"))
    rtf = record.deposit("note.rtf", b"{\\rtf1 bonjour}")
    narrative = "<paragraph>Va bien &lt;script&gt;</paragraph><linkHtml href='javascript:a()'>x</linkHtml>"
    structured = record.raw(cda(narrative), "text/xml")
    page = (await alice.client.get(f"/documents/{text}/contenu")).text
    assert "à jeûn &lt;b&gt;&amp; l&#39;été&lt;/b&gt;" in page
    assert "à jeûn" in (await alice.client.get(f"/documents/{old}/contenu")).text
    answer = await alice.client.get(f"/documents/{structured}/contenu")
    harmless(answer)
    assert "Va bien &lt;script&gt;" in answer.text and "javascript:" not in answer.text
    page = await alice.get(f"/documents/{rtf}")
    assert "<iframe" not in page and "traitement de texte" in page
    kept = await alice.client.get(f"/documents/{rtf}/telecharger")
    assert kept.headers["content-type"] == "text/rtf"
    whole = await alice.client.get(f"/documents/{structured}/telecharger?forme=origine")
    assert whole.content == cda(narrative)
    assert whole.headers["content-type"] == "application/octet-stream"
    assert '.xml"' in whole.headers["content-disposition"]


async def test_a_large_file_comes_whole(site: Site, alice: Browser) -> None:
    record = Record(site)
    large = PDF[:9] + bytes(range(256)) * 15_000 + PDF[9:]
    number = record.deposit("gros.pdf", large)
    answer = await alice.client.get(f"/documents/{number}/telecharger")
    assert answer.content == large
    assert answer.headers["content-length"] == str(len(large))


async def test_the_name_of_a_download(site: Site, alice: Browser) -> None:
    record = Record(site)
    title = 'Été : « bilan » / "fin"; x.exe'
    number = record.deposit("a.pdf", title=title)
    told = (await alice.client.get(f"/documents/{number}/telecharger")).headers["content-disposition"]
    plain = re.search(r'filename="([^"]*)"', told)
    true = re.search(r"filename\*=UTF-8''(\S+)$", told)
    assert plain and plain[1].isascii() and plain[1].endswith(".pdf")
    assert true and unquote(true[1]).endswith(".pdf") and "Été" in unquote(true[1])
    assert "/" not in unquote(true[1]) and '"' not in unquote(true[1])


@given(name=st.text(max_size=200), shown=st.booleans())
def test_any_name_makes_one_line_that_says_it(name: str, shown: bool) -> None:
    made = file_name(name, "application/pdf")
    assert made.lower().endswith(".pdf")
    assert not set('/\\:*?"<>|\r\n') & set(made)
    told = disposition(made, shown=shown)
    assert told.isascii() and told.isprintable()
    found = re.fullmatch(r"(inline|attachment); filename=\"([^\"]+)\"(?:; filename\*=UTF-8''(\S+))?", told)
    assert found, told
    assert (unquote(found[3]) if found[3] else found[2]) == made


@pytest.mark.parametrize(
    ("name", "media", "wanted"),
    [
        ("bilan", "application/pdf", "bilan.pdf"),
        ("bilan.PDF", "application/pdf", "bilan.PDF"),
        ("bilan.exe", "application/pdf", "bilan.pdf"),
        ("photo.jpeg", "image/jpeg", "photo.jpeg"),
        ("Dr. Martin", "application/pdf", "Dr. Martin.pdf"),
        ("../../etc/passwd", "text/plain", "passwd.txt"),
        ("", "image/png", "document.png"),
        ("note.html", "text/html", "note.html"),
    ],
)
def test_names_end_as_their_kind(name: str, media: str, wanted: str) -> None:
    assert file_name(name, media) == wanted
