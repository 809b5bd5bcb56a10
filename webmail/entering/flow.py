"""What the ways in share: the cookie of what is under way, waiting times in words, names of devices."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from typing import Final

from starlette.responses import RedirectResponse, Response

from patients.signin import SignedIn, revoke_session
from webmail import cookies
from webmail.languages import N_
from webmail.turn import Turn, local

#: As long as the longest flow (activation) lasts, in seconds.
LIFETIME_S: Final = 45 * 60
_MINUTE_MS: Final = 60_000
_LONGEST: Final = 1_000

# What browsers say of themselves; the first that is found names them.
_BROWSERS: Final = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"))
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)


class Words(dict[str, str]):
    """What stands at fields by name, values or faults; "" for the others."""

    def __missing__(self, key: str) -> str:
        return ""


def begin(answer: Response, token: str, after: str = "/") -> Response:
    """Keep the token of a flow in the browser, and where to go when it has ended."""
    kept = base64.urlsafe_b64encode(after.encode()).decode().rstrip("=")
    cookies.put(answer, cookies.FLOW, f"{token}.{kept}", LIFETIME_S)
    return answer


def held(turn: Turn) -> tuple[str, str]:
    """The token of the flow under way ("" for none), and where to go after it."""
    token, _, kept = turn.request.cookies.get(cookies.FLOW, "").partition(".")
    try:
        after = base64.urlsafe_b64decode(kept + "=" * (-len(kept) % 4)).decode()
    except (ValueError, binascii.Error):
        after = "/"
    return token[:64], after_of(after)


def end(answer: Response) -> Response:
    """Forget the flow."""
    cookies.drop(answer, cookies.FLOW)
    return answer


def after_of(path: str) -> str:
    """Where to go afterwards, as somebody asked for it: a page of this site, else the first one.

    Not the pages of ways in and out: they lead nowhere from there.
    """
    if not local(path) or len(path) > _LONGEST or not path.isprintable():
        return "/"
    return "/" if re.match(r"/(connexion|deconnexion|activation)\b", path) else path


def wait_text(turn: Turn, wait_ms: int) -> str:
    """How long to wait, in words, rounded up."""
    minutes = max(1, -(-wait_ms // _MINUTE_MS))
    if minutes <= 90:
        return turn.count("%(num)s minute", "%(num)s minutes", minutes)
    return turn.count("%(num)s heure", "%(num)s heures", -(-minutes // 60))


def wait_sentence(turn: Turn, wait_ms: int) -> str:
    """The same as a sentence."""
    said = N_("Trop d'essais ont été faits. Par sécurité, patientez %(time)s avant de recommencer.")
    return turn.say(said, time=wait_text(turn, wait_ms))


def device_label(turn: Turn) -> str:
    """How a browser is named in the list of sessions: ``Firefox sur Windows``. It may lie: a name only."""
    agent = turn.request.headers.get("user-agent", "")[:500]
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    if not browser and "Safari" in agent:
        browser = "Safari"
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    if browser and system:
        return turn.say("%(browser)s sur %(system)s", browser=browser, system=system)
    return browser or system or turn.say("Appareil inconnu")


async def welcome_in(turn: Turn, entered: SignedIn, after: str) -> Response:
    """Somebody proved who he is: his cookies, all new, and the page that he asked for.

    What the browser held before (another session, a child's space, the key of forms) ends here, so that
    nothing that somebody else put there goes on (session fixation).
    """
    before = turn.found
    if before is not None and not before.guest:
        await turn.kit.store.awrite(
            revoke_session, ins=before.session.ins, session_id=before.session.session_id, signed_out=True
        )
    answer = RedirectResponse(after, 303)
    cookies.put(answer, cookies.SESSION, entered.session_token)
    cookies.put(answer, cookies.DEVICE, entered.device_token, cookies.YEAR_S)
    cookies.put(answer, cookies.VISIT, secrets.token_urlsafe(32))
    cookies.drop(answer, cookies.FLOW, cookies.PROFILE, cookies.GUEST, cookies.SAID)
    return answer
