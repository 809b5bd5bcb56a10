"""CDA documents as people read them: what is shown, and that nothing else ever gets through."""

from __future__ import annotations

import base64
import re
import zlib
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree, html

from dossier import DossierError, Rendered, UnsafeXmlError, embedded, render_cda
from dossier.cda.budget import MAX_IMAGE_BYTES, MAX_NODES, MAX_TEXT
from dossier.cda.nodes import ALLOWED
from dossier.cda.words import moment
from tests.dossier.deposit_support import PDF, image

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "data" / "cda"
CLASSES = {
    "cda-document", "cda-facts", "cda-bold", "cda-italic", "cda-underline", "cda-paragraph", "cda-caption",
    "cda-left", "cda-center", "cda-right", "cda-note", "cda-notes", "cda-absent", "cda-cut", "cda-text",
    "cda-file",
}  # fmt: skip
HEADER = """
<id root="1.2.3"/><code code="11488-4" displayName="CR de consultation"/>
<title>Consultation &amp; suivi</title>
<effectiveTime value="20240315103200+0100"/>
<recordTarget><patientRole><id root="1.2.250.1.213.1.4.8" extension="279035121518989"/><patient>
<name><family qualifier="BR">PAT-TROIS</family><family qualifier="CL">DUPONT</family>
<given>DOMINIQUE MARIE</given>
<given qualifier="BR">DOMINIQUE</given></name>
<administrativeGenderCode code="F"/><birthTime nullFlavor="NASK"/>
<birthplace><place><addr><county>51215</county></addr></place></birthplace></patient></patientRole></recordTarget>
<author><time/><assignedAuthor><code displayName="Médecin"/>
<assignedPerson><name><prefix>Dr</prefix><given>Marie</given><family>EXEMPLE</family></name></assignedPerson>
<representedOrganization><name>Hôpital</name></representedOrganization>
</assignedAuthor></author>
<custodian><assignedCustodian><representedCustodianOrganization><name>DMP</name></representedCustodianOrganization>
</assignedCustodian></custodian>
<informationRecipient><intendedRecipient><informationRecipient><name><family>MARTIN</family><given>Luc</given></name>
</informationRecipient></intendedRecipient></informationRecipient>
<documentationOf><serviceEvent><effectiveTime nullFlavor="UNK"/></serviceEvent></documentationOf>
"""


def cda(narrative: str = "", *, more: str = "", body: str = "", attributes: str = "") -> bytes:
    section = (
        f"<section><title>Conclusion</title><text{attributes}>{narrative}</text>{more}</section>"
        if not body
        else ""
    )
    inner = body or f"<structuredBody><component>{section}</component></structuredBody>"
    return (
        f'<ClinicalDocument xmlns="urn:hl7-org:v3">{HEADER}<component>{inner}</component></ClinicalDocument>'
    ).encode()


def level1(mime: str, content: bytes) -> bytes:
    text = base64.b64encode(content).decode()
    return cda(body=f'<nonXMLBody><text mediaType="{mime}" representation="B64">{text}</text></nonXMLBody>')


def media(mime: str, content: bytes, name: str = "M1") -> str:
    text = base64.b64encode(content).decode()
    return (
        f'<entry><observationMedia ID="{name}"><value mediaType="{mime}" representation="B64">{text}</value>'
        "</observationMedia></entry>"
    )


def checked(content: bytes) -> tuple[Rendered, etree._Element]:
    """Rendered, and its tree: well-formed, nothing beyond what is allowed, the same to a reader of HTML."""
    made = render_cda(content)
    tree = etree.fromstring(made.html)
    for element in tree.iter():
        assert isinstance(element.tag, str) and element.tag in ALLOWED, element.tag
        assert set(element.keys()) <= ALLOWED[element.tag]
        assert set((element.get("class") or "").split()) <= CLASSES
        for name in ("colspan", "rowspan"):
            assert element.get(name) is None or 1 < int(element.get(name, "")) <= 1000
        if element.tag == "a":
            assert re.match(r"https?://", element.get("href", ""), re.IGNORECASE)
            assert element.get("rel") == "noopener noreferrer nofollow"
        if element.tag == "img":
            assert re.fullmatch(r"data:image/(jpeg|png);base64,[A-Za-z0-9+/=]+", element.get("src", ""))
        assert element.get("type") in (None, "1", "i", "I", "a", "A")
    # What a browser's parser makes of it has the same elements in the same order.
    as_html = html.fragment_fromstring(made.html)
    assert [one.tag for one in as_html.iter()] == [one.tag for one in tree.iter()]
    assert "\x00" not in made.text
    return made, tree


