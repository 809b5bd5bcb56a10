"""Doses are exact: what is read is what was written, or it is refused with a sentence."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossier.health import UNITS, Dose, HealthError, parse_dose

amounts = st.decimals(Decimal("0.000001"), Decimal(100_000_000), places=6, allow_nan=False)


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("2,5 mg", "2.5", "mg"),
        ("2.5 mg", "2.5", "mg"),
        ("2.50mg", "2.5", "mg"),
        ("2,5 MG", "2.5", "mg"),
        ("1 000 UI", "1000", "UI"),
        ("1\u202f000 UI", "1000", "UI"),
        ("1\u00a0000\u00a0iu", "1000", "UI"),
        ("0,125 mg", "0.125", "mg"),
        ("100 µg", "100", "µg"),  # the micro sign
        ("100 μg", "100", "µg"),  # the Greek letter
        ("100 mcg", "100", "µg"),
        ("½ comprimé", "0.5", "comprimé"),
        ("3/4 cp", "0.75", "comprimé"),
        ("2 comprimés", "2", "comprimé"),
        ("1 gelule", "1", "gélule"),
        ("2 cuillères à café", "2", "cuillère à café"),
        ("10 gouttes.", "10", "goutte"),
        ("2 puffs", "2", "bouffée"),
        ("1500 mg", "1500", "mg"),
        ("1 500,25 mg", "1500.25", "mg"),
    ],
)
def test_what_people_write(text: str, amount: str, unit: str) -> None:
    assert parse_dose(text) == Dose(Decimal(amount), unit)


@pytest.mark.parametrize(
    "text",
    [
        "", "mg", "2,5", "0 mg", "-2 mg", "1.500 mg", "1,500 UI", "25.000 UI", "1.234,5 mg", "2 bananes",
        "1½ cp", "1e3 mg", "1/3 cp", "2,5,5 mg", "10 0 mg", "0.0000001 g", "1000000000 mg", "NaN mg", "٢ mg",
        "2.00000000000000000000000000000000001 mg", "1 gr",
    ],
)  # fmt: skip
def test_what_is_no_dose_is_told_in_both_languages(text: str) -> None:
    with pytest.raises(HealthError) as caught:
        parse_dose(text)
    assert caught.value.rule == "health.dose"
    assert caught.value.french.endswith(".")
    assert caught.value.peer.isascii()


@given(amounts, st.sampled_from(UNITS))
def test_a_dose_is_read_back_as_it_is_said_or_not_at_all(amount: Decimal, unit: str) -> None:
    dose = Dose(amount, unit)
    assert dose.amount == amount
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(dose), type=Dose) == dose
    for language in ("fr", "en"):
        words = dose.words(language)
        number = words.split(" ")[0]
        assert not (set(number) & {",", "."} and number.endswith("0"))
        try:
            assert parse_dose(words) == dose
        except HealthError:  # 1,125 and 1.125 may be read in two ways
            assert amount > 1
            assert len(number.replace(",", ".").rpartition(".")[2]) == 3


@given(st.text(max_size=30))
def test_any_text_is_a_dose_or_refused(text: str) -> None:
    try:
        dose = parse_dose(text)
    except HealthError as error:
        assert error.rule == "health.dose"
    else:
        assert dose.amount > 0


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity", "1E+9", "0.0000001", "1.0000000001"])
def test_no_other_way_around_the_limits(amount: str) -> None:
    with pytest.raises(HealthError):
        Dose(Decimal(amount), "mg")
    with pytest.raises(HealthError):
        Dose(Decimal(1), "furlong")


def test_the_words() -> None:
    assert Dose(Decimal("2.50"), "mg").words() == "2,5 mg"
    assert Dose(Decimal("2.50"), "mg").words("en") == "2.5 mg"
    assert Dose(Decimal("1.5"), "comprimé").words() == "1,5 comprimé"
    assert Dose(Decimal("1.5"), "comprimé").words("en") == "1.5 tablets"
    assert Dose(Decimal(3), "cuillère à soupe").words() == "3 cuillères à soupe"
    assert Dose(Decimal("1E+3"), "UI").words("en") == "1000 IU"
