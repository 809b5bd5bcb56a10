"""French first, English second: texts are French in the code, ``texts/*.po`` hold their English (gettext)."""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path
from typing import Final, Literal

Language = Literal["fr", "en"]
LANGUAGES: Final[dict[Language, str]] = {"fr": "Français", "en": "English"}
_TEXTS: Final = Path(__file__).parent / "texts"


@cache
def translations(language: Language) -> gettext.NullTranslations:
    """What says things in a language; French says them as they are written."""
    if language == "fr":
        return gettext.NullTranslations()
    with (_TEXTS / "en.mo").open("rb") as file:
        return gettext.GNUTranslations(file)


def chosen(cookie: str, accepted: str) -> Language:
    """The language that was chosen, else the first that the browser asks for, else French."""
    if cookie in LANGUAGES:
        return "en" if cookie == "en" else "fr"
    for one in accepted.split(","):
        name = one.partition(";")[0].strip().casefold()
        if name.startswith("fr"):
            return "fr"
        if name.startswith("en"):
            return "en"
    return "fr"


def N_(text: str) -> str:
    """Marks a text that is said elsewhere, so that it is translated."""
    return text
