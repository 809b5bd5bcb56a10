"""Activation: the facts, the code, and whichever step the desk says comes next.

The desk holds the state; ``/activation/etape`` shows the step that it is at, so that going back or loading
anew never does anything twice. The token of the flow is a cookie, never in an address.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from patients.signin import Answer, FieldFault
from webmail.entering import flow
from webmail.guards import open_get, open_post
from webmail.languages import N_
from webmail.turn import Turn

STEP: Final = "/activation/etape"
#: The step of the desk, and the place among the five that the person is told.
PLACES: Final = {"code": 2, "choice": 2, "decision": 3, "contact": 4, "confirm": 4, "account": 5}
_KEPT: Final = ("jour", "mois", "annee", "numero", "carte", "serie", "canal")
_FACTS: Final = {
    "birth_date": ("naissance", N_("Indiquez une date qui existe, par exemple 12 6 1969.")),
    "number": (
        "numero",
        N_("Le numéro a 13 chiffres, ou 15 avec sa clé (2A ou 2B pour la Corse). Vérifiez-le."),
    ),
    "card_kind": ("carte", N_("Dites si votre carte porte une photo.")),
    "card_serial": (
        "serie",
        N_(
            "Ce n'est pas un numéro de série : 8 à 13 chiffres sans photo, "
            "les 11 derniers chiffres avec photo."
        ),
    ),
    "channel": ("canal", N_("Choisissez comment recevoir votre code.")),
}
_REFUSED: Final = N_(
    "Ce profil ne peut pas être activé ou refusé de cette façon. S'il est déjà activé, fermez-le depuis "
    "votre compte ; sinon, appelez l'assistance."
)


_SENT: Final = N_(
    "Si vos informations sont exactes, un nouveau code vient de partir. Seul ce dernier code compte."
)


async def facts(turn: Turn) -> Response:
    """``/activation``: who are you."""
    values = dict.fromkeys(_KEPT, "") | {"carte": "plain", "canal": "email"}
    return _facts(turn, values, {})


def _facts(
    turn: Turn, values: dict[str, str], errors: dict[str, str], status: int = 200, wait: str = ""
) -> Response:
    return turn.page(
        "entering/facts.html",
        status,
        place=1,
        values=flow.Words(values),
        errors=flow.Words(errors),
        wait=wait,
        under_way=bool(flow.held(turn)[0]),
    )


async def begin(turn: Turn) -> Response:
    """The facts are given. The answer is the same whether they are somebody's or not."""
    values = {name: turn.text(name)[:40] for name in _KEPT}
    begun = await turn.kit.desk.begin_activation(
        birth_date=_birth_date(values["jour"], values["mois"], values["annee"]),
        number=values["numero"],
        card_kind=values["carte"],
        card_serial=values["serie"],
        channel=values["canal"],
        source=turn.source,
    )
    if isinstance(begun, FieldFault):
        field, text = _FACTS[begun.field]
        return _facts(turn, values, {field: turn.say(text)}, 422)
    if begun.answer.outcome == "wait":
        return _facts(turn, values, {}, 429, flow.wait_sentence(turn, begun.answer.wait_ms))
    return flow.begin(RedirectResponse(STEP, 303), begun.token)


def _birth_date(day: str, month: str, year: str) -> str:
    numbers = [day, month, year]
    if not all(one.isascii() and one.isdigit() and len(one) <= 4 for one in numbers):
        return ""
    return f"{int(year):04}-{int(month):02}-{int(day):02}"


async def step(turn: Turn) -> Response:
    """``/activation/etape``: where the flow stands."""
    token, _ = flow.held(turn)
    if not token:
        return RedirectResponse("/activation", 303)
    answer = await turn.kit.desk.stands(token)
    if answer.outcome == "over":
        return expired(turn)
    if answer.step == "confirm" and turn.asked("changer"):
        answer = Answer("ok", "contact")
    return draw(turn, answer)


def draw(turn: Turn, answer: Answer, status: int = 200, **values: Any) -> Response:
    """The page of a step; ``errors`` by field, ``values`` as they were typed."""
    given: dict[str, Any] = {"wait": "", **values}
    for name in ("errors", "values"):
        given[name] = flow.Words(given.get(name, {}))
    return turn.page(
        f"entering/{answer.step}.html", status, place=PLACES[answer.step], answer=answer, **given
    )


def expired(turn: Turn) -> Response:
    """The flow is over: too late, or too many tries."""
    return flow.end(turn.page("entering/over.html", 410, again="/activation", back="/"))


def refused(turn: Turn) -> Response:
    """The profile's state does not allow it; said only after the code was proven."""
    said = turn.say(_REFUSED)
    return flow.end(turn.page("errors/refused.html", 422, sentence=said, rule=""))


async def settle(turn: Turn, answer: Answer, asked: str, errors: dict[str, str], **values: Any) -> Response:
    """What follows an answer of the desk to the form of the step ``asked``.

    ``ok``: the next step. Otherwise the same form with ``errors``, or why it is over. A form that was sent
    twice, or from a page that the browser went back to, leads to where the flow stands.
    """
    if answer.outcome == "ok":
        return RedirectResponse(STEP, 303)
    if answer.outcome == "refused":
        return refused(turn)
    stands = await turn.kit.desk.stands(flow.held(turn)[0])
    if stands.outcome == "over":
        return expired(turn)
    if answer.outcome == "over" or stands.step != asked:
        return RedirectResponse(STEP, 303)
    if answer.outcome == "wait":
        return draw(turn, stands, 429, wait=flow.wait_sentence(turn, answer.wait_ms), **values)
    return draw(turn, stands, 422, errors=errors, **values)


async def code(turn: Turn) -> Response:
    """The twelve characters, of the letter or of what was sent."""
    answer = await turn.kit.desk.prove(flow.held(turn)[0], turn.text("code"))
    wrong = turn.say("Ce code n'est pas le bon. Vérifiez-le : il a douze caractères, chiffres et lettres.")
    return await settle(turn, answer, "code", {"code": wrong})


async def resend(turn: Turn) -> Response:
    """Another code in place of the one before, whether there is somebody to send it to or not."""
    token, _ = flow.held(turn)
    answer = await turn.kit.desk.resend_activation(token)
    if answer.outcome == "ok":
        return turn.go(STEP, _SENT)
    if (await turn.kit.desk.stands(token)).outcome == "over":
        return expired(turn)
    return turn.go(STEP, N_("Trois codes sont partis : servez-vous du dernier, ou recommencez."))


async def choice(turn: Turn) -> Response:
    """Which person of the card, by place."""
    place = turn.text("personne")
    number = int(place) if place.isascii() and place.isdigit() and len(place) < 4 else -1
    answer = await turn.kit.desk.choose(flow.held(turn)[0], number)
    return await settle(turn, answer, "choice", {"personne": turn.say("Choisissez une personne.")})


async def anew(turn: Turn) -> Response:
    """Begin anew: the flow under way is left to end by itself."""
    return flow.end(RedirectResponse("/activation", 303))


ROUTES: Final[list[BaseRoute]] = [
    open_get("/activation", facts),
    open_post("/activation", begin),
    open_get(STEP, step),
    open_post("/activation/code", code),
    open_post("/activation/renvoyer", resend),
    open_post("/activation/choix", choice),
    open_post("/activation/recommencer", anew),
]
