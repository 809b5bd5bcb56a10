"""The folders of a mailbox as pages name them."""

from __future__ import annotations

from typing import Final

import msgspec

from store.mail import Folder
from webmail.languages import N_
from webmail.mail.views import ARCHIVE, BIN, DRAFTS, JUNK, SENT, View
from webmail.turn import Missing, Turn

#: Use, name in addresses, title (msgid), icon.
_STANDARD: Final = (
    ("", "reception", N_("Reçus"), "inbox"),
    (SENT, "envoyes", N_("Envoyés"), "send"),
    (DRAFTS, "brouillons", N_("Brouillons"), "pencil"),
    (ARCHIVE, "archives", N_("Archives"), "archive"),
    (JUNK, "indesirables", N_("Indésirables"), "shield-alert"),
    (BIN, "corbeille", N_("Corbeille"), "trash-2"),
)


class Room(msgspec.Struct, frozen=True):
    """A folder as it is shown. ``slug`` stands in addresses; ``own``: the person made it."""

    folder_id: int
    slug: str
    title: str
    icon: str
    use: str
    own: bool
    messages: int
    unread: int

    @property
    def path(self) -> str:
        return f"/messages?dossier={self.slug}"


def rooms_of(turn: Turn, view: View) -> list[Room]:
    """The folders in the order in which they are shown: the standard ones, then his own by name."""
    standard = {one[0]: (place, one) for place, one in enumerate(_STANDARD)}
    found: list[tuple[int, str, Room]] = []
    for folder in view.folders:
        messages, unread = view.counts[folder.folder_id]
        known = standard.get(folder.special_use)
        if known is not None and (folder.special_use or folder.name == "INBOX"):
            place, (use, slug, title, icon) = known
            room = Room(folder.folder_id, slug, turn.say(title), icon, use, False, messages, unread)
            found.append((place, "", room))
        else:
            slug, title = str(folder.folder_id), folder.name.replace("/", " › ")
            room = Room(folder.folder_id, slug, title, "folder", folder.special_use, True, messages, unread)
            found.append((len(_STANDARD), title.casefold(), room))
    return [room for _, _, room in sorted(found, key=lambda one: one[:2])]


def room_named(rooms: list[Room], slug: str) -> Room:
    """:raises Missing: there is none."""
    for one in rooms:
        if one.slug == slug:
            return one
    raise Missing


def targets(rooms: list[Room], here: int = -1) -> list[Room]:
    """Where letters may be put by hand."""
    return [one for one in rooms if one.use not in (DRAFTS, SENT, BIN) and one.folder_id != here]


def own_folder(view: View, folder_id: int) -> Folder:
    """A folder that the person made. :raises Missing: there is none."""
    for one in view.folders:
        if one.folder_id == folder_id and not one.special_use and one.name != "INBOX":
            return one
    raise Missing
