"""The carnet by disease."""

from __future__ import annotations

from dossier import health
from dossier.health import Author, PartialDate, ProfileItem, Vaccination, carnet

WHO = Author(by="patient", ident="x")


def given(number: int, *diseases: str, year: int, due: int = 0, **more: object) -> ProfileItem:
    item = Vaccination(
        vaccine=f"Vaccin {number}", diseases=list(diseases), date=PartialDate(year),
        next_due=PartialDate(due) if due else None,
    )  # fmt: skip
    values = {"section": "vaccination", "state": "current", "item": item} | more
    return ProfileItem(box_id=1, item_id=number, version=1, added_at=0, at=0, added_by=WHO, by=WHO, **values)  # type: ignore[arg-type]  # values of a test


def test_by_disease_in_order() -> None:
    found = carnet(
        [
            given(1, "Tétanos", "Diphtérie", year=2019, due=2039),
            given(2, "tetanos ", year=1999, due=2009),
            given(3, "COVID-19", "covid-19", year=2021),
            given(4, year=2020),
            given(5, "Rougeole", year=2001, state="removed"),
            given(6, year=2001, section="illness", item=health.Illness(label="x")),
        ]
    )
    told = [(one.disease, [item.item_id for item in one.given], str(one.next_due or "")) for one in found]
    assert told == [
        ("COVID-19", [3], ""),
        ("Diphtérie", [1], "2039"),
        ("Tétanos", [2, 1], "2039"),
        ("Vaccin 4", [4], ""),
    ]


def test_the_last_one_says_when_the_next_is_due() -> None:
    [one] = carnet([given(1, "Grippe", year=2020, due=2021), given(2, "Grippe", year=2022)])
    assert one.next_due is None
