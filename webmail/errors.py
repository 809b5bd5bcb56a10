"""The pages that are shown instead of what was asked for."""

from __future__ import annotations

from starlette.responses import Response

from store import PasserelleError
from webmail.languages import N_
from webmail.turn import Refused, Turn


def missing(turn: Turn) -> Response:
    """404, alike for what is not there and for what is not for him."""
    return turn.page("errors/missing.html", 404)


def broken(turn: Turn) -> Response:
    """500, for what nobody foresaw."""
    return turn.page("errors/broken.html", 500)


def refused(turn: Turn, why: Refused) -> Response:
    """What is not done, and why; the status is that of the refusal."""
    return turn.page("errors/refused.html", why.status, sentence=turn.say(why.text), rule="")


def too_much(turn: Turn) -> Response:
    """413, for more than the page takes."""
    said = turn.say(N_("Ce que vous envoyez est trop lourd. Rien n'a été enregistré."))
    return turn.page("errors/refused.html", 413, sentence=said, rule="")


def failed(turn: Turn, error: PasserelleError) -> Response:
    """The refusal of a room: the person's fault is 422, ours 503."""
    status = 503 if error.fault in ("us", "config") else 422
    return turn.page("errors/refused.html", status, sentence=turn.sentence(error), rule=error.rule)
