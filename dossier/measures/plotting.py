"""A series as a picture: SVG that needs nothing else, and the same as sentences and a table.

Colours: text and lines of the frame are ``currentColor``; curves have ``color`` on the classes
``measure-first`` and ``measure-second``, which a page's style sheet overrides. There is neither script nor
style in it, so that any content security policy lets it be.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from html import escape
from typing import Final

import msgspec

from dossier.measures import axes, moments, words
from dossier.measures.bmi import CORPULENCES, Bmi
from dossier.measures.kinds import INFO, Shown
from dossier.measures.model import Measure
from dossier.measures.words import Language

NARROWEST: Final = 240
WIDEST: Final = 2_000
#: Above so many points single ones are neither marked nor told.
MARKED: Final = 120
#: Above so many points a column, a curve is drawn as a band from the lowest to the highest, and its median.
CROWDED: Final = 4
_COLUMN: Final = 6  # pixels
_BOTTOM, _RIGHT = 34, 36
_ROOM: Final = 480  # the least width for a legend beside the title
_LETTER: Final = 7  # width of one, in pixels, as wide fonts have it
_DEEP: Final = 10  # tenths of a pixel
#: Below this span a curve would make much of little, in the canonical unit.
_LEAST_SPAN: Final[dict[Shown, Fraction]] = {
    "weight": Fraction(4),
    "height": Fraction(10),
    "waist": Fraction(8),
    "temperature": Fraction(3),
    "blood_pressure": Fraction(60),
    "heart_rate": Fraction(30),
    "bmi": Fraction(4),
}
_COLOURS: Final = (("measure-first", "#2479c7"), ("measure-second", "#c75f1c"))
_DASHES: Final = ("", ' stroke-dasharray="6 4"')


_Place = tuple[int, int]  # tenths of pixels


class Point(msgspec.Struct, frozen=True):
    """What is drawn of a measure: ``wall`` in ms of its author's clock, numbers in the unit drawn."""

    wall: int
    numbers: tuple[Fraction, ...]
    source: Measure | Bmi


class Told(msgspec.Struct, frozen=True):
    """A point in words."""

    when: str
    value: str
    remark: str


class Table(msgspec.Struct, frozen=True):
    """A series for who does not see: a caption, the names of the columns, rows, newest first."""

    caption: str
    columns: list[str]
    rows: list[list[str]]


# -- words ----------------------------------------------------------------------------------------


def points(series: Sequence[Measure | Bmi], kind: Shown, unit: str = "") -> list[Point]:
    """The points of a series, oldest first by their clocks, in ``unit`` (UCUM; "" for the canonical one).

    Raises :class:`KeyError`: the kind has no such unit.
    """
    code = unit or INFO[kind].units[0].code
    found = [_point(one, code) for one in series]
    found.sort(key=lambda one: one.wall)
    return found


def _point(one: Measure | Bmi, unit: str) -> Point:
    numbers = (one.value,) if isinstance(one, Bmi) else one.quantity.within(unit)
    return Point(moments.wall(one.moment), numbers, one)


def _told(point: Point, language: Language, unit: str = "") -> Told:
    """In ``unit``, or as entered."""
    one, english = point.source, language == "en"
    when = one.moment.shown(language)
    if isinstance(one, Bmi):
        said = words.value("bmi", (one.value,), INFO["bmi"].units[0].code, language)
        return Told(when, said, CORPULENCES[one.corpulence][english] if one.corpulence else "")
    said = words.converted(one.quantity, unit or one.quantity.unit, language)
    return Told(when, said, words.context(one.context, language))


def table(series: Sequence[Measure | Bmi], kind: Shown, language: Language = "fr") -> Table:
    """The text alternative of a plot: every measure, as entered."""
    found = points(series, kind)
    english = language == "en"
    rows = [list(msgspec.structs.astuple(_told(one, language))) for one in reversed(found)]
    columns = ["Date", "Value", "Detail"] if english else ["Date", "Valeur", "Précision"]
    if not any(row[2] for row in rows):
        columns, rows = columns[:2], [row[:2] for row in rows]
    return Table(_title(found, kind, language), columns, rows)


