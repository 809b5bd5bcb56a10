"""Boxes, folders and entries, on both databases."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store import NotFoundError, Notice, PasserelleError, Store, mail
from store.bodies import FRAME


def put(
    store: Store, box_id: int, body: bytes = b"a\r\n\r\nb\r\n", *, folder_id: int = mail.INBOX_ID
) -> mail.NewMessage:
    spool = store.spool()
    spool.write(body)
    message = store.new_message(box_id, spool, b"meta" * 300)
    store.write(mail.append, box_id=box_id, folder_id=folder_id, message=message)
    return message


def read_back(store: Store, box_id: int, message_id: int) -> bytes:
    found = store.read(lambda conn: store.messages(conn, box_id, [message_id]))[message_id]
    assert found.meta == b"meta" * 300
    return b"".join(store.open_body(found).chunks())


@pytest.fixture
def box_id(store: Store) -> int:
    return store.create_box(address="Someone@Example.test", kind="patient", owner="1")


def test_a_box_has_its_standard_folders(store: Store, box_id: int) -> None:
    folders = {folder.name: folder.special_use for folder in store.read(mail.folders, box_id)}
    assert folders == dict(mail.STANDARD_FOLDERS)
    assert store.read(mail.box_by_address, "SOMEONE@example.TEST") == store.read(mail.box_by_id, box_id)


def test_an_address_is_given_once(store: Store, box_id: int) -> None:
    with pytest.raises(PasserelleError) as caught:
        store.create_box(address="someone@example.test", kind="patient", owner="2")
    assert caught.value.rule == "mailbox.exists"


@pytest.mark.parametrize("size", [0, 1, 511, 513, FRAME - 1, FRAME, FRAME + 1, 5 * FRAME + 17])
@pytest.mark.parametrize("kind", ["text", "noise"])
def test_bodies_come_back_byte_for_byte(store: Store, box_id: int, size: int, kind: str) -> None:
    body = os.urandom(size) if kind == "noise" else (b"patient,\r\n" * (size // 10 + 1))[:size]
    message = put(store, box_id, body)
    assert read_back(store, box_id, message.message_id) == body
    found = store.read(lambda conn: store.messages(conn, box_id, [message.message_id]))[message.message_id]
    reader = store.open_body(found)
    for start, length in [(0, 10), (size // 2, 100), (max(size - 5, 0), 100), (FRAME - 3, 6), (size, 5)]:
        assert reader.read(start, length) == body[start : start + length]


def test_uids_grow_and_modseq_grows(store: Store, box_id: int) -> None:
    for _ in range(3):
        put(store, box_id)
    entries = store.read(mail.entries, box_id, mail.INBOX_ID)
    assert [entry.uid for entry in entries] == [1, 2, 3]
    assert sorted({entry.modseq for entry in entries}) == [entry.modseq for entry in entries]
    folder = store.read(mail.folder_by_id, box_id, mail.INBOX_ID)
    assert folder is not None
    assert (folder.uidnext, folder.highestmodseq) == (4, entries[-1].modseq)


def test_flags_by_mode_and_unchanged_since(store: Store, box_id: int) -> None:
    put(store, box_id)
    before = store.read(mail.entries, box_id, 1)[0].modseq
    change = {"box_id": box_id, "folder_id": 1, "uids": [1, 9]}
    added = store.write(mail.change_flags, **change, mode="add", flags=mail.SEEN, keywords="$Forwarded b")
    assert (added.changed[0].flags, added.changed[0].keywords, added.missing) == (1, "$Forwarded b", [9])
    stale = store.write(mail.change_flags, **change, mode="set", flags=0, unchanged_since=before)
    assert (stale.changed, stale.modified) == ([], [1])
    same = store.write(mail.change_flags, **change, mode="add", flags=mail.SEEN, keywords="$FORWARDED")
    assert same.changed[0].modseq == added.changed[0].modseq
    removed = store.write(mail.change_flags, **change, mode="remove", flags=mail.SEEN, keywords="$forwarded")
    assert (removed.changed[0].flags, removed.changed[0].keywords) == (0, "b")


def test_copy_move_and_expunge_keep_the_message_until_its_last_entry(store: Store, box_id: int) -> None:
    message = put(store, box_id, b"x" * 1000)
    copied = store.write(mail.copy, box_id=box_id, folder_id=1, uids=[1], target_id=4)
    assert (copied.source, copied.target) == ([1], [1])
    moved = store.write(mail.move, box_id=box_id, folder_id=4, uids=[1], target_id=6)
    assert store.read(mail.expunged_since, box_id, 4, moved.modseq - 1) == [1]
    for folder_id in (1, 6):
        uid = store.read(mail.entries, box_id, folder_id)[0].uid
        assert read_back(store, box_id, message.message_id) == b"x" * 1000
        store.write(
            mail.change_flags, box_id=box_id, folder_id=folder_id, uids=[uid], mode="add", flags=mail.DELETED
        )
        store.write(mail.expunge, box_id=box_id, folder_id=folder_id)
    assert store.read(lambda conn: store.messages(conn, box_id, [message.message_id])) == {}
    box = store.read(mail.box_by_id, box_id)
    assert box is not None
    assert box.used == 0


def test_expunge_takes_only_what_is_marked(store: Store, box_id: int) -> None:
    for _ in range(3):
        put(store, box_id)
    store.write(mail.change_flags, box_id=box_id, folder_id=1, uids=[1, 3], mode="add", flags=mail.DELETED)
    assert store.write(mail.expunge, box_id=box_id, folder_id=1, uids=[2, 3]).uids == [3]
    assert store.write(mail.expunge, box_id=box_id, folder_id=1).uids == [1]
    assert [entry.uid for entry in store.read(mail.entries, box_id, 1)] == [2]


def test_a_full_or_closed_box_takes_nothing(store: Store) -> None:
    small = store.create_box(address="small@example.test", kind="patient", owner="3", quota=100)
    put(store, small, b"x" * 90)
    with pytest.raises(PasserelleError) as full:
        put(store, small, b"x" * 90)
    assert (full.value.rule, full.value.code, full.value.enhanced) == ("mailbox.quota", 452, "4.2.2")
    store.write(mail.set_box_state, box_id=small, state="closed")
    with pytest.raises(PasserelleError) as closed:
        put(store, small, b"x")
    assert closed.value.rule == "mailbox.closed"
    assert len(store.read(mail.entries, small, 1)) == 1


def test_a_destroyed_key_makes_the_box_unreadable(store: Store, box_id: int) -> None:
    message = put(store, box_id)
    store.write(mail.destroy_box_key, box_id=box_id)
    with pytest.raises(PasserelleError) as caught:
        read_back(store, box_id, message.message_id)
    assert caught.value.rule == "store.key"


def test_folders_are_made_renamed_and_deleted(store: Store, box_id: int) -> None:
    made = store.write(mail.create_folder, box_id=box_id, name="Suivi/2026/Été")
    names = {folder.name for folder in store.read(mail.folders, box_id)}
    assert {"Suivi", "Suivi/2026", "Suivi/2026/Été"} <= names
    top = store.read(mail.folder_by_name, box_id, "Suivi")
    assert top is not None
    store.write(mail.rename_folder, box_id=box_id, folder_id=top.folder_id, name="Dossier/Suivi")
    moved = store.read(mail.folder_by_id, box_id, made.folder_id)
    assert moved is not None
    assert moved.name == "Dossier/Suivi/2026/Été"
    with pytest.raises(PasserelleError):
        store.write(mail.delete_folder, box_id=box_id, folder_id=top.folder_id)
    put(store, box_id, folder_id=made.folder_id)
    store.write(mail.delete_folder, box_id=box_id, folder_id=made.folder_id)
    again = store.write(mail.create_folder, box_id=box_id, name="Dossier/Suivi/2026/Été")
    assert again.uidvalidity > made.uidvalidity
    with pytest.raises(PasserelleError):
        store.write(mail.delete_folder, box_id=box_id, folder_id=mail.INBOX_ID)


def test_renaming_inbox_moves_its_messages(store: Store, box_id: int) -> None:
    put(store, box_id)
    store.write(mail.rename_folder, box_id=box_id, folder_id=mail.INBOX_ID, name="Ancien")
    target = store.read(mail.folder_by_name, box_id, "Ancien")
    assert target is not None
    assert store.read(mail.entries, box_id, mail.INBOX_ID) == []
    assert len(store.read(mail.entries, box_id, target.folder_id)) == 1


@given(name=st.text(max_size=30))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_folder_name_is_taken_or_refused_with_its_reason(store: Store, box_id: int, name: str) -> None:
    try:
        made = store.write(mail.create_folder, box_id=box_id, name=name)
    except PasserelleError as error:
        assert error.rule in ("mailbox.name", "mailbox.exists")
    else:
        assert store.read(mail.folder_by_name, box_id, made.name) is not None
        store.write(mail.delete_folder, box_id=box_id, folder_id=made.folder_id)


def test_a_failing_member_spoils_nobody_else(store: Store, box_id: int) -> None:
    async def together() -> list[object]:
        good = [store.awrite(mail.create_folder, box_id=box_id, name=f"f{number}") for number in range(20)]
        bad = [store.awrite(mail.delete_folder, box_id=box_id, folder_id=999) for _ in range(5)]
        return list(await asyncio.gather(*good, *bad, return_exceptions=True))

    results = asyncio.run(together())
    assert sum(isinstance(result, mail.Folder) for result in results) == 20
    assert sum(isinstance(result, NotFoundError) for result in results) == 5
    names = [folder.name for folder in store.read(mail.folders, box_id)]
    assert len(names) == len(set(names)) == 6 + 20


def test_a_second_process_view_writes_and_hears(open_store: Callable[[], Store]) -> None:
    first, second = open_store(), open_store()
    box_id = second.create_box(address="a@example.test", kind="patient", owner="1")
    heard: list[Notice] = []

    async def scenario() -> None:
        second.subscribe(heard.append)
        await asyncio.to_thread(put, first, box_id)
        for _ in range(200):
            if heard:
                return
            await asyncio.sleep(0.02)

    asyncio.run(scenario())
    entry = second.read(mail.entries, box_id, 1)[0]
    assert heard[-1] == Notice(box_id, 1, entry.modseq)
    put(second, box_id)
    assert len(first.read(mail.entries, box_id, 1)) == 2


def test_errors_cross_processes_whole(open_store: Callable[[], Store]) -> None:
    open_store()
    second = open_store()
    with pytest.raises(PasserelleError) as caught:
        second.write(mail.create_folder, box_id=1, name="a\x00b")
    assert (caught.value.rule, caught.value.code, caught.value.fault) == ("mailbox.name", 501, "peer")
