"""COPY, MOVE and their UID forms (RFC 3501 §6.4.7, RFC 6851, COPYUID of RFC 4315 §3)."""

from __future__ import annotations

from gateway.imap.commands import CopyMove
from gateway.imap.context import Context
from gateway.imap.errors import NoError
from gateway.imap.messages import targets
from gateway.imap.sets import compress
from store import NotFoundError
from store import mail as mailboxes


async def copy(context: Context, command: CopyMove) -> None:
    """COPY, MOVE and their UID forms; all messages or none (RFC 3501 §6.4.7, RFC 6851 §3.1)."""
    moving = command.name.endswith("MOVE")
    view = context.writable() if moving else context.selected
    positions = await targets(context, command.messages, by_uid=command.uid)
    uids = [view.uids[position] for position in positions]
    target = await context.folder(command.folder, "TRYCREATE")  # RFC 3501 §6.4.7
    if view.gone.intersection(uids):
        # RFC 3501 §6.4.7: all or nothing.
        raise NoError("Some of the messages no longer exist", "EXPUNGEISSUED")
    if not uids:
        context.announce(expunge=True)
        context.ok(command.tag, "No messages")
        return
    if moving and target.folder_id == view.folder_id:
        raise NoError("The messages are in that folder already", "CANNOT")
    call = context.store.awrite
    place = {"box_id": view.box_id, "folder_id": view.folder_id, "target_id": target.folder_id}
    result: mailboxes.Copied | mailboxes.Moved
    try:
        if moving:
            result = await call(mailboxes.move, uids=uids, **place)
        else:
            result = await call(mailboxes.copy, uids=uids, **place)
    except NotFoundError:
        raise NoError("There is no such folder", "TRYCREATE") from None
    code = ""
    if result.source:
        code = f"COPYUID {result.uidvalidity} {compress(result.source)} {compress(result.target)}"
    await context.sync()
    if moving:
        if code:
            context.untagged(f"OK [{code}] Moved")  # RFC 6851 §4.3: before the EXPUNGE responses
        context.announce(expunge=True)
        context.ok(command.tag, "Moved", f"HIGHESTMODSEQ {view.modseq}" if context.condstore else "")
    else:
        context.announce(expunge=True)
        context.ok(command.tag, "Copied", code)