def summary(series: Sequence[Measure | Bmi], kind: Shown, language: Language = "fr") -> str:
    """What a plot shows, in sentences: how many, the last, the lowest, the highest."""
    return _summary(points(series, kind), language)


def _summary(found: list[Point], language: Language, unit: str = "") -> str:
    english = language == "en"
    if not found:
        return "No measure in this period." if english else "Aucune mesure sur cette période."
    last = _told(found[-1], language, unit)
    if len(found) == 1:
        only = "One measure" if english else "Une mesure"
        return f"{only}{_colon(language)} {last.value}, {last.when}."
    low = _told(min(found, key=lambda one: one.numbers[0]), language, unit)
    high = _told(max(found, key=lambda one: one.numbers[0]), language, unit)
    names = ("Last", "Lowest", "Highest") if english else ("Dernière", "Plus basse", "Plus haute")
    told = zip(names, (last, low, high), strict=True)
    sentences = [f"{name}{_colon(language)} {one.value}, {one.when}." for name, one in told]
    return " ".join([f"{len(found)} {'measures' if english else 'mesures'}.", *sentences])


def _colon(language: Language) -> str:
    return ":" if language == "en" else f"{words.NBSP}:"


def _title(found: list[Point], kind: Shown, language: Language) -> str:
    name = INFO[kind].named(language)
    if not found:
        return name
    first, last = (words.day(axes.day_of(one.wall), language) for one in (found[0], found[-1]))
    if first == last:
        return f"{name}, {first}"
    return f"{name}, {first} to {last}" if language == "en" else f"{name}, du {first} au {last}"


# -- the picture ----------------------------------------------------------------------------------


def plot_svg(
    series: Sequence[Measure | Bmi],
    kind: Shown,
    language: Language = "fr",
    period: tuple[int, int] | None = None,
    width: int = 640,
    *,
    unit: str = "",
    prefix: str = "measure",
) -> str:
    """A series of one kind as SVG, ``width`` pixels wide (240 to 2,000).

    :param period: ms, from and to; the axis shows it whole, as clocks in Paris had it. None: that of the
    series.
    :param prefix: what its ids begin with, so that a page can hold several.

    Raises :class:`KeyError`: the kind has no such unit.
    """
    return _Plot(points(series, kind, unit), kind, language, period, width, unit, prefix).svg()


