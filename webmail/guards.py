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

import msgspec
import structlog
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Message

from patients import signin
from store import NotFoundError, PasserelleError
from webmail import cookies, errors, sentences
from webmail.turn import Missing, Refused, Turn, local
from webmail.turn import Page as TurnPage
from webmail.visit import Visit, look

log = structlog.get_logger("webmail")

Page = Callable[[Turn], Awaitable[Response]]
#: Octets of a form without files.
FORM: Final = 256 * 1024
_FIELDS: Final = 1_000
_MOST: Final = 2**63 - 1  # the greatest id that a store has
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


class _Number(IntegerConvertor):
    """``{id:int}``: Python refuses to read a number of more than 4300 digits; here it leads nowhere."""

    regex = "[0-9]{1,19}"


register_url_convertor("int", _Number())

# Uploads stay in memory up to the route's bound: nothing of them reaches a disk unsealed.
MultiPartParser.spool_max_size = 1 << 40


class Gate(msgspec.Struct, frozen=True):
    """What a route asks for; it stands as ``gate`` at the route's endpoint."""

    signed: bool
    body: int = FORM
    files: int = 0
    writes: bool = True


class TooMuch(Exception):  # noqa: N818  # answered with 413
    """More was sent than the page takes."""


def get(path: str, page: Page, *, name: str | None = None) -> Route:
    """A page for who is signed in."""
    return Route(path, _guarded(page, Gate(True)), methods=["GET", "HEAD"], name=name)


def post(path: str, page: Page, *, body: int = FORM, files: int = 0, writes: bool = True) -> Route:
    """A form of who is signed in.

    :param body: octets that are taken, ``files`` of them at most.
    :param writes: a guest may not; False for forms that change nothing in the store.
    """
    return Route(path, _guarded(page, Gate(True, body, files, writes)), methods=["POST"])


def open_get(path: str, page: Page) -> Route:
    """A page for everybody."""
    return Route(path, _guarded(page, Gate(False)), methods=["GET", "HEAD"])


def open_post(path: str, page: Page, *, body: int = FORM) -> Route:
    """A form for everybody, guests too: it writes nothing of a visit's."""
    return Route(path, _guarded(page, Gate(False, body, writes=False)), methods=["POST"])


def _guarded(page: Page, gate: Gate) -> Callable[[Request], Awaitable[Response]]:
    @wraps(page)
    async def guarded(request: Request) -> Response:
        turn = Turn(request, request.app.state.kit)
        try:
            return await _drawn(turn, await answered(turn))
        finally:
            await request.close()  # the files that came with a form

    async def answered(turn: Turn) -> Response:
        request = turn.request
        try:
            turn.found = await _visit(turn)
            _visitor(turn)
            if gate.signed and turn.found is None:
                return _sign_in_first(turn)
            if any(isinstance(one, int) and one > _MOST for one in request.path_params.values()):
                return errors.missing(turn)
            if request.method == "POST":
                await _take_form(turn, gate.body, gate.files)
                if gate.writes and turn.found is not None and turn.found.guest:
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

    guarded.gate = gate  # type: ignore[attr-defined]  # read by who lists the routes
    return guarded


async def astray(request: Request, error: Exception) -> Response:
    """An address that leads nowhere (404), or that is only posted to (405)."""
    turn = Turn(request, request.app.state.kit)
    turn.found = await _visit(turn)
    _visitor(turn)
    answer = errors.missing(turn)
    if isinstance(error, HTTPException):
        answer.status_code = error.status_code
        answer.headers.update(error.headers or {})
    return await _drawn(turn, answer)


async def broken(request: Request, error: Exception) -> Response:
    """Something that nobody foresaw: the page is drawn without asking anything of the store."""
    turn = Turn(request, request.app.state.kit)
    return await _drawn(turn, errors.broken(turn))


async def _drawn(turn: Turn, answer: Response) -> Response:
    if isinstance(answer, TurnPage):
        answer.draw(await _unread(turn))
    return answer


async def _unread(turn: Turn) -> int:
    """What the shell shows beside "Messages"; nobody's page costs a read."""
    count: Callable[[Turn], Awaitable[int]] | None = getattr(turn.request.app.state, "unread", None)
    if turn.found is None or count is None:
        return 0
    try:
        return await count(turn)
    except (Missing, PasserelleError):  # a box that was closed: the page says so in its own words
        return 0


async def _visit(turn: Turn) -> Visit | None:
    token = turn.request.cookies.get(cookies.SESSION, "")
    wanted = turn.request.cookies.get(cookies.PROFILE, "")
    kit = turn.kit
    if token:
        session = await signin.current(kit.store, token, kit.lifetimes)
        if session is None:  # whose session ended is asked to sign in: a sample is not his mail
            return None
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
    if turn.found is None and len(kept) != 43:
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
    if not _from_here(turn):
        raise Refused(sentences.FORGED)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _FORMS:
        raise Refused(sentences.FORGED)
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > body:
        raise TooMuch
    request._receive = _bounded(request._receive, body)
    try:
        turn.form = await request.form(max_files=files, max_fields=_FIELDS, max_part_size=FORM)
    except (MultiPartException, HTTPException, ClientDisconnect, UnicodeError):
        raise Refused(sentences.FORGED, 400) from None
    texts = [one for pair in turn.form.multi_items() for one in pair if isinstance(one, str)]
    if not all(map(_storable, texts)):
        turn.form = FormData()
        raise Refused(sentences.FORGED, 400)
    given = turn.form.get("_cle", "")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), turn.form_key.encode()):
        turn.form = FormData()
        raise Refused(sentences.NO_COOKIES if turn.fresh else sentences.FORGED)


def _from_here(turn: Turn) -> bool:
    """Whether the browser says that a page of this site sent the form. Old browsers say neither where from
    (fetch metadata) nor, under our referrer policy, which origin (``null``): then the key alone decides."""
    headers = turn.request.headers
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin", "null").rstrip("/")
    return origin in ("null", turn.kit.wants.origin) or origin.partition("://")[2] == headers.get("host")


def _storable(text: str) -> bool:
    """Whether the stores take a text: no NUL, no half of a surrogate pair (a sender names the charset)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


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
