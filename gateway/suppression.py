"""Small counts in tables: what is left out so that none of them can be found again.

A count below :data:`LEAST` is hidden. Where a total stands beside a column, one hidden count is the total
less the others, so more are hidden (its covers), chosen by their place alone, never by their size:

- covers are taken in the order of the rows until together they exceed ten each by as much as the small
  counts fall short of nine; then whatever the small counts are, zero to nine (all nine at once excepted),
  some covers of ten or more give the same sum, and who knows the rule learns nothing from their number;
- when the rows do not suffice, the whole column is hidden, and only its total is shown;
- a total below :data:`LEAST` is hidden with its column.

The tests go through every small table and every reader who knows all this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

#: Counts below are not published.
LEAST: Final = 10


def hidden(counts: Sequence[int]) -> set[int]:
    """The places of the counts of a column to hide, where the column's total is shown."""
    small = {place for place, count in enumerate(counts) if count < LEAST}
    if not small or len(counts) == 1:
        return small
    missing = sum(LEAST - 1 - counts[place] for place in small)
    covers: set[int] = set()
    for place, count in enumerate(counts):
        if place in small:
            continue
        covers.add(place)
        missing -= count - LEAST
        if missing <= 0:
            return small | covers
    return set(range(len(counts)))


def shown_total(total: int) -> int | None:
    """A total, or None below :data:`LEAST`."""
    return total if total >= LEAST else None


def shown(counts: Sequence[int], total: int) -> list[int | None]:
    """A column as it may be published beside its total: None for what is hidden."""
    if total < LEAST:
        return [None] * len(counts)
    left_out = hidden(counts)
    return [None if place in left_out else count for place, count in enumerate(counts)]


def rate(part: int | None, whole: int | None) -> float | None:
    """Per cent with one decimal; None where either is hidden, or there is nothing to compare with."""
    return None if part is None or not whole else round(100 * part / whole, 1)


def rates(
    figures: Mapping[str, int | None], compared: Mapping[str, tuple[str, str]]
) -> dict[str, float | None]:
    """The rates ``compared`` names: each a (part, whole) of ``figures``."""
    return {name: rate(figures[part], figures[whole]) for name, (part, whole) in compared.items()}
