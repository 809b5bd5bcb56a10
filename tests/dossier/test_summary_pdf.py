"""The summary as other programs read it: its text, its fonts, its form, its pages."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import threading
from pathlib import Path

import msgspec
import pytest
from health_support import ASTHMA, EVERYTHING, Record
from lxml import etree
from PIL import Image, ImageCms

from dossier import health, measures
from dossier.health import NoneKnown, PartialDate
from dossier.summary import Block, Grid, Sheet, render, summary_pdf
from dossier.summary.archival import icc_profile
from patients import calendar
from tests.patients.patients_support import paris

NOW = paris("2026-11-20 08:05")
SHEET = Sheet(
    language="fr",
    title="Ma santé en résumé",
    subtitle="Synthèse du profil médical",
    person="Marie EXEMPLE",
    running="Marie EXEMPLE, né(e) le 1er mai 1988, INS 188057500100065",
    identity=[("Nom de naissance", "EXEMPLE"), ("Matricule INS", "188057500100065")],
    alert="",
    blocks=[],
    made="Établie le 20 novembre 2026 à 8 h 05 par le patient.",
    made_short="Établie le 20 novembre 2026 à 8 h 05",
    made_at=NOW,
    author="le patient",
    notes=[],
)


def with_rows(rows: list[list[str]], **changes: object) -> Sheet:
    grid = Grid(columns=["Maladie", "Précisions"], widths=[1, 2], rows=rows)
    block = Block(heading="Maladies", grid=grid)
    return msgspec.structs.replace(SHEET, blocks=[block], **changes)


class Pdf:
    """A PDF in a file, as poppler and qpdf see it."""

    def __init__(self, folder: Path, data: bytes) -> None:
        self.path = folder / f"{hashlib.sha256(data).hexdigest()[:8]}.pdf"
        self.path.write_bytes(data)

    def run(self, *words: str) -> str:
        done = subprocess.run([*words], capture_output=True, check=False)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        assert done.stderr == b"", done.stderr
        return done.stdout.decode()

    def text(self, *options: str) -> str:
        return self.run("pdftotext", *options, str(self.path), "-")

    def words(self) -> str:
        return " ".join(self.text("-layout").split())

    def info(self) -> dict[str, str]:
        lines = (line.split(":", 1) for line in self.run("pdfinfo", str(self.path)).splitlines())
        return {name: value.strip() for name, value in lines}

    def fonts(self) -> list[list[str]]:
        return [line.split() for line in self.run("pdffonts", str(self.path)).splitlines()[2:]]

    def checked(self) -> str:
        return self.run("qpdf", "--check", str(self.path))


pytestmark = [pytest.mark.package("pdftotext"), pytest.mark.package("qpdf")]


def test_other_programs_read_it(tmp_path: Path) -> None:
    record = Record(tmp_path / "home", birth_date="1986-02-03", used_name="MARTIN")
    for item in EVERYTHING:
        record.put(item)
    for kind, value in (("weight", "72,5 kg"), ("height", "1,75 m"), ("blood_pressure", "12/8 cmHg")):
        measures.add(
            record.store, record.box_id, record.patient, measures.parse(kind, value),  # type: ignore[arg-type]
            measures.moments.parse("2026-11-19 08:00"),
        )  # fmt: skip
    pdf = Pdf(tmp_path, summary_pdf(record.store, record.box_id, record.patient, now=NOW))
    text = pdf.words()
    for told in (
        "Ma santé en résumé", "Nom de naissance : EXEMPLE", "Nom utilisé : MARTIN", "Marie Anne",
        "3 février 1986 (40 ans)", "188057500100065", "Établie le 20 novembre 2026 à 8 h 05 par le patient.",
        "Allergies : Pénicilline (grave)", "Œdème de Quincke", "Asthme", "J45.9 (CIM-10)", "2014",
        "Salbutamol 100 µg", "2 bouffées", "si besoin", "12 mai 2019", "Revaxis", "Tétanos", "R1234", "2039",
        "72,5 kg", "12/8 cmHg", "23,7 kg/m²", "père", "Infarctus du myocarde", "52 ans", "06 12 34 56 78",
        "personne de confiance", "d'accord pour donner, famille informée", "Mutuelle de l'Exemple", "M-12345",
        "Aucun médecin traitant déclaré.",
    ):  # fmt: skip
        assert told in text or all(word in text for word in told.split()), told
    pages = pdf.info()["Pages"]
    assert all(f"page {number}/{pages}" in text for number in range(1, int(pages) + 1))
    english = Pdf(tmp_path, summary_pdf(record.store, record.box_id, record.patient, language="en", now=NOW))
    for told in ("My health in brief", "72.5 kg", "2 puffs", "12 May", "agrees to give", "08:05"):
        assert told in english.words(), told
    record.store.close()


def test_its_form(tmp_path: Path) -> None:
    pdf = Pdf(tmp_path, render(with_rows([["Asthme", "Жанна, Γιώργος, Łódź, œuf"]])))
    info = pdf.info()
    assert info["Title"] == "Ma santé en résumé – Marie EXEMPLE"
    assert info["Author"] == "le patient"
    assert info["Subject"] == "Synthèse du profil médical"
    assert info["Page size"] == "595.276 x 841.89 pts (A4)"
    assert (info["Encrypted"], info["JavaScript"]) == ("no", "no")
    assert info["CreationDate"]
    assert "No syntax or stream encoding errors found" in pdf.checked()
    fonts = pdf.fonts()
    assert {one[0].split("+")[1] for one in fonts} == {"DejaVuSans", "DejaVuSans-Bold"}
    assert all(one[-5:-2] == ["yes", "yes", "yes"] for one in fonts)  # embedded, subset, Unicode
    assert "Жанна, Γιώργος, Łódź, œuf" in pdf.words()
    raw = subprocess.run(["qpdf", "--qdf", str(pdf.path), "-"], capture_output=True, check=True).stdout
    assert b"/Lang (fr-FR)" in raw
    assert b"/Outlines" in raw
    assert raw.count(b"/Title") >= 2  # the document's, and an entry of the outline
    assert b"D:20261120070500" in raw  # UTC


def test_the_same_sheet_is_the_same_file() -> None:
    sheet = with_rows([["Asthme", f"note {number}"] for number in range(80)])
    first = render(sheet)
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(render(sheet))) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == [first] * 3
    assert render(msgspec.structs.replace(sheet, made_at=NOW + 1000)) != first


def test_what_an_archive_asks_of_it(tmp_path: Path) -> None:
    """What PDF/A-1b asks for; docs/dossier.md tells which validator found nothing else wanting."""
    author = 'Dr <b> & "É" Жанна 日\x07'
    pdf = Pdf(tmp_path, render(with_rows([["Asthme", "x"]], author=author, person="Γιώργος <i>")))
    raw = pdf.path.read_bytes()
    assert len(re.findall(rb"[^\n]endstream", raw)) == 0
    assert raw.count(b"endstream") > 5
    assert b"/ExtGState" not in raw  # no transparency
    [xmp] = re.findall(rb"<x:xmpmeta.*?</x:xmpmeta>", raw, re.DOTALL)
    found = etree.fromstring(xmp)
    told = {etree.QName(one).localname: "".join(one.itertext()).strip() for one in found.iter()}
    info = pdf.info()
    assert (told["part"], told["conformance"], told["language"]) == ("1", "B", "fr-FR")
    assert told["title"] == info["Title"] == "Ma santé en résumé – Γιώργος <i>"
    assert told["creator"] == info["Author"] == 'Dr <b> & "É" Жанна ▯'
    assert (told["Producer"], told["CreatorTool"]) == (info["Producer"], info["Creator"])
    assert told["CreateDate"] == "2026-11-20T07:05:00+00:00"
    assert b"/GTS_PDFA1" in raw
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile())).profile
    assert (profile.version, profile.xcolor_space.strip(), profile.device_class) == (2.1, "RGB", "mntr")
    red = ImageCms.profileToProfile(
        Image.new("RGB", (1, 1), (255, 0, 0)), ImageCms.ImageCmsProfile(io.BytesIO(icc_profile())),
        ImageCms.createProfile("sRGB"),
    )  # fmt: skip
    assert red is not None
    assert red.getpixel((0, 0))[0] > 250


def test_tables_break_over_pages_under_their_heading(tmp_path: Path) -> None:
    pdf = Pdf(tmp_path, render(with_rows([[f"Maladie n° {number}", "suivie"] for number in range(120)])))
    pages = pdf.text("-layout").split("\f")[:-1]
    assert len(pages) == int(pdf.info()["Pages"]) >= 3
    for number, page in enumerate(pages, 1):
        assert "Précisions" in page  # the heading of the table
        assert f"page {number}/{len(pages)}" in page
        assert ("INS 188057500100065" in page) == (number > 1)
    assert [int(one) for one in re.findall(r"n° (\d+)", "".join(pages))] == list(range(120))


@pytest.mark.parametrize("large", [False, True])
def test_nothing_is_too_long(tmp_path: Path, large: bool) -> None:
    text = " ".join(f"mot{number}" for number in range(1500))
    rows = [["x" * 200, text], ["court", "y" * 2000], ["fin", "z"]]
    pdf = Pdf(tmp_path, render(with_rows(rows, alert="a" * 3000), large=large))
    found = pdf.words()
    assert all(f"mot{number}" in found for number in (0, 749, 1499))
    assert "fin" in found
    assert pdf.text("-raw").count("y") >= 2000


def test_markup_is_text(tmp_path: Path) -> None:
    rows = [
        ["<b>gras</b>", "<a href='http://exemple.test'>lien</a> &amp; &#65; <para>"],
        ["<img src='file:///etc/passwd'/>", "a < b > c & d <!-- --> ]]> \x00 <br/>"],
        ["</font>", "<font size=99>grand"],
    ]
    pdf = Pdf(tmp_path, render(with_rows(rows, alert="<i>x", notes=["<u>y"], author="<b>")))
    found = pdf.words()
    for told in ("<b>gras</b>", "&amp; &#65; <para>", "<font size=99>grand", "a < b > c & d", "<i>x", "<u>y"):
        assert told in found
    assert b"/URI" not in pdf.path.read_bytes()
    assert b"/EmbeddedFile" not in pdf.path.read_bytes()


def test_markup_behind_a_box_is_text(tmp_path: Path) -> None:
    """The box opens our own note on letters that are missing; whoever types it writes text all the same."""
    rows = [["▯<b>gras</b>", "▯ <a href='http://exemple.test'>x</a> <img src='file:///dev/null'/> 日"]]
    pdf = Pdf(tmp_path, render(with_rows(rows, notes=["▯<u>y"])))
    found = pdf.words()
    for told in ("▯<b>gras</b>", "</a> <img", "src='file:///dev/null'/>", "▯<u>y", "imprimé (1)"):
        assert told in found
    assert b"/URI" not in pdf.path.read_bytes()


def test_what_cannot_be_printed_shows(tmp_path: Path) -> None:
    rows = [["محمد", "日本 👨\u200d👩\u200d👧 \ufe0f fin"], ["Zo\u0308e", "שלום"]]
    found = Pdf(tmp_path, render(with_rows(rows))).words()
    assert "▯▯▯▯" in found
    assert "fin" in found
    assert "Zöe" in found
    assert "caractère qui n'a pas pu être imprimé (13)" in found


def test_large_print_is_large(tmp_path: Path) -> None:
    sheet = with_rows([["Asthme", "chronique"], ["Rhume", ""]])
    pdf = Pdf(tmp_path, render(sheet, large=True))
    assert "• Asthme Précisions : chronique • Rhume" in pdf.words()
    bbox = pdf.text("-bbox-layout")
    [line] = re.findall(r'yMin="([\d.]+)"[^>]*yMax="([\d.]+)">chronique', bbox)
    assert float(line[1]) - float(line[0]) > 15


def test_pages_have_ink_and_margins(tmp_path: Path) -> None:
    """Rendered, no page is empty and nothing stands at the edge of the paper."""
    pdf = Pdf(tmp_path, render(with_rows([[f"Maladie {number}", "x" * 90] for number in range(60)])))
    subprocess.run(
        ["pdftoppm", "-r", "50", "-gray", "-png", str(pdf.path), str(tmp_path / "page")], check=True
    )
    for path in sorted(tmp_path.glob("page*.png")):
        image = Image.open(path).convert("L").point(lambda value: 255 if value < 160 else 0)
        left, top, right, bottom = image.getbbox() or (0, 0, 0, 0)
        assert 20 < left < 60 < 300 < right < image.width - 20
        assert 15 < top < bottom < image.height - 15


def test_told_honestly(tmp_path: Path) -> None:
    record = Record(tmp_path / "home")
    record.put(NoneKnown(of="allergy"))
    item_id = record.put(health.Treatment(label="Amoxicilline", end=PartialDate(2025)))
    text = Pdf(tmp_path, summary_pdf(record.store, record.box_id, record.patient, now=NOW)).words()
    assert "Aucune allergie connue, selon le patient." in text
    assert "Allergies :" not in text
    assert text.count("Rubrique non renseignée.") == 6
    assert "des traitements terminés figurent dans le profil" in text
    assert "Amoxicilline" not in text
    health.remove(record.store, record.box_id, record.patient, item_id)
    record.put(ASTHMA)
    again = Pdf(tmp_path, summary_pdf(record.store, record.box_id, record.patient, now=NOW)).words()
    assert again.count("Rubrique non renseignée.") == 6
    assert calendar.today(NOW).isoformat() == "2026-11-20"
    record.store.close()
