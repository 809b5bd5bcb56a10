"""A small line beside a value: only a shape, its values stand in words next to it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from markupsafe import Markup

from dossier import measures
from dossier.measures import Bmi, Measure

WIDTH: Final = 160
HEIGHT: Final = 40
#: Points drawn at most; of more, evenly spread ones.
MOST: Final = 48
_EDGE: Final = 4


def spark(series: Sequence[Measure | Bmi]) -> Markup:
    """The first number of each measure as a line of SVG, "" for fewer than two."""
    found = sorted(
        ((measures.moments.wall(one.moment), _number(one)) for one in series), key=lambda one: one[0]
    )
    if len(found) < 2:
        return Markup("")
    if len(found) > MOST:
        last = len(found) - 1
        found = [found[number * last // (MOST - 1)] for number in range(MOST)]
    begin, end = found[0][0], found[-1][0]
    low, high = min(one[1] for one in found), max(one[1] for one in found)
    places = [
        (
            _EDGE + (WIDTH - 2 * _EDGE) * (at - begin) // max(1, end - begin),
            HEIGHT - _EDGE - int((HEIGHT - 2 * _EDGE) * (number - low) / (high - low or 1)),
        )
        for at, number in found
    ]
    points = " ".join(f"{x},{y}" for x, y in places)
    x, y = places[-1]
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" aria-hidden="true" focusable="false">'
        '<polyline points="{}" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round"/>'
        '<circle cx="{}" cy="{}" r="3.5" fill="currentColor"/></svg>'
    ).format(WIDTH, HEIGHT, WIDTH, HEIGHT, points, x, y)


def _number(one: Measure | Bmi) -> Fraction:
    return one.value if isinstance(one, Bmi) else one.quantity.canonical[0]
