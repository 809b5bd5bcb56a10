"""``/affichage``: theme, size of type, language. Kept in two cookies, for strangers too; nothing else is."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute

from webmail import cookies
from webmail.guards import open_get, open_post
from webmail.languages import N_
from webmail.turn import Turn

_THEMES: Final = ("clair", "sombre")


async def display(turn: Turn) -> Response:
    """``/affichage``"""
    return turn.page("about/display.html")


async def choose(turn: Turn) -> Response:
    """``POST /affichage``: what is not known is left as it comes from the device."""
    theme, size, language = turn.text("theme"), turn.text("taille"), turn.text("langue")
    shown = [one for one in (theme if theme in _THEMES else "", "grand" if size == "grand" else "") if one]
    if language in ("fr", "en"):
        turn.language = "en" if language == "en" else "fr"
    answer = turn.go("/affichage", N_("C'est noté : vos pages s'affichent ainsi sur cet appareil."))
    if shown:
        cookies.put(answer, cookies.DISPLAY, ".".join(shown), cookies.YEAR_S)
    else:
        cookies.drop(answer, cookies.DISPLAY)
    if language in ("fr", "en"):
        cookies.put(answer, cookies.LANGUAGE, language, cookies.YEAR_S)
    return answer


ROUTES: Final[list[BaseRoute]] = [open_get("/affichage", display), open_post("/affichage", choose)]
