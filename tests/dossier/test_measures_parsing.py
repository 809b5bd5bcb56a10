"""What people type as a measure: read in one way only, or refused with a sentence; never through binary
fractions."""

from __future__ import annotations

import ast
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossier import measures
from dossier.measures import INFO, KINDS, Kind, Language, MeasureError, Quantity, parse, quantity, words

UNITS = [(kind, unit.code) for kind in KINDS for unit in INFO[kind].units]


@pytest.mark.parametrize(
    ("kind", "text", "numbers", "unit"),
    [
        ("weight", "72,5", ("72.5",), "kg"),
        ("weight", " 72.5 kg ", ("72.5",), "kg"),
        ("weight", "72,50\u202fkg", ("72.50",), "kg"),  # decimals as typed, narrow no-break space
        ("weight", "072 kilos", ("72",), "kg"),
        ("weight", "0,950", ("0.950",), "kg"),
        ("weight", "3 250 g", ("3250",), "g"),
        ("weight", "3\u2009250\u00a0g", ("3250",), "g"),
        ("weight", "3kg250", ("3.250",), "kg"),
        ("weight", "3 kg 250 g", ("3.250",), "kg"),
        ("weight", "160 LB", ("160",), "[lb_av]"),
        ("weight", "160 livres", ("160",), "[lb_av]"),
        ("height", "1,75 m", ("1.75",), "m"),
        ("height", "1,75", ("1.75",), "m"),
        ("height", "175", ("175",), "cm"),
        ("height", "175 cm", ("175",), "cm"),
        ("height", "1m75", ("1.75",), "m"),
        ("height", "1 m 05", ("1.05",), "m"),
        ("height", "1 mètre 75", ("1.75",), "m"),
        ("height", "69 in", ("69",), "[in_i]"),
        ("waist", "92", ("92",), "cm"),
        ("temperature", "37,2", ("37.2",), "Cel"),
        ("temperature", "37°2", ("37.2",), "Cel"),
        ("temperature", "37,2°", ("37.2",), "Cel"),
        ("temperature", "37,2 ℃", ("37.2",), "Cel"),
        ("temperature", "37.2 º C", ("37.2",), "Cel"),
        ("temperature", "98.6 F", ("98.6",), "[degF]"),
        ("temperature", "98.6 ℉", ("98.6",), "[degF]"),
        ("blood_pressure", "12/8", ("12", "8"), "cm[Hg]"),
        ("blood_pressure", "12,5 / 8", ("12.5", "8"), "cm[Hg]"),
        ("blood_pressure", "12 sur 8", ("12", "8"), "cm[Hg]"),
        ("blood_pressure", "120/80", ("120", "80"), "mm[Hg]"),
        ("blood_pressure", "120⁄80 mmHg", ("120", "80"), "mm[Hg]"),
        ("blood_pressure", "120 over 80 mm Hg", ("120", "80"), "mm[Hg]"),
        ("blood_pressure", "120/28 mmHg", ("120", "28"), "mm[Hg]"),
        ("heart_rate", "72", ("72",), "/min"),
        ("heart_rate", "72 batt./min", ("72",), "/min"),
        ("heart_rate", "72 BPM", ("72",), "/min"),
        ("glycaemia", "1,05 g/L", ("1.05",), "g/L"),
        ("glycaemia", "1 g 05", ("1.05",), "g/L"),
        ("glycaemia", "1g05/l", ("1.05",), "g/L"),
        ("glycaemia", "5,2 mmol/L", ("5.2",), "mmol/L"),
        ("glycaemia", "105 mg / dl", ("105",), "mg/dL"),
        ("cholesterol_ldl", "1,3 g/l", ("1.3",), "g/L"),
        ("pain", "7", ("7",), "{score}"),
        ("pain", "7/10", ("7",), "{score}"),
        ("pain", "7 sur 10", ("7",), "{score}"),
    ],
)  # fmt: skip
def test_what_is_typed(kind: Kind, text: str, numbers: tuple[str, ...], unit: str) -> None:
    assert parse(kind, text) == Quantity(kind, numbers, unit)


