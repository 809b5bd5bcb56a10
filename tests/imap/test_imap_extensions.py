"""CONDSTORE (RFC 7162), UIDPLUS (RFC 4315), MOVE (RFC 6851): what base tests do not show."""

from __future__ import annotations

import re

from imap_support import Answer, Bench, Wire, simple_message


def modseqs(answer: Answer) -> dict[int, int]:
    """Message number → MODSEQ of the FETCH responses."""
    return {
        int(m[1]): int(m[2])
        for line in answer.untagged
        if (m := re.match(rb"\* (\d+) FETCH .*MODSEQ \((\d+)\)", line))
    }


async def selected(bench: Bench, line: str = "SELECT INBOX") -> tuple[Wire, int]:
    """A client with INBOX open, and its HIGHESTMODSEQ."""
    wire = await bench.wire()
    answer = await wire.ok(line)
    return wire, int(re.search(rb"HIGHESTMODSEQ (\d+)", b"".join(answer.untagged))[1])


async def test_condstore_is_off_until_enabled(bench: Bench) -> None:
    await bench.adeliver(simple_message())
    for number, enabling in enumerate(
        (
            "ENABLE CONDSTORE",
            "SELECT INBOX (CONDSTORE)",
            "STATUS INBOX (HIGHESTMODSEQ)",
            "FETCH 1 (MODSEQ)",
            "FETCH 1 FLAGS (CHANGEDSINCE 1)",
            "SEARCH MODSEQ 1",
            "STORE 1 (UNCHANGEDSINCE 99999) +FLAGS \\Seen",
        )
    ):
        wire, _ = await selected(bench)
        answer = await wire.ok(f"STORE 1 +FLAGS $A{number}")
        assert not modseqs(answer)
        await wire.ok(enabling)
        answer = await wire.ok(f"STORE 1 +FLAGS $B{number}")
        assert modseqs(answer), enabling


async def test_highestmodseq_moves_with_every_change(bench: Bench) -> None:
    wire, before = await selected(bench)
    for line in (
        b"APPEND INBOX {3+}\r\nabc",
        b"STORE 1 +FLAGS \\Deleted",
        b"EXPUNGE",
    ):
        await wire.ok(line)
        answer = await wire.ok("STATUS INBOX (HIGHESTMODSEQ)")
        now = int(re.search(rb"HIGHESTMODSEQ (\d+)", answer.untagged[-1])[1])
        assert now > before, line
        before = now
    # A change that changes nothing leaves it (RFC 7162 §3.1).
    await wire.append("INBOX", b"abc")
    _, before = await selected(bench)
    await wire.ok("STORE 1 -FLAGS (\\Flagged)")
    assert (await selected(bench))[1] == before


async def test_changedsince_and_modseq_search(bench: Bench) -> None:
    for number in range(4):
        await bench.adeliver(simple_message(number))
    wire, before = await selected(bench)
    await wire.ok("STORE 2,4 +FLAGS.SILENT \\Flagged")
    answer = await wire.ok(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {before})")
    assert answer.numbered(b"FETCH") == [2, 4]
    found = modseqs(answer)
    assert all(value > before for value in found.values())
    assert (await wire.ok(f"FETCH 1:* UID (CHANGEDSINCE {max(found.values())})")).untagged == []
    highest = max(found.values())
    assert (await wire.ok(f"SEARCH MODSEQ {before + 1}")).untagged == [
        f"* SEARCH 2 4 (MODSEQ {highest})".encode()
    ]
    assert (await wire.ok(f"SEARCH MODSEQ {highest + 1}")).untagged == [b"* SEARCH"]
    assert (await wire.ok(f"SEARCH OR MODSEQ {before + 1} 1")).untagged[0].startswith(b"* SEARCH 1 2 4 (")