class _Plot:
    """One picture being drawn. Places are whole tenths of pixels."""

    def __init__(
        self,
        found: list[Point],
        kind: Shown,
        language: Language,
        period: tuple[int, int] | None,
        width: int,
        unit: str,
        prefix: str,
    ) -> None:
        self._points, self._kind, self._language, self._prefix = found, kind, language, prefix
        self._asked = unit
        self._info = INFO[kind]
        self._unit = self._info.unit(unit) if unit else self._info.units[0]
        self._width = min(max(width, NARROWEST), WIDEST)
        self._height = min(max(self._width * 9 // 16, 240), 400)
        crowded_head = len(self._info.parts) > 1 and self._width < _ROOM
        self._top = 84 if crowded_head else 66
        self._inner_height = self._height - self._top - _BOTTOM
        self._upward = self._numbers()
        self._left = max(40, 14 + _LETTER * max(len(tick.label) for tick in self._upward))
        self._inner_width = self._width - self._left - _RIGHT
        self._since, self._until = self._window(period)
        self._x = axes.scale(
            Fraction(self._since), Fraction(self._until), self._left * _DEEP, self._inner_width * _DEEP
        )
        self._y = axes.scale(
            self._upward[0].at,
            self._upward[-1].at,
            (self._top + self._inner_height) * _DEEP,
            -self._inner_height * _DEEP,
        )

    def _numbers(self) -> list[axes.Tick]:
        if self._kind == "pain":
            return axes.numbers(Fraction(0), Fraction(10), 5, self._language)
        every = [number for point in self._points for number in point.numbers]
        if not every:
            return [axes.Tick(Fraction(0), ""), axes.Tick(Fraction(1), "")]
        lowest, high = min(every), max(every)
        low = lowest
        least = _LEAST_SPAN.get(self._kind, Fraction(1, 2))
        least *= Fraction(self._unit.factor.denominator, self._unit.factor.numerator)
        if high - low < least:
            middle = (low + high) * Fraction(1, 2)
            low, high = middle - least * Fraction(1, 2), middle + least * Fraction(1, 2)
        low = max(low, Fraction(0)) if lowest >= 0 else low
        return axes.numbers(low, high, max(3, self._inner_height // 40), self._language)

    def _window(self, period: tuple[int, int] | None) -> tuple[int, int]:
        walls = [point.wall for point in self._points]
        if period is not None:
            walls += [moments.wall_of(at) for at in period]
        if not walls:
            return 0, axes.DAY_MS
        since, until = min(walls), max(walls)
        if until - since < 1000:  # one moment stands in the middle of its day
            return since - axes.DAY_MS // 2, since + axes.DAY_MS // 2
        return since, until

    def svg(self) -> str:
        title, desc = f"{self._prefix}-{self._kind}-title", f"{self._prefix}-{self._kind}-desc"
        told = _summary(self._points, self._language, self._asked)
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="measure-plot" role="img" lang="{self._language}"'
            f' xml:lang="{self._language}" aria-labelledby="{escape(title)} {escape(desc)}"'
            f' width="{self._width}" height="{self._height}" viewBox="0 0 {self._width} {self._height}"'
            " font-family=\"system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif\" font-size=\"12\""
            ' fill="currentColor">',
            f'<title id="{escape(title)}">{escape(_title(self._points, self._kind, self._language))}</title>',
            f'<desc id="{escape(desc)}">{escape(told)}</desc>',
            *self._head(),
            *self._grid(),
        ]
        if not self._points:
            parts.append(self._nothing(told))
        for place in range(len(self._info.parts)):
            parts += self._curve(place)
        return "\n".join([*parts, "</svg>\n"])

    def _head(self) -> list[str]:
        parts = [f'<text x="14" y="26" font-size="16" font-weight="600">{escape(self._name())}</text>']
        if self._points:
            last = self._points[-1]
            day = words.day(axes.day_of(last.wall), self._language, short=True)
            said = _told(last, self._language, self._asked).value
            label = "Last" if self._language == "en" else "Dernière"
            parts.append(
                f'<text x="14" y="46" font-size="13">'
                f'<tspan opacity="0.75">{label}{_colon(self._language)} </tspan>'
                f'<tspan font-weight="600">{escape(said)}</tspan>'
                f'<tspan opacity="0.75">, {escape(day)}</tspan></text>'
            )
        return parts + (self._legend() if self._points and len(self._info.parts) > 1 else [])

    def _name(self) -> str:
        unit = "0–10" if self._kind == "pain" else self._unit.symbol
        return f"{self._info.named(self._language)} ({unit})"

    def _legend(self) -> list[str]:
        """What each curve is: beside the title, or below the head of a narrow picture."""
        names = [part.english if self._language == "en" else part.french for part in self._info.parts]
        widths = [30 + _LETTER * len(name) + 10 for name in names]
        beside = self._width >= _ROOM
        x, y = (self._width - sum(widths), 26) if beside else (14, 68)
        parts = []
        for place, name in enumerate(names):
            css, colour = _COLOURS[place]
            parts.append(
                f'<g class="{css}" color="{colour}"><path d="M{x} {y - 4}h24" stroke="currentColor"'
                f' stroke-width="2.5"{_DASHES[place]}/></g><text x="{x + 30}" y="{y}">{escape(name)}</text>'
            )
            x += widths[place]
        return parts

    def _grid(self) -> list[str]:
        left, right = self._left, self._left + self._inner_width
        bottom = self._top + self._inner_height
        parts = ['<g stroke="currentColor" stroke-width="1" aria-hidden="true">']
        for tick in self._upward:
            y = _px(self._y(tick.at))
            strength = "0.45" if tick is self._upward[0] else "0.13"
            parts.append(f'<path d="M{left} {y}H{right}" stroke-opacity="{strength}"/>')
        along = []
        if self._points:
            most = max(2, self._inner_width // 84)
            along = axes.times(self._since, self._until, most, self._language)
        parts += [f'<path d="M{_px(self._x(tick.at))} {bottom}v5" stroke-opacity="0.45"/>' for tick in along]
        parts.append('</g>\n<g opacity="0.8" aria-hidden="true">')
        for tick in self._upward:
            y = _px(self._y(tick.at) + 4 * _DEEP)
            if tick.label:
                parts.append(f'<text x="{left - 8}" y="{y}" text-anchor="end">{escape(tick.label)}</text>')
        for tick in along:
            x = _px(self._x(tick.at))
            parts.append(f'<text x="{x}" y="{bottom + 20}" text-anchor="middle">{escape(tick.label)}</text>')
        return [*parts, "</g>"]

    def _nothing(self, told: str) -> str:
        x, y = self._left + self._inner_width // 2, self._top + self._inner_height // 2
        return (
            f'<text x="{x}" y="{y}" text-anchor="middle" font-size="14" opacity="0.75">{escape(told)}</text>'
        )

    def _curve(self, place: int) -> list[str]:
        if not self._points:
            return []
        css, colour = _COLOURS[place]
        places = [(self._x(one.wall), self._y(one.numbers[place])) for one in self._points]
        columns: dict[int, list[_Place]] = {}
        for one in places:
            columns.setdefault(one[0] // (_COLUMN * _DEEP), []).append(one)
        if len(places) > max(MARKED, CROWDED * len(columns)):
            drawn = self._band(place, places, list(columns.values()))
        else:
            drawn = [self._line(places, place), *self._marks(places)]
        return [f'<g class="{css}" color="{colour}" stroke="currentColor">', *drawn, "</g>"]

    def _line(self, places: Sequence[_Place], place: int) -> str:
        return (
            f'<path d="M{_path(places)}" fill="none" stroke-width="2" stroke-linejoin="round"'
            f' stroke-linecap="round"{_DASHES[place]}/>'
        )

    def _marks(self, places: Sequence[_Place]) -> list[str]:
        """A dot for each point that tells what it is, where they are few."""
        if len(places) > MARKED:
            return []
        radius = "4.5" if len(places) == 1 else "3"
        parts = []
        for point, (x, y) in zip(self._points, places, strict=True):
            one = _told(point, self._language, self._asked)
            told = f"{one.value}, {one.when}" + (f" ({one.remark})" if one.remark else "")
            parts.append(
                f'<circle cx="{_px(x)}" cy="{_px(y)}" r="{radius}" fill="currentColor" stroke="none">'
                f"<title>{escape(told)}</title></circle>"
            )
        return parts

    def _band(self, place: int, places: Sequence[_Place], columns: Sequence[list[_Place]]) -> list[str]:
        """From the lowest to the highest of each column, so that none is hidden, and the median between."""
        ordered = [sorted(column, key=lambda one: one[1]) for column in columns]
        first, last = places[0], places[-1]
        edges = [
            first,
            *(column[0] for column in ordered),
            last,
            *(column[-1] for column in reversed(ordered)),
        ]
        return [
            f'<path d="M{_path(edges)}Z" fill="currentColor" fill-opacity="0.28" stroke-width="0.8"'
            ' stroke-opacity="0.55" stroke-linejoin="round"/>',
            self._line([first, *(column[len(column) // 2] for column in ordered), last], place),
        ]


def _path(places: Sequence[_Place]) -> str:
    return "L".join(f"{_px(x)} {_px(y)}" for x, y in places)


def _px(tenths: int) -> str:
    whole, rest = divmod(tenths, _DEEP)
    return f"{whole}.{rest}" if rest else str(whole)
