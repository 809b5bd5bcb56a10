"""What the carnet of vaccination says, by disease, in order; nothing of what should be done."""

from __future__ import annotations

import unicodedata

import msgspec

from dossier.health.dates import PartialDate
from dossier.health.items import Vaccination
from dossier.health.model import ProfileItem


class Protection(msgspec.Struct, frozen=True):
    """One disease: the vaccinations against it, oldest first, and when the last of them said that the next
    one is due (None when it did not). ``disease`` as first written; the vaccine where no disease was told."""

    disease: str
    given: list[ProfileItem]
    next_due: PartialDate | None


def carnet(items: list[ProfileItem]) -> list[Protection]:
    """The vaccinations among ``items`` by disease, in the order of names; other items are left out.

    "Coqueluche", "coqueluche " and "COQUELUCHE" are one. A combined vaccine stands under each disease.
    """
    names: dict[str, str] = {}
    given: dict[str, list[tuple[Vaccination, ProfileItem]]] = {}
    for one in items:
        if not isinstance(one.item, Vaccination) or one.state not in ("current", "ended"):
            continue
        for name in one.item.diseases or [one.item.vaccine]:
            key = _folded(name)
            names.setdefault(key, name)
            held = given.setdefault(key, [])
            if all(other is not one for _, other in held):
                held.append((one.item, one))
    found = []
    for key in sorted(given):
        ordered = sorted(given[key], key=lambda pair: (pair[0].date, pair[0].number, pair[1].item_id))
        last = ordered[-1][0]
        found.append(Protection(names[key], [one for _, one in ordered], last.next_due))
    return found


def _folded(name: str) -> str:
    spread = unicodedata.normalize("NFKD", name.casefold())
    return " ".join("".join(one for one in spread if not unicodedata.combining(one)).split())
