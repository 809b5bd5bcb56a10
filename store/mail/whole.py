"""Whole messages put elsewhere, marked or removed, in whichever folders they are shown.

For users who see a message as one thing: IMAP speaks of entries (:mod:`store.mail.messages`).
"""

from __future__ import annotations

import msgspec
from sqlalchemy import and_, select

from store.errors import InvalidInputError, NotFoundError
from store.mail.folders import delete_folder
from store.mail.messages import change_flags, move, remove
from store.mail.model import DELETED, OUTBOX_ID, Entry
from store.mail.reads import entries, entry_columns, folder_by_id
from store.operations import Tx, operation
from store.schema import entry


class Shift(msgspec.Struct, array_like=True):
    """``count`` entries that came from a folder (or were marked in it): they all carry ``modseq`` now."""

    folder_id: int
    modseq: int
    count: int


@operation("mail.move_messages")
def move_messages(tx: Tx, *, box_id: int, message_ids: list[int], target_id: int) -> list[Shift]:
    """Show messages in one folder only. A mark for removal (``\\Deleted``) does not go along.

    :returns: by the folder that a message came from; what was in the target stays there.
    :raises NotFoundError: no such folder, or a message that this box does not show; then nothing is done.
    """
    target = folder_by_id(tx.conn, box_id, target_id)
    if target is None or target.hidden:
        raise NotFoundError("mailbox.folder", "no such folder")
    shown = _shown(tx, box_id, message_ids)
    there = {one.message_id for folder_id, one in shown if folder_id == target_id}
    going: dict[int, list[Entry]] = {}
    surplus: dict[int, list[Entry]] = {}
    for folder_id, one in shown:
        if folder_id != target_id:
            (surplus if one.message_id in there else going).setdefault(folder_id, []).append(one)
            there.add(one.message_id)
    done: list[Shift] = []
    for folder_id, some in going.items():
        uids = [one.uid for one in some]
        if any(one.flags & DELETED for one in some):
            change_flags(tx, box_id=box_id, folder_id=folder_id, uids=uids, mode="remove", flags=DELETED)
        moved = move(tx, box_id=box_id, folder_id=folder_id, uids=uids, target_id=target_id)
        now_there = folder_by_id(tx.conn, box_id, target_id)
        assert now_there is not None
        done.append(Shift(folder_id, now_there.highestmodseq, len(moved.target)))
    for folder_id, some in surplus.items():
        remove(tx, box_id, folder_id, some)
    return done


@operation("mail.move_back")
def move_back(
    tx: Tx, *, box_id: int, folder_id: int, modseq: int, target_id: int, spare: list[int] | None = None
) -> int:
    """Undo a part of :func:`move_messages`: what nobody touched since goes from a folder to ``target_id``.

    :param spare: messages that stay where they are.
    :returns: how many entries. :raises NotFoundError: no such folder.
    """
    target = folder_by_id(tx.conn, box_id, target_id)
    if target is None or target.hidden or folder_id == OUTBOX_ID:
        raise NotFoundError("mailbox.folder", "no such folder")
    uids = _left_at(tx, box_id, folder_id, modseq, spare)
    if uids:
        move(tx, box_id=box_id, folder_id=folder_id, uids=uids, target_id=target_id)
    return len(uids)


@operation("mail.mark_messages")
def mark_messages(tx: Tx, *, box_id: int, message_ids: list[int], mode: str, flags: int) -> list[Shift]:
    """Add or remove flags in every folder that shows the messages.

    :returns: by folder, those whose flags changed.
    :raises NotFoundError: a message that this box does not show; then nothing is done.
    """
    if mode not in ("add", "remove"):
        raise InvalidInputError("mailbox.flags", f"flags cannot be changed by {mode}")
    by_folder: dict[int, list[int]] = {}
    for folder_id, one in _shown(tx, box_id, message_ids):
        if (one.flags | flags if mode == "add" else one.flags & ~flags) != one.flags:
            by_folder.setdefault(folder_id, []).append(one.uid)
    done = []
    for folder_id, uids in by_folder.items():
        changed = change_flags(tx, box_id=box_id, folder_id=folder_id, uids=uids, mode=mode, flags=flags)
        done.append(Shift(folder_id, changed.changed[0].modseq, len(uids)))
    return done


@operation("mail.mark_back")
def mark_back(
    tx: Tx,
    *,
    box_id: int,
    folder_id: int,
    modseq: int,
    mode: str,
    flags: int,
    spare: list[int] | None = None,
) -> int:
    """Undo a part of :func:`mark_messages`, for entries that nobody touched since; how many.

    :param mode: that undoes: remove after add. :param spare: messages that stay as they are.
    """
    uids = _left_at(tx, box_id, folder_id, modseq, spare) if folder_id != OUTBOX_ID else []
    if uids:
        change_flags(tx, box_id=box_id, folder_id=folder_id, uids=uids, mode=mode, flags=flags)
    return len(uids)


@operation("mail.remove_messages")
def remove_messages(tx: Tx, *, box_id: int, folder_id: int, message_ids: list[int]) -> int:
    """Remove messages from a folder for good; how many entries went.

    :raises NotFoundError: a message that this folder does not show; then nothing is done.
    """
    doomed = [one for place, one in _shown(tx, box_id, message_ids) if place == folder_id]
    if {one.message_id for one in doomed} != set(message_ids):
        raise NotFoundError("mailbox.message", "no such message in this folder")
    remove(tx, box_id, folder_id, doomed)
    return len(doomed)


@operation("mail.dissolve_folder")
def dissolve_folder(tx: Tx, *, box_id: int, folder_id: int, target_id: int) -> int:
    """Delete a folder, and show its messages in another one; how many. Raises as ``mail.delete_folder``."""
    uids = [one.uid for one in entries(tx.conn, box_id, folder_id)]
    target = folder_by_id(tx.conn, box_id, target_id)
    if target is None or target.hidden or folder_id in (OUTBOX_ID, target_id):
        raise NotFoundError("mailbox.folder", "no such folder")
    if uids:
        move(tx, box_id=box_id, folder_id=folder_id, uids=uids, target_id=target_id)
    delete_folder(tx, box_id=box_id, folder_id=folder_id)
    return len(uids)


def _shown(tx: Tx, box_id: int, message_ids: list[int]) -> list[tuple[int, Entry]]:
    """(folder, entry) of messages, the outbox left out; in order."""
    wanted = list(dict.fromkeys(message_ids))
    found: list[tuple[int, Entry]] = []
    for start in range(0, len(wanted), 500):
        query = select(entry.c.folder_id, *entry_columns).where(
            and_(
                entry.c.box_id == box_id,
                entry.c.message_id.in_(wanted[start : start + 500]),
                entry.c.folder_id != OUTBOX_ID,
            )
        )
        rows = tx.conn.execute(query.order_by(entry.c.folder_id, entry.c.uid))
        found += [(row[0], Entry(*row[1:])) for row in rows]
    if {one.message_id for _, one in found} != set(wanted):
        raise NotFoundError("mailbox.message", "no such message")
    return found


def _left_at(tx: Tx, box_id: int, folder_id: int, modseq: int, spare: list[int] | None) -> list[int]:
    found = entries(tx.conn, box_id, folder_id, max(modseq - 1, 1))
    return [one.uid for one in found if one.modseq == modseq and one.message_id not in (spare or ())]
