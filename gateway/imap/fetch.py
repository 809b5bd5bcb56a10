"""FETCH and UID FETCH (RFC 3501 §6.4.5; MODSEQ and CHANGEDSINCE of RFC 7162 §3.1.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

import structlog

from gateway.imap.commands import Fetch, Section
from gateway.imap.connection import ConnectionClosed
from gateway.imap.context import Context
from gateway.imap.fetch_render import ENTRY_ITEMS, INLINE, Row, Streamed, entry_columns, render_group
from gateway.imap.flags import SEEN
from gateway.imap.messages import targets
from gateway.imap.view import View
from store import PasserelleError
from store import mail as mailboxes

log = structlog.get_logger("imap")

ENTRY_CHUNK: Final = 1000
"""Responses from memory built before the loop gets its turn: about a millisecond."""
GROUP: Final = 200
"""Messages whose indexes are read at once."""


async def fetch(context: Context, command: Fetch) -> None:
    """FETCH and UID FETCH (RFC 3501 §6.4.5)."""
    view = context.selected
    items = list(command.items)
    if command.uid and "UID" not in items:  # RFC 3501 §6.4.8
        items.insert(0, "UID")
    if command.changed_since is not None and "MODSEQ" not in items:  # RFC 7162 §3.1.4.1
        items.append("MODSEQ")
    if "MODSEQ" in items:
        context.condstore = True
    positions = await targets(context, command.messages, by_uid=command.uid)
    alive = positions
    if view.gone:
        alive = [position for position in positions if view.uids[position] not in view.gone]
    missing = len(alive) < len(positions)
    if command.changed_since is not None:
        alive = [position for position in alive if view.entries[position].modseq > command.changed_since]
    heads = [item for item in items if isinstance(item, str) and item in ENTRY_ITEMS]
    rest = [item for item in items if isinstance(item, Section) or item not in ENTRY_ITEMS]
    unreadable = 0
    if rest:
        unreadable = await _fetch_stored(context, view, alive, heads, rest)
    else:
        await _fetch_entries(context, view, alive, heads)
    context.announce(expunge=command.uid)
    if unreadable:
        text = f"{command.tag} NO [UNAVAILABLE] {unreadable} of the messages cannot be read\r\n"
        context.connection.write(text.encode("ascii"))
    elif missing:
        # RFC 2180 §4.1.2: what is left has been sent; the EXPUNGE comes when it is permitted.
        text = f"{command.tag} NO [EXPUNGEISSUED] Some of the messages no longer exist\r\n"
        context.connection.write(text.encode("ascii"))
    else:
        context.ok(command.tag, "Fetched")


async def _fetch_entries(context: Context, view: View, positions: list[int], items: list[str]) -> None:
    """What is in memory: no store, one write for many messages."""
    for start in range(0, len(positions), ENTRY_CHUNK):
        part = positions[start : start + ENTRY_CHUNK]
        lines = _heads(view, part, items)
        context.connection.write((")\r\n".join(lines) + ")\r\n").encode("ascii"))
        if start + ENTRY_CHUNK < len(positions):
            await context.connection.flush()
            await asyncio.sleep(0)


def _heads(view: View, positions: list[int], items: list[str]) -> list[str]:
    entries = view.entries
    chosen = [entries[position] for position in positions]
    return entry_columns(items, [position + 1 for position in positions], chosen, view.recent)


async def _fetch_stored(
    context: Context, view: View, positions: list[int], heads: list[str], rest: list[str | Section]
) -> int:
    """What needs the stored index or the body; returns how many messages could not be read."""
    with_body = any(isinstance(item, Section) for item in rest)
    marks_seen = not view.read_only and any(isinstance(item, Section) and not item.peek for item in rest)
    unreadable = 0
    for group in _groups(view, positions, with_body):
        newly_seen: set[int] = set()
        if marks_seen:
            newly_seen = await _mark_seen(context, view, group)
        rows = [
            Row(head, view.entries[position].message_id)
            for position, head in zip(group, _heads(view, group, heads), strict=True)
        ]
        if newly_seen:
            rows = _tell_seen(context, view, group, rows, newly_seen, heads)
        rendered = await context.store.aread(render_group, context.store, view.box_id, rows, rest)
        for response in rendered:
            if response is None:
                unreadable += 1
            elif isinstance(response, Streamed):
                await _stream(context, response)
            else:
                context.connection.write(response)
        if context.connection.full:
            await context.connection.flush()
    return unreadable


def _groups(view: View, positions: list[int], with_body: bool) -> Iterator[list[int]]:
    """Messages to render together: few enough, and small enough together when bodies are read."""
    group: list[int] = []
    size = 0
    for position in positions:
        more = view.entries[position].size if with_body else 0
        if group and (len(group) >= GROUP or size + more > INLINE):
            yield group
            group, size = [], 0
        group.append(position)
        size += more
    if group:
        yield group


async def _mark_seen(context: Context, view: View, group: list[int]) -> set[int]:
    """RFC 3501 §6.4.5: reading sets \\Seen; committed before it is told."""
    unseen = [view.uids[position] for position in group if not view.entries[position].flags & SEEN]
    if not unseen:
        return set()
    result = await context.store.awrite(
        mailboxes.change_flags,
        box_id=view.box_id,
        folder_id=view.folder_id,
        uids=unseen,
        mode="add",
        flags=SEEN,
        keywords="",
        unchanged_since=None,
    )
    await context.sync()
    told = {entry.uid for entry in result.changed}
    view.changed -= told
    return told


def _tell_seen(
    context: Context, view: View, group: list[int], rows: list[Row], seen: set[int], heads: list[str]
) -> list[Row]:
    """Add the new FLAGS, and for a CONDSTORE-aware client MODSEQ, where they were not asked for."""
    extra = ["FLAGS"] if "FLAGS" not in heads else []
    if context.condstore and "MODSEQ" not in heads:
        extra.append("MODSEQ")
    if not extra:
        return rows
    longer = _heads(view, group, [*heads, *extra])
    return [
        Row(head, row.message_id) if view.uids[position] in seen else row
        for position, row, head in zip(group, rows, longer, strict=True)
    ]


async def _stream(context: Context, response: Streamed) -> None:
    """Send a large response as fast as the client takes it, one chunk in memory."""
    chunks = response.chunks()
    try:
        while (chunk := await context.store.in_thread(next, chunks, None)) is not None:
            context.connection.write(chunk)
            await context.connection.flush()
    except (PasserelleError, OSError) as error:
        # The literal's length has been told: only the end of the connection is honest now.
        log.error("message_broke_off", error=type(error).__name__)
        context.metrics.faults += 1
        context.connection.abort()
        raise ConnectionClosed from None
