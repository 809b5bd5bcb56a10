"""What a measure cannot be, by age; and the body mass index."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossier.measures import (
    INFO,
    KINDS,
    LIMITS,
    Kind,
    Measure,
    MeasureError,
    Who,
    corpulence_of,
    draft,
    index,
    indices,
    limits,
    moments,
    parse,
    unusual,
    words,
)

ADULT = "1980-05-01"
DAY = date(2026, 3, 1)


def judged(kind: Kind, text: str, birth_date: str = ADULT) -> bool:
    return unusual(parse(kind, text), birth_date, DAY)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("weight", "72,5"), ("weight", "160 lb"), ("height", "1m75"), ("waist", "92"), ("temperature", "37,2"),
     ("temperature", "98.6 F"), ("blood_pressure", "12/8"), ("blood_pressure", "120/80"),
     ("heart_rate", "72"),
     ("glycaemia", "1,05 g/L"), ("glycaemia", "5,2 mmol/L"), ("cholesterol_total", "2,1 g/L"),
     ("cholesterol_ldl", "1,3 g/L"), ("cholesterol_hdl", "0,5 g/L"), ("triglycerides", "1,2 g/L"),
     ("pain", "0"), ("pain", "10/10")],
)  # fmt: skip
def test_usual_ones(kind: Kind, text: str) -> None:
    assert not judged(kind, text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("weight", "31"), ("weight", "250"), ("height", "2,30 m"), ("temperature", "41,5"),
     ("blood_pressure", "19/11"), ("heart_rate", "190"),
     ("glycaemia", "5,2 g/L"), ("cholesterol_total", "5,2 g/L")],  # mmol/L, most likely: it is asked again
)  # fmt: skip
def test_unusual_ones_are_taken_and_flagged(kind: Kind, text: str) -> None:
    assert judged(kind, text)


@pytest.mark.parametrize(
    ("kind", "text", "rule"),
    [("weight", "7,2", "measure.impossible"), ("weight", "725", "measure.impossible"),
     ("weight", "72 g", "measure.impossible"), ("weight", "0", "measure.impossible"),
     ("height", "1,75 cm", "measure.impossible"), ("height", "17,5", "measure.impossible"),
     ("height", "1750 cm", "measure.impossible"), ("temperature", "98", "measure.impossible"),
     ("temperature", "37 F", "measure.impossible"), ("temperature", "0", "measure.impossible"),
     ("blood_pressure", "12/8 mmHg", "measure.impossible"),
     ("blood_pressure", "120/80 cmHg", "measure.impossible"),
     ("blood_pressure", "80/120", "measure.pressure"), ("blood_pressure", "12/12", "measure.pressure"),
     ("heart_rate", "0", "measure.impossible"), ("heart_rate", "720", "measure.impossible"),
     ("glycaemia", "105 g/L", "measure.impossible"), ("glycaemia", "1,0 mg/dL", "measure.impossible"),
     ("cholesterol_hdl", "45 g/L", "measure.impossible"), ("pain", "11", "measure.impossible")],
)  # fmt: skip
def test_impossible_ones_are_refused_with_a_sentence(kind: Kind, text: str, rule: str) -> None:
    with pytest.raises(MeasureError) as caught:
        judged(kind, text)
    assert caught.value.rule == rule
    assert caught.value.french != caught.value.english
    number = text.split()[0].split("/")[0]
    assert len(number) < 3 or number not in caught.value.log  # it may be logged


def test_the_sentence() -> None:
    with pytest.raises(MeasureError) as caught:
        judged("temperature", "98")
    assert caught.value.french == (
        "Température : en dessous de 20 °C ou au-dessus de 46 °C, la valeur n'est pas possible à cet âge ;"
        " vérifiez le nombre et l'unité."
    )


def test_limits_depend_on_age() -> None:
    newborn, infant = "2026-02-20", "2025-06-01"
    assert not judged("weight", "3kg250", newborn)
    assert judged("weight", "9", newborn)
    assert not judged("weight", "9", infant)
    assert not judged("heart_rate", "150", newborn) and not judged("heart_rate", "150", infant)
    assert judged("heart_rate", "60", newborn)
    for birth_date, text in ((newborn, "70"), (infant, "70"), ("1980-05-01", "3,25")):
        with pytest.raises(MeasureError):
            judged("weight", text, birth_date)
    assert not judged("weight", "3,25", "") and not judged("weight", "70", "")  # unknown: the widest


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_is_sound(kind: Kind) -> None:
    months = [band.months for band in LIMITS[kind]]
    assert months == sorted(set(months)) and months[-1] >= 150 * 12
    for band in LIMITS[kind]:
        assert len(band.possible) == len(band.usual) == len(INFO[kind].parts)
        for possible, usual in zip(band.possible, band.usual, strict=True):
            assert 0 <= possible.low <= usual.low < usual.high <= possible.high
    for age in range(130 * 12):
        held, widest = limits(kind, age), limits(kind, None)
        for one, all_ages in zip(held.possible, widest.possible, strict=True):
            assert all_ages.low <= one.low and one.high <= all_ages.high


CLOCK = datetime.fromisoformat("1901-01-01")
NOW = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)


@given(
    st.sampled_from(KINDS),
    st.from_regex(r"[0-9]{1,6}([.,][0-9]{1,3})?(/[0-9]{1,3}([.,][0-9])?)?", fullmatch=True),
    st.data(),
    st.sampled_from(["", ADULT, "2025-06-01", "2026-02-20", "2012-01-01"]),
    st.datetimes(CLOCK, CLOCK + 129 * timedelta(days=365)),
)
def test_nothing_impossible_ever_gets_in(
    kind: Kind, text: str, data: st.DataObject, birth_date: str, local: datetime
) -> None:
    unit = data.draw(st.sampled_from(INFO[kind].units))
    try:
        moment = moments.at_clock(local)
        kept = draft(parse(kind, text, unit.code), moment, birth_date, now=NOW)
    except MeasureError:
        return
    months = moments.months_between(date.fromisoformat(birth_date), moment.day) if birth_date else None
    numbers = kept.quantity.canonical
    assert all(one.holds(number) for one, number in zip(limits(kind, months).possible, numbers, strict=True))
    assert len(numbers) == 1 or numbers[1] < numbers[0]
    assert moment.at <= NOW + moments.TOLERANCE_MS
    assert not birth_date or moment.day >= date.fromisoformat(birth_date)


# -- the index ------------------------------------------------------------------------------------


def measured(number: int, kind: Kind, text: str, when: str) -> Measure:
    return Measure(
        box_id=1, measure_id=number, quantity=parse(kind, text), moment=moments.parse(when), status="current",
        context="", note="", unusual=False, added_at=0, added_by=Who("patient", "1", "Marie"),
    )  # fmt: skip


def test_the_index_is_that_of_the_last_height_known_then() -> None:
    heights = [
        measured(1, "height", "1,60", "2019-01-01"),
        measured(2, "height", "160 cm", "2020-06-01 10:00"),
        measured(3, "height", "1,59", "2025-01-01"),
    ]
    weights = [
        measured(4, "weight", "70", "2018-12-31"),
        measured(5, "weight", "64", "2020-06-01 08:00"),  # the height came later that day: it is known
        measured(6, "weight", "64", "2024-12-31 23:59"),
        measured(7, "weight", "140 lb", "2026-01-01"),
    ]
    found = indices(weights, heights, ADULT)
    assert [(one.weight_id, one.height_id) for one in found] == [(5, 2), (6, 2), (7, 3)]
    assert found[0].value == 25 and found[0].corpulence == "overweight"
    assert words.value("bmi", (found[2].value,), "kg/m2", "fr") == f"25,1{words.NBSP}kg/m²"
    assert [one.corpulence for one in indices(weights[1:2], heights, "")] == [None]


def test_of_children_it_is_a_number_and_old_heights_are_none() -> None:
    born = "2016-01-01"
    weights = [
        measured(1, "weight", "9", "2017-02-10"),
        measured(2, "weight", "30", "2024-05-20"),
        measured(3, "weight", "60", "2034-02-01"),  # of age since a month
    ]
    fresh = [measured(4, "height", "75 cm", "2017-02-01"), measured(5, "height", "1,30", "2024-01-01"),
             measured(6, "height", "1,70", "2033-02-01")]  # fmt: skip
    assert [one.corpulence for one in indices(weights, fresh, born)] == [None, None, "normal"]
    stale = [measured(4, "height", "73 cm", "2017-01-01"), measured(5, "height", "1,28", "2023-11-19"),
             measured(6, "height", "1,60", "2032-12-31")]  # fmt: skip
    assert indices(weights, stale, born) == []


@given(
    st.fractions(Fraction(15), Fraction(650), max_denominator=1000),
    st.fractions(Fraction(50), Fraction(275), max_denominator=100),
)
def test_the_index_is_exact(kilograms: Fraction, centimetres: Fraction) -> None:
    assert index(kilograms, centimetres) * centimetres * centimetres == kilograms * 10_000


def test_classes_begin_at_their_bounds() -> None:
    bounds = {"18.49": "underweight", "18.5": "normal", "24.99": "normal", "25": "overweight",
              "30": "obesity_1", "35": "obesity_2", "39.99": "obesity_2", "40": "obesity_3"}  # fmt: skip
    assert {text: corpulence_of(Fraction(text)) for text in bounds} == bounds


def test_a_detail_or_a_note_that_does_not_fit() -> None:
    weight, glucose = parse("weight", "70"), parse("glycaemia", "1 g/L")
    then = moments.parse("2026-01-01")
    assert draft(glucose, then, ADULT, context="fasting", note=" au réveil ", now=NOW).note == "au réveil"
    for changes, rule in (
        ({"context": "fasting"}, "measure.context"),
        ({"note": "x" * 301}, "measure.note"),
        ({"note": "two\nlines"}, "measure.note"),
        ({"note": "a\x00"}, "measure.note"),
        ({"note": "\ud800"}, "measure.note"),
    ):
        with pytest.raises(MeasureError) as caught:
            draft(weight, then, ADULT, now=NOW, **changes)  # type: ignore[arg-type]  # one of both
        assert caught.value.rule == rule
