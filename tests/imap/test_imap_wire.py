"""Base commands over real TLS: states, folders, flags, copies, and the text of refusals."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import ssl

from imap_support import PASSWORD, USER, Bench, Wire, limits, simple_message

from gateway.imap import ImapServer
from store import mail as mailboxes

ANNOUNCED = {
    "IMAP4rev1", "LITERAL+", "SASL-IR", "ID", "ENABLE", "CHILDREN", "CONDSTORE", "IDLE", "MOVE", "NAMESPACE",
    "SPECIAL-USE", "STATUS=SIZE", "UIDPLUS", "UNSELECT",
}  # fmt: skip


async def test_greeting_and_capabilities(bench: Bench) -> None:
    wire = await bench.connect()
    assert wire.greeting == (b"* OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE AUTH=PLAIN] Passerelle")
    answer = await wire.ok(f"LOGIN {USER} {{{len(PASSWORD)}+}}\r\n{PASSWORD}")
    told = set(re.search(rb"\[CAPABILITY ([^]]*)\]", answer.tagged)[1].decode().split())
    answer = await wire.ok("CAPABILITY")
    assert set(answer.untagged[0].decode().split()[2:]) == told == ANNOUNCED
    assert (await wire.ok('ID ("name" "test" "version" NIL)')).untagged == [b'* ID ("name" "Passerelle")']
    assert (await wire.ok("NAMESPACE")).untagged == [b'* NAMESPACE (("" "/")) NIL NIL']
    assert (await wire.ok("ENABLE X-UNKNOWN")).untagged == [b"* ENABLED"]
    assert (await wire.command("LOGIN a b")).tagged.endswith(b"BAD Already logged in")
    answer = await wire.ok("LOGOUT")
    assert answer.untagged == [b"* BYE Good-bye"]
    assert await wire.response() == b""


async def test_states_are_kept(bench: Bench) -> None:
    wire = await bench.connect()
    for line in ("SELECT INBOX", 'LIST "" *', "NAMESPACE", "IDLE", "FETCH 1 FLAGS", "ENABLE CONDSTORE"):
        assert (await wire.command(line)).tagged.split(b" ", 1)[1] == b"BAD Log in first", line
    assert (await wire.command("STARTTLS")).status == "BAD"
    await wire.login()
    for line in ("FETCH 1 FLAGS", "CLOSE", "UNSELECT", "CHECK", "EXPUNGE", "SEARCH ALL", "UID COPY 1 x"):
        assert (await wire.command(line)).tagged.endswith(b"BAD Select a folder first"), line
    await wire.ok("NOOP")
    await wire.ok("SELECT INBOX")
    await wire.ok("UNSELECT")
    assert (await wire.command("CHECK")).status == "BAD"
    await wire.ok("SELECT INBOX")
    # A failed SELECT leaves nothing selected (RFC 3501 §6.3.1).
    assert b"[NONEXISTENT]" in (await wire.command("SELECT nowhere")).tagged
    assert (await wire.command("CHECK")).status == "BAD"


async def test_authenticate_plain(bench: Bench) -> None:
    def plain(authorisation: str, user: str, password: str) -> bytes:
        return base64.b64encode(f"{authorisation}\0{user}\0{password}".encode())

    wire = await bench.connect()
    assert (await wire.command("AUTHENTICATE CRAM-MD5")).status == "NO"
    assert (await wire.command("AUTHENTICATE PLAIN !!!")).status == "BAD"
    assert (await wire.command("AUTHENTICATE PLAIN =")).status == "BAD"
    other = await wire.command(b"AUTHENTICATE PLAIN " + plain("someone", USER, PASSWORD))
    assert b"[AUTHORIZATIONFAILED]" in other.tagged
    wire.send(b"x AUTHENTICATE PLAIN\r\n")
    assert await wire.response() == b"+ "
    wire.send(b"*\r\n")
    assert (await wire.response()).startswith(b"x BAD")
    wire.send(b"y AUTHENTICATE PLAIN\r\n")
    assert await wire.response() == b"+ "
    wire.send(plain("", USER, PASSWORD) + b"\r\n")
    assert (await wire.response()).startswith(b"y OK [CAPABILITY ")
    second = await bench.connect()
    await second.ok(b"AUTHENTICATE PLAIN " + plain(USER, USER, PASSWORD))


async def test_failed_logins_end_the_session(bench: Bench) -> None:
    wire = await bench.connect()
    for _ in range(2):
        assert b"NO [AUTHENTICATIONFAILED]" in (await wire.command(f"LOGIN {USER} wrong")).tagged
    wire.send(f"x LOGIN {USER} {{2+}}\r\n\xff\xff\r\n".encode("latin-1"))
    assert (await wire.response()).startswith(b"x NO [AUTHENTICATIONFAILED]")
    assert await wire.response() == b"* BYE Too many failed logins"
    assert await wire.response() == b""
    assert bench.server.metrics.failed_logins == 3


async def test_starttls(bench: Bench) -> None:
    async def authenticate(user: str, password: str, peer: str) -> int | None:
        return bench.box_id

    server = ImapServer(bench.store, authenticate, bench.server_context, limits=limits(), implicit_tls=False)
    await server.start("127.0.0.1", 0)
    try:
        wire = await Wire.connect(server.port, None)
        assert b"STARTTLS LOGINDISABLED" in wire.greeting and b"AUTH=PLAIN" not in wire.greeting
        assert b"NO [PRIVACYREQUIRED]" in (await wire.command("LOGIN a b")).tagged
        assert b"NO [PRIVACYREQUIRED]" in (await wire.command("AUTHENTICATE PLAIN")).tagged
        await wire.ok("STARTTLS")
        await wire.writer.start_tls(bench.client_context, server_hostname="localhost")
        answer = await wire.ok("CAPABILITY")
        assert b"AUTH=PLAIN" in answer.untagged[0] and b"STARTTLS" not in answer.untagged[0]
        assert (await wire.command("STARTTLS")).tagged.endswith(b"BAD TLS is on already")
        await wire.ok("LOGIN a b")
        await wire.close()
        # What was sent along with STARTTLS in clear text is never interpreted.
        injected = await Wire.connect(server.port, None)
        injected.send(b"a STARTTLS\r\nb CAPABILITY\r\n")
        assert (await injected.response()).startswith(b"a OK")
        with contextlib.suppress(ConnectionResetError):
            assert await injected.response() == b""
        await injected.close()
    finally:
        await server.close()


async def test_select_and_examine(bench: Bench) -> None:
    for number in range(3):
        await bench.adeliver(simple_message(number), flags=mailboxes.SEEN if number == 0 else 0)
    wire = await bench.wire()
    answer = await wire.ok("EXAMINE inbox")
    assert answer.tagged.endswith(b"OK [READ-ONLY] Folder open for reading")
    assert b"* 3 EXISTS" in answer.untagged and b"* 3 RECENT" in answer.untagged
    assert any(line.startswith(b"* OK [UNSEEN 2]") for line in answer.untagged)
    assert any(line.startswith(b"* OK [UIDNEXT 4]") for line in answer.untagged)
    assert any(re.match(rb"\* OK \[UIDVALIDITY [1-9]\d*\]", line) for line in answer.untagged)
    assert any(re.match(rb"\* OK \[HIGHESTMODSEQ [1-9]\d*\]", line) for line in answer.untagged)
    assert b"* OK [PERMANENTFLAGS ()]" in b"\n".join(answer.untagged)
    for line in ("STORE 1 FLAGS \\Seen", "EXPUNGE", "MOVE 1 Archives", "UID EXPUNGE 1"):
        assert b"NO [READ-ONLY]" in (await wire.command(line)).tagged, line
    await wire.ok("FETCH 2 BODY[]")  # sets no flag here
    assert (await wire.ok("FETCH 2 FLAGS")).untagged == [b"* 2 FETCH (FLAGS (\\Recent))"]
    # EXAMINE takes no \Recent away; the first SELECT does, for everybody (RFC 3501 §2.3.2).
    answer = await wire.ok("SELECT INBOX")
    assert b"* 3 RECENT" in answer.untagged and answer.tagged.endswith(b"OK [READ-WRITE] Folder open")
    assert (await wire.ok("SEARCH NEW")).untagged == [b"* SEARCH 2 3"]
    other = await bench.wire()
    assert b"* 0 RECENT" in (await other.ok("SELECT INBOX")).untagged
    assert (await other.ok("SEARCH OLD")).untagged == [b"* SEARCH 1 2 3"]
    await bench.adeliver(simple_message(9))
    answer = await wire.ok("NOOP")
    assert answer.untagged == [b"* 4 EXISTS", b"* 4 RECENT"]
    assert (await other.ok("NOOP")).untagged == [b"* 4 EXISTS", b"* 0 RECENT"]
    assert (await other.ok("STATUS INBOX (RECENT)")).untagged == [b"* STATUS INBOX (RECENT 0)"]


async def test_folders(bench: Bench) -> None:
    wire = await bench.wire()
    answer = await wire.ok('LIST "" %')
    assert b'* LIST (\\HasNoChildren \\Sent) "/" Envoy&AOk-s' in answer.untagged
    assert answer.untagged[0] == b'* LIST (\\HasNoChildren) "/" INBOX'
    assert (await wire.ok('LIST "" ""')).untagged == [b'* LIST (\\Noselect) "/" ""']
    await wire.ok('CREATE "a b/c"')
    assert (await wire.ok('LIST "" "a*"')).untagged == [
        b'* LIST (\\HasChildren) "/" "a b"',
        b'* LIST (\\HasNoChildren) "/" "a b/c"',
    ]
    assert (await wire.ok('LIST "a b/" %')).untagged == [b'* LIST (\\HasNoChildren) "/" "a b/c"']
    assert (await wire.ok('LIST "" inbox')).untagged == [b'* LIST (\\HasNoChildren) "/" INBOX']
    assert (await wire.ok('LIST "" nothing*')).untagged == []
    for line, code in (
        ('CREATE "a b/c"', b"[ALREADYEXISTS]"),
        ("CREATE inbox", b"[ALREADYEXISTS]"),
        ('CREATE "x//y"', b"[CANNOT]"),
        ('CREATE "x&AAo-y"', b"[CANNOT]"),
        ("DELETE INBOX", b"[CANNOT]"),
        ('DELETE "a b"', b"[HASCHILDREN]"),
        ("DELETE nothing", b"[NONEXISTENT]"),
        ("RENAME nothing x", b"[NONEXISTENT]"),
        ("RENAME Archives INBOX", b"[ALREADYEXISTS]"),
        ('RENAME "a b" "a b/c/d"', b"[CANNOT]"),
        ("SUBSCRIBE nothing", b"[NONEXISTENT]"),
        ("STATUS nothing (MESSAGES)", b"[NONEXISTENT]"),
        ("UID COPY 1 nothing", b""),
    ):
        answer = await wire.command(line)
        assert code in answer.tagged and answer.status in ("NO", "BAD"), (line, answer)
    await wire.ok('RENAME "a b" d')
    assert len((await wire.ok('LIST "" "d*"')).untagged) == 2
    await wire.ok("UNSUBSCRIBE d")
    assert (await wire.ok('LSUB "" "d*"')).untagged == [b'* LSUB () "/" d/c']
    assert (await wire.ok('LSUB "" "d%"')).untagged == [b'* LSUB (\\Noselect) "/" d']
    await wire.ok("SUBSCRIBE d")
    assert len((await wire.ok('LSUB "" "d*"')).untagged) == 2
    await wire.ok("SELECT d/c")
    await wire.ok("DELETE d/c")
    assert (await wire.command("CHECK")).status == "BAD"
    await wire.ok("CREATE d/c/")
    # RENAME of INBOX moves its messages and leaves it empty (RFC 3501 §6.3.5).
    await bench.adeliver(simple_message())
    await wire.ok("RENAME INBOX old")
    assert (await wire.ok("STATUS old (MESSAGES UIDNEXT)")).untagged == [
        b"* STATUS old (MESSAGES 1 UIDNEXT 2)"
    ]
    assert (await wire.ok("STATUS INBOX (MESSAGES UNSEEN SIZE)")).untagged == [
        b"* STATUS INBOX (MESSAGES 0 UNSEEN 0 SIZE 0)"
    ]


async def test_store_and_expunge(bench: Bench) -> None:
    for number in range(5):
        await bench.adeliver(simple_message(number))
    wire = await bench.wire()
    await wire.ok("SELECT INBOX")
    answer = await wire.ok("STORE 2:3 +FLAGS (\\Deleted $Label)")
    assert [line for line in answer.untagged if b"FETCH" in line] == [
        b"* 2 FETCH (UID 2 FLAGS (\\Deleted \\Recent $Label))",
        b"* 3 FETCH (UID 3 FLAGS (\\Deleted \\Recent $Label))",
    ]
    assert any(line.startswith(b"* FLAGS (") and b"$Label" in line for line in answer.untagged)
    # Keywords ignore case and keep the folder's spelling; the flags named are told even when unchanged.
    answer = await wire.ok("STORE 2 +FLAGS $LABEL")
    assert answer.untagged == [b"* 2 FETCH (UID 2 FLAGS (\\Deleted \\Recent $Label))"]
    assert (await wire.ok("STORE 4 FLAGS.SILENT (\\Deleted \\Seen)")).untagged == []
    assert (await wire.ok("STORE 3 -FLAGS (\\Deleted $label)")).untagged == [
        b"* 3 FETCH (UID 3 FLAGS (\\Recent))"
    ]
    assert (await wire.ok("STORE 1 FLAGS ()")).untagged == [b"* 1 FETCH (UID 1 FLAGS (\\Recent))"]
    assert (await wire.command("STORE 9 FLAGS ()")).status == "BAD"
    assert (await wire.ok("UID STORE 90 FLAGS ()")).untagged == []
    assert (await wire.ok("UID EXPUNGE 1:2")).untagged == [b"* 2 EXPUNGE"]
    assert (await wire.ok("EXPUNGE")).untagged == [b"* 3 EXPUNGE"]
    assert (await wire.ok("FETCH 1:* UID")).untagged == [
        b"* 1 FETCH (UID 1)",
        b"* 2 FETCH (UID 3)",
        b"* 3 FETCH (UID 5)",
    ]
    await wire.ok("STORE 1 +FLAGS.SILENT \\Deleted")
    await wire.ok("UNSELECT")
    assert b"* 3 EXISTS" in (await wire.ok("SELECT INBOX")).untagged
    assert (await wire.ok("CLOSE")).untagged == []
    assert b"* 2 EXISTS" in (await wire.ok("SELECT INBOX")).untagged


async def test_copy_and_move(bench: Bench) -> None:
    for number in range(4):
        await bench.adeliver(simple_message(number), keywords="$A", flags=mailboxes.FLAGGED)
    wire = await bench.wire()
    await wire.ok("SELECT INBOX")
    answer = await wire.ok("COPY 2:3 Archives")
    assert re.search(rb"OK \[COPYUID \d+ 2:3 1:2\]", answer.tagged)
    answer = await wire.ok("UID MOVE 1,4 Archives")
    assert re.fullmatch(rb"\* OK \[COPYUID \d+ 1,4 3:4\] Moved", answer.untagged[0])
    assert answer.untagged[1:] == [b"* 4 EXPUNGE", b"* 1 EXPUNGE"]
    assert b"[TRYCREATE]" in (await wire.command("COPY 1 nowhere")).tagged
    assert b"[TRYCREATE]" in (await wire.command("MOVE 1 nowhere")).tagged
    assert (await wire.command("MOVE 1 INBOX")).status == "NO"
    answer = await wire.ok("UID COPY 77 Archives")
    assert b"COPYUID" not in answer.tagged
    await wire.ok("COPY 1 INBOX")
    assert (await wire.ok("NOOP")).untagged == []
    await wire.ok("SELECT Archives")
    assert (await wire.ok("FETCH 4 (FLAGS BODY.PEEK[])")).untagged == [
        b"* 4 FETCH (FLAGS (\\Flagged \\Recent $A) BODY[] {%d}\r\n%b)"
        % (len(simple_message(3)), simple_message(3))
    ]


async def test_append(bench: Bench) -> None:
    wire = await bench.wire()
    raw = b"Subject: \xe9\r\n\r\nbare\nlf and \xff\x80, no final newline"
    answer = await wire.append("Envoy&AOk-s", raw, '(\\Seen $Sent) "01-Feb-2024 10:00:00 +0200" ')
    assert re.search(rb"OK \[APPENDUID \d+ 1\]", answer.tagged)
    await wire.ok("SELECT Envoy&AOk-s")
    assert (await wire.ok("FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")).untagged == [
        b'* 1 FETCH (FLAGS (\\Seen \\Recent $Sent) INTERNALDATE "01-Feb-2024 08:00:00 +0000"'
        b" RFC822.SIZE %d BODY[] {%d}\r\n%b)" % (len(raw), len(raw), raw)
    ]
    answer = await wire.append("Envoy&AOk-s", raw)
    assert b"* 2 EXISTS" in answer.untagged
    for folder, body, code in (
        ("nowhere", raw, b"NO [TRYCREATE]"),
        ("INBOX", b"a\0b", b"NO [CANNOT]"),
        ("INBOX", b"", b"NO [CANNOT]"),
    ):
        assert code in (await wire.append(folder, body)).tagged, folder
    # A synchronising literal is refused before it is sent; the session goes on.
    wire.send(b"s1 APPEND nowhere {10}\r\ns2 NOOP\r\n")
    assert (await wire.response()).startswith(b"s1 NO [TRYCREATE]")
    assert (await wire.response()).startswith(b"s2 OK")
    wire.send(b"s3 APPEND {5}\r\n")
    assert await wire.response() == b"+ OK"
    wire.send(b"INBOX {3}\r\n")
    assert await wire.response() == b"+ OK"
    wire.send(b"abc\r\n")
    assert (await wire.response()).startswith(b"s3 OK [APPENDUID ")
    wire.send(b"s4 APPEND INBOX {3+}\r\nabc junk\r\ns5 NOOP\r\n")
    assert (await wire.response()).startswith(b"s4 BAD")
    assert (await wire.response()).startswith(b"s5 OK")
    assert (await wire.ok("STATUS INBOX (MESSAGES)")).untagged == [b"* STATUS INBOX (MESSAGES 1)"]


async def test_size_limit(bench: Bench) -> None:
    async def authenticate(user: str, password: str, peer: str) -> int | None:
        return bench.box_id

    server = ImapServer(bench.store, authenticate, bench.server_context, size_limit=1000)
    await server.start("127.0.0.1", 0)
    try:
        wire = await Wire.connect(server.port, bench.client_context)
        await wire.ok("LOGIN a b")
        assert (await wire.append("INBOX", b"x" * 1000)).status == "OK"
        assert b"NO [TOOBIG]" in (await wire.append("INBOX", b"x" * 1001)).tagged
        wire.send(b"z APPEND INBOX {99999999999}\r\n")
        assert (await wire.response()).startswith(b"z NO [TOOBIG]")
        wire.send(b"z APPEND INBOX {99999999999+}\r\n")
        assert (await wire.response()).startswith(b"* BYE [TOOBIG]")
        await wire.close()
    finally:
        await server.close()


async def test_pipelined_commands_are_answered_in_order(bench: Bench) -> None:
    await bench.adeliver(simple_message())
    wire = await bench.wire()
    wire.send(
        b"p1 SELECT INBOX\r\np2 STORE 1 +FLAGS.SILENT (\\Flagged)\r\n"
        b"p3 FETCH 1 FLAGS\r\np4 FROB\r\np5 NOOP\r\n"
    )
    for tag, status in ((b"p1", "OK"), (b"p2", "OK"), (b"p3", "OK"), (b"p4", "BAD"), (b"p5", "OK")):
        answer = await wire.answer(tag)
        assert answer.status == status
        if tag == b"p3":
            assert answer.untagged == [b"* 1 FETCH (FLAGS (\\Flagged \\Recent))"]


async def test_tls_is_required(bench: Bench) -> None:
    with_plain = await asyncio.open_connection("127.0.0.1", bench.port)
    with_plain[1].write(b"a NOOP\r\n")
    with contextlib.suppress(ConnectionResetError):
        assert not (await with_plain[0].read()).startswith(b"* OK")
    with_plain[1].close()
    wire = await bench.connect()
    cipher = wire.writer.get_extra_info("ssl_object")
    assert isinstance(cipher, ssl.SSLObject | ssl.SSLSocket) and cipher.version() == "TLSv1.3"
