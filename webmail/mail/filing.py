"""POST ``/messages/{id}/deposer``: files of a letter into the record, one or all."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute

from dossier import CATEGORIES
from gateway.dmp_bridge import Saved
from store import InvalidInputError
from webmail.guards import post
from webmail.languages import N_
from webmail.mail.letter import page_of
from webmail.mail.letters import letter_of
from webmail.mail.parts import attachments_of
from webmail.mail.saving import REFUSALS, TAKEN, save
from webmail.turn import Missing, Turn

_ARCHIVE: Final = N_("L'archive de documents est endommagée, ou n'est pas une archive IHE_XDM valable.")
_DAMAGED: Final = N_("Le document est endommagé, ou n'est pas d'un genre accepté par le dossier.")


async def deposit(turn: Turn) -> Response:
    """``piece``: numbers of files, none for all; ``rubrique``: a heading, "" to have it chosen."""
    letter = await letter_of(turn, turn.request.path_params["message_id"])
    files = attachments_of(letter)
    given = turn.texts("piece")
    if not files or any(not (one.isascii() and one.isdigit() and len(one) < 6) for one in given):
        raise Missing
    numbers = [int(one) for one in given]
    if any(not 1 <= one <= len(files) for one in numbers):
        raise Missing
    category = turn.text("rubrique")
    if category not in CATEGORIES:
        category = ""
    saved = await turn.run(save, turn.visit, letter, numbers or None, category)
    wrong: dict[int, list[str]] = {}
    for one in saved:
        if one.outcome == "refused" and _matters(one, bool(numbers)):
            wrong.setdefault(one.part, []).append(_why(turn, one))
    if wrong:
        return await page_of(turn, letter, 422, wrong)
    done = sum(one.outcome in ("filed", "replaced") for one in saved)
    path = f"/messages/{letter.message_id}"
    if not done:
        return turn.go(path, N_("Tout était déjà dans votre dossier."), kind="info")
    said = turn.count(
        "%(num)s document déposé dans votre dossier.", "%(num)s documents déposés dans votre dossier.", done
    )
    return turn.go(path, said)


def _matters(one: Saved, chosen: bool) -> bool:
    """With all at once, what the record does not take by its kind is no fault to be told of."""
    return chosen or one.rule != "dossier.media"


def _why(turn: Turn, one: Saved) -> str:
    room = one.rule.partition(".")[0]
    if one.rule in ("dossier.media", "cda.media"):
        return f"{turn.say(_DAMAGED)} {turn.say(TAKEN)}"
    if room == "xdm":
        return turn.say(_ARCHIVE)
    if room == "identity":
        return turn.say(REFUSALS[904])
    if room in ("cda", "xml", "metadata", "plan", "codes"):
        return turn.say(_DAMAGED)
    return turn.sentence(InvalidInputError(one.rule, one.reason))


ROUTES: Final[list[BaseRoute]] = [post("/messages/{message_id:int}/deposer", deposit)]