async def test_unchangedsince_prevents_a_lost_update(bench: Bench) -> None:
    for number in range(3):
        await bench.adeliver(simple_message(number))
    wire, known = await selected(bench, "SELECT INBOX (CONDSTORE)")
    other, _ = await selected(bench)
    await other.ok("STORE 2 +FLAGS \\Flagged")
    answer = await wire.command(f"STORE 1:3 (UNCHANGEDSINCE {known}) +FLAGS.SILENT (\\Deleted)")
    assert re.search(rb"OK \[MODIFIED 2\]", answer.tagged)
    told = modseqs(answer)
    assert set(told) == {1, 2, 3}  # the other's change, and our own with their new MODSEQ
    assert (await wire.ok("SEARCH DELETED")).untagged == [b"* SEARCH 1 3"]
    again = await wire.ok(f"UID STORE 2 (UNCHANGEDSINCE {told[2]}) +FLAGS (\\Deleted)")
    assert b"MODIFIED" not in again.tagged and b"MODSEQ" in again.untagged[-1]
    answer = await wire.ok("UID STORE 1:3 (UNCHANGEDSINCE 0) +FLAGS (\\Seen)")
    assert re.search(rb"\[MODIFIED 1:3\]", answer.tagged)
    assert (await wire.ok("SEARCH SEEN")).untagged == [b"* SEARCH"]


async def test_changes_of_others_carry_modseq(bench: Bench) -> None:
    await bench.adeliver(simple_message())
    wire, before = await selected(bench, "SELECT INBOX (CONDSTORE)")
    other, _ = await selected(bench)
    await other.ok("STORE 1 +FLAGS \\Flagged")
    answer = await wire.ok("NOOP")
    assert modseqs(answer)[1] > before
    assert b"UID 1 " in answer.untagged[0]
    answer = await wire.ok("FETCH 1 BODY[]")
    assert modseqs(answer)[1] > before + 1
    await other.ok("STORE 1 +FLAGS.SILENT \\Deleted")
    answer = await wire.ok("EXPUNGE")
    assert re.search(rb"OK \[HIGHESTMODSEQ (\d+)\]", answer.tagged)


async def test_uids_are_never_given_twice(bench: Bench) -> None:
    wire, _ = await selected(bench)
    seen: list[int] = []
    for _ in range(3):
        answer = await wire.append("INBOX", simple_message(), "(\\Deleted) ")
        seen.append(int(re.search(rb"APPENDUID \d+ (\d+)", answer.tagged)[1]))
        await wire.ok("EXPUNGE")
    assert seen == [1, 2, 3]
    assert (await wire.ok("STATUS INBOX (UIDNEXT)")).untagged == [b"* STATUS INBOX (UIDNEXT 4)"]
    # A folder that is made again has another UIDVALIDITY (RFC 3501 §2.3.1.1).
    validity = []
    for _ in range(2):
        await wire.ok("CREATE again")
        validity.append((await wire.ok("STATUS again (UIDVALIDITY)")).untagged[0])
        await wire.ok("DELETE again")
    assert validity[0] != validity[1]


async def test_uid_expunge_spares_what_it_was_not_told(bench: Bench) -> None:
    for number in range(4):
        await bench.adeliver(simple_message(number))
    wire, _ = await selected(bench)
    await wire.ok("STORE 1:4 +FLAGS.SILENT \\Deleted")
    assert (await wire.ok("UID EXPUNGE 2:3,99")).numbered(b"EXPUNGE") == [3, 2]
    assert (await wire.ok("UID EXPUNGE 99")).untagged == []
    assert (await wire.ok("UID SEARCH ALL")).untagged == [b"* SEARCH 1 4"]


async def test_move_keeps_flags_dates_and_bytes(bench: Bench) -> None:
    raw = simple_message(5)
    await bench.adeliver(raw, prefix=b"X-P: q\r\n", flags=5, keywords="$K", internal_date=1_793_491_200_000)
    wire, _ = await selected(bench)
    items = "(INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[])"
    before = (await wire.ok(f"FETCH 1 {items}")).untagged
    await wire.ok("MOVE 1 Corbeille")
    assert (await wire.ok("SEARCH ALL")).untagged == [b"* SEARCH"]
    await wire.ok("SELECT Corbeille")
    assert (await wire.ok(f"FETCH 1 {items}")).untagged == before
    assert (await wire.ok("SEARCH SEEN FLAGGED KEYWORD $K")).untagged == [b"* SEARCH 1"]
