"""Folders: CREATE DELETE RENAME SUBSCRIBE UNSUBSCRIBE LIST LSUB STATUS (RFC 3501 §6.3)."""

from __future__ import annotations

from sqlalchemy import Connection

from gateway.imap.commands import FolderCommand, ListFolders, Rename, Status
from gateway.imap.context import Context
from gateway.imap.errors import NoError
from gateway.imap.recent import count_from, first_recent
from gateway.imap.responses import folder_name
from store import mail as mailboxes

DELIMITER = "/"


async def create(context: Context, command: FolderCommand) -> None:
    """CREATE (RFC 3501 §6.3.3)."""
    name = command.folder.removesuffix(DELIMITER)  # RFC 3501 §6.3.3: says only that children will follow
    if name == "INBOX":
        raise NoError("INBOX always exists", "ALREADYEXISTS")
    await context.store.awrite(mailboxes.create_folder, box_id=context.box, name=name)
    context.ok(command.tag, "Folder created")


async def delete(context: Context, command: FolderCommand) -> None:
    """DELETE; a folder with children stays (RFC 3501 §6.3.4)."""
    if command.folder == "INBOX":
        raise NoError("INBOX cannot be deleted", "CANNOT")
    folder = await context.folder(command.folder)
    every = await context.store.aread(mailboxes.folders, context.box)
    if any(other.name.startswith(folder.name + DELIMITER) for other in every):
        raise NoError("The folder has folders below it", "HASCHILDREN")  # RFC 9051 §7.1
    if context.view is not None and context.view.folder_id == folder.folder_id:
        context.view = None
    await context.store.awrite(mailboxes.delete_folder, box_id=context.box, folder_id=folder.folder_id)
    context.ok(command.tag, "Folder deleted")


async def rename(context: Context, command: Rename) -> None:
    """RENAME, with the folders below (RFC 3501 §6.3.5)."""
    folder = await context.folder(command.folder)
    await context.store.awrite(
        mailboxes.rename_folder,
        box_id=context.box,
        folder_id=folder.folder_id,
        name=command.target.removesuffix(DELIMITER),
    )
    context.ok(command.tag, "Folder renamed")


async def subscribe(context: Context, command: FolderCommand) -> None:
    """SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.6, §6.3.7)."""
    folder = await context.folder(command.folder)
    on = command.name == "SUBSCRIBE"
    await context.store.awrite(mailboxes.subscribe_folder, box_id=context.box, name=folder.name, on=on)
    context.ok(command.tag, "Subscribed" if on else "Unsubscribed")


# -- LIST and LSUB


def matches(pattern: str, name: str) -> bool:
    """RFC 3501 §6.3.8: ``*`` matches anything, ``%`` anything but the delimiter.

    The set of positions in the pattern is carried along the name, so no pattern is slow.
    """
    states = _closure(pattern, {0})
    for char in name:
        following = set()
        for state in states:
            if state == len(pattern):
                continue
            wanted = pattern[state]
            if wanted == "*" or (wanted == "%" and char != DELIMITER):
                following.add(state)
            elif wanted == char:
                following.add(state + 1)
        if not following:
            return False
        states = _closure(pattern, following)
    return len(pattern) in states


def _closure(pattern: str, states: set[int]) -> set[int]:
    """The states and those reached by matching nothing."""
    out = set(states)
    for state in states:
        while state < len(pattern) and pattern[state] in "*%":
            state += 1
            out.add(state)
    return out


def _matches_folder(pattern: str, name: str) -> bool:
    head, slash, rest = pattern.partition(DELIMITER)
    if name == "INBOX":  # RFC 3501 §5.1: in any case
        return matches(pattern.upper(), name)
    if name.startswith("INBOX/") and head.upper() == "INBOX":
        pattern = "INBOX" + slash + rest
    return matches(pattern, name)


async def list_folders(context: Context, command: ListFolders) -> None:
    """LIST and LSUB (RFC 3501 §6.3.8, §6.3.9)."""
    verb = command.name
    if verb == "LIST" and not command.pattern:
        # RFC 3501 §6.3.8: an empty pattern asks for the delimiter.
        context.untagged('LIST (\\Noselect) "/" ""')
        context.ok(command.tag, "Listed")
        return
    folders = await context.store.aread(mailboxes.folders, context.box)
    shown = [folder for folder in folders if verb == "LIST" or folder.subscribed]
    by_name = {folder.name: folder for folder in shown}
    parents: set[str] = set()
    for folder in shown:
        levels = folder.name.split(DELIMITER)
        parents.update(DELIMITER.join(levels[:depth]) for depth in range(1, len(levels)))
    pattern = command.reference + command.pattern
    for name in sorted(by_name.keys() | parents, key=lambda name: (name != "INBOX", name)):
        if not _matches_folder(pattern, name):
            continue
        known = by_name.get(name)
        if verb == "LSUB":
            # RFC 3501 §6.3.9: a level that is not subscribed shows only for "%", as \Noselect.
            if known is None and not pattern.endswith("%"):
                continue
            attributes = [] if known else ["\\Noselect"]
        else:
            attributes = [] if known else ["\\Noselect"]
            attributes.append("\\HasChildren" if name in parents else "\\HasNoChildren")  # RFC 3348
            if known and known.special_use:
                attributes.append(known.special_use)  # RFC 6154 §2
        line = f'* {verb} ({" ".join(attributes)}) "/" '.encode("ascii")
        context.connection.write(line + folder_name(name) + b"\r\n")
    context.ok(command.tag, "Listed")


# -- STATUS


def _read_status(
    connection: Connection, box_id: int, name: str
) -> tuple[mailboxes.Folder, mailboxes.Counts, int] | None:
    folder = mailboxes.folder_by_name(connection, box_id, name)
    if folder is None:
        return None
    counts = mailboxes.folder_counts(connection, box_id, folder.folder_id)
    first = first_recent(connection, box_id, folder.folder_id)
    recent = 0
    if first < folder.uidnext:
        recent = count_from(connection, box_id, folder.folder_id, first)
    return folder, counts, recent


async def status(context: Context, command: Status) -> None:
    """STATUS, with SIZE (RFC 8438) and HIGHESTMODSEQ (RFC 7162 §3.1.7)."""
    found = await context.store.aread(_read_status, context.box, command.folder)
    if found is None:
        raise NoError("There is no such folder", "NONEXISTENT")
    folder, counts, recent = found
    values = {
        "MESSAGES": counts.messages,
        "RECENT": recent,
        "UIDNEXT": folder.uidnext,
        "UIDVALIDITY": folder.uidvalidity,
        "UNSEEN": counts.unseen,
        "HIGHESTMODSEQ": folder.highestmodseq,
        "SIZE": counts.size,
    }
    if "HIGHESTMODSEQ" in command.items:
        context.condstore = True  # RFC 7162 §3.1: a CONDSTORE enabling command
    items = " ".join(f"{item} {values[item]}" for item in command.items)
    context.connection.write(b"* STATUS " + folder_name(folder.name) + f" ({items})\r\n".encode("ascii"))
    context.ok(command.tag, "Done")
