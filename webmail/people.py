"""Professionals as a patient is shown them: by name, profession and place, never by a raw address."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection

import annuaire
from webmail.languages import Language


class Contact(msgspec.Struct, frozen=True):
    """Who is behind a mail address. ``name`` is "" where neither annuaire nor letter gives one.

    ``key`` groups the mailboxes of one professional (IdNat_PS), or of one organisation's box. ``professions``
    are (French, English); ``place`` is the structure or service for a person, and the town.
    """

    address: str
    key: str
    name: str
    professions: tuple[str, str] = ("", "")
    place: str = ""
    town: str = ""
    organisation: bool = False
    pharmacy: bool = False
    listed: bool = False

    def profession(self, language: Language = "fr") -> str:
        return self.professions[0 if language == "fr" else 1]

    @property
    def initials(self) -> str:
        """Two letters for a round badge."""
        words = [one for one in self.name.replace("-", " ").split() if one[0].isalpha()]
        return "".join(one[0] for one in (words[:1] + words[-1:] if len(words) > 1 else words[:1])).upper()


def contact_of(conn: Connection, address: str, shown: str = "") -> Contact:
    """Who has an address; ``shown`` is the name that a letter gave, used where the annuaire knows nobody."""
    address = address.casefold()
    found = annuaire.mailbox(conn, address)
    if not found:
        return Contact(address, address, "" if "@" in shown else shown.strip())
    box = found[0]
    label = annuaire.profession_label(box.profession) if box.profession else ("", "")
    person = box.kind == "PER" and bool(box.id_nat)
    return Contact(
        address,
        box.id_nat if person else address,
        box.name or ("" if "@" in shown else shown.strip()),
        label,
        box.service,
        " ".join(one for one in (box.postcode, box.town) if one),
        not person,
        box.officine,
        True,
    )


def contacts_of(conn: Connection, addresses: Iterable[tuple[str, str]]) -> dict[str, Contact]:
    """Contacts by folded address, for (address, name that the letter gave)."""
    return {address.casefold(): contact_of(conn, address, shown) for address, shown in addresses}