def of(narrative: str, **more: str) -> tuple[Rendered, etree._Element]:
    return checked(cda(narrative, **more))


def words(element: etree._Element) -> str:
    return " ".join("".join(str(one) for one in element.itertext()).split())


# -- the header -----------------------------------------------------------------------------------


def test_the_header_is_told_in_words() -> None:
    made, _ = of("Rien à signaler.")
    lines = made.text.splitlines()
    assert made.title == lines[0] == "Consultation & suivi"
    for line in (
        "Date du document : 15/03/2024 à 10:32",
        "Date de l'acte : inconnu",
        "Patient : PAT-TROIS DOMINIQUE MARIE",
        "Nom utilisé : DUPONT",
        "Sexe : féminin",
        "Naissance : non demandé",
        "Lieu de naissance (code COG) : 51215",
        "Matricule INS : 279035121518989",
        "Auteur : Dr Marie EXEMPLE, Médecin, Hôpital",
        "Conservé par : DMP",
        "Destinataire : Luc MARTIN",
        "Conclusion",
        "Rien à signaler.",
    ):
        assert line in lines
    english = render_cda(cda("x"), "en").text
    assert "Birth : not asked" in english and "Date of the document : 15/03/2024 at 10:32" in english


def test_a_document_without_anything_is_still_a_page() -> None:
    made, _ = checked(b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>')
    assert "pas de contenu" in made.text and made.title == "" and not made.cut


@pytest.mark.parametrize(
    "content",
    [
        b"<html/>",
        b'<ClinicalDocument xmlns="urn:other"/>',
        b"",
        b"%PDF-1.4",
        b'<!DOCTYPE a [<!ENTITY b "c">]><ClinicalDocument xmlns="urn:hl7-org:v3">&b;</ClinicalDocument>',
        b'<ClinicalDocument xmlns="urn:hl7-org:v3">' + b"<a>" * 5000,
    ],
)
def test_what_is_no_document_is_refused(content: bytes) -> None:
    with pytest.raises(DossierError) as caught:
        render_cda(content)
    assert caught.value.rule.split(".")[0] in ("xml", "dossier")
    with pytest.raises(DossierError):
        embedded(content)


# -- the narrative --------------------------------------------------------------------------------


def test_paragraphs_content_and_signs() -> None:
    made, tree = of(
        '<paragraph>Un <content styleCode="Bold Underline">mot</content> et H<sub>2</sub>O, m<sup>2</sup>'
        '<br/>ligne</paragraph><content revised="delete">ôté</content><content revised="insert">mis</content>'
    )
    (bold,) = tree.iterfind(".//span[@class='cda-bold cda-underline']")
    assert bold.text == "mot"
    assert [words(one) for one in tree.iterfind(".//del")] == ["ôté"]
    assert [words(one) for one in tree.iterfind(".//ins")] == ["mis"]
    assert "Un mot et H2O, m2\nligne\n" in made.text


def test_lists() -> None:
    made, tree = of(
        '<list listType="ordered" styleCode="LittleAlpha"><caption>Suite</caption><item>un</item><item>deux'
        "<list><item>dedans</item></list></item></list>"
    )
    (ordered,) = tree.iterfind(".//ol")
    assert ordered.get("type") == "a" and [words(one) for one in ordered] == ["un", "deuxdedans"]
    assert "Suite\n- un\n- deux\n- dedans\n" in made.text


def test_tables() -> None:
    made, tree = of(
        "<table border='1' width='100%'><caption>Bilan</caption><col width='3'/><thead><tr><th>Examen</th>"
        "<th align='right'>Valeur</th></tr></thead><tbody><tr><td colspan='2' rowspan='0'>Tout</td></tr>"
        "<tr><td>TSH</td><td><content>1,9</content></td></tr></tbody></table>"
    )
    (table,) = tree.iterfind(".//table")
    assert table.attrib == {} and [one.tag for one in table] == ["caption", "thead", "tbody"]
    (wide,) = table.iterfind(".//td[@colspan]")
    assert wide.attrib == {"colspan": "2"}
    assert [one.get("class") for one in table.iterfind(".//th")] == [None, "cda-right"]
    assert "Bilan\nExamen | Valeur\nTout\nTSH | 1,9\n" in made.text


def test_footnotes_are_gathered_and_numbered() -> None:
    made, tree = of(
        'A<footnote ID="n1">première</footnote> B<footnote>seconde</footnote> C<footnoteRef IDREF="n1"/>'
        '<footnoteRef IDREF="nobody"/>'
    )
    assert [words(one) for one in tree.iterfind(".//sup")] == ["[1]", "[2]", "[1]"]
    assert [words(one) for one in tree.iterfind(".//ol/li")] == ["première", "seconde"]
    assert "A[1] B[2] C[1]" in made.text


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://exemple.fr/a?b=1&c=2", True),
        ("HTTP://exemple.fr", True),
        ("javascript:alert(1)", False),
        (" java\tscript:alert(1)", False),
        ("data:text/html,x", False),
        ("//exemple.fr", False),
        ("#ici", False),
        ("https://a.fr/\"onmouseover='x'", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_links_are_web_addresses_or_text(address: str, kept: bool) -> None:
    _, tree = of(f"<linkHtml href={quoteattr(address)}>le site</linkHtml>")
    assert [one.get("href") for one in tree.iterfind(".//a")] == ([address] if kept else [])
    assert "le site" in words(tree)


def test_absent_values_are_told() -> None:
    assert "masqué" in of("", attributes=' nullFlavor="MSK"')[0].text
    assert "inconnu" in of('<table><tr><td nullFlavor="UNK"/></tr></table>')[0].text


@pytest.mark.parametrize(
    "narrative",
    [
        "<script>alert(1)</script>bon",
        "<html:script xmlns:html='http://www.w3.org/1999/xhtml'>alert(1)</html:script>bon",
        "<style>p{}</style>bon",
        "<b onclick='alert(1)' style='x'>bon</b>",
        "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>bon",
        "<paragraph onload='alert(1)' styleCode='\"&gt;&lt;script&gt;'>bon</paragraph>",
        "<iframe src='https://alert(1)'>alert(1)</iframe>bon",
        "<table><tr><td style='background:url(alert(1))'>bon</td></tr></table>",
    ],
)
def test_what_is_not_ours_says_its_text_at_most(narrative: str) -> None:
    made, _ = of(narrative)
    assert "bon" in made.text
    assert "alert" not in made.html and "style" not in made.html


def test_markup_written_as_text_stays_text() -> None:
    made, tree = of(escape("<script>alert('x') & co</script>"))
    assert "<script>" not in made.html and "<script>alert('x') & co</script>" in words(tree)


def test_text_where_none_belongs_is_kept() -> None:
    made, _ = of(
        "<table>avant<tr>entre<td>dedans</td></tr><td>seul</td></table><item>puce</item><tr><td>perdu</td></tr>"
        "<list>liste<item>un</item></list>"
    )
    for word in ("avant", "entre", "dedans", "seul", "puce", "perdu", "liste", "un"):
        assert word in made.text


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "mime"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_images_are_shown_by_what_they_are(form: str, mime: str) -> None:
    picture = image(form)
    # ANS's own sample of a prescription claims JPEG for a PNG
    _, tree = of('<renderMultiMedia referencedObject="M1"/>', more=media("image/jpeg", picture))
    (shown,) = tree.iterfind(".//img")
    assert shown.get("src") == f"data:{mime};base64,{base64.b64encode(picture).decode()}"


@pytest.mark.parametrize(
    "entry",
    [
        media("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        media("image/jpeg", b"\xff\xd8\xff not a JPEG"),
        media("image/gif", b"GIF89a"),
        media("image/png", b"\x89PNG\r\n\x1a\n"),
        '<entry><observationMedia ID="M1"><value representation="B64">@@@</value></observationMedia></entry>',
        media("image/png", image("PNG"), "another"),
        "",
    ],
)
def test_what_is_no_image_is_named_only(entry: str) -> None:
    made, tree = of('<renderMultiMedia referencedObject="M1"/>', more=entry)
    assert list(tree.iterfind(".//img")) == []
    assert "image non affichée" in made.text


def test_images_have_a_limit() -> None:
    noise = zlib.compress(b"") + bytes(MAX_IMAGE_BYTES)
    big = image("PNG") + noise
    made, tree = of('<renderMultiMedia referencedObject="M1"/>', more=media("image/png", big))
    assert list(tree.iterfind(".//img")) == [] and len(made.html) < 10_000
    _, tree = of('<renderMultiMedia referencedObject="M1"/>' * 100, more=media("image/png", image("PNG")))
    assert len(list(tree.iterfind(".//img"))) == 40


def test_level_1_is_extracted() -> None:
    for mime, content in (
        ("application/pdf", PDF),
        ("text/plain", "à jeûn\n<b>".encode()),
        ("text/rtf", b"{\\rtf1 x}"),
        ("image/jpeg", image("JPEG")),
        ("image/tiff", image("TIFF")),
    ):
        document = level1(mime, content)
        assert embedded(document) == (mime, content)
        made, _ = checked(document)
        assert made.body_mime == mime
    assert "à jeûn\n<b>" in render_cda(level1("text/plain", "à jeûn\n<b>".encode())).text
    assert "data:image/jpeg" in render_cda(level1("image/jpeg", image("JPEG"))).html


@pytest.mark.parametrize(
    ("mime", "content"),
    [("application/pdf", b"MZ"), ("application/msword", b"x"), ("image/png", image("PNG"))],
)
def test_what_is_inside_must_be_what_it_claims(mime: str, content: bytes) -> None:
    with pytest.raises(DossierError) as caught:
        embedded(level1(mime, content))
    assert caught.value.rule == "dossier.media"
    checked(level1(mime, content))


def test_the_copy_of_a_structured_document_is_found() -> None:
    copy = f'<templateId root="1.2.250.1.213.1.1.2.243"/>{media("application/pdf", PDF)}'
    assert embedded(cda("x", more=copy)) == ("application/pdf", PDF)
    assert embedded(cda("x", more=media("application/pdf", PDF))) is None
    assert embedded(cda("x")) is None


# -- hostile documents ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "narrative",
    [
        "<paragraph>" * 150 + "au fond" + "</paragraph>" * 150,
        "<list><item>" * 75 + "au fond" + "</item></list>" * 75,
        "<table><tr><td>" * 50 + "au fond" + "</td></tr></table>" * 50,
        "<footnote>" * 150 + "au fond" + "</footnote>" * 150,
    ],
)
def test_depth_is_flattened(narrative: str) -> None:
    made, tree = of(narrative)
    assert "au fond" in made.text
    deepest = max(sum(1 for _ in one.iterancestors()) for one in tree.iter())
    assert deepest < 80


def test_ten_megabytes_of_narrative_are_cut_and_told() -> None:
    made, _ = of("<paragraph>" + "mot " * 2_500_000 + "</paragraph>")
    assert made.cut and len(made.html) < MAX_TEXT + 10_000
    assert "trop longue" in made.text


def test_a_huge_table_is_cut_and_told() -> None:
    made, tree = of("<table>" + "<tr><td>x</td><td>y</td></tr>" * 60_000 + "</table>")
    assert made.cut and sum(1 for _ in tree.iter()) <= MAX_NODES + 50
    assert "trop longue" in made.text


def test_too_many_elements_are_refused() -> None:
    with pytest.raises(UnsafeXmlError) as caught:
        render_cda(cda("<br/>" * 310_000))
    assert caught.value.rule == "xml.depth"


def test_many_sections_within_sections() -> None:
    opened = "<section><title>s</title><component>" * 40
    closed = "</component></section>" * 40
    made, _ = checked(
        cda(body=f"<structuredBody><component>{opened}<section/>{closed}</component></structuredBody>")
    )
    assert made.cut


_NAMES = st.sampled_from([
    "paragraph", "content", "list", "item", "caption", "table", "thead", "tbody", "tfoot", "tr", "th", "td",
    "col", "br", "sub", "sup", "linkHtml", "footnote", "footnoteRef", "renderMultiMedia", "script", "style",
    "b", "img", "a", "input", "math", "body", "title",
])  # fmt: skip
_VALUES = st.one_of(
    st.sampled_from([
        "Bold", "ordered", "https://exemple.fr/x", "javascript:x", "M1", "n1", "2", "-1", "99999999", "left",
        "delete", "UNK", "expression(x)", "\"><script>", "'", "cda-bold",
    ]),
    st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0x2FFF), max_size=12),
)  # fmt: skip
_ATTRIBUTES = st.dictionaries(
    st.sampled_from([
        "styleCode", "listType", "href", "referencedObject", "IDREF", "ID", "colspan", "rowspan", "align",
        "revised", "nullFlavor", "style", "class", "onclick", "src", "rel", "type",
    ]),
    _VALUES,
    max_size=3,
)  # fmt: skip
_TEXTS = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0x2FFF), max_size=20).map(escape)


