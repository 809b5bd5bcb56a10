"""Several sessions on one box never disagree: in one process and across two."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from imap_support import Bench, Wire, simple_message

from store import mail as mailboxes

ROOT = str(Path(__file__).resolve().parent.parent.parent)
SECOND = """
import asyncio, ssl, sys
from pathlib import Path
sys.path[:0] = {path!r}
from gateway.imap import ImapServer
from store import Store

async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain({cert!r}, {key!r})
    async def authenticate(user, password, peer):
        return {box}
    with Store.open(Path({home!r})) as store:
        assert not store.is_writer
        server = ImapServer(store, authenticate, context)
        await server.start("127.0.0.1", 0)
        print("port", server.port, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await server.close()

asyncio.run(main())
"""


@asynccontextmanager
async def second_server(bench: Bench) -> AsyncIterator[int]:
    """A server in another process on the same home."""
    code = SECOND.format(
        path=[ROOT],
        cert=str(bench.certificate),
        key=str(bench.certificate.with_suffix(".key")),
        box=bench.box_id,
        home=str(bench.store.home),
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    port = 0
    while line := await asyncio.wait_for(process.stdout.readline(), 30):
        if found := re.match(rb"port (\d+)", line):
            port = int(found[1])
            break
    assert port
    yield port
    process.stdin.close()
    await process.stdout.read()
    assert await asyncio.wait_for(process.wait(), 30) == 0
    process._transport.close()


@pytest.fixture(params=["one process", "two processes"])
async def pair(bench: Bench, request: pytest.FixtureRequest) -> AsyncIterator[tuple[Wire, Wire]]:
    """Two logged-in clients, of the same server or of servers in two processes."""
    first = await bench.wire()
    if request.param == "one process":
        yield first, await bench.wire()
        return
    async with second_server(bench) as port:
        second = await Wire.connect(port, bench.client_context)
        yield first, await second.login()
        await second.close()


async def test_changes_are_seen_by_the_other(bench: Bench, pair: tuple[Wire, Wire]) -> None:
    first, second = pair
    for number in range(4):
        await bench.adeliver(simple_message(number))
    for wire in pair:
        assert b"* 4 EXISTS" in (await wire.ok("SELECT INBOX")).untagged
    await first.ok("STORE 2 +FLAGS.SILENT (\\Flagged $K)")
    answer = await second.ok("NOOP")
    assert any(b"* 2 FETCH (UID 2 FLAGS (\\Flagged" in line for line in answer.untagged)
    assert any(b"$K" in line and line.startswith(b"* FLAGS") for line in answer.untagged)
    assert (await first.ok("NOOP")).untagged == []
    # What one was answered, the other finds at once, even where nothing was announced.
    await first.ok("STORE 3 +FLAGS.SILENT \\Seen")
    assert (await second.ok("UID SEARCH SEEN")).untagged[-1] == b"* SEARCH 3"
    await first.append("INBOX", simple_message(9))
    answer = await second.ok("FETCH 1 UID")
    assert b"* 5 EXISTS" in answer.untagged
    await second.ok("STORE 1,5 +FLAGS.SILENT \\Deleted")
    assert (await first.ok("EXPUNGE")).numbered(b"EXPUNGE") == [5, 1]
    # Not within FETCH, STORE, SEARCH: the numbers stay until EXPUNGE may be told (RFC 3501 §7.4.1).
    answer = await second.command("FETCH 1:5 UID")
    assert b"NO [EXPUNGEISSUED]" in answer.tagged and answer.numbered(b"FETCH") == [2, 3, 4]
    assert answer.numbered(b"EXPUNGE") == []
    answer = await second.command("STORE 1:2 +FLAGS \\Answered")
    assert b"NO [EXPUNGEISSUED]" in answer.tagged and answer.numbered(b"FETCH") == [2]
    assert (await second.ok("SEARCH ALL")).untagged == [b"* SEARCH 2 3 4"]
    assert b"[EXPUNGEISSUED]" in (await second.command("COPY 1:2 Archives")).tagged
    assert (await second.ok("NOOP")).numbered(b"EXPUNGE") == [5, 1]
    await first.ok("NOOP")
    listing = [(await wire.ok("FETCH 1:* (UID FLAGS)")).untagged for wire in pair]
    assert len(listing[0]) == 3
    assert [re.sub(rb" ?\\Recent", b"", line) for line in listing[0]] == [
        re.sub(rb" ?\\Recent", b"", line) for line in listing[1]
    ]


async def test_numbers_mean_what_was_announced(bench: Bench) -> None:
    """``*`` is the last message the client knew of, not one that came since."""
    await bench.adeliver(simple_message(1))
    first = await bench.wire()
    await first.ok("SELECT INBOX")
    await bench.adeliver(simple_message(2))
    answer = await first.ok("STORE * +FLAGS.SILENT \\Deleted")
    assert answer.untagged[0] == b"* 2 EXISTS"
    assert (await first.ok("SEARCH DELETED")).untagged == [b"* SEARCH 1"]


async def test_idle_tells_at_once(bench: Bench, pair: tuple[Wire, Wire]) -> None:
    first, second = pair
    await bench.adeliver(simple_message(1))
    for wire in pair:
        await wire.ok("SELECT INBOX")
    second.send(b"i IDLE\r\n")
    assert await second.response() == b"+ idling"
    loop = asyncio.get_running_loop()
    started = loop.time()
    await bench.adeliver(simple_message(2))
    assert await second.response() == b"* 2 EXISTS"
    assert loop.time() - started < 2.0
    assert (await second.response()).endswith(b" RECENT")
    await first.ok("STORE 1 +FLAGS \\Deleted")
    assert (await second.response()).startswith(b"* 1 FETCH (UID 1 FLAGS (\\Deleted")
    await first.ok("EXPUNGE")
    assert await second.response() == b"* 1 EXPUNGE"
    second.send(b"DONE\r\n")
    assert (await second.response()) == b"i OK Idle is over"
    await second.ok("NOOP")


async def test_idle_ends_otherwise(bench: Bench) -> None:
    wire = await bench.wire()
    wire.send(b"i IDLE\r\n")
    assert await wire.response() == b"+ idling"
    wire.send(b"NOOP\r\n")
    assert (await wire.response()).startswith(b"i BAD Expected DONE")
    wire.send(b"j IDLE\r\n")
    assert await wire.response() == b"+ idling"
    await asyncio.to_thread(bench.store.write, mailboxes.set_box_state, box_id=bench.box_id, state="closed")
    assert await wire.response() == b"* BYE The mailbox was closed"
    assert await wire.response() == b""


async def test_deleted_folder_ends_the_other_session(bench: Bench) -> None:
    first, second = await bench.wire(), await bench.wire()
    await first.ok("CREATE x")
    await second.ok("SELECT x")
    await first.ok("DELETE x")
    answer = await second.command("NOOP")
    assert answer.untagged == [b"* BYE The selected folder was deleted"]
    assert answer.tagged.endswith(b"CLOSED")
    await first.ok("NOOP")


async def test_renamed_folder_stays_selected(bench: Bench) -> None:
    first, second = await bench.wire(), await bench.wire()
    await first.ok("CREATE x")
    await second.ok("SELECT x")
    await first.ok("RENAME x y")
    await first.append("y", simple_message())
    assert b"* 1 EXISTS" in (await second.ok("NOOP")).untagged


async def test_sessions_agree_under_load(bench: Bench) -> None:
    """Four clients change one folder at once; afterwards each client's own book agrees with the store."""
    for number in range(30):
        await bench.adeliver(simple_message(number))

    async def work(seed: int) -> dict[int, frozenset[bytes]]:
        """The client's own book: UID → flags, kept only by what it was told."""
        wire = await bench.wire()
        await wire.ok("SELECT INBOX")
        uids: list[int | None] = list(range(1, 31))
        flags: dict[int, frozenset[bytes]] = {}

        async def tell(line: str) -> None:
            for response in (await wire.command(line)).untagged:
                if found := re.match(rb"\* (\d+) EXPUNGE", response):
                    del uids[int(found[1]) - 1]
                elif found := re.match(rb"\* (\d+) EXISTS", response):
                    assert int(found[1]) >= len(uids)
                    uids.extend([None] * (int(found[1]) - len(uids)))
                elif found := re.match(rb"\* (\d+) FETCH \(UID (\d+) FLAGS \(([^)]*)\)", response):
                    number, uid = int(found[1]), int(found[2])
                    assert uids[number - 1] in (None, uid)
                    uids[number - 1] = uid
                    flags[uid] = frozenset(found[3].split()) - {b"\\Recent"}

        for step in range(12):
            number = (seed * 7 + step * 5) % len(uids) + 1
            await tell(f"STORE {number} +FLAGS ($K{seed})")
            if step % 3 == 0:
                await tell(f"STORE {number} +FLAGS (\\Deleted)")
            if step % 4 == 1:
                await tell("APPEND INBOX {3+}\r\nabc")
            await tell("EXPUNGE" if step % 4 == 3 else "NOOP")
            await tell("UID FETCH 1:* (FLAGS)")
        done.append(seed)
        if len(done) == 4:
            all_done.set()
        await all_done.wait()
        await tell("NOOP")
        for number, uid in enumerate(uids, 1):
            if uid is None:  # appended by another after this one's last look
                await tell(f"FETCH {number} (UID FLAGS)")
        assert None not in uids
        return {uid: flags[uid] for uid in uids if uid is not None}

    done: list[int] = []
    all_done = asyncio.Event()
    books = await asyncio.gather(*(work(seed) for seed in range(4)))
    assert books[0] and all(book == books[0] for book in books)
    entries = bench.store.read(mailboxes.entries, bench.box_id, 1)
    assert [entry.uid for entry in entries] == sorted(books[0])
    assert all(frozenset(entry.keywords.encode().split()) <= books[0][entry.uid] for entry in entries)
