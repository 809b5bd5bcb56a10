"""SELECT EXAMINE CLOSE UNSELECT CHECK NOOP EXPUNGE: the selected folder itself (RFC 3501 §6.3, §6.4)."""

from __future__ import annotations

from sqlalchemy import Connection

from gateway.imap.commands import Bare, Select, UidExpunge
from gateway.imap.context import Context
from gateway.imap.errors import NoError
from gateway.imap.recent import first_recent
from gateway.imap.view import Delta, View, read_delta
from store import mail as mailboxes


def _read_whole(connection: Connection, box_id: int, name: str) -> tuple[Delta, int]:
    folder = mailboxes.folder_by_name(connection, box_id, name)
    if folder is None:
        return Delta(None, [], []), 1
    delta = read_delta(connection, box_id, folder.folder_id, -1)
    return delta, first_recent(connection, box_id, folder.folder_id)


async def select(context: Context, command: Select) -> None:
    """SELECT and EXAMINE, with the CONDSTORE parameter (RFC 7162 §3.1.8)."""
    context.view = None  # RFC 3501 §6.3.1: the old folder is deselected even when this fails
    if command.condstore:
        context.condstore = True
    delta, first = await context.store.aread(_read_whole, context.box, command.folder)
    folder = delta.folder
    if folder is None:
        raise NoError("There is no such folder", "NONEXISTENT")
    view = View(context.box, folder.folder_id, folder.uidvalidity, command.name == "EXAMINE")
    view.apply(delta)
    context.view = view
    if view.read_only:
        view.recent.update(uid for uid in view.uids if uid >= first)
    elif view.uidnext > first:
        await context.claim(view)
    view.announced = len(view.uids)
    context.connection.write(view.flags_line() + view.permanent_flags_line())
    context.untagged(f"{len(view.uids)} EXISTS")
    context.untagged(f"{len(view.recent)} RECENT")
    if unseen := view.first_unseen():
        context.untagged(f"OK [UNSEEN {unseen}] First message not seen")
    context.untagged(f"OK [UIDVALIDITY {view.uidvalidity}] UIDs are valid")
    context.untagged(f"OK [UIDNEXT {view.uidnext}] Predicted next UID")
    context.untagged(f"OK [HIGHESTMODSEQ {view.modseq}] Highest")  # RFC 7162 §3.1.2.1
    if view.read_only:
        context.ok(command.tag, "Folder open for reading", "READ-ONLY")
    else:
        context.ok(command.tag, "Folder open", "READ-WRITE")


async def close(context: Context, command: Bare) -> None:
    """CLOSE removes what is marked, silently (RFC 3501 §6.4.2)."""
    view = context.selected
    if not view.read_only:
        await context.store.awrite(mailboxes.expunge, box_id=view.box_id, folder_id=view.folder_id, uids=None)
    context.view = None
    context.ok(command.tag, "Folder closed")


async def unselect(context: Context, command: Bare) -> None:
    """UNSELECT removes nothing (RFC 3691)."""
    _ = context.selected
    context.view = None
    context.ok(command.tag, "Folder closed")


async def noop(context: Context, command: Bare) -> None:
    """NOOP: tell what changed (RFC 3501 §6.1.2)."""
    await context.sync()
    context.announce(expunge=True)
    context.ok(command.tag, "Done")


async def check(context: Context, command: Bare) -> None:
    """CHECK: every change is on the disk before it is answered, so there is nothing more to do."""
    _ = context.selected
    await noop(context, command)


async def expunge(context: Context, command: Bare | UidExpunge) -> None:
    """EXPUNGE and UID EXPUNGE (RFC 4315 §2.1): what is marked and known to this session goes."""
    view = context.writable()
    await context.sync()
    marked = [entry.uid for entry in view.entries if entry.flags & mailboxes.DELETED]
    if isinstance(command, UidExpunge):
        wanted = {view.uids[position] for position in command.messages.positions(view.uids)}
        marked = [uid for uid in marked if uid in wanted]
    if marked:
        await context.store.awrite(
            mailboxes.expunge, box_id=view.box_id, folder_id=view.folder_id, uids=marked
        )
        await context.sync()
    context.announce(expunge=True)
    # RFC 7162 §3.2.10: a CONDSTORE-aware client is told the state it now knows.
    context.ok(command.tag, "Expunged", f"HIGHESTMODSEQ {view.modseq}" if context.condstore else "")