@pytest.mark.parametrize(
    ("kind", "text", "rule"),
    [
        ("weight", "", "measure.number"),
        ("weight", "kg", "measure.number"),
        ("weight", "1.234,5", "measure.number"),
        ("weight", "1,234.5", "measure.number"),
        ("weight", "1,234,567", "measure.number"),
        ("weight", "72,", "measure.number"),
        ("weight", ",5", "measure.number"),
        ("weight", "-72", "measure.number"),
        ("weight", "+72", "measure.number"),
        ("weight", "−72", "measure.number"),
        ("weight", "7 2", "measure.unit"),  # two numbers, or a slip
        ("weight", "12 34 kg", "measure.unit"),
        ("weight", "nan", "measure.number"),
        ("weight", "1e2", "measure.unit"),
        ("weight", "0x48", "measure.unit"),
        ("weight", "٧٢", "measure.number"),  # Arabic-Indic
        ("weight", "７２", "measure.number"),  # full width
        ("weight", "७२", "measure.number"),
        ("weight", "72½", "measure.number"),
        ("weight", "72²", "measure.unit"),
        ("weight", "72,1234", "measure.number"),
        ("weight", "3.250 g", "measure.number"),  # grams are whole: no thousands are guessed
        ("weight", "1234567", "measure.number"),
        ("weight", "72 kg et demi", "measure.unit"),
        ("weight", "72kg5", "measure.unit"),
        ("weight", "72 cm", "measure.unit"),
        ("weight", "7" * 41, "measure.number"),
        ("height", "1m8", "measure.unit"),  # 1,80 or 1,08
        ("height", "1m755", "measure.unit"),
        ("blood_pressure", "135", "measure.shape"),
        ("blood_pressure", "120/80/70", "measure.unit"),
        ("blood_pressure", "12/80", "measure.shape"),  # two units
        ("blood_pressure", "120/28", "measure.shape"),
        ("blood_pressure", "12-8", "measure.shape"),
        ("glycaemia", "1,05", "measure.unit"),  # g/L or mmol/L
        ("glycaemia", "5.2", "measure.unit"),
        ("triglycerides", "1.4", "measure.unit"),
        ("glycaemia", "1 g 5", "measure.unit"),
        ("pain", "7,5", "measure.number"),
        ("pain", "7/20", "measure.unit"),
        ("heart_rate", "72\x0080", "measure.unit"),
    ],
)
def test_what_is_refused(kind: Kind, text: str, rule: str) -> None:
    with pytest.raises(MeasureError) as caught:
        parse(kind, text)
    assert caught.value.rule == rule
    assert caught.value.french.endswith(".") and caught.value.english.endswith(".")
    assert caught.value.said("fr") != caught.value.said("en")
    assert not text.strip() or len(text) < 3 or text not in str(caught.value)  # it may be logged


def test_the_unit_that_the_form_proposes() -> None:
    assert parse("glycaemia", "1,05", "g/L").unit == "g/L"
    assert parse("glycaemia", "5,2 mmol/L", "g/L").unit == "mmol/L"  # what is typed goes first
    assert parse("weight", "160", "[lb_av]").unit == "[lb_av]"
    assert parse("height", "1,75", "cm") == Quantity("height", ("1.75",), "m")
    assert parse("height", "1,75 cm").unit == "cm"  # typed: then it is judged, and refused
    assert parse("height", "69", "[in_i]").unit == "[in_i]"
    assert parse("blood_pressure", "12/8", "mm[Hg]").unit == "cm[Hg]"
    assert parse("blood_pressure", "120/28", "mm[Hg]").unit == "mm[Hg]"
    with pytest.raises(MeasureError):
        parse("weight", "72", "Cel")


def test_what_machines_give() -> None:
    assert quantity("blood_pressure", ("120", "80.0"), "mm[Hg]").numbers == ("120", "80.0")
    wrong = [("120",), ("120", "8,0"), ("1e2", "80"), ("120", "-8"), ("120", "80 "), ("120", "80", "70")]
    for numbers, unit in [(one, "mm[Hg]") for one in wrong] + [(("120", "80"), "mmHg")]:
        with pytest.raises(MeasureError):
            quantity("blood_pressure", numbers, unit)


