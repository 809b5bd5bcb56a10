"""STORE and UID STORE (RFC 3501 §6.4.6), conditional on UNCHANGEDSINCE (RFC 7162 §3.1.3)."""

from __future__ import annotations

from typing import Final

from gateway.imap.commands import StoreFlags
from gateway.imap.context import Context
from gateway.imap.messages import targets
from gateway.imap.sets import compress
from store import mail as mailboxes

CHUNK: Final = 1000
"""UIDs in one write, so that a large STORE does not hold up the other writers."""


async def store(context: Context, command: StoreFlags) -> None:
    """STORE and UID STORE, with UNCHANGEDSINCE (RFC 3501 §6.4.6, RFC 7162 §3.1.3)."""
    view = context.writable()
    if command.unchanged_since is not None:
        context.condstore = True  # RFC 7162 §3.1: a CONDSTORE enabling command
    positions = await targets(context, command.messages, by_uid=command.uid)
    uids = [view.uids[position] for position in positions]
    own: dict[int, int] = {}
    refused: list[int] = []
    missing = len(view.gone.intersection(uids))
    uids = [uid for uid in uids if uid not in view.gone]
    for start in range(0, len(uids), CHUNK):
        part = uids[start : start + CHUNK]
        result = await context.store.awrite(
            mailboxes.change_flags,
            box_id=view.box_id,
            folder_id=view.folder_id,
            uids=part,
            mode=command.mode,
            flags=command.flags,
            keywords=view.spell(command.keywords),
            unchanged_since=command.unchanged_since,
        )
        own.update((entry.uid, entry.modseq) for entry in result.changed)
        refused += result.modified
        missing += len(result.missing)
    await context.sync()
    if command.silent:
        context.announce(expunge=command.uid, silent=own)
    else:
        # RFC 3501 §6.4.6: the new value of every message named, changed or not.
        view.changed.update(uid for uid in own if view.position(uid) is not None)
        context.announce(expunge=command.uid)
    code = ""
    if refused:
        code = f"MODIFIED {compress(_numbers(context, refused, by_uid=command.uid))}"
    elif missing and not command.uid:
        # RFC 2180 §4.2.1: some are gone; their EXPUNGE comes when it is permitted.
        context.connection.write(
            f"{command.tag} NO [EXPUNGEISSUED] Some of the messages no longer exist\r\n".encode("ascii")
        )
        return
    context.ok(command.tag, "Conditional STORE left some alone" if refused else "Stored", code)


def _numbers(context: Context, uids: list[int], *, by_uid: bool) -> list[int]:
    if by_uid:
        return sorted(uids)
    positions = (context.selected.position(uid) for uid in uids)
    return sorted(position + 1 for position in positions if position is not None)
