"""The pages of the corner: a list, one message, a receipt, the key to check it with.

Every request is proven anew by the port's gatekeeper (certificate or token): there is no session, no cookie
and nothing to post. What is not the asker's is not there: 404, as what never was.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

import structlog
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

import annuaire
import evidence
from activity import Actor
from evidence import Cursor, Record
from store import PasserelleError, Store
from webmail.formats import PARIS
from webmail.languages import Language, chosen, translations
from webmail.professionals import asking, words
from webmail.professionals.asking import Asked
from webmail.professionals.state import Sent, addresses_of, owner_of, sent_of
from webmail.rendering import PAGE_HEADERS, fill, page_policy
from webmail.serving import ROUTES as FILES

log = structlog.get_logger("professionals")

PREFIX: Final = "/espace-pro"
_PAGE: Final = 25

Proof = Callable[[Request], Awaitable[Actor]]


class UnprovenError(PasserelleError):
    """Who asks has not proven who he is. ``status`` 401 (with ``challenge``), 403 or 503.

    :param rule: of the port's gatekeeper (``door.*``). :param more: the check behind it (``sender.*``).
    """

    def __init__(
        self, rule: str, english: str, *, more: str = "", status: int = 403, challenge: str = ""
    ) -> None:
        super().__init__(rule, english)
        self.status: Final = status
        self.more: Final = more
        self.challenge: Final = challenge


@dataclass(frozen=True)
class _Corner:
    """``takes_tokens``: besides certificates, tokens of Pro Santé Connect."""

    store: Store
    proof: Proof
    takes_tokens: bool


@dataclass(frozen=True)
class _Found:
    addresses: list[str]
    profession: str
    sent: list[Sent]
    after: Cursor | None = None


Page = Callable[[Request, _Corner, Actor], Awaitable[Response]]


def corner(store: Store, proof: Proof, *, takes_tokens: bool) -> Starlette:
    """The application, at :data:`PREFIX`, with the static files that its pages need.

    :param proof: who asks, as proven by this request; raises :class:`UnprovenError`.
    """
    made = _Corner(store, proof, takes_tokens)

    def route(path: str, page: Page) -> BaseRoute:
        async def answer(request: Request) -> Response:
            try:
                who = await proof(request)
            except UnprovenError as refused:
                log.info("refused", rule=refused.rule, more=refused.more, page=page.__name__)
                return _unproven(request, made, refused)
            return await page(request, made, who)

        answer.__name__ = page.__name__  # what the access log says: no ids
        return Route(PREFIX + path, answer, methods=["GET", "HEAD"])

    async def key(request: Request) -> Response:
        return await _public_key(made)

    async def guide(request: Request) -> Response:
        return _page(request, "professionals/verify.html")

    open_ways = [
        Route(f"{PREFIX}/verifier", guide, methods=["GET", "HEAD"]),
        Route(f"{PREFIX}/cle-publique.pem", key, methods=["GET", "HEAD"]),
    ]
    return Starlette(
        routes=[
            *FILES,
            *open_ways,
            route("", sent_messages),
            route("/envois/{trace_id}", one_message),
            route("/preuves/{number:int}.json", receipt),
        ]
    )


# -- pages ---------------------------------------------------------------------------------------------


async def sent_messages(request: Request, made: _Corner, who: Actor) -> Response:
    """``/espace-pro``: what one sent, newest first, by period or Message-ID."""
    language = _language(request)
    today = datetime.now(PARIS).date()
    boxes = await made.store.aread(addresses_of, who)
    asked = asking.read(request.query_params, today, len(boxes))
    found = await made.store.aread(_search, who, boxes, asked, language)
    return _page(
        request,
        "professionals/sent.html",
        422 if asked.faults else 200,
        who=who,
        found=found,
        asked=asked,
        given=request.query_params,
        faults={name: translations(language).gettext(text) for name, text in asked.faults.items()},
        boxes=list(enumerate(found.addresses, 1)),
        older=_older(asked, found.after),
        prefix=PREFIX,
    )


async def one_message(request: Request, made: _Corner, who: Actor) -> Response:
    """``/espace-pro/envois/…``: every event of one message, with its evidence."""
    language = _language(request)
    sent = await made.store.aread(_one, who, request.path_params["trace_id"], language)
    if sent is None:
        return _missing(request, who)
    return _page(request, "professionals/message.html", who=who, sent=sent, prefix=PREFIX)


async def receipt(request: Request, made: _Corner, who: Actor) -> Response:
    """``/espace-pro/preuves/N.json``: one record with its signature, to be kept and checked elsewhere."""
    number = request.path_params["number"]
    record = await made.store.aread(_record, who, number, _language(request))
    if record is None:
        return _missing(request, who)
    text = json.dumps(evidence.receipt(record), ensure_ascii=False, indent=2) + "\n"
    name = f'attachment; filename="preuve-{number}.json"'  # RFC 6266 §4.1
    return Response(text, headers={"Content-Disposition": name}, media_type="application/json")


async def _public_key(made: _Corner) -> Response:
    """The key of all receipts; open, for who checks one need not be who asked for it."""
    key = await made.store.in_thread(evidence.public_key, made.store.home)
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    headers = {"Content-Disposition": 'attachment; filename="cle-publique.pem"'}
    return Response(pem, headers=headers, media_type="application/x-pem-file")


# -- reads ---------------------------------------------------------------------------------------------


def _search(conn: Connection, who: Actor, boxes: list[str], asked: Asked, language: Language) -> _Found:
    profession = annuaire.profession_label(who.profession)[language == "en"] if who.profession else ""
    if asked.faults:
        return _Found(boxes, profession, [])
    wanted = [boxes[asked.box - 1]] if asked.box else boxes
    if asked.message_id:
        named = evidence.trace(conn, asked.message_id)
        ids = dict.fromkeys(one.trace_id for one in named if one.sender.casefold() in wanted)
        traces, after = [evidence.trace_of(conn, one) for one in ids], None
    else:
        traces, after = evidence.sent_by(conn, wanted, asked.begin, asked.end, _PAGE, asked.after)
    mine = owner_of(conn, who)
    sent = [found for one in traces if (found := sent_of(one, mine, language)) is not None]
    return _Found(boxes, profession, sent, after)


def _one(conn: Connection, who: Actor, trace_id: str, language: Language) -> Sent | None:
    return sent_of(evidence.trace_of(conn, trace_id), owner_of(conn, who), language)


def _record(conn: Connection, who: Actor, number: int, language: Language) -> Record | None:
    """A record that the page of its message shows to who asks."""
    record = evidence.by_number(conn, number) if 0 < number < 1 << 62 else None
    if record is None:
        return None
    sent = _one(conn, who, record.trace_id, language)
    shown = {step.number for fate in sent.fates for step in fate.steps} if sent is not None else set()
    return record if number in shown else None


# -- answers -------------------------------------------------------------------------------------------


def _older(asked: Asked, after: Cursor | None) -> str:
    """The address of the page with what was sent before, "" when there is none."""
    if after is None:
        return ""
    said: dict[str, str] = {"du": asked.since.isoformat(), "au": asked.until.isoformat()}
    if asked.box:
        said["boite"] = str(asked.box)
    return f"{PREFIX}?{urlencode(said | {'suite': f'{after.at}-{after.seq}'})}"


def _unproven(request: Request, made: _Corner, refused: UnprovenError) -> Response:
    answer = _page(
        request,
        "professionals/unproven.html",
        refused.status,
        reason=words.door(refused.rule, refused.more, _language(request)),
        rule=refused.more or refused.rule,
        bare=refused.rule == "door.credentials",
        takes_tokens=made.takes_tokens,
    )
    if refused.challenge:
        answer.headers["WWW-Authenticate"] = refused.challenge  # RFC 9110 §15.5.2
    return answer


def _missing(request: Request, who: Actor) -> Response:
    return _page(request, "professionals/missing.html", 404, who=who, prefix=PREFIX)


def _language(request: Request) -> Language:
    return chosen("", request.headers.get("accept-language", ""))


def _page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    language = _language(request)
    answer = HTMLResponse(fill(language, template, {"who": None, **values}), status, headers=PAGE_HEADERS)
    answer.headers["Content-Security-Policy"] = page_policy()
    answer.headers["Content-Language"] = language
    answer.headers["Vary"] = "Accept-Language"
    return answer
