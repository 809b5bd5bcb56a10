"""An item as it is kept: its versions, who wrote it, from whom it is hidden."""

from __future__ import annotations

from typing import Literal

import msgspec

from activity import Actor, By
from dossier.health.items import Item, Section

State = Literal["current", "ended", "removed", "replaced"]
#: What is known of a section: nobody said anything, "I have none", or what is listed.
Filled = Literal["not_filled", "none_known", "listed"]


class Author(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who wrote a version, as proven when he did; names as they were then."""

    by: By
    ident: str
    name: str = ""
    profession: str = ""
    structure: str = ""
    organisation: str = ""


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is sealed of a version. ``added_by`` is who wrote the first one, ``by`` this one; ``reason`` why
    it was removed, in words; ``hidden``: from legal representatives."""

    item: Item
    added_by: Author
    by: Author
    hidden: bool = False
    reason: str = ""


class ProfileItem(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an item, opened. ``added_at`` is when the first version was written, ``at`` this one
    (ms)."""

    box_id: int
    item_id: int
    version: int
    section: Section
    state: State
    added_at: int
    at: int
    item: Item
    added_by: Author
    by: Author
    hidden: bool = False
    reason: str = ""

    @property
    def proven(self) -> bool:
        """Whether a professional who proved who he is wrote it."""
        return self.added_by.by == "professional"


class HealthProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The profile as one reader sees it: the sections that he may read, what is known of each, and its
    items: what stands first, then what is over, oldest first within."""

    filled: dict[Section, Filled]
    items: list[ProfileItem]

    def of(self, section: Section) -> list[ProfileItem]:
        """The items of a section."""
        return [one for one in self.items if one.section == section]


def author(actor: Actor) -> Author:
    """Who acts, as it is kept with what he writes."""
    return Author(
        by=actor.by,
        ident=actor.ident,
        name=actor.name,
        profession=actor.profession,
        structure=actor.structure,
        organisation=actor.organisation,
    )
