"""APPEND: the literal streams through the indexer into a sealed spool (RFC 3501 §6.3.11, RFC 4315 §3)."""

from __future__ import annotations

import asyncio

from gateway.imap.commands import AppendHead
from gateway.imap.connection import LineTooLong
from gateway.imap.context import Context
from gateway.imap.errors import BadError, ByeError, ImapError, NoError
from gateway.imap.reader import CONTINUE, MAX_DISCARD
from gateway.message import Indexer, MessageMeta, encode_meta
from store import NotFoundError, Spool, Store
from store import mail as mailboxes

CHUNK = 256 * 1024


class _Intake:
    """A message on its way in. Its methods block and run in a thread."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.spool: Spool = store.spool()
        self.indexer = Indexer()
        self.nul = False

    def feed(self, chunk: bytes) -> None:
        self.nul = self.nul or b"\0" in chunk
        self.indexer.feed(chunk)
        self.spool.write(chunk)

    def finish(self, box_id: int) -> mailboxes.NewMessage:
        meta = MessageMeta(prefix=b"", index=self.indexer.close())
        return self.store.new_message(box_id, self.spool, encode_meta(meta), self.spool.sha256)

    def feed_and_finish(self, chunk: bytes, box_id: int) -> mailboxes.NewMessage | None:
        """A small message in one step; None when it must be refused."""
        self.feed(chunk)
        return None if self.nul else self.finish(box_id)


async def append(context: Context, head: AppendHead) -> None:
    """Take the message and answer. What precedes the literal has been parsed, nothing of it was read."""
    refusal = await _refusal(context, head)
    if refusal is not None:
        if not head.synchronising:
            await _skip(context, head)
        raise refusal
    folder = await context.folder(head.folder, "TRYCREATE")
    if head.synchronising:
        context.connection.write(CONTINUE)
        await context.connection.flush()
    intake = _Intake(context.store)
    try:
        message = await _take(context, head, intake, folder.box_id)
        await _end_of_command(context)
        if message is None:
            raise NoError("A message cannot contain NUL octets", "CANNOT")
        view = context.view
        same = view is not None and view.folder_id == folder.folder_id
        keywords = view.spell(head.keywords) if view and same else " ".join(sorted(head.keywords))
        try:
            appended = await context.store.awrite(
                mailboxes.append,
                box_id=folder.box_id,
                folder_id=folder.folder_id,
                message=message,
                flags=head.flags,
                keywords=keywords,
                internal_date=head.internal_date or 0,
            )
        except NotFoundError as error:
            if error.rule != "mailbox.folder":
                raise
            raise NoError("There is no such folder", "TRYCREATE") from None
    finally:
        intake.spool.discard()
    context.metrics.appended += 1
    await context.sync()
    context.announce(expunge=True)
    context.ok(head.tag, "Appended", f"APPENDUID {appended.uidvalidity} {appended.uid}")


async def _refusal(context: Context, head: AppendHead) -> ImapError | None:
    if head.size > context.limits.message:
        return NoError("The message is too large", "TOOBIG")  # RFC 7889 §4
    if head.size == 0:
        return NoError("The message is empty", "CANNOT")
    if await context.store.aread(mailboxes.folder_by_name, context.box, head.folder) is None:
        return NoError("There is no such folder", "TRYCREATE")  # RFC 3501 §6.3.11
    return None


async def _skip(context: Context, head: AppendHead) -> None:
    """Read past a refused literal that the client sends unasked (RFC 7888 §4)."""
    if head.size > MAX_DISCARD:
        raise ByeError("The message is too large", "TOOBIG")
    await context.connection.discard(head.size)
    await _end_of_command(context)


async def _take(
    context: Context, head: AppendHead, intake: _Intake, box_id: int
) -> mailboxes.NewMessage | None:
    connection = context.connection
    if head.size <= CHUNK:
        octets = await connection.read_exactly(head.size)
        return await asyncio.to_thread(intake.feed_and_finish, octets, box_id)
    left = head.size
    while left:
        chunk = await connection.read_exactly(min(left, CHUNK))
        left -= len(chunk)
        if not intake.nul:
            await asyncio.to_thread(intake.feed, chunk)
    return None if intake.nul else await asyncio.to_thread(intake.finish, box_id)


async def _end_of_command(context: Context) -> None:
    try:
        line = await context.connection.read_line(context.limits.line)
    except LineTooLong:
        raise ByeError("A line is too long") from None
    if line != b"\r":
        if line.endswith(b"+}\r"):
            # What follows would be a literal; its end cannot be told from commands any more.
            raise ByeError("APPEND takes one message")
        raise BadError("Unexpected text after the message")
