"""The cookies of the pages. ``__Host-``: of this host alone, over TLS, for all paths."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

SESSION: Final = "__Host-session"
#: Tells a device that signed in before from a stranger's: see ``patients.signin``.
DEVICE: Final = "__Host-appareil"
#: The flow under way: activation, the code of a sign-in, FranceConnect.
FLOW: Final = "__Host-etape"
#: What forms of somebody who is not signed in are bound to.
VISIT: Final = "__Host-visite"
#: Whose space is shown: a box id. No secret: the right to it is asked at each request.
PROFILE: Final = "__Host-profil"
#: What is said on the next page.
SAID: Final = "__Host-dit"
GUEST: Final = "__Host-invite"
#: How pages look: ``clair grand`` … ; which language.
DISPLAY: Final = "affichage"
LANGUAGE: Final = "langue"

YEAR_S: Final = 365 * 24 * 3600


def put(answer: Response, name: str, value: str, max_age: int | None = None) -> None:
    """Set a cookie that scripts cannot read; without ``max_age`` (s) it ends with the browser.

    ``Lax``: a link in a notice leads to an open session, a form of another site does not.
    """
    answer.set_cookie(name, value, max_age=max_age, path="/", secure=True, httponly=True, samesite="lax")


def drop(answer: Response, *names: str) -> None:
    """Have the browser forget cookies."""
    for name in names:
        answer.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
