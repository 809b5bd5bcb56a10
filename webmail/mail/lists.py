"""The mailbox: conversations by professional, and what each folder holds."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import BaseRoute

from webmail.guards import get
from webmail.mail.rooms import room_named, rooms_of, targets
from webmail.mail.rows import conversation_row, item_row
from webmail.mail.shelf import view_for
from webmail.mail.views import BIN, DRAFTS, Conversation, Item, View
from webmail.paging import page_number, page_of
from webmail.turn import Missing, Turn

#: Rows of a page: fewer than a screenful of screens, and drawn in a few ms.
ROWS: Final = 40
FILTERS: Final = ("", "non-lus", "pieces")


async def messages(turn: Turn) -> Response:
    """``/messages``: conversations, or with ``dossier`` the messages of a folder."""
    chosen, slug = turn.asked("filtre"), turn.asked("dossier")
    if chosen not in FILTERS:
        raise Missing
    view = await view_for(turn)
    rooms = rooms_of(turn, view)
    number = page_number(turn)
    values: dict[str, Any] = {
        "chosen": chosen,
        "rooms": rooms,
        "view": view,
        "here": address_of(slug, chosen, number),
    }
    pager = f"{address_of(slug, chosen, 0)}{'&' if slug or chosen else '?'}page="
    if slug:
        room = room_named(rooms, slug)
        path = "/brouillons/" if room.use == DRAFTS else "/messages/"
        items, number, last = page_of(_items(view, room.folder_id, chosen), number, ROWS)
        return turn.page(
            "mail/list_folder.html",
            block="list" if turn.fragment else "",
            **values,
            room=room,
            items=[item_row(turn, view, one, path=path) for one in items],
            number=number,
            last=last,
            pager=pager,
            targets=targets(rooms, room.folder_id),
            in_bin=room.use == BIN,
            in_drafts=room.use == DRAFTS,
        )
    found, number, last = page_of(_conversations(view, chosen), number, ROWS)
    return turn.page(
        "mail/list.html",
        block="list" if turn.fragment else "",
        **values,
        room=None,
        conversations=[conversation_row(turn, one) for one in found],
        number=number,
        last=last,
        pager=pager,
        targets=targets(rooms),
        total=sum(one.listed for one in view.conversations),
    )


def _conversations(view: View, chosen: str) -> list[Conversation]:
    listed = [one for one in view.conversations if one.listed]
    if chosen == "non-lus":
        return [one for one in listed if one.unread]
    return [one for one in listed if one.files] if chosen == "pieces" else listed


def _items(view: View, folder_id: int, chosen: str) -> list[Item]:
    items = view.inside(folder_id)
    if chosen == "non-lus":
        return [one for one in items if not one.seen]
    return [one for one in items if one.files] if chosen == "pieces" else items


def address_of(slug: str, chosen: str, number: int) -> str:
    """The address of a list; page 0 stands for none."""
    given = {"dossier": slug, "filtre": chosen, "page": str(number) if number > 1 else ""}
    query = urlencode({name: value for name, value in given.items() if value})
    return f"/messages?{query}" if query else "/messages"


ROUTES: Final[list[BaseRoute]] = [get("/messages", messages)]
