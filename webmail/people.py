"""Professionals as a patient is shown them: by name, profession and place, never by a raw address.

What the annuaire says is shown as it is. A name that only the sender gave is shown as that: whoever writes
from an address that is not published may call himself what he likes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

import msgspec
from sqlalchemy import Connection

import annuaire
from webmail.languages import N_, Language, translations

UNLISTED: Final = N_("Professionnel (adresse non publiée)")
SERVICE: Final = N_("Mon espace santé (avis du service)")
PHARMACY: Final = N_("Pharmacie")
STRUCTURE: Final = N_("Structure de santé")
_LONGEST: Final = 120


class Contact(msgspec.Struct, frozen=True):
    """Who is behind a mail address. ``name`` is "" where neither annuaire nor letter gives one.

    ``key`` groups the mailboxes of one professional (IdNat_PS), or of one organisation's box. ``professions``
    are (French, English); ``place`` is the structure or service for a person, and ``town`` the town.
    ``listed``: the annuaire publishes the address; else ``name`` is what the sender calls himself.
    ``system``: notices of the service itself.
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
    speciality: str = ""
    system: bool = False

    def profession(self, language: Language = "fr") -> str:
        return self.professions[0 if language == "fr" else 1]

    def label(self, language: Language = "fr") -> str:
        """What he is called in lists; never "" and never an address."""
        if self.name:
            return self.name
        return translations(language).gettext(SERVICE if self.system else UNLISTED)

    def about(self, language: Language = "fr") -> str:
        """Profession, speciality, structure and town, as far as they are known."""
        what = self.profession(language)
        if self.organisation and not what:
            what = translations(language).gettext(PHARMACY if self.pharmacy else STRUCTURE)
        what = what[:1].upper() + what[1:]
        if self.speciality and annuaire.fold(self.speciality) not in annuaire.fold(what):
            what = f"{what}, {self.speciality}" if what else self.speciality
        return " · ".join(one for one in (what, self.place, self.town) if one)

    @property
    def domain(self) -> str:
        """Of whose operator the address is: what is known of one who is not listed."""
        return self.address.rpartition("@")[2]

    @property
    def initials(self) -> str:
        """Two letters for a round badge."""
        words = [one for one in self.name.replace("-", " ").split() if one[0].isalpha()]
        words = words[1:] if len(words) > 1 and words[0] in _TITLES else words
        return "".join(one[0] for one in (words[:1] + words[-1:] if len(words) > 1 else words[:1])).upper()

    @property
    def symbol(self) -> str:
        """The icon of the round badge where initials would say nothing; "" for a person."""
        if self.system:
            return "bell"
        if self.pharmacy:
            return "pill"
        return "building-2" if self.organisation and self.listed else "" if self.initials else "user"


_TITLES: Final = ("Dr", "Pr", "M.", "Mme")


def contact_of(
    conn: Connection, address: str, shown: str = "", ours: frozenset[str] = frozenset()
) -> Contact:
    """Who has an address; ``shown`` is the name that a letter gave, used where the annuaire knows nobody.

    :param ours: folded domains of the service itself: what comes from there are its own notices.
    """
    address = address.casefold()
    found = annuaire.mailbox(conn, address)
    if not found:
        if address.rpartition("@")[2] in ours:
            return Contact(address, "service", "", system=True)
        return Contact(address, address, given_name(shown))
    box = found[0]
    label = annuaire.profession_label(box.profession) if box.profession else ("", "")
    person = box.kind == "PER" and bool(box.id_nat)
    place, town, speciality = box.service, box.town, ""
    if person:
        speciality = ", ".join(label for _, label in annuaire.specialities(conn, box.id_nat)[:2])
        sites = {(one.structure_name, one.town) for one in annuaire.activities(conn, box.id_nat)}
        sites.discard(("", ""))
        if len(sites) == 1:  # of several places none is known to be the one that writes
            (where,) = sites
            place, town = place or where[0], town or where[1]
    return Contact(
        address,
        box.id_nat if person else address,
        box.name or given_name(shown),
        label,
        place if annuaire.fold(place) not in annuaire.fold(box.name) else "",
        town,
        not person,
        box.officine,
        True,
        speciality,
    )


def contacts_at(conn: Connection, addresses: Iterable[str]) -> list[Contact]:
    """Who has each of these addresses, in their order."""
    return [contact_of(conn, one) for one in addresses]


def given_name(shown: str) -> str:
    """A name as a sender wrote it, made fit to be shown: one line of letters in their own order.

    "" for an address: labels are never one.
    """
    if "@" in shown or "\uff20" in shown or "\ufe6b" in shown:  # the @ in its three widths
        return ""
    # Cc, Cf: controls, and what turns the direction of writing or hides between letters.
    kept = "".join(" " if one.isspace() else one for one in shown if unicodedata.category(one) not in _UNSEEN)
    return " ".join(kept.split())[:_LONGEST]


_UNSEEN: Final = ("Cc", "Cf", "Co", "Cs", "Cn")
