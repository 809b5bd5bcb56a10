"""French first, English second: nothing is left unsaid in either, and both are typeset as they should be."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from tests.webmail.web_kit import Site
from webmail.languages import chosen, translations, typeset

ROOT = Path(__file__).resolve().parents[2]
TEXTS = ROOT / "webmail" / "texts"
_PLACE = re.compile(r"%\((\w+)\)s")


def test_every_text_has_its_english_and_none_is_unused() -> None:
    """`scripts/texts` makes en.mo; run it when this fails, and add what it names to the area's .po file."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "texts", "--check"], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [], done.stderr
    assert done.returncode == 0, done.stderr


def _pairs(path: Path) -> list[tuple[str, str]]:
    found = []
    with path.open("rb") as file:
        for one in read_po(file, locale="en", abort_invalid=True):
            if not one.id:
                continue
            ids = one.id if isinstance(one.id, tuple) else (one.id,)
            said = one.string if isinstance(one.string, tuple) else (one.string,)
            found += list(zip(ids, said, strict=True))
    return found


@pytest.mark.parametrize("path", sorted(TEXTS.glob("*.po")), ids=lambda path: path.stem)
def test_texts_are_written_as_people_read_them(path: Path) -> None:
    wrong = []
    for french, english in _pairs(path):
        if set(_PLACE.findall(french)) != set(_PLACE.findall(english)):
            wrong.append(("not the same values", french, english))
        if "’" in french or "’" in english:
            wrong.append(("a curly apostrophe", french, english))
        if re.search(r"(?<!Authorization)(?<=\w)[:;?!»](?:\s|$)", french) or re.search(r"«\w", french):
            wrong.append(("no space before : ; ? ! » or after «", french, english))
        if re.search(r"\s[;:?!](?:\s|$)", english):
            wrong.append(("a French space in English", french, english))
        if french != french.strip() or english != english.strip() or "  " in french + english:
            wrong.append(("stray spaces", french, english))
        if '"' in french:
            wrong.append(("« » are French quotation marks", french, english))
        if "..." in french or "..." in english:
            wrong.append(("three dots for …", french, english))
    assert wrong == []


def test_french_is_typeset_when_it_is_said() -> None:
    assert typeset("Êtes-vous sûr ? Oui : « bien » ; sûr !") == (
        "Êtes-vous sûr\u00a0? Oui\u00a0: «\u00a0bien\u00a0»\u00a0; sûr\u00a0!"
    )
    french, english = translations("fr"), translations("en")
    assert french.gettext("Pour qui ?") == "Pour qui\u00a0?"
    assert english.gettext("Pour qui ?") == "Who is it for?"
    one, many = "%(num)s message non lu", "%(num)s messages non lus"
    assert [french.ngettext(one, many, number) for number in (0, 1, 2)] == [one, one, many]
    assert english.ngettext(one, many, 0) == "%(num)s unread messages"


@given(st.text())
def test_typesetting_changes_spaces_only(text: str) -> None:
    made = typeset(text)
    assert made.replace("\u00a0", " ") == text.replace("\u00a0", " ")
    assert typeset(made) == made


@pytest.mark.parametrize(
    ("cookie", "accepted", "language"),
    [
        ("", "", "fr"),
        ("", "de-DE,de", "fr"),
        ("", "en-GB,en;q=0.9,fr;q=0.8", "en"),
        ("", "de;q=1, fr;q=0.3, en;q=0.7", "en"),
        ("", "en;q=0.1, fr-CA;q=0.2", "fr"),
        ("", "en;q=0", "fr"),
        ("", "en;q=x, fr;q=0.1", "fr"),
        ("", "EN", "en"),
        ("fr", "en", "fr"),
        ("en", "fr", "en"),
        ("de", "en", "en"),
    ],
)
def test_the_language_is_the_one_that_is_liked_best(cookie: str, accepted: str, language: str) -> None:
    assert chosen(cookie, accepted) == language


@given(st.text(max_size=40), st.text(max_size=200))
def test_whatever_a_browser_sends_some_language_is_found(cookie: str, accepted: str) -> None:
    assert chosen(cookie, accepted) in ("fr", "en")


async def test_pages_are_in_the_language_that_is_asked_for(site: Site) -> None:
    client = site.client()
    for accepted, language, words in (
        ("fr", "fr", "Se connecter"),
        ("en-GB", "en", "Sign in"),
    ):
        answer = await client.get("/", headers={"Accept-Language": accepted})
        assert f'<html lang="{language}"' in answer.text
        assert answer.headers["content-language"] == language
        assert words in answer.text


@pytest.mark.parametrize(
    "path", ["/", "/aide", "/vos-donnees", "/accessibilite", "/affichage", "/hors-ligne"]
)
async def test_the_open_pages_leave_no_french_in_english(site: Site, path: str) -> None:
    french = (await site.client().get(path, headers={"Accept-Language": "fr"})).text
    english = (await site.client().get(path, headers={"Accept-Language": "en"})).text
    assert _words(french) & _words(english) <= {"Mon espace santé", "Français", "English", "Messages", "3422"}


def _words(page: str) -> set[str]:
    """The longer pieces of text between tags."""
    body = page[page.index("<body") :]
    return {one for found in re.findall(r">([^<]+)<", body) if len(one := found.strip()) > 5}
