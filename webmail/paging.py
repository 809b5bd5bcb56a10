"""Which rows of a list a page shows. Pure, but for the number that the address asks for."""

from __future__ import annotations

from typing import TypeVar

from webmail.turn import Turn

T = TypeVar("T")


def page_number(turn: Turn) -> int:
    """The page that is asked for, from 1."""
    asked = turn.asked("page", "1")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 7 else 1


def page_of(rows: list[T], number: int, size: int) -> tuple[list[T], int, int]:
    """A page's rows, its number (from 1, within what there is), and the last page's."""
    last = max(1, -(-len(rows) // size))
    number = min(max(1, number), last)
    return rows[(number - 1) * size : number * size], number, last
