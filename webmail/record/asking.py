"""What every page of the record does: the number of the address, and asking a room with its refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from dossier import rights
from webmail.record.wording import refused
from webmail.turn import Turn

P = ParamSpec("P")
T = TypeVar("T")


def number_of(turn: Turn, name: str = "document_id") -> int:
    """The number that the address names."""
    return int(turn.request.path_params[name])


async def asked(turn: Turn, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Ask a room, off the event loop.

    Raises :class:`Refused`: he has no right to it; what the room raises besides.
    """
    try:
        return await turn.run(function, *args, **kwargs)
    except rights.RightsError as error:
        raise refused(error) from None
