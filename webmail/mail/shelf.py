"""The mail of the boxes that are looked at, as lists need it, kept in memory by each process.

A shelf is filled in slices in the reading threads and brought up to date by modification sequences
(RFC 7162 §3.1): a look at a box where nothing happened costs a few rows. What is hidden from legal
representatives is asked of the store at each look; nothing here decides it.

Invariants: :class:`~webmail.mail.views.Item` and :class:`~webmail.mail.views.View` never change once made, so
a page may be drawn of one while a thread brings the shelf up to date; a shelf is changed under its lock only.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import threading
from collections import OrderedDict
from typing import Final

import msgspec
from sqlalchemy import Connection
from starlette.applications import Starlette

import annuaire
import patients
from store import Notice, Store, mail
from store.mail import Entry, Folder
from webmail.mail.views import APART, SENT, Item, View, item_of, view_of
from webmail.people import Contact, contact_of
from webmail.turn import Missing, Turn
from webmail.visit import Visit

#: Messages that one call in a reading thread opens.
SLICE: Final = 200
#: Octets of all shelves of a process, as far as they are counted.
MEMORY: Final = 96 * 1024 * 1024
_ENTRY: Final = 450
_ROUNDS: Final = 1_000


class _Place(msgspec.Struct):
    """What the shelf knows of a folder: its state, and the messages of its entries by uid."""

    uidvalidity: int
    modseq: int
    entries: dict[int, int]


class Look(msgspec.Struct):
    """One look at a box: the view when it is up to date, else what is still to be opened."""

    view: View | None
    messages: list[int]
    contacts: list[str]


class Shelf:
    """The mail of one box. Every method runs in a reading thread."""

    def __init__(self, store: Store, box_id: int, ours: frozenset[str]) -> None:
        self.box_id = box_id
        self.weight = 0
        self.looked_at = False
        self.filling: asyncio.Task[None] | None = None
        self._store = store
        self._ours = ours
        self._lock = threading.Lock()
        self._own = ""
        self._places: dict[int, _Place] = {}
        self._shown_in: dict[int, dict[tuple[int, int], Entry]] = {}  # message → (folder, uid) → entry
        self._items: dict[int, Item] = {}
        self._addresses: set[str] = set()
        self._contacts: dict[str, Contact] = {}
        self._stamp: tuple[tuple[str, int], ...] = ()
        self._changed: set[int] = set()
        self._views: OrderedDict[tuple[object, ...], View] = OrderedDict()

    def look(self, conn: Connection, own: bool) -> Look:
        """The view of who is there, ``own`` for the patient himself; or what :meth:`fill` should open.

        :raises Missing: the box is closed or gone.
        """
        box = mail.box_by_id(conn, self.box_id)
        if box is None or box.state != "open":
            raise Missing
        secrets = frozenset() if own else patients.secrets_of(conn, self.box_id).messages
        folders = mail.folders(conn, self.box_id)
        stamp = annuaire.in_use(conn)
        with self._lock:
            self._own = box.address
            self._follow(conn, folders)
            if stamp != self._stamp:
                self._contacts, self._stamp = {}, stamp
                self._views.clear()
            if len(self._items) != len(self._shown_in):  # items are among those that are shown
                missing = [one for one in self._shown_in if one not in self._items]
                return Look(None, sorted(missing, reverse=True), [])
            self._apply()
            unknown = [one for one in self._addresses if one not in self._contacts]
            if unknown:
                return Look(None, [], unknown)
            marks = tuple((one.folder_id, one.name, one.special_use) for one in folders)
            key = (secrets, marks)
            view = self._views.get(key)
            if view is None:
                key_of = self._path_key()
                items = [one for one in self._items.values() if one.sha256 not in secrets]
                view = view_of(items, folders, self._contacts, lambda address: path_of(key_of, address))
                self._views[key] = view
                while len(self._views) > 2:  # the patient's, and his representatives'
                    self._views.popitem(last=False)
            return Look(view, [], [])

    def fill(self, conn: Connection, look: Look) -> None:
        """Open a slice of what is missing."""
        wanted = look.messages[:SLICE]
        if wanted:
            found = self._store.messages(conn, self.box_id, wanted)
            made = [item_of(one, self._own) for one in found.values()]
            with self._lock:
                for gone in set(wanted) - found.keys():
                    self._forget(gone)
                for one in made:
                    if one.message_id in self._shown_in and one.message_id not in self._items:
                        self._items[one.message_id] = one
                        self._changed.add(one.message_id)
                        self.weight += one.weight
                        self._addresses.update(address for address, _ in one.people)
            del look.messages[:SLICE]
        contacts = look.contacts[:SLICE]
        if contacts:
            known = {one: contact_of(conn, one, "", self._ours) for one in contacts}
            with self._lock:
                self._contacts.update(known)
            del look.contacts[:SLICE]

    # -- under the lock

    def _follow(self, conn: Connection, folders: list[Folder]) -> None:
        """Take over what happened in the folders since."""
        there = {one.folder_id: one for one in folders}
        for folder_id in [one for one in self._places if one not in there]:
            self._drop(folder_id)
        for folder in folders:
            place = self._places.get(folder.folder_id)
            if place is not None and place.uidvalidity != folder.uidvalidity:
                self._drop(folder.folder_id)
                place = None
            if place is None:
                place = self._places[folder.folder_id] = _Place(folder.uidvalidity, 0, {})
            if place.modseq == folder.highestmodseq:
                continue
            for entry in mail.entries(conn, self.box_id, folder.folder_id, place.modseq):
                self._put(folder.folder_id, place, entry)
            if place.modseq:
                for uid in mail.expunged_since(conn, self.box_id, folder.folder_id, place.modseq):
                    self._take(folder.folder_id, place, uid)
            place.modseq = folder.highestmodseq

    def _put(self, folder_id: int, place: _Place, entry: Entry) -> None:
        if entry.uid not in place.entries:
            self.weight += _ENTRY
        place.entries[entry.uid] = entry.message_id
        self._shown_in.setdefault(entry.message_id, {})[folder_id, entry.uid] = entry
        self._changed.add(entry.message_id)

    def _take(self, folder_id: int, place: _Place, uid: int) -> None:
        message_id = place.entries.pop(uid, None)
        if message_id is None:
            return
        self.weight -= _ENTRY
        shown = self._shown_in.get(message_id, {})
        shown.pop((folder_id, uid), None)
        if not shown:
            self._forget(message_id)
        self._changed.add(message_id)

    def _drop(self, folder_id: int) -> None:
        place = self._places[folder_id]
        for uid in list(place.entries):
            self._take(folder_id, place, uid)
        del self._places[folder_id]

    def _forget(self, message_id: int) -> None:
        self._shown_in.pop(message_id, None)
        gone = self._items.pop(message_id, None)
        if gone is not None:
            self.weight -= gone.weight
            self._changed.add(message_id)

    def _apply(self) -> None:
        """Give the items that changed their new places."""
        if not self._changed:
            return
        for message_id in self._changed:
            item = self._items.get(message_id)
            if item is not None:
                shown = self._shown_in[message_id]
                places = tuple((place[0], place[1], shown[place].flags) for place in sorted(shown))
                at = min(one.internal_date for one in shown.values())
                self._items[message_id] = item.put(places, at)
        self._changed.clear()
        self._views.clear()

    def _path_key(self) -> bytes:
        return path_key(self._store, self.box_id)


class Shelves:
    """The shelves of one store in one process; the longest unused goes first when memory is short."""

    def __init__(self, store: Store, ours: frozenset[str], memory: int = MEMORY) -> None:
        self._store = store
        self._ours = ours
        self._memory = memory
        self._held: OrderedDict[int, Shelf] = OrderedDict()
        self._checks: set[asyncio.Task[None]] = set()
        self._unsubscribe = store.subscribe(self._hear)

    def close(self) -> None:
        """Hear of changes no more, and forget everything."""
        self._unsubscribe()
        self._held.clear()

    @property
    def filled(self) -> set[int]:
        """Whose shelves were looked at, so that another look costs little."""
        return {box_id for box_id, one in self._held.items() if one.looked_at}

    @property
    def boxes(self) -> list[int]:
        """Whose shelves are held, longest unused first."""
        return list(self._held)

    async def view(self, box_id: int, own: bool) -> View:
        """The mail of a box as it is now. :raises Missing: the box is closed or gone."""
        for _ in range(_ROUNDS):
            shelf = self._held.get(box_id)
            if shelf is None:
                shelf = self._held[box_id] = Shelf(self._store, box_id, self._ours)
            self._held.move_to_end(box_id)
            try:
                look = await self._store.aread(shelf.look, own)
            except Missing:
                self.drop(box_id)
                raise
            if look.view is not None:
                shelf.looked_at = True
                self._make_room(box_id)
                return look.view
            await self._fill(shelf, look)
        raise Missing  # a box that changes faster than it can be read

    def drop(self, box_id: int) -> None:
        """Forget a box at once."""
        self._held.pop(box_id, None)

    async def _fill(self, shelf: Shelf, look: Look) -> None:
        """Open what is missing, once for all who wait for it."""
        if shelf.filling is None or shelf.filling.done():
            shelf.filling = asyncio.create_task(self._slices(shelf, look))
        await asyncio.shield(shelf.filling)

    async def _slices(self, shelf: Shelf, look: Look) -> None:
        # A trip for each slice: other readers of the store come between.
        while (look.messages or look.contacts) and self._held.get(shelf.box_id) is shelf:
            await self._store.aread(shelf.fill, look)

    def _make_room(self, box_id: int) -> None:
        total = sum(one.weight for one in self._held.values())
        while total > self._memory and len(self._held) > 1:
            oldest = next(iter(self._held))
            if oldest == box_id:
                break
            total -= self._held.pop(oldest).weight

    def _hear(self, notice: Notice) -> None:
        """A box was closed or opened, or its folders or what is hidden in it changed: see whether it is."""
        if notice.folder_id == 0 and notice.box_id in self._held:
            check = asyncio.get_running_loop().create_task(self._check(notice.box_id))
            self._checks.add(check)
            check.add_done_callback(self._checks.discard)

    async def _check(self, box_id: int) -> None:
        box = await self._store.aread(mail.box_by_id, box_id)
        if box is None or box.state != "open":
            self.drop(box_id)


def shelves_of(turn: Turn) -> Shelves:
    """The shelves of the store that this turn is about (a guest has a store of his own)."""
    state = turn.request.app.state
    held: dict[Store, Shelves] | None = getattr(state, "shelves", None)
    if held is None:
        held = state.shelves = {}
    found = held.get(turn.store)
    if found is None:
        found = held[turn.store] = Shelves(turn.store, ours_of(turn))
    return found


def ours_of(turn: Turn) -> frozenset[str]:
    """The domains of this gateway: who writes from one is the service itself, or another patient."""
    wants = turn.kit.wants
    return frozenset((wants.hostname.casefold(), wants.patient_domain.casefold()))


def close(app: Starlette) -> None:
    """Forget the shelves of an application, and hear of changes no more."""
    held: dict[Store, Shelves] = getattr(app.state, "shelves", {})
    while held:
        held.popitem()[1].close()


async def view_for(turn: Turn) -> View:
    """The mail of the space that is shown, as who is there may see it."""
    return await shelves_of(turn).view(turn.visit.box_id, turn.visit.own)


async def unread(turn: Turn) -> int:
    """How many letters were not read, the bin and undesired mail left out.

    Every page asks; a box whose shelf is not there yet is counted without filling it.
    """
    shelves, visit = shelves_of(turn), turn.visit
    if visit.box_id in shelves.filled:
        return (await shelves.view(visit.box_id, visit.own)).unread
    return await turn.read(_count_unread, visit)


def _count_unread(conn: Connection, visit: Visit) -> int:
    ids: set[int] = set()
    for folder in mail.folders(conn, visit.box_id):
        if folder.special_use not in (*APART, SENT):
            ids.update(mail.unseen(conn, visit.box_id, folder.folder_id))
    if ids and not visit.own:
        ids -= patients.hidden_messages(conn, visit.box_id, ids)
    return len(ids)


def path_key(store: Store, box_id: int) -> bytes:
    """What the paths of a box's conversations are made with; blocking the first time."""
    return hmac.digest(store.box_key(box_id), b"conversations", "sha256")


def path_of(key: bytes, address: str) -> str:
    """The last part of a conversation's path: tells nothing of whose it is, and stays the same."""
    made = hmac.digest(key, address.casefold().encode("utf-8", "replace"), "sha256")[:15]
    return base64.urlsafe_b64encode(made).decode()


def conversation_path(visit: Visit, address: str) -> str:
    """Where the letters with who has an address are shown. Blocking the first time for a box."""
    return f"/messages/conversation/{path_of(path_key(visit.store, visit.box_id), address)}"
