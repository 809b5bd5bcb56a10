"""What stands before every page: who is signed in, whose form it is, how much may be sent.

Page modules list routes made by :func:`get` and :func:`post` (for who is signed in), or :func:`open_get` and
:func:`open_post`. Nothing else makes a route, so nothing is served unguarded.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps
from typing import Any, Final
from urllib.parse import quote

import structlog
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Message

from patients import signin
from store import NotFoundError, PasserelleError
from webmail import cookies, errors, sentences
from webmail.turn import Missing, Refused, Turn, local
from webmail.visit import Visit, look

log = structlog.get_logger("webmail")

Page = Callable[[Turn], Awaitable[Response]]
#: Octets of a form without files.
FORM: Final = 256 * 1024
_FIELDS: Final = 1_000
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")

# Uploads stay in memory up to the route's bound: nothing of them reaches a disk unsealed.
MultiPartParser.spool_max_size = 1 << 40


class TooMuch(Exception):  # noqa: N818  # answered with 413
    """More was sent than the page takes."""


def get(path: str, page: Page, *, name: str | None = None) -> Route:
    """A page for who is signed in."""
    return Route(path, _guarded(page, signed=True), methods=["GET", "HEAD"], name=name)


def post(path: str, page: Page, *, body: int = FORM, files: int = 0, writes: bool = True) -> Route:
    """A form of who is signed in.

    :param body: octets that are taken, ``files`` of them at most.
    :param writes: a guest may not; False for forms that change nothing in the store.
    """
    return Route(path, _guarded(page, signed=True, body=body, files=files, writes=writes), methods=["POST"])


def open_get(path: str, page: Page) -> Route:
    """A page for everybody."""
    return Route(path, _guarded(page, signed=False), methods=["GET", "HEAD"])


def open_post(path: str, page: Page, *, body: int = FORM) -> Route:
    """A form for everybody, guests too: it writes nothing of a visit's."""
    return Route(path, _guarded(page, signed=False, body=body, writes=False), methods=["POST"])


def _guarded(
    page: Page, *, signed: bool, body: int = FORM, files: int = 0, writes: bool = True
) -> Callable[[Request], Awaitable[Response]]:
    @wraps(page)
    async def guarded(request: Request) -> Response:
        turn = Turn(request, request.app.state.kit)
        try:
            turn.found = await _visit(turn)
            _visitor(turn)
            if signed and turn.found is None:
                return _sign_in_first(turn)
            if request.method == "POST":
                await _take_form(turn, body, files)
                if writes and turn.found is not None and turn.found.guest:
                    raise Refused(sentences.GUEST)
            return await page(turn)
        except Missing:
            return errors.missing(turn)
        except Refused as refused:
            return errors.refused(turn, refused)
        except TooMuch:
            return errors.too_much(turn)
        except NotFoundError:
            return errors.missing(turn)
        except PasserelleError as error:
            log.info("page_refused", page=page.__name__, rule=error.rule)
            return errors.failed(turn, error)

    return guarded


async def _visit(turn: Turn) -> Visit | None:
    token = turn.request.cookies.get(cookies.SESSION, "")
    wanted = turn.request.cookies.get(cookies.PROFILE, "")
    kit = turn.kit
    if token:
        session = await signin.current(kit.store, token, kit.lifetimes)
        if session is not None:
            return await kit.store.aread(look, kit.store, session, token, wanted, False)
    cookie = turn.request.cookies.get(cookies.GUEST, "")
    if kit.guests is not None and cookie:
        guest = await kit.guests.guest()
        # From here on the page knows no other store and no other rules than the guest's.
        turn.kit = replace(kit, store=guest.store, router=guest.router)
        return await guest.store.aread(look, guest.store, guest.session, cookie, wanted, True)
    return None


def _visitor(turn: Turn) -> None:
    """What the forms of who is not signed in are bound to."""
    kept = turn.request.cookies.get(cookies.VISIT, "")
    if len(kept) != 43:
        kept, turn.fresh = secrets.token_urlsafe(32), True
    turn.visitor = kept


def _sign_in_first(turn: Turn) -> Response:
    if turn.fragment:  # htmx then looks at the whole page again
        return Response(status_code=401, headers={"HX-Redirect": "/connexion"})
    path = turn.request.url.path
    after = f"?suite={quote(path)}" if turn.request.method == "GET" and local(path) and path != "/" else ""
    return RedirectResponse(f"/connexion{after}", 303)


async def _take_form(turn: Turn, body: int, files: int) -> None:
    """Read the form, and refuse it unless a page of ours, made for this person and space, sent it."""
    request = turn.request
    # Fetch metadata: a browser says where a request comes from. Old ones do not; then the key alone decides.
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Refused(sentences.FORGED)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _FORMS:
        raise Refused(sentences.FORGED)
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > body:
        raise TooMuch
    request._receive = _bounded(request._receive, body)
    try:
        turn.form = await request.form(max_files=files, max_fields=_FIELDS, max_part_size=FORM)
    except (MultiPartException, ClientDisconnect, UnicodeDecodeError):
        raise Refused(sentences.FORGED, 400) from None
    except Exception as error:
        if error.__class__.__name__ == "HTTPException":
            raise Refused(sentences.FORGED, 400) from None
        raise
    given = turn.form.get("_cle", "")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), turn.form_key.encode()):
        turn.form = FormData()
        raise Refused(sentences.FORGED)


def _bounded(receive: Any, most: int) -> Callable[[], Awaitable[Message]]:
    got = 0

    async def bounded() -> Message:
        nonlocal got
        message: Message = await receive()
        got += len(message.get("body", b""))
        if got > most:
            raise TooMuch
        return message

    return bounded