@pytest.mark.parametrize(
    ("kind", "text", "unit", "shown"),
    [
        ("glycaemia", "1,05 g/L", "mmol/L", "5,8 mmol/L"),
        ("glycaemia", "126 mg/dL", "g/L", "1,26 g/L"),
        ("cholesterol_total", "5,2 mmol/L", "g/L", "2,01 g/L"),
        ("triglycerides", "1,7 mmol/L", "g/L", "1,51 g/L"),
        ("temperature", "98.6 F", "Cel", "37,0 °C"),
        ("temperature", "40 C", "[degF]", "104,0 °F"),
        ("weight", "160 lb", "kg", "72,6 kg"),
        ("height", "69 in", "cm", "175 cm"),
        ("blood_pressure", "12,5/8", "mm[Hg]", "125/80 mmHg"),
        ("weight", "72,50 kg", "kg", "72,50 kg"),  # its own unit: as entered
    ],
)
def test_conversions(kind: Kind, text: str, unit: str, shown: str) -> None:
    assert words.converted(parse(kind, text), unit, "fr") == shown.replace(" ", words.NBSP)


@st.composite
def quantities(draw: st.DrawFn) -> Quantity:
    kind, code = draw(st.sampled_from(UNITS))
    unit = INFO[kind].unit(code)
    numbers = []
    for _ in INFO[kind].parts:
        whole, places = draw(st.integers(0, 999_999)), draw(st.integers(0, unit.decimals))
        decimals = f".{draw(st.integers(0, 10**places - 1)):0{places}d}" if places else ""
        numbers.append(f"{whole}{decimals}")
    return Quantity(kind, tuple(numbers), code)


@given(quantities(), st.sampled_from(["fr", "en"]))
def test_what_is_shown_is_read_back(entered: Quantity, language: Language) -> None:
    shown = words.quantity(entered, language)
    assert parse(entered.kind, shown) == entered
    assert quantity(entered.kind, entered.numbers, entered.unit) == entered
    assert ("," in shown) <= (language == "fr") and ("." in shown) <= (language == "en")


@given(quantities(), st.data())
def test_there_and_back_loses_nothing(entered: Quantity, data: st.DataObject) -> None:
    unit = data.draw(st.sampled_from(INFO[entered.kind].units))
    own = INFO[entered.kind].unit(entered.unit)
    there = entered.within(unit.code)
    assert tuple(own.number(unit.canonical(number)) for number in there) == tuple(
        map(Fraction, entered.numbers)
    )


@given(st.fractions(min_value=-10_000, max_value=10_000), st.integers(0, 4))
def test_rounding_is_to_the_nearest(value: Fraction, decimals: int) -> None:
    shown = words.plain(value, decimals)
    assert abs(Fraction(shown) - value) <= Fraction(1, 2 * 10**decimals)
    assert len(shown.partition(".")[2]) == decimals and shown != "-0"


@given(st.sampled_from(KINDS), st.text(max_size=45), st.sampled_from(["", "kg", "cm", "mm[Hg]", "g/L"]))
def test_any_text_is_read_or_refused(kind: Kind, text: str, unit: str) -> None:
    try:
        found = parse(kind, text, unit)
    except MeasureError:
        return
    assert len(found.numbers) == len(INFO[kind].parts)
    assert all(number.isascii() and Fraction(number) >= 0 for number in found.numbers)


def test_there_is_no_binary_fraction_in_the_room() -> None:
    """No literal, no call, no division that could make one."""
    found = []
    for path in sorted(Path(measures.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            literal = isinstance(node, ast.Constant) and isinstance(node.value, (float, complex))
            named = isinstance(node, ast.Name) and node.id in ("float", "round")
            named |= isinstance(node, ast.Attribute) and node.attr in ("timestamp", "total_seconds")
            divided = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
            if literal or named or divided:
                found.append(f"{path.name}:{getattr(node, 'lineno', 0)}")
    assert found == []
