"""News of a mailbox as it happens: server-sent events (HTML §9.2) that say only that something changed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from patients import signin
from store import Notice, now_ms
from webmail.guards import get
from webmail.mail.shelf import unread, view_for
from webmail.mail.views import View
from webmail.rendering import PAGE_HEADERS
from webmail.turn import Missing, Turn
from webmail.visit import look

#: Streams of one session, and of one process: a connection each, and others need some too.
OF_SESSION: Final = 4
OF_PROCESS: Final = 256
#: Seconds between two signs of life, at which the session is looked at too; and for which a stream lasts.
BEAT_S: Final = 15.0
LIFE_S: Final = 15 * 60.0
#: Changes of less than this many seconds are told as one.
_GATHER_S: Final = 0.3
_RETRY_MS: Final = 3_000


class Streams:
    """The streams that one process has open."""

    def __init__(self) -> None:
        self._open: Counter[int] = Counter()
        self._events: set[asyncio.Event] = set()
        self._ended = False

    @property
    def count(self) -> int:
        return self._open.total()

    def room(self, session_id: int) -> bool:
        """Whether one more may be opened."""
        return not self._ended and self._open[session_id] < OF_SESSION and self.count < OF_PROCESS

    def enter(self, session_id: int, event: asyncio.Event) -> None:
        """Count a stream; ``event`` wakes it."""
        self._open[session_id] += 1
        self._events.add(event)

    def leave(self, session_id: int, event: asyncio.Event) -> None:
        """Count it no more."""
        self._open[session_id] -= 1
        self._open += Counter()  # forgets those at 0
        self._events.discard(event)

    @property
    def ended(self) -> bool:
        return self._ended

    def end(self) -> None:
        """Have all streams end: the port closes."""
        self._ended = True
        for one in self._events:
            one.set()


def streams_of(app: Starlette) -> Streams:
    """The streams of an application."""
    found: Streams | None = getattr(app.state, "streams", None)
    if found is None:
        found = app.state.streams = Streams()
    return found


async def live(turn: Turn) -> Response:
    """``/vivant``. 204 where no more streams are given: a browser then asks no more (HTML §9.2.3)."""
    streams = streams_of(turn.request.app)
    if turn.visit.guest or not streams.room(turn.visit.session.session_id):
        return Response(status_code=204, headers=PAGE_HEADERS)
    headers = {**PAGE_HEADERS, "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(turn, streams), media_type="text/event-stream", headers=headers)


async def _events(turn: Turn, streams: Streams) -> AsyncIterator[str]:
    """What is sent: no content, only that it is worth looking again. Ends with the session."""
    changed = asyncio.Event()
    box_id, session_id = turn.visit.box_id, turn.visit.session.session_id

    def hear(notice: Notice) -> None:
        if notice.box_id == box_id:
            changed.set()

    unsubscribe = turn.store.subscribe(hear)
    streams.enter(session_id, changed)
    loop = asyncio.get_running_loop()
    until = loop.time() + LIFE_S
    try:
        last = _state(await view_for(turn))
        yield f"retry: {_RETRY_MS}\n\n"
        while loop.time() < until and not streams.ended:
            heard = True
            try:
                async with asyncio.timeout(BEAT_S):
                    await changed.wait()
            except TimeoutError:
                heard = False
            if streams.ended or not await _may(turn):
                return
            if not heard:
                yield ": \n\n"
                continue
            await asyncio.sleep(_GATHER_S)
            changed.clear()
            # As who is there may see it: what is kept from a representative rings no bell.
            state = _state(await view_for(turn))
            if state != last:
                last = state
                yield "event: courrier\ndata:\n\n"
    except Missing:  # the box was closed
        return
    finally:
        unsubscribe()
        streams.leave(session_id, changed)


def _state(view: View) -> int:
    return hash(tuple((one.message_id, one.places) for one in view.items))


async def _may(turn: Turn) -> bool:
    """Whether the session, and the right to this space, still stand; looking does not keep them alive."""
    return await turn.read(_stands, turn)


def _stands(conn: Connection, turn: Turn) -> bool:
    visit = turn.visit
    session = signin.standing(conn, visit.store.home, visit.token, turn.kit.lifetimes, now_ms())
    if session is None:
        return False
    now = look(conn, visit.store, session, visit.token, str(visit.box_id), False)
    return now is not None and (now.box_id, now.own) == (visit.box_id, visit.own)


async def badge(turn: Turn) -> Response:
    """``/messages/non-lus``: the mark beside "Messages", to be put in its place."""
    return turn.page("mail/badge.html", block="badge", unread=await unread(turn))


ROUTES: Final[list[BaseRoute]] = [get("/vivant", live), get("/messages/non-lus", badge)]
