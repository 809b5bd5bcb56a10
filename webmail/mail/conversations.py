"""All letters with one professional or organisation, newest first.

Newest first, as in the lists that lead here: on a phone what just came is on the first screen, and long
conversations need no scrolling to their end.
"""

from __future__ import annotations

from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute

from webmail.guards import get
from webmail.mail.rooms import Room, rooms_of, targets
from webmail.mail.rows import about_of, subject_of
from webmail.mail.shelf import view_for
from webmail.mail.views import SENT, Conversation, Item
from webmail.paging import page_number, page_of
from webmail.turn import Missing, Turn
from webmail.writing import AnswerBox, answer_box

_ROWS: Final = 50


async def conversation(turn: Turn) -> Response:
    """``/messages/conversation/{key}``"""
    view = await view_for(turn)
    found = view.paths.get(turn.request.path_params["key"])
    if found is None:
        raise Missing
    rooms = rooms_of(turn, view)
    items, number, last = page_of(found.items, page_number(turn), _ROWS)
    here = found.path if number == 1 else f"{found.path}?page={number}"
    return turn.page(
        "mail/conversation.html",
        block="list" if turn.fragment else "",
        view=view,
        found=found,
        contact=found.contact,
        addresses=_addresses(found),
        items=items,
        number=number,
        last=last,
        pager=f"{found.path}?page=",
        here=here,
        about=about_of(turn, found.contact),
        subjects={one.message_id: subject_of(turn, one) for one in items},
        where={one.message_id: _where(one, rooms) for one in items},
        targets=targets(rooms),
        box=await _box(turn, found),
        answered=next((one for one in found.items if not one.sent), found.newest),
    )


async def _box(turn: Turn, found: Conversation) -> AnswerBox | None:
    """Whether the person may write now; None for notices of the service, which nobody answers."""
    return None if found.contact.system else await answer_box(turn, found.contact.address)


def _addresses(found: Conversation) -> int:
    """Of how many mailboxes of this professional there are letters."""
    return len({address for one in found.items for address, _ in one.people if not one.sent})


def _where(item: Item, rooms: list[Room]) -> str:
    """The folder to name beside a letter: none for the inbox and what was sent."""
    held = {place[0] for place in item.places}
    if any(one.use in ("", SENT) and not one.own for one in rooms if one.folder_id in held):
        return ""
    return next((one.title for one in rooms if one.folder_id in held), "")


ROUTES: Final[list[BaseRoute]] = [get("/messages/conversation/{key}", conversation)]
