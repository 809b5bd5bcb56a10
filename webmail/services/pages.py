"""The catalogue of services: the list, one service, and what a person agreed to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection
from starlette.responses import Response
from starlette.routing import BaseRoute

import activity
import catalogue
from activity import Activity, Asked
from catalogue import PARTS, CatalogueError, Consent, Scope, Service, Standing, parse_scope
from dossier import rights
from patients import calendar
from store import now_ms
from webmail.guards import get, post
from webmail.languages import N_
from webmail.refusals import told
from webmail.turn import Missing, Turn
from webmail.visit import Visit

DAY_MS: Final = 86_400_000
STANDINGS: Final[dict[Standing, tuple[str, str]]] = {
    "none": (N_("Aucun accord"), ""),
    "given": (N_("Accord donné"), "ok"),
    "revoked": (N_("Accord retiré"), ""),
    "expired": (N_("Accord terminé"), ""),
    "changed": (N_("À redonner : le service a changé"), "warn"),
    "unconfirmed": (N_("À confirmer"), "warn"),
}
PART_NAMES: Final[dict[str, str]] = {
    "documents": N_("Documents"),
    "measures": N_("Mesures"),
    "profile": N_("Profil médical"),
    "agenda": N_("Agenda"),
}
Span = Literal["", "90", "365"]
SPANS: Final[dict[Span, str]] = {
    "90": N_("Trois mois"),
    "365": N_("Un an"),
    "": N_("Sans date de fin, jusqu'à ce que je le retire"),
}
_NOTHING: Final = N_("Vous n'avez rien coché : aucun accord n'est donné, et c'est votre droit.")
#: Exchanges that a page tells, the newest.
_TOLD: Final = 50


class Asks(msgspec.Struct, frozen=True):
    """One thing that a service would do, in words, and how the consent to it stands."""

    scope: str
    reads: bool
    part: str
    what: str
    standing: Standing
    label: str
    tone: str
    at: int
    expires_at: int


def asks(turn: Turn, scope: str, one: Consent | None) -> Asks:
    """A scope on the page."""
    parsed: Scope = parse_scope(scope)
    standing: Standing = one.standing if one is not None else "none"
    label, tone = STANDINGS[standing]
    part = turn.say(PART_NAMES[parsed.part])
    what = PARTS[parsed.part][parsed.code][turn.language == "en"] if parsed.code else ""
    return Asks(
        scope, parsed.access == "read", part, what, standing, turn.say(label), tone,
        one.at if one is not None else 0, one.expires_at if one is not None else 0,
    )  # fmt: skip


def is_free(service: Service) -> bool:
    """Whether its price says that it costs nothing."""
    return service.price.strip().casefold() in ("gratuit", "gratuite", "free", "0", "0 €")


def in_use(services: Iterable[Service], today: date) -> list[Service]:
    """Those that are referenced on a day."""
    day = today.isoformat()
    return [one for one in services if one.since <= day and (not one.until or day <= one.until)]


async def listing(turn: Turn) -> Response:
    """``/catalogue?q=&categorie=&secteur=&prix=&echange=``"""
    wanted = {name: turn.asked(name)[:100] for name in ("q", "categorie", "secteur", "prix", "echange")}
    visit, today = turn.visit, calendar.today(now_ms())
    everything = in_use(await turn.read(catalogue.services), today)
    exchanging = {"oui": True, "non": False}.get(wanted["echange"])
    found = in_use(
        await turn.read(
            catalogue.search, wanted["q"], category=wanted["categorie"],
            sector=wanted["secteur"] if wanted["secteur"] in ("public", "private") else "",
            exchanging=exchanging,
        ),
        today,
    )  # fmt: skip
    if wanted["prix"] in ("gratuit", "payant"):
        found = [one for one in found if is_free(one) == (wanted["prix"] == "gratuit")]
    consents = await turn.read(catalogue.consents, visit.store, visit.box_id)
    given = {one.service_id for one in consents if one.standing == "given"}
    return turn.page(
        "services/list.html",
        services=[_line(turn, one, one.id in given) for one in found],
        total=len(everything),
        categories=sorted({one.category for one in everything}, key=str.casefold),
        wanted=wanted,
        filtered=any(wanted.values()),
    )


def _line(turn: Turn, one: Service, given: bool) -> dict[str, Any]:
    english = turn.language == "en" and one.description_en
    return {
        "id": one.id,
        "name": one.name,
        "publisher": one.publisher,
        "category": one.category,
        "description": one.description_en if english else one.description_fr,
        "free": is_free(one),
        "price": one.price,
        "public": one.sector == "public",
        "exchanges": bool(one.scopes),
        "given": given,
    }


async def _service(turn: Turn) -> Service:
    """The service that the address names. Raises :class:`Missing`."""
    found = await turn.read(catalogue.service, turn.request.path_params["service_id"])
    if found is None:
        raise Missing
    return found


async def service(turn: Turn) -> Response:
    """``/catalogue/service/{id}``"""
    return await _service_page(turn, await _service(turn))


async def _service_page(turn: Turn, one: Service, status: int = 200, error: str = "") -> Response:
    visit, english = turn.visit, turn.language == "en"
    consents = await turn.read(catalogue.consents, visit.store, visit.box_id)
    mine = {each.scope: each for each in consents if each.service_id == one.id}
    criteria = await turn.read(catalogue.criteria)
    named = [criteria[code] for code in one.criteria if code in criteria]
    listed = [asks(turn, scope, mine.get(scope)) for scope in one.scopes]
    return turn.page(
        "services/service.html",
        status,
        line=_line(turn, one, False),
        one=one,
        asked=listed,
        open_scopes=[each for each in listed if each.standing != "given"],
        given=[each for each in listed if each.standing == "given"],
        criteria=[
            (each.theme, each.label_en if english and each.label_en else each.label_fr) for each in named
        ],
        spans=[(key, turn.say(text), "") for key, text in SPANS.items()],
        span=turn.text("duree", "365"),
        chosen=turn.texts("portee"),
        referenced=bool(in_use([one], calendar.today(now_ms()))),
        may=visit.profile.state == "activated",
        error=error,
    )


async def agree(turn: Turn) -> Response:
    """Agree to what was ticked, and to nothing else."""
    visit, one = turn.visit, await _service(turn)
    scopes = turn.texts("portee")
    if not scopes:
        return await _service_page(turn, one, 422, turn.say(_NOTHING))
    days = turn.text("duree")
    expires = now_ms() + int(days) * DAY_MS if days in ("90", "365") else 0
    try:
        await turn.run(
            catalogue.consent, visit.store, visit.box_id, visit.actor, one.id, scopes, expires_at=expires
        )
    except CatalogueError as error:
        return await _service_page(turn, one, 422, told(turn, error))
    return turn.go(
        f"/catalogue/service/{one.id}",
        N_("Votre accord est enregistré. Vous pouvez le retirer quand vous voulez."),
        undo=f"/catalogue/service/{one.id}/retrait",
    )


async def take_back(turn: Turn) -> Response:
    """Take consents back: those named, or all of the service; it always can be done."""
    visit, service_id = turn.visit, turn.request.path_params["service_id"]
    try:
        await turn.run(
            catalogue.revoke, visit.store, visit.box_id, visit.actor, service_id, turn.texts("portee")
        )
    except CatalogueError as error:
        if error.rule in ("catalogue.no_consent", "catalogue.scope"):
            raise Missing from error
        raise
    return turn.go("/catalogue/accords", N_("Votre accord est retiré : plus rien n'est échangé."))


# -- everything that was agreed to ----------------------------------------------------------------


async def agreements(turn: Turn) -> Response:
    """``/catalogue/accords``: every consent, and every exchange that took place or was refused."""
    visit = turn.visit
    consents = await turn.read(catalogue.consents, visit.store, visit.box_id)
    by_service: dict[str, dict[str, Any]] = {}
    for one in consents:
        held = by_service.setdefault(
            one.service_id, {"id": one.service_id, "name": one.service, "asked": [], "open": False}
        )
        held["asked"].append(asks(turn, one.scope, one))
        held["open"] = held["open"] or one.standing in ("given", "changed", "unconfirmed")
    known = {one.id for one in await turn.read(catalogue.services)}
    if not visit.own and turn.request.method != "HEAD":  # who reads another's history is in it himself
        entry = await turn.run(activity.entry, visit.store, visit.box_id, visit.actor, "history_read")
        await visit.store.awrite(activity.record, entry=entry)
    exchanges = await turn.read(_exchanges, visit)
    return turn.page(
        "services/agreements.html",
        services=sorted(by_service.values(), key=lambda one: (not one["open"], one["name"].casefold())),
        known=known,
        exchanges=[_told(turn, one, by_service) for one in exchanges],
    )


def _exchanges(conn: Connection, visit: Visit) -> list[Activity]:
    if not rights.may(conn, visit.store, visit.box_id, visit.actor, "read_history").allowed:
        return []
    without = activity.kept(conn, visit.store, visit.box_id, visit.actor)
    return activity.entries(
        conn, visit.store, visit.box_id, Asked(what=("data_exchanged",)), limit=_TOLD,
        without=without,
    )  # fmt: skip


def _told(turn: Turn, one: Activity, services: dict[str, dict[str, Any]]) -> dict[str, Any]:
    held = services.get(one.subject)
    scope = one.details.more.get("scope", "")
    try:
        what = asks(turn, scope, None) if scope else None
    except ValueError:
        what = None
    name = one.details.name or (held["name"] if held else one.subject)
    purpose = one.details.more.get("purpose", "")
    return {"at": one.at, "name": name, "what": what, "refused": one.refused, "purpose": purpose}


ROUTES: Final[list[BaseRoute]] = [
    get("/catalogue", listing),
    get("/catalogue/accords", agreements),
    get("/catalogue/service/{service_id}", service),
    post("/catalogue/service/{service_id}/accord", agree),
    post("/catalogue/service/{service_id}/retrait", take_back),
]