def _element(inner: list[str], name: str, attributes: dict[str, str]) -> str:
    said = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{name}{said}>{''.join(inner)}</{name}>"


_NARRATIVES = st.recursive(
    _TEXTS,
    lambda inner: st.builds(_element, st.lists(inner, max_size=4), _NAMES, _ATTRIBUTES),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None)
@given(_NARRATIVES)
def test_nothing_but_what_is_allowed_whatever_comes(narrative: str) -> None:
    of(narrative, more=media("image/png", image("PNG")))


@settings(max_examples=100, deadline=None)
@given(st.lists(_TEXTS.filter(lambda text: text.strip()), min_size=1, max_size=5), _NAMES)
def test_no_text_of_the_author_is_lost(texts: list[str], name: str) -> None:
    if name in ("script", "style"):
        return
    narrative = "".join(f"<{name}>{text}</{name}>" for text in texts)
    _, tree = of(narrative)
    said = words(tree)
    for text in texts:
        assert " ".join(words(etree.fromstring(f"<x>{text}</x>")).split()) in said


# -- real documents -------------------------------------------------------------------------------


def _samples() -> list[Any]:
    found = sorted(SAMPLES.glob("*.xml")) if SAMPLES.is_dir() else []
    missing = pytest.mark.skip(reason="the sample documents are not there")
    return [pytest.param(one, id=one.stem) for one in found] or [pytest.param(SAMPLES, marks=missing)]


