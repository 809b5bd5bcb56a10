"""SEARCH and UID SEARCH (RFC 3501 §6.4.4; MODSEQ of RFC 7162 §3.1.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection

from gateway.imap.commands import Search
from gateway.imap.connection import ConnectionClosed
from gateway.imap.context import Context
from gateway.imap.fetch_render import load_messages
from gateway.imap.search_match import Candidate, Matcher, compile_key
from gateway.message import decode_meta
from store import PasserelleError, Store
from store.mail import StoredMessage

log = structlog.get_logger("imap")

CHUNK: Final = 2000
GROUP: Final = 200
BODIES: Final = 512 * 1024
"""Octets of bodies searched in one step off the loop."""


async def search(context: Context, command: Search) -> None:
    """SEARCH and UID SEARCH (RFC 3501 §6.4.4)."""
    view = context.selected
    if command.modseq:
        context.condstore = True
    announced = view.announced
    await context.sync()
    context.announce(expunge=False)
    matcher = compile_key(command.key, view, announced)
    hits: set[int] = set()
    undecided: list[Candidate] = []
    for start in range(0, len(view.uids), CHUNK):
        for position in range(start, min(start + CHUNK, len(view.uids))):
            entry = view.entries[position]
            if entry.uid in view.gone:
                continue
            candidate = Candidate(position, entry, entry.uid in view.recent)
            known = matcher(candidate)
            if known:
                hits.add(position)
            elif known is None:
                undecided.append(candidate)
        await asyncio.sleep(0)
    for start in range(0, len(undecided), GROUP):
        if context.connection.closed:
            raise ConnectionClosed
        group = undecided[start : start + GROUP]
        hits |= await _judge(context, view.box_id, group, matcher)
    found = sorted(hits)
    numbers = [view.uids[position] for position in found] if command.uid else [p + 1 for p in found]
    line = "* SEARCH" + "".join([f" {number}" for number in numbers])
    if command.modseq and found:  # RFC 7162 §3.1.5: the highest of those found
        line += f" (MODSEQ {max(view.entries[position].modseq for position in found)})"
    context.connection.write(line.encode("ascii") + b"\r\n")
    context.announce(expunge=command.uid)
    context.ok(command.tag, "Searched")


async def _judge(context: Context, box_id: int, group: list[Candidate], matcher: Matcher) -> set[int]:
    """The positions in ``group`` that match, by their indexes and, where that is not enough, bodies."""
    found = await context.store.aread(_by_index, context.store, box_id, group, matcher)
    hits = {position for position, message in found.items() if message is None}
    left = [(candidate, message) for candidate in group if (message := found.get(candidate.position))]
    for part in _batches(left):
        hits |= await context.store.in_thread(_by_body, context.store, part, matcher)
        if context.connection.closed:
            raise ConnectionClosed
    for candidate in group:
        candidate.meta = None
    return hits


def _batches(left: list[tuple[Candidate, StoredMessage]]) -> Iterator[list[tuple[Candidate, StoredMessage]]]:
    """Messages read in one go: many small ones, or one large one."""
    batch: list[tuple[Candidate, StoredMessage]] = []
    size = 0
    for item in left:
        if batch and size + item[0].entry.size > BODIES:
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item[0].entry.size
    if batch:
        yield batch


def _by_index(
    connection: Connection, store: Store, box_id: int, group: list[Candidate], matcher: Matcher
) -> dict[int, StoredMessage | None]:
    """Position → None for a match, or the message whose body must be read. Blocking."""
    messages = load_messages(connection, store, box_id, list({c.entry.message_id for c in group}))
    out: dict[int, StoredMessage | None] = {}
    for candidate in group:
        message = messages.get(candidate.entry.message_id)
        if message is None:
            continue
        try:
            candidate.meta = decode_meta(message.meta)
        except msgspec.MsgspecError:
            log.error("message_unreadable", box_id=box_id, message_id=message.message_id)
            continue
        known = matcher(candidate)
        if known is not False:
            out[candidate.position] = None if known else message
    return out


def _by_body(store: Store, part: list[tuple[Candidate, StoredMessage]], matcher: Matcher) -> set[int]:
    """The positions that match. Blocking. A body that cannot be read does not match."""
    hits: set[int] = set()
    for candidate, message in part:
        try:
            candidate.body = store.open_body(message)
            if matcher(candidate):
                hits.add(candidate.position)
        except (PasserelleError, OSError) as error:
            log.error(
                "message_unreadable",
                box_id=message.box_id,
                message_id=message.message_id,
                error=type(error).__name__,
            )
        finally:
            candidate.body = None
    return hits
