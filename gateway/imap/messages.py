"""Which messages a command means: the step every message command begins with."""

from __future__ import annotations

from gateway.imap.context import Context
from gateway.imap.sets import SequenceSet


async def targets(context: Context, messages: SequenceSet, *, by_uid: bool) -> list[int]:
    """Positions in the view, ascending, with the view brought up to the store and EXISTS announced.

    Message numbers, ``*`` among them, are those the client was told of when it wrote the command
    (RFC 3501 §5.5); UIDs are those of the folder as it is now. Positions hold until EXPUNGE is
    announced. A number may mean a message that is gone by now: it is in ``view.gone``; UIDs that are
    gone are left out. Raises :class:`BadError` for a number beyond the last message.
    """
    view = context.selected
    numbered: list[int] | None = None
    if not by_uid:
        numbered = [number - 1 for number in messages.numbers(view.announced)]
    await context.sync()
    context.announce(expunge=False)
    if numbered is not None:
        return numbered
    positions = messages.positions(view.uids)
    if view.gone:
        positions = [position for position in positions if view.uids[position] not in view.gone]
    return positions
