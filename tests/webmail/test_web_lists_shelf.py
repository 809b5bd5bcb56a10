"""The shelf against a naive reading of the store, under random mail operations; search, names, undoing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

import gateway.rooms  # noqa: F401  # every operation and table
from gateway.message import Indexer, MessageMeta, encode_meta
from store import NotFoundError, Store, mail
from store.mail import DELETED, FLAGGED, SEEN
from webmail.mail import search
from webmail.mail.search import text_of_html, words_of
from webmail.mail.shelf import Shelves, path_key, path_of
from webmail.mail.views import APART, Item, View, searched
from webmail.paging import page_of
from webmail.people import Contact, contact_of, given_name
from webmail.turn import Missing

OWN = "moi@patient.example"
SENDERS = ("un@a.example", "deux@b.example", "trois@b.example")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home") as opened:
        yield opened


def box(store: Store, address: str = OWN) -> int:
    return store.create_box(address=address, kind="patient", owner="x")


def put(store: Store, box_id: int, number: int, *, sent: bool = False, folder_id: int = mail.INBOX_ID) -> int:
    """A letter from (or to) one of :data:`SENDERS`."""
    other = SENDERS[number % len(SENDERS)]
    first, second = (OWN, other) if sent else (other, OWN)
    raw = (
        f"From: Nom {number} <{first}>\r\nTo: <{second}>\r\nSubject: Objet {number}\r\n"
        f"Message-ID: <{number}@a.example>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0100\r\n\r\nTexte {number}\r\n"
    ).encode()
    indexer = Indexer()
    indexer.feed(raw)
    spool = store.spool()
    spool.write(raw)
    new = store.new_message(box_id, spool, encode_meta(MessageMeta(b"", indexer.close())))
    store.write(
        mail.append, box_id=box_id, folder_id=folder_id, message=new, internal_date=1_700_000_000_000 + number
    )
    return new.message_id


def naive(store: Store, box_id: int) -> dict[int, set[tuple[int, int, int]]]:
    """message → (folder, uid, flags), read from the start."""
    found: dict[int, set[tuple[int, int, int]]] = {}
    for folder in store.read(mail.folders, box_id):
        for one in store.read(mail.entries, box_id, folder.folder_id):
            found.setdefault(one.message_id, set()).add((folder.folder_id, one.uid, one.flags))
    return found


def check(store: Store, box_id: int, view: View) -> None:
    model = naive(store, box_id)
    assert {one.message_id: set(one.places) for one in view.items} == model
    assert [one.at for one in view.items] == sorted((one.at for one in view.items), reverse=True)
    apart = {one.folder_id for one in view.folders if one.special_use in APART}
    shown = {key for key, places in model.items() if {place[0] for place in places} - apart}
    items = {one.message_id: one for one in view.items}
    assert view.unread == sum(not items[key].seen for key in shown)
    talked = {(one.contact.key, item.message_id) for one in view.conversations for item in one.items}
    assert talked == {(address, key) for key in shown for address, _ in items[key].people}
    for folder in view.folders:
        inside = [key for key, places in model.items() if folder.folder_id in {one[0] for one in places}]
        assert view.counts[folder.folder_id][0] == len(inside)
        assert {one.message_id for one in view.inside(folder.folder_id)} == set(inside)


@pytest.mark.parametrize("seed", range(4))
async def test_the_shelf_is_what_is_in_the_store(store: Store, seed: int) -> None:
    chosen = random.Random(seed)
    box_id = box(store)
    shelves = Shelves(store, frozenset())
    own: list[int] = []
    for step in range(60):
        folders = [one.folder_id for one in store.read(mail.folders, box_id)]
        folder_id = chosen.choice(folders)
        uids = [one.uid for one in store.read(mail.entries, box_id, folder_id)]
        some = chosen.sample(uids, min(len(uids), chosen.randint(1, 3)))
        place: dict[str, Any] = {"box_id": box_id, "folder_id": folder_id}
        match chosen.choice(["put", "put", "flags", "expunge", "copy", "move", "whole", "folder"]):
            case "put":
                put(store, box_id, step, sent=chosen.random() < 0.3, folder_id=folder_id)
            case "flags":
                flags = chosen.choice([SEEN, FLAGGED, DELETED])
                mode = chosen.choice(["add", "remove"])
                store.write(mail.change_flags, **place, uids=some, mode=mode, flags=flags)
            case "expunge":
                store.write(mail.expunge, **place)
            case "copy":
                store.write(mail.copy, **place, uids=some, target_id=chosen.choice(folders))
            case "move":
                store.write(mail.move, **place, uids=some, target_id=chosen.choice(folders))
            case "whole":
                known = list(naive(store, box_id))
                ids = chosen.sample(known, min(len(known), 3))
                target = chosen.choice(folders)
                store.write(mail.move_messages, box_id=box_id, message_ids=ids, target_id=target)
                assert all({one[0] for one in naive(store, box_id)[key]} == {target} for key in ids)
            case "folder":
                if own and chosen.random() < 0.5:
                    store.write(mail.delete_folder, box_id=box_id, folder_id=own.pop())
                else:
                    made = store.write(mail.create_folder, box_id=box_id, name=f"Dossier {step}")
                    own.append(made.folder_id)
        if chosen.random() < 0.6:
            check(store, box_id, await shelves.view(box_id, True))
    check(store, box_id, await shelves.view(box_id, True))
    shelf = shelves._held[box_id]
    fresh = Shelves(store, frozenset())
    await fresh.view(box_id, True)
    assert shelf.weight == fresh._held[box_id].weight  # nothing is counted that is gone
    shelves.close()
    fresh.close()


async def test_a_closed_box_has_no_shelf(store: Store) -> None:
    box_id, other = box(store), box(store, "autre@patient.example")
    put(store, box_id, 1)
    shelves = Shelves(store, frozenset())
    await shelves.view(box_id, True)
    await shelves.view(other, True)
    await store.awrite(mail.set_box_state, box_id=box_id, state="closed")
    for _ in range(100):
        if shelves.boxes == [other]:
            break
        await asyncio.sleep(0.02)
    assert shelves.boxes == [other]
    with pytest.raises(Missing):
        await shelves.view(box_id, True)
    assert shelves.boxes == [other]
    shelves.close()


async def test_memory_is_bounded(store: Store) -> None:
    ids = [box(store, f"{number}@patient.example") for number in range(3)]
    for box_id in ids:
        for number in range(10):
            put(store, box_id, number)
    shelves = Shelves(store, frozenset(), memory=25_000)
    for box_id in ids:
        await shelves.view(box_id, True)
    assert shelves.boxes == ids[1:]  # the longest unused went
    await shelves.view(ids[0], True)
    assert shelves.boxes == [ids[2], ids[0]]
    shelves.close()


async def test_one_filling_for_all_who_wait(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    box_id = box(store)
    for number in range(30):
        put(store, box_id, number)
    opened: list[int] = []
    messages = store.messages

    def counted(conn: Connection, box_id: int, ids: list[int]) -> dict[int, mail.StoredMessage]:
        opened.extend(ids)
        return messages(conn, box_id, ids)

    monkeypatch.setattr(store, "messages", counted)
    shelves = Shelves(store, frozenset())
    views = await asyncio.gather(*(shelves.view(box_id, True) for _ in range(5)))
    assert len(opened) == 30
    assert all(one is views[0] for one in views)
    shelves.close()


def test_undoing_takes_back_what_nobody_touched(store: Store) -> None:
    box_id = box(store)
    ids = [put(store, box_id, number) for number in range(4)]
    bin_ = store.read(mail.special_folder, box_id, "\\Trash")
    assert bin_ is not None
    (shift,) = store.write(mail.move_messages, box_id=box_id, message_ids=ids, target_id=bin_.folder_id)
    assert (shift.folder_id, shift.count) == (mail.INBOX_ID, 4)
    touched = store.read(mail.entries, box_id, bin_.folder_id)[0].uid
    place: dict[str, Any] = {"box_id": box_id, "folder_id": bin_.folder_id}
    store.write(mail.change_flags, **place, uids=[touched], mode="add", flags=FLAGGED)
    back = store.write(mail.move_back, **place, modseq=shift.modseq, target_id=mail.INBOX_ID)
    assert back == 3
    assert [one.uid for one in store.read(mail.entries, box_id, bin_.folder_id)] == [touched]
    with pytest.raises(NotFoundError):
        store.write(mail.mark_messages, box_id=box_id, message_ids=[ids[1], 5], mode="add", flags=SEEN)
    assert not any(one.flags & SEEN for one in store.read(mail.entries, box_id, mail.INBOX_ID))
    other = box(store, "autre@patient.example")
    with pytest.raises(NotFoundError):
        store.write(mail.move_messages, box_id=other, message_ids=ids[:1], target_id=mail.INBOX_ID)


def test_a_message_in_two_folders_is_one_message(store: Store) -> None:
    box_id = box(store)
    message = put(store, box_id, 1)
    store.write(mail.copy, box_id=box_id, folder_id=mail.INBOX_ID, uids=[1], target_id=4)
    store.write(mail.move_messages, box_id=box_id, message_ids=[message], target_id=6)
    assert {place[0] for place in naive(store, box_id)[message]} == {6}
    store.write(mail.remove_messages, box_id=box_id, folder_id=6, message_ids=[message])
    assert naive(store, box_id) == {}
    held = store.read(mail.box_by_id, box_id)
    assert held is not None
    assert held.used == 0


async def test_paths_are_keyed_by_the_box(store: Store) -> None:
    first, second = box(store), box(store, "autre@patient.example")
    keys = [path_key(store, one) for one in (first, second)]
    assert path_of(keys[0], SENDERS[0]) != path_of(keys[1], SENDERS[0])
    assert path_of(keys[0], SENDERS[0].upper()) == path_of(keys[0], SENDERS[0])
    put(store, first, 0)
    view = await (shelves := Shelves(store, frozenset())).view(first, True)
    assert view.conversations[0].path.endswith(path_of(keys[0], SENDERS[0]))
    shelves.close()


# -- names


@given(st.text())
def test_a_given_name_is_one_line_without_tricks(text: str) -> None:
    name = given_name(text)
    assert "@" not in name
    assert "\n" not in name
    assert not any(one in name for one in "\u202e\u2066\u200b\u200f\x00\x1b")
    assert given_name(name) == name


def test_who_is_not_listed_is_not_taken_for_who_is(store: Store) -> None:
    found = store.read(contact_of, "Inconnu@Service.example", "Dr Camille EXEMPLE")
    assert (found.listed, found.name, found.key) == (False, "Dr Camille EXEMPLE", "inconnu@service.example")
    assert found.about() == ""
    assert (
        store.read(contact_of, "a@b.example", "a@b.example").label() == "Professionnel (adresse non publiée)"
    )
    assert "@" not in store.read(contact_of, "a@b.example", "dr＠b.example").label()
    ours = frozenset({"patient.example"})
    notice = store.read(contact_of, "ne-pas@patient.example", "Dr Camille EXEMPLE", ours)
    assert notice.system
    assert "EXEMPLE" not in notice.label()


# -- search


@given(st.text(alphabet="éÉèàçÇœŒæ’'aBc dE\u0301", max_size=30))
def test_searching_folds(text: str) -> None:
    folded = searched(text)
    assert searched(folded) == folded
    assert searched(text.upper()) == folded
    assert folded.isascii()


def test_ligatures_and_accents() -> None:
    assert searched("Œdème  Élevé d’Hélène") == "oedeme eleve d'helene"
    assert words_of("  É lan É ") == ["e", "lan"]


@given(st.text(alphabet="<>/abstyle script\"'&;= \n", max_size=200))
def test_text_of_html_never_fails(text: str) -> None:
    assert isinstance(text_of_html(text), str)


def test_text_of_html() -> None:
    page = "<style>.rouge{}</style><p>Prise de <b>sang</b> &agrave; jeun</p><script>alert('x')</script> 3 < 4"
    assert " ".join(text_of_html(page).split()) == "Prise de sang à jeun 3 4" or "jeun 3" in text_of_html(
        page
    )
    assert "rouge" not in text_of_html(page)
    assert "alert" not in text_of_html(page)


def _view(items: list[Item], contacts: dict[str, Contact]) -> View:
    return View(items, [], contacts, [], {}, {}, 0, {})


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.text("ab é", max_size=6), st.integers(0, 2)), max_size=8),
    st.text("abe ", max_size=4),
)
def test_lists_are_searched_as_one_would(rows: list[tuple[str, int]], asked: str) -> None:
    names = ("abé", "", "b a")
    contacts = {str(place): Contact(str(place), str(place), name) for place, name in enumerate(names)}
    items = [
        Item(number, number, 1, b"", text, False, ((str(who), ""),), (), "", searched(text))
        for number, (text, who) in enumerate(rows)
    ]
    wanted = words_of(asked)
    if not wanted:
        return
    expected = [
        number
        for number, (text, who) in enumerate(rows)
        if all(word in searched(text) or word in searched(names[who]) for word in wanted)
    ]
    assert [one.message_id for one in search.by_lists(_view(items, contacts), wanted)] == expected


def test_text_is_searched_in_slices(store: Store) -> None:
    box_id = box(store)
    ids = [put(store, box_id, number) for number in range(5)]
    items = [Item(one, 0, 1, b"", "", False, (), (), "", "") for one in ids]
    found, done = store.read(search.by_text, store, box_id, items, _view(items, {}), ["texte", "3"])
    assert done == 5
    assert [one.message_id for one in found] == [ids[3]]


def test_pages() -> None:
    assert page_of(list(range(95)), 3, 40) == (list(range(80, 95)), 3, 3)
    assert page_of(list(range(95)), 99, 40)[1] == 3
    assert page_of([], 0, 40) == ([], 1, 1)
