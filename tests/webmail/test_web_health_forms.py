"""The forms of the medical profile: what is shown of an item, typed again, is the item."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossier import health
from dossier.health import UNITS, Dose, HealthError, PartialDate
from dossier.health.items import AllergyKind, Answer, CodeSystem, Relation, Role, Severity, Subject, Topic
from webmail.health.forms import FORMS, blank, item_from, values_of

NAMES = sorted({one.name for form in FORMS.values() for one in form.fields})
TODAY = date(2026, 6, 1)
letters = "abzéÉçñ 019.,;:/'’«»<>&\"%+-_\u00a0\u202fЖ漢😀"
some = st.text(letters, min_size=1, max_size=30).map(str.strip).filter(bool)
maybe = st.text(letters, max_size=30).map(str.strip)
words = st.text("abcé09-'", min_size=1, max_size=12)
ages = st.one_of(st.none(), st.integers(0, 125))


@st.composite
def dates(draw: Callable[..., int]) -> PartialDate:
    year, month = draw(st.integers(1900, 2025)), draw(st.integers(0, 12))
    return PartialDate(year, month, draw(st.integers(0, 28)) if month else 0)


maybe_date = st.one_of(st.none(), dates())
doses = st.builds(Dose, st.decimals(Decimal("0.000001"), Decimal(99_999), places=6), st.sampled_from(UNITS))


def of(values: object) -> st.SearchStrategy[str]:
    return st.sampled_from(list(get_args(values)))


items: st.SearchStrategy[health.Item] = st.one_of(
    st.builds(
        health.Illness, label=some, system=of(CodeSystem), code=maybe, begin=maybe_date, end=maybe_date,
        chronic=st.booleans(), ald=st.booleans(), note=maybe,
    ),
    st.builds(
        health.Treatment, label=some, dose=st.one_of(st.none(), doses), rhythm=maybe, begin=maybe_date,
        end=maybe_date, reason=maybe, note=maybe,
    ),
    st.builds(
        health.Allergy, substance=some, kind=of(AllergyKind), reaction=maybe, severity=of(Severity),
        begin=maybe_date, note=maybe,
    ),
    st.builds(
        health.Vaccination, vaccine=some, diseases=st.lists(words, max_size=4), date=dates(),
        number=st.integers(0, 20), booster=st.booleans(), lot=maybe, giver=maybe, place=maybe,
        next_due=maybe_date, note=maybe, giver_id=maybe,
    ),
    st.builds(health.FamilyHistory, relation=of(Relation), illness=some, onset_age=ages, note=maybe),
    st.builds(health.Contact, role=of(Role), name=some, relation=maybe, phone=maybe, note=maybe),
    st.builds(
        health.Wish, subject=of(Subject), answer=of(Answer), family_told=st.booleans(), where=maybe,
        text=maybe, document=maybe,
    ),
    st.builds(health.Administrative, topic=of(Topic), text=some, number=maybe, until=maybe_date, note=maybe),
)  # fmt: skip


@given(items, st.sampled_from(["fr", "en"]))
def test_an_item_shown_and_sent_again_is_the_same(item: health.Item, language: health.Language) -> None:
    assert not isinstance(item, health.NoneKnown)
    shown = values_of(item, language)
    typed = item_from(item.section, shown, born="", today=TODAY, language=language, before=item)
    assert not typed.faults
    assert typed.item == item


@given(
    st.sampled_from(list(FORMS)),
    st.dictionaries(
        st.sampled_from(sorted({one.name for form in FORMS.values() for one in form.fields})), st.text()
    ),
)
def test_nothing_typed_breaks_a_form(section: health.Section, typed: dict[str, str]) -> None:
    found = item_from(section, typed, born="1980-01-01", today=TODAY)
    assert (found.item is None) == bool(found.faults)
    assert set(found.faults) <= {one.name for one in FORMS[section].fields}
    for name, text in typed.items():
        if name in found.values:
            assert found.values[name] == text.strip()


@pytest.mark.parametrize("section", list(FORMS))
def test_an_empty_form_asks_for_what_is_needed(section: health.Section) -> None:
    found = item_from(section, blank(section), born="", today=TODAY)
    needed = {one.name for one in FORMS[section].fields if one.required}
    assert {name for name, text in found.faults.items() if text == "Ce champ est nécessaire."} == needed


def test_a_date_before_the_birth_or_to_come_is_told_at_its_field() -> None:
    given_ = {"label": "X", "system": "", "begin": "1970", "end": "2030"}
    found = item_from("illness", given_, born="1980-05-01", today=TODAY, language="en")
    assert set(found.faults) == {"begin", "end"}
    assert found.faults["begin"] == "this date is before the birth"


def test_a_dose_of_three_decimals_can_be_sent_again() -> None:
    with pytest.raises(HealthError):
        health.parse_dose("1,125 mg")
    treatment = health.Treatment(label="X", dose=Dose(Decimal("1.125"), "mg"))
    assert values_of(treatment)["dose"] == "1,1250 mg"