@pytest.mark.parametrize("path", _samples())
def test_real_documents_are_readable(path: Path) -> None:
    content = path.read_bytes()
    made, tree = checked(content)
    root = etree.fromstring(content)
    said = words(tree)
    assert made.title and not made.cut
    space = {"c": "urn:hl7-org:v3"}
    for cell in root.xpath("//c:section/c:text//c:td[not(.//c:renderMultiMedia)]", namespaces=space):
        assert words(cell).replace(" ", "") in said.replace(" ", "")
    for title in root.xpath("//c:section/c:title", namespaces=space):
        assert words(title) in said
    files = root.xpath("//*[@representation='B64'][starts-with(@mediaType,'application/pdf')]")
    if files:
        found = embedded(content)
        assert found is not None and found[1].startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("20261122090200+0000", "22/11/2026 à 10:02"),  # nobody's clock shows UTC
        ("20260722233000+0000", "23/07/2026 à 01:30"),
        ("20261122090200+0100", "22/11/2026 à 09:02"),
        ("20261122090200-0400", "22/11/2026 à 09:02"),  # Martinique: by the clock of who wrote it
        ("20261122090200", "22/11/2026 à 09:02"),
        ("2026113109+0000", "31/11/2026 à 09:00"),  # no such day
        ("99991231233000+0000", "31/12/9999 à 23:30"),
        ("20261122", "22/11/2026"),
        ("hier", ""),
    ],
)
def test_moments_of_a_header(written: str, shown: str) -> None:
    assert moment(written, "fr") == shown
