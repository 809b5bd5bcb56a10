"""What is asked of a list by its address: read, judged, and written back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final, Literal
from urllib.parse import urlencode

import msgspec

from dossier import Order, Wanted
from webmail.formats import midnight
from webmail.languages import N_
from webmail.record.wording import OF_SLUG

#: Which versions are listed.
Versions = Literal["", "anciennes", "toutes"]
ORDERS: Final[dict[str, Order]] = {"": "newest", "depot": "filed", "titre": "title", "auteur": "author"}
_LONGEST: Final = 200
BAD_DAY: Final = N_("Cette date n'est pas comprise : écrivez par exemple 2026-03-15.")
BAD_PERIOD: Final = N_("La fin de la période est avant son début.")


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """The list that is wanted, as typed. ``errors``: a sentence (msgid) by field."""

    heading: str = ""  # a slug
    first: str = ""
    last: str = ""
    author: str = ""
    text: str = ""
    versions: Versions = ""
    order: str = ""
    page: int = 1
    errors: dict[str, str] = {}

    @property
    def wanted(self) -> Wanted:
        """The same as the room is asked; days that were not understood do not count."""
        return Wanted(
            category=OF_SLUG.get(self.heading, ""),
            author=self.author,
            text=self.text,
            since=begin(self.first) if "du" not in self.errors else None,
            until=begin(self.last, after=1) if "au" not in self.errors else None,
            status={"": "approved", "anciennes": "deprecated", "toutes": ""}[self.versions],  # type: ignore[arg-type]  # three of them
        )

    @property
    def narrowed(self) -> int:
        """How many filters besides the heading and the order are set."""
        return sum(bool(one) for one in (self.first or self.last, self.author, self.text, self.versions))

    def path(self, **changes: str) -> str:
        """The address of the list with other filters; another list begins at its first page."""
        named = {
            "rubrique": self.heading,
            "du": self.first,
            "au": self.last,
            "auteur": self.author,
            "texte": self.text,
            "versions": self.versions,
            "ordre": self.order,
            **changes,
        }
        query = urlencode({name: value for name, value in named.items() if value})
        return f"/documents?{query}" if query else "/documents"

    @property
    def base(self) -> str:
        """What page numbers are appended to."""
        path = self.path()
        return f"{path}{'&' if '?' in path else '?'}page="


def read(query: Mapping[str, str]) -> Filters:
    """The filters of an address; what is not known is not there."""

    def given(name: str) -> str:
        return " ".join(query.get(name, "").split())[:_LONGEST]

    heading, order, versions = given("rubrique"), given("ordre"), given("versions")
    first, last, page = given("du"), given("au"), given("page")
    errors = {name: BAD_DAY for name, value in (("du", first), ("au", last)) if value and not _day(value)}
    if first and last and not errors and (_day(first) or date.min) > (_day(last) or date.max):
        errors["au"] = BAD_PERIOD
    return Filters(
        heading=heading if heading in OF_SLUG else "",
        first=first,
        last=last,
        author=given("auteur"),
        text=given("texte"),
        versions="anciennes" if versions == "anciennes" else "toutes" if versions == "toutes" else "",
        order=order if order in ORDERS else "",
        page=int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 7 and int(page) else 1,
        errors=errors,
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def begin(text: str, after: int = 0) -> int | None:
    """The beginning (ms) of a day in Paris, or of the one ``after`` days later; None for none, or no day."""
    day = _day(text)
    if day is None:
        return None
    try:
        return midnight(day + timedelta(days=after))
    except (OverflowError, ValueError):
        return None
