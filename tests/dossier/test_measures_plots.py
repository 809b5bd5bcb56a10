"""Plots: well-formed, whole, nothing outside the frame, no extreme hidden, the same in words."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from dossier import measures
from dossier.measures import INFO, KINDS, Bmi, Kind, Language, Measure, Quantity, Who, axes, moments, plot_svg

SVG = "{http://www.w3.org/2000/svg}"
START = int(datetime(2025, 3, 3, 8, tzinfo=UTC).timestamp() * 1000)
DAY = 86_400_000


def measured(
    kind: Kind, numbers: tuple[str, ...], at: int, zone: str = "Europe/Paris", unit: str = ""
) -> Measure:
    return Measure(
        box_id=1, measure_id=at, quantity=Quantity(kind, numbers, unit or INFO[kind].units[0].code),
        moment=moments.at_instant(at, zone), status="current", context="", note="<script>", unusual=False,
        added_at=0, added_by=Who("patient", "1", "Marie"),
    )  # fmt: skip


def drawn(svg: str) -> etree._Element:
    root = etree.fromstring(svg.encode())
    assert root.tag == f"{SVG}svg" and root.get("role") == "img"
    ids = [one.get("id") for one in root.iter() if one.get("id")]
    assert len(ids) == len(set(ids)) and root.get("aria-labelledby") == " ".join(ids)
    assert root[0].tag == f"{SVG}title" and root[1].tag == f"{SVG}desc" and root[1].text
    tags = {etree.QName(one).localname for one in root.iter()}
    assert tags <= {"svg", "title", "desc", "text", "tspan", "g", "path", "circle"}
    attributes = {name for one in root.iter() for name in one.attrib}
    assert not {name for name in attributes if name.startswith("on") or name in ("style", "href")}
    return root


def places(root: etree._Element, css: str) -> list[tuple[Fraction, Fraction]]:
    """Where the points of a curve are drawn."""
    found = []
    for group in root.iter(f"{SVG}g"):
        if group.get("class") != css:
            continue
        for path in group.iter(f"{SVG}path"):
            if "h24" not in path.get("d", ""):  # the legend's
                numbers = [Fraction(one) for one in re.findall(r"[\d.]+", path.get("d", ""))]
                found += list(zip(numbers[::2], numbers[1::2], strict=True))
        for dot in group.iter(f"{SVG}circle"):
            found.append((Fraction(dot.get("cx", "")), Fraction(dot.get("cy", ""))))
    return found


def frame(root: etree._Element) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """Left, right, top and bottom of the grid."""
    lines = [
        re.fullmatch(r"M([\d.]+) ([\d.]+)H([\d.]+)", path.get("d", "")) for path in root.iter(f"{SVG}path")
    ]
    held = [[Fraction(part) for part in line.groups()] for line in lines if line is not None]
    heights = [line[1] for line in held]
    return held[0][0], held[0][2], min(heights), max(heights)


def check(series: Sequence[Measure | Bmi], kind: measures.Shown, **how: object) -> etree._Element:
    root = drawn(plot_svg(series, kind, **how))  # type: ignore[arg-type]  # options
    left, right, top, bottom = frame(root)
    width, height = Fraction(root.get("width", "")), Fraction(root.get("height", ""))
    assert 0 <= left < right <= width and 0 <= top < bottom <= height
    for css in ("measure-first", "measure-second")[: len(INFO[kind].parts)]:
        found = places(root, css)
        assert bool(found) == bool(series)
        assert all(left <= x <= right and top <= y <= bottom for x, y in found)
    return root


@st.composite
def some_series(draw: st.DrawFn) -> tuple[Kind, list[Measure]]:
    kind = draw(st.sampled_from(KINDS))
    unit = draw(st.sampled_from(INFO[kind].units))
    zones = st.sampled_from(["Europe/Paris", "Indian/Reunion", "Pacific/Noumea"])
    number = st.decimals(0, 999, places=unit.decimals).map(str)
    if kind == "pain":
        number = st.integers(0, 10).map(str)
    spread = draw(st.sampled_from([60_000, DAY, 400 * DAY, 30_000 * DAY]))
    found = draw(
        st.lists(
            st.tuples(st.tuples(*[number] * len(INFO[kind].parts)), st.integers(0, spread), zones),
            max_size=30,
        )
    )
    return kind, [
        measured(kind, numbers, START + at - spread, zone, unit.code) for numbers, at, zone in found
    ]


@settings(deadline=None, max_examples=150)
@given(
    some_series(),
    st.sampled_from(["fr", "en"]),
    st.integers(0, 3_000),
    st.none() | st.tuples(st.integers(-DAY * 900, DAY * 900), st.integers(0, DAY * 4000)),
    st.data(),
)
def test_everything_is_inside(
    what: tuple[Kind, list[Measure]],
    language: Language,
    width: int,
    period: tuple[int, int] | None,
    data: st.DataObject,
) -> None:
    kind, series = what
    unit = data.draw(st.sampled_from(["", *(one.code for one in INFO[kind].units)]))
    chosen = None if period is None else (START + period[0], START + period[0] + period[1])
    root = check(series, kind, language=language, width=width, period=chosen, unit=unit)
    assert root.get("lang") == language
    dots = list(root.iter(f"{SVG}circle"))
    assert len(dots) == len(series) * len(INFO[kind].parts)
    table = measures.table(series, kind, language)
    assert len(table.rows) == len(series)
    assert {len(row) for row in table.rows} <= {len(table.columns)}


@pytest.mark.parametrize("count", [121, 3_000, 20_000])
@pytest.mark.parametrize("kind", ["heart_rate", "blood_pressure"])
def test_no_extreme_is_thinned_away(kind: Kind, count: int) -> None:
    rng = random.Random(count)
    peaks = set(rng.sample(range(count), 5))
    series = []
    for number in range(count):
        high = rng.randrange(300, 340) if number in peaks else rng.randrange(110, 130)
        low = rng.randrange(12, 20) if number in peaks else rng.randrange(70, 90)
        numbers = (str(high), str(low)) if kind == "blood_pressure" else (str(high if number % 2 else low),)
        series.append(measured(kind, numbers, START + number * 3_600_000))
    svg = plot_svg(series, kind)
    root = check(series, kind)
    assert len(svg) < 60_000
    for place, css in enumerate(("measure-first", "measure-second")[: len(INFO[kind].parts)]):
        wanted = [one.quantity.canonical[place] for one in series]
        heights = [y for _, y in places(root, css)]
        left, right, top, bottom = frame(root)
        ticks = [
            float(text.text or "") for text in root.iter(f"{SVG}text") if text.get("text-anchor") == "end"
        ]
        scale = axes.scale(
            Fraction(int(min(ticks))), Fraction(int(max(ticks))), int(bottom * 10), -int((bottom - top) * 10)
        )
        assert min(heights) == Fraction(scale(max(wanted)), 10)
        assert max(heights) == Fraction(scale(min(wanted)), 10)
        across = [x for x, _ in places(root, css)]
        assert (min(across), max(across)) == (left, right)  # the first and the last stand at the edges


def test_each_column_keeps_its_own_extremes() -> None:
    series = [
        measured("weight", ("90" if n % 500 == 250 else f"{70 + n % 3}",), START + n * DAY // 10)
        for n in range(5_000)
    ]
    root = check(series, "weight", width=900)
    found = places(root, "measure-first")
    high = min(y for _, y in found)
    assert len({x for x, y in found if y == high}) == 10  # as many peaks as there are


def test_nothing_and_one() -> None:
    root = check([], "glycaemia")
    assert "Aucune mesure sur cette période." in "".join(root.itertext())
    assert "No measure" in plot_svg([], "pain", "en")
    root = check([measured("weight", ("72.50",), START)], "weight")
    (dot,) = root.iter(f"{SVG}circle")
    assert dot[0].text == "72,50\u00a0kg, 3\u00a0mars\u00a02025 à 9\u00a0h\u00a000"
    left, right, _, _ = frame(root)
    assert abs(Fraction(dot.get("cx", "")) * 2 - left - right) < 200
    assert measures.summary([], "weight", "en") == "No measure in this period."


def test_words_are_of_the_language() -> None:
    series = [
        measured("weight", (number,), START + place * 40 * DAY)
        for place, number in enumerate(("72.5", "71", "73.25"))
    ]
    french = measures.summary(series, "weight").replace("\u00a0", " ")
    assert french == (
        "3 mesures. Dernière : 73,25 kg, 22 mai 2025 à 10 h 00. Plus basse : 71 kg, 12 avril 2025 à 10 h 00."
        " Plus haute : 73,25 kg, 22 mai 2025 à 10 h 00."
    )
    assert "Highest: 73.25 kg, 22 May 2025 at 10:00." in measures.summary(series, "weight", "en").replace(
        "\u00a0", " "
    )
    svg = plot_svg(series, "weight")
    assert "Poids, du 3\u00a0mars\u00a02025 au 22\u00a0mai\u00a02025" in svg
    assert "<script" not in svg and "&lt;script" not in svg  # notes are not drawn
    table = measures.table(series, "weight")
    assert table.columns == ["Date", "Valeur"] and table.rows[0][1] == "73,25\u00a0kg"


def test_a_page_may_name_its_ids() -> None:
    svg = plot_svg([], "weight", prefix="a\"<&'")
    root = drawn(svg)
    assert root[0].get("id") == "a\"<&'-weight-title"


def test_the_unit_asked_for() -> None:
    series = [measured("glycaemia", ("1.05",), START)]
    assert "5,8\u00a0mmol/L" in plot_svg(series, "glycaemia", unit="mmol/L")
    assert "1,05\u00a0g/L" in plot_svg(series, "glycaemia")
    with pytest.raises(KeyError):
        plot_svg(series, "glycaemia", unit="kg")


def test_the_day_of_its_author_is_where_it_stands() -> None:
    """8 h in La Réunion is drawn at 8 h, beside 8 h in Paris."""
    there = moments.at_clock(datetime.fromisoformat("2026-07-01T08:00"), "Indian/Reunion")
    here = moments.at_clock(datetime.fromisoformat("2026-07-01T08:00"))
    series = [
        measured("pain", (text,), one.at, zone)
        for text, one, zone in (("3", there, "Indian/Reunion"), ("4", here, "Europe/Paris"))
    ]
    root = check(series, "pain", period=(here.at - DAY, here.at + DAY))
    assert len({dot.get("cx") for dot in root.iter(f"{SVG}circle")}) == 1


def test_the_index_is_drawn() -> None:
    series = [
        Bmi(Fraction(25) + Fraction(place, 7), moments.at_instant(START + place * DAY), "overweight", 1, 2)
        for place in range(5)
    ]
    root = check(series, "bmi")
    assert "25,0\u00a0kg/m²" in "".join(root.itertext())
    assert measures.table(series, "bmi").rows[0][2] == "surpoids"


@given(
    st.fractions(-1000, 1000, max_denominator=1000),
    st.fractions(Fraction(1, 100), 5000, max_denominator=100),
    st.integers(3, 12),
)
def test_round_numbers_cover_the_span(low: Fraction, span: Fraction, most: int) -> None:
    ticks = axes.numbers(low, low + span, most, "fr")
    assert ticks[0].at <= low and ticks[-1].at >= low + span
    assert 2 <= len(ticks) <= most + 3
    steps = {after.at - before.at for before, after in itertools.pairwise(ticks)}
    assert len(steps) == 1
    assert [Fraction(tick.label.replace(",", ".")) for tick in ticks] == [tick.at for tick in ticks]


@given(
    st.integers(-2_000_000_000_000, 4_000_000_000_000),
    st.integers(60_000, 3_600_000_000_000),
    st.integers(2, 20),
)
def test_marks_of_time_are_few_and_within(since: int, span: int, most: int) -> None:
    ticks = axes.times(since, since + span, most, "fr")
    assert len(ticks) <= most
    assert [tick.at for tick in ticks] == sorted({tick.at for tick in ticks})
    assert all(since <= tick.at <= since + span for tick in ticks)
    if span > 10 * DAY:
        assert ticks
        assert len({tick.label for tick in ticks}) == len(ticks) or span > 300 * DAY
