"""French first, English second: texts are French in the code, ``texts/*.po`` hold their English (gettext)."""

from __future__ import annotations

import gettext
import re
from functools import cache
from pathlib import Path
from typing import Final, Literal

Language = Literal["fr", "en"]
LANGUAGES: Final[dict[Language, str]] = {"fr": "Français", "en": "English"}
_TEXTS: Final = Path(__file__).parent / "texts"


_BEFORE: Final = re.compile(" (?=[:;?!»])")
_AFTER: Final = re.compile("(?<=«) ")


def typeset(text: str) -> str:
    """French text with no-break spaces where lines must not be cut: before ``: ; ? ! »`` and after ``«``."""
    return _AFTER.sub("\u00a0", _BEFORE.sub("\u00a0", text))


_known = cache(typeset)  # texts of the code, of which there are so many; nothing that names somebody


class _French(gettext.NullTranslations):
    """Says texts as they are written, but for the spaces."""

    def gettext(self, message: str) -> str:
        return _known(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return _known(msgid1 if abs(n) < 2 else msgid2)  # 0 is singular in French


@cache
def translations(language: Language) -> gettext.NullTranslations:
    """What says things in a language."""
    if language == "fr":
        return _French()
    with (_TEXTS / "en.mo").open("rb") as file:
        return gettext.GNUTranslations(file)


def chosen(cookie: str, accepted: str) -> Language:
    """The language that was chosen, else the one of ours that the browser likes best, else French."""
    if cookie in LANGUAGES:
        return "en" if cookie == "en" else "fr"
    weighed: list[tuple[float, Language]] = []
    for one in accepted.split(","):
        name, _, quality = one.partition(";")
        tag = name.strip().casefold().partition("-")[0]
        if tag in LANGUAGES:
            weighed.append((_weight(quality), "en" if tag == "en" else "fr"))
    best = max((weight for weight, _ in weighed), default=0.0)
    return next((language for weight, language in weighed if weight == best > 0), "fr")


def _weight(quality: str) -> float:
    """``q=0.8`` of Accept-Language (RFC 9110 §12.4.2)."""
    name, _, value = quality.strip().partition("=")
    try:
        return float(value) if name.strip().casefold() == "q" else 1.0
    except ValueError:
        return 0.0


def N_(text: str) -> str:
    """Marks a text that is said elsewhere, so that it is translated."""
    return text
