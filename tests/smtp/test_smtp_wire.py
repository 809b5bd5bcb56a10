"""The operators' port over real sockets: commands, pipelining, smuggling, BDAT, limits, shutdown."""

from __future__ import annotations

import asyncio
import hashlib
import ssl

import pytest
from smtp_support import Client, World

from gateway.smtp import Limits, transaction
from gateway.smtp.dotreader import DotWriter
from store import Spool

pytestmark = pytest.mark.wire

MAIL = "MAIL FROM:<dr@hopital.example>"
RCPT = "RCPT TO:<p1@patient.example>"
SMALL = b"Message-ID: <1@a>\r\nSubject: x\r\n\r\nbody\r\n"


def dotted(body: bytes) -> bytes:
    writer = DotWriter()
    return writer.feed(body) + writer.close()


async def deliver(client: Client, body: bytes, rcpt: str = RCPT) -> str:
    assert (await client.say(MAIL)).startswith("250")
    assert (await client.say(rcpt)).startswith("250")
    assert (await client.say("DATA")).startswith("354")
    await client.send(dotted(body))
    return await client.reply()


async def test_ehlo_offers_starttls_first_then_no_more(here: World) -> None:
    server = await here.serve()
    client = await here.raw_client(server)
    before = await client.greet()
    assert before.splitlines()[1:] == [
        "250-SIZE 1000000",
        "250-PIPELINING",
        "250-8BITMIME",
        "250-SMTPUTF8",
        "250-CHUNKING",
        "250-DSN",
        "250-ENHANCEDSTATUSCODES",
        "250 STARTTLS",
    ]
    for line in (MAIL, RCPT, "DATA", "BDAT 3", "VRFY a", "HELP", "AUTH PLAIN"):
        assert await client.say(line) == "530 5.7.0 must issue a STARTTLS command first", line
        if line.startswith("BDAT"):
            assert (await client.say("")).startswith("500")
    await client.starttls(here.context())
    assert (await client.say(MAIL)).startswith("503")  # EHLO again, RFC 3207 §4.2
    assert "STARTTLS" not in await client.say("EHLO x.example")
    assert await client.say("STARTTLS") == "503 5.5.1 TLS is on already"


async def test_a_message_arrives_with_its_origin_and_parameters(here: World) -> None:
    server = await here.serve()
    client = await here.client(server)
    assert await client.say(MAIL + " SIZE=100 BODY=8BITMIME RET=FULL ENVID=AbC+3D") == "250 2.1.0 sender OK"
    assert await client.say(RCPT + " NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;P1+2BX@Patient.Example") == (
        "250 2.1.5 recipient OK"
    )
    assert (await client.say(RCPT.replace("p1", "P1"))) == "250 2.1.5 recipient OK, named before"
    assert await client.say("RCPT TO:<p9@patient.example>") == "550 5.1.1 no such patient [recipient.unknown]"
    assert await client.say("DATA") == "354 end with <CRLF>.<CRLF>"
    await client.send(dotted(SMALL))
    answer = await client.reply()
    envelope, origin, index = here.router.accepted[0]
    assert answer == f"250 2.0.0 OK, trace {envelope.trace_id}"
    assert here.router.bodies() == [SMALL]
    assert (envelope.ret, envelope.envid, envelope.body) == ("FULL", "AbC+3D", "8BITMIME")
    assert envelope.recipients[0].orcpt == "rfc822;P1+2BX@Patient.Example"
    assert envelope.recipients[0].notify == "SUCCESS,FAILURE"
    assert (envelope.protocol, envelope.helo, envelope.peer) == ("ESMTPS", "client.example", "127.0.0.1")
    assert origin.kind == "operator"
    assert origin.dn.startswith("CN=mss.hopital-exemple.test")
    assert origin.tls.startswith("TLSv1.3 TLS_AES")
    assert index.facts.message_id == "<1@a>"
    assert await client.say("QUIT") == "221 2.0.0 goodbye"
    assert await client.rest() == b""


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("stranger", "[sender.certificate]"),
        ("expired", "[sender.certificate]"),
        ("revoked", "[sender.revoked]"),
        (None, "550 5.7.1 client certificate required [sender.certificate]"),
    ],
)
async def test_a_refused_certificate_is_told_at_mail(here: World, name: str | None, answer: str) -> None:
    server = await here.serve()
    client = await here.client(server, name)
    for _ in range(2):
        told = await client.say(MAIL)
        assert told.startswith("550 5.7.1 ")
        assert answer in told
    assert (await client.say(RCPT)).startswith("503 5.5.1 need MAIL")
    assert await client.say("NOOP") == "250 2.0.0 OK"


async def test_what_is_sent_ahead_of_tls_is_forgotten(here: World) -> None:
    """CVE-2011-0411: a third party puts commands before the handshake."""
    server = await here.serve()
    client = await here.raw_client(server)
    await client.greet()
    await client.send(b"STARTTLS\r\nEHLO evil.example\r\nMAIL FROM:<evil@x.example>\r\n")
    assert await client.reply() == "220 Ready to start TLS"
    await client.writer.start_tls(here.context())
    assert (await client.say("EHLO good.example")).startswith("250-")
    assert (await client.say(RCPT)) == "503 5.5.1 need MAIL"
    assert await client.say(MAIL) == "250 2.1.0 sender OK"


async def test_a_whole_session_in_one_write(here: World) -> None:
    server = await here.serve()
    client = await here.client(server)
    one = f"{MAIL}\r\n{RCPT}\r\nDATA\r\n".encode() + dotted(b"first\r\n.dot\r\n")
    two = (
        f"{MAIL}\r\nRCPT TO:<p2@patient.example>\r\nBDAT 8\r\n".encode()
        + b"second\r\nBDAT 3 LAST\r\n.\r\nQUIT\r\n"
    )
    await client.send(one + b"NOOP\r\nRSET\r\n" + two)
    codes = [(await client.reply())[:3] for _ in range(11)]
    assert codes == ["250", "250", "354", "250", "250", "250", "250", "250", "250", "250", "221"]
    assert here.router.bodies("p1") == [b"first\r\n.dot\r\n"]
    assert here.router.bodies("p2") == [b"second\r\n.\r\n"]


async def test_replies_to_a_pipelined_group_come_in_one_write(here: World) -> None:
    server = await here.serve()
    client = await here.client(server)
    await client.send(f"{MAIL}\r\n{RCPT}\r\nRCPT TO:<p2@patient.example>\r\nDATA\r\n".encode())
    first = await client.reader.read(4096)
    assert first.count(b"\r\n") == 4  # one TLS record, one write


async def test_an_end_of_input_after_a_whole_session_still_gets_its_replies(here: World) -> None:
    server = await here.submission(context=here.context("gateway"))
    client = await here.raw_client(server)
    await client.send(b"EHLO a.example\r\nNOOP\r\nQUIT\r\n")
    client.writer.write_eof()
    assert (await client.rest()).endswith(b"250 2.0.0 OK\r\n221 2.0.0 goodbye\r\n")


SMUGGLED = f"{MAIL}\r\n{RCPT}\r\nDATA\r\nSubject: smuggled\r\n\r\nevil\r\n.\r\n".encode()


@pytest.mark.parametrize(
    "ending",
    [
        b"\n.\n",
        b"\n.\r\n",
        b"\r.\r",
        b"\r.\r\n",
        b"\r\n.\n",
        b"\r\n.\r",
        b"\n.\r",
        b"\r.\n",
        b"\r\n\x00\n.\r\n",
    ],
    ids=repr,
)
async def test_a_smuggled_message_is_never_delivered(here: World, ending: bytes) -> None:
    server = await here.serve()
    for cut in (False, True):
        client = await here.client(server)
        await client.send(f"{MAIL}\r\n{RCPT}\r\nDATA\r\n".encode())
        assert [(await client.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
        wire = b"Subject: x\r\n\r\nseen" + ending + SMUGGLED
        if cut:
            at = wire.index(ending)
            for piece in (wire[: at + 1], wire[at + 1 : at + 2], wire[at + 2 :]):
                await client.send(piece)
                await asyncio.sleep(0.01)
        else:
            await client.send(wire)
        answer = (await client.rest()).decode()
        assert answer == "554 5.5.2 bare CR or LF in message content [message.line_end]\r\n"
        client.close()
    assert here.router.accepted == []
    assert here.router.bodies() == []
    fresh = await here.client(server)
    assert (await deliver(fresh, SMALL)).startswith("250")


@pytest.mark.parametrize(
    "line", [b"NOOP\n", b"NOOP\rNOOP\r\n", b"NOOP\0\r\n", b"\nNOOP\r\n", b"EHLO a\nMAIL FROM:<a@b>\r\n"]
)
async def test_only_crlf_ends_a_command(here: World, line: bytes) -> None:
    server = await here.serve()
    client = await here.client(server)
    await client.send(line)
    assert await client.rest() == b"554 5.5.2 bare CR or LF in command [message.line_end]\r\n"


async def test_commands_out_of_order_and_malformed(here: World) -> None:
    server = await here.serve(limits=Limits(errors=50))
    client = await here.client(server)
    table = [
        (RCPT, "503 5.5.1 need MAIL"),
        ("DATA", "503 5.5.1 need MAIL"),
        ("WAT", "500 5.5.1 command not recognized"),
        ("", "500 5.5.1 command not recognized"),
        ("QUIT now", "501 5.5.4 QUIT takes no argument"),
        ("RSET now", "501 5.5.4 RSET takes no argument"),
        ("EHLO", "501 5.5.4 syntax: EHLO domain"),
        ("EXPN list", "502 5.5.1 EXPN not implemented"),
        (
            "VRFY <p1@patient.example>",
            "252 2.5.0 cannot VRFY, but will accept a message and attempt delivery",
        ),
        ("AUTH PLAIN AGEAYg==", "502 5.5.1 AUTH not offered"),
        (
            "MAIL FROM:<a@b> SIZE=1000000000",
            "552 5.3.4 message exceeds the size limit of 26214400 octets [message.size]",
        ),
        ("MAIL FROM:<a@b> FOO=1", "555 5.5.4 MAIL parameter not implemented [command.parameter]"),
        ("MAIL FROM:a@b", "553 5.1.7 address must be in angle brackets [address.syntax]"),
        ("MAIL FROM:<stranger@x.example>", "550 5.7.1 this domain is another operator's [sender.whitelist]"),
        ("MAIL FROM:<broken@x.example>", "451 4.3.0 local error, try again [gateway.error]"),
        ("NOOP anything", "250 2.0.0 OK"),
        ("mail from:<>", "250 2.1.0 sender OK"),
        (MAIL, "503 5.5.1 nested MAIL"),
        ("DATA", "554 5.5.1 no valid recipients"),
        ("RCPT TO:<>", "553 5.1.3 recipient must not be empty [address.syntax]"),
        ("RCPT TO:<é@patient.example>", "553 5.6.7 address needs SMTPUTF8 [address.utf8]"),
        ("rcpt to:<p1@patient.example>", "250 2.1.5 recipient OK"),
        ("DATA now", "501 5.5.4 DATA takes no argument"),
        ("RSET", "250 2.0.0 OK"),
        (RCPT, "503 5.5.1 need MAIL"),
        ("X" * 1100, "500 5.5.2 line too long"),
        ("MAIL FROM:<" + "x" * 13_000 + "@y>", "500 5.5.2 line too long"),
        ("NOOP \udce9", "501 5.5.2 command is not UTF-8"),
    ]
    for line, answer in table:
        assert await client.say(line.encode("utf-8", "surrogateescape")) == answer, line
    assert (await deliver(client, SMALL)).startswith("250")


async def test_too_many_errors_end_the_session(here: World) -> None:
    server = await here.serve(limits=Limits(errors=3, linger=0.2))
    client = await here.client(server)
    for _ in range(3):
        assert (await client.say("GET / HTTP/1.1")).startswith("500")
    await client.send(b"Host: x\r\nMAIL FROM:<a@b>\r\n")
    assert await client.rest() == b"500 5.5.1 command not recognized\r\n421 4.7.0 too many errors\r\n"


async def test_content_that_did_not_wait_for_a_refused_data_is_no_commands(here: World) -> None:
    server = await here.serve()
    client = await here.client(server)
    await client.send(f"{MAIL}\r\nRCPT TO:<p9@patient.example>\r\nDATA\r\n".encode() + SMUGGLED)
    answer = (await client.rest()).decode()
    assert answer.endswith("554 5.5.1 no valid recipients\r\n")
    assert here.router.accepted == []


async def test_limits_of_size_and_recipients(here: World) -> None:
    server = await here.serve(limits=Limits(message_size=1000, recipients=1))
    client = await here.client(server)
    told = "552 5.3.4 message exceeds the size limit of 1000 octets [message.size]"
    assert await client.say(MAIL + " SIZE=1001") == told
    assert (
        await deliver(client, b"x" * 998 + b"\r\n")
        == f"250 2.0.0 OK, trace {here.router.accepted[0][0].trace_id}"
    )
    assert await deliver(client, b"x" * 999 + b"\r\n") == told
    assert await client.say(MAIL) == "250 2.1.0 sender OK"
    assert (await client.say(RCPT)).startswith("250")
    assert (await client.say("RCPT TO:<p2@patient.example>")).startswith("452 4.5.3")
    assert await client.say("RSET") == "250 2.0.0 OK"
    await client.send(f"{MAIL}\r\n{RCPT}\r\nDATA\r\n".encode())
    assert [(await client.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
    client.writer.write(b"y" * 4_000_000)
    assert (await client.rest()).decode() == told + "\r\n"
    assert len(here.router.accepted) == 1


async def test_bdat_in_pieces_is_kept_to_the_octet(here: World) -> None:
    server = await here.serve()
    client = await here.client(server)
    bodies = [
        b"no final line end",
        b"",
        b"\r\n.\r\n",
        b"a\r\n.\r\nMAIL FROM:<x@y>\r\n",
        b"\xff\x00\r\n" * 40_000,
    ]
    for body in bodies:
        assert (await client.say(MAIL)).startswith("250")
        assert (await client.say(RCPT)).startswith("250")
        half = len(body) // 2  # may cut a CRLF in two
        await client.send(b"BDAT %d\r\n" % half + body[:half])
        assert await client.reply() == f"250 2.0.0 {half} octets received"
        await client.send(b"bdat %d last\r\n" % (len(body) - half) + body[half:])
        assert (await client.reply()).startswith("250 2.0.0 OK, trace")
    assert here.router.bodies() == bodies


async def test_bdat_refusals_consume_their_octets(here: World) -> None:
    server = await here.serve(limits=Limits(message_size=1000, errors=50))
    client = await here.client(server)

    async def bdat(data: bytes, last: bool = False) -> str:
        await client.send(b"BDAT %d%s\r\n" % (len(data), b" LAST" if last else b"") + data)
        return await client.reply()

    assert await bdat(b"RSET\r\n" * 5) == "503 5.5.1 need MAIL"
    assert (await client.say(MAIL)).startswith("250")
    assert await bdat(b"x\r\n", last=True) == "554 5.5.1 no valid recipients"
    for bad in (b"a\nb", b"a\rb"):
        assert (await client.say("RSET")).startswith("250")
        assert (await client.say(MAIL)).startswith("250")
        assert (await client.say(RCPT)).startswith("250")
        assert await bdat(bad) == "554 5.5.2 bare CR or LF in message content [message.line_end]"
        assert await bdat(b"more\r\n") == "503 5.5.1 an earlier BDAT failed, send RSET"
        assert await client.say(RCPT) == "503 5.5.1 content has begun"
        assert (await client.say("DATA")).startswith("503 5.5.1 DATA after BDAT")
    assert (await client.say("RSET")).startswith("250")
    assert (await client.say(MAIL)).startswith("250")
    assert (await client.say(RCPT)).startswith("250")
    assert (await bdat(b"ends with CR\r", last=True)).startswith("554 5.5.2")
    assert (await client.say(MAIL)).startswith("250")
    assert (await client.say(RCPT)).startswith("250")
    assert (await bdat(b"x" * 600)).startswith("250")
    assert (await bdat(b"x" * 600, last=True)).startswith("552 5.3.4")
    assert here.router.accepted == []
    assert (await deliver(client, SMALL)).startswith("250")
    await client.send(b"BDAT twelve\r\n")
    assert await client.rest() == b"501 5.5.4 syntax: BDAT size [LAST]\r\n"


async def test_smtputf8_and_helo_are_named_in_the_protocol(here: World) -> None:
    server = await here.serve()
    client = await here.client(server)
    assert (await client.say("MAIL FROM:<zoé@hopital.example> SMTPUTF8")) == "250 2.1.0 sender OK"
    assert (await client.say(RCPT)).startswith("250")
    assert (await client.say("DATA")).startswith("354")
    await client.send(dotted(SMALL))
    assert (await client.reply()).startswith("250")
    assert (await client.say("HELO old.example")).startswith("250 ")
    assert (await client.say(MAIL + " SIZE=3")).startswith("555")
    assert (await deliver(client, SMALL)).startswith("250")
    assert [envelope.protocol for envelope, _, _ in here.router.accepted] == ["UTF8SMTPS", "SMTP"]


async def test_idle_sessions_and_stalled_content_are_ended(here: World) -> None:
    server = await here.serve(limits=Limits(command_timeout=0.2, data_timeout=0.2, linger=0.1))
    client = await here.client(server)
    assert await client.rest() == b"421 4.4.2 idle for too long\r\n"
    client = await here.client(server)
    await client.send(f"{MAIL}\r\n{RCPT}\r\nDATA\r\nhalf a mess".encode())
    assert (await client.rest()).endswith(b"\r\n421 4.4.2 idle for too long\r\n")
    assert here.router.accepted == []


async def test_too_many_sessions_are_told(here: World) -> None:
    server = await here.serve(limits=Limits(sessions=1))
    first = await here.raw_client(server)
    assert (await first.reply()).startswith("220")
    second = await here.raw_client(server)
    assert (await second.rest()) == b"421 4.3.2 too many sessions, try again\r\n"


async def test_a_client_that_goes_away_while_its_message_is_stored(here: World) -> None:
    server = await here.serve()
    here.router.gate = asyncio.Event()
    client = await here.client(server)
    await client.send(f"{MAIL}\r\n{RCPT}\r\nDATA\r\n".encode() + dotted(SMALL))
    await asyncio.wait_for(here.router.entered.wait(), 5)
    client.close()
    await asyncio.sleep(0.05)
    here.router.gate.set()
    await server.close(grace=1)
    assert here.router.bodies() == [SMALL]


async def test_closing_lets_the_message_under_way_finish(here: World) -> None:
    server = await here.serve()
    here.router.gate = asyncio.Event()
    idle, busy = await here.client(server), await here.client(server)
    await busy.send(f"{MAIL}\r\n{RCPT}\r\nDATA\r\n".encode() + dotted(SMALL))
    await asyncio.wait_for(here.router.entered.wait(), 5)
    closing = asyncio.create_task(server.close(grace=5))
    assert await idle.rest() == b"421 4.3.2 service shutting down\r\n"
    here.router.gate.set()
    answers = (await busy.rest()).decode()
    assert "250 2.0.0 OK, trace" in answers
    assert answers.endswith("421 4.3.2 service shutting down\r\n")
    await closing
    with pytest.raises(OSError):
        await Client.connect(server.port)


async def test_a_broken_handshake_leaves_the_server_up(here: World) -> None:
    server = await here.serve()
    client = await here.raw_client(server)
    await client.greet()
    assert (await client.say("STARTTLS")).startswith("220")
    await client.send(b"this is no ClientHello\r\n" * 10)
    await client.rest()
    old = here.context()
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
    older = await here.raw_client(server)
    await older.greet(old)
    assert (await deliver(older, SMALL)).startswith("250")
    assert here.router.accepted[0][1].tls.startswith("TLSv1.2 ECDHE")


async def test_a_large_message_is_never_whole_in_memory(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """25 MiB in, byte for byte; what the intake holds at once stays below 600 KiB."""
    peaks = []

    class Watched(transaction.Intake):
        __slots__ = ()

        def hand_over(self) -> Spool:
            peaks.append(self.peak)
            return super().hand_over()

    monkeypatch.setattr(transaction, "Intake", Watched)
    server = await here.serve(limits=Limits())
    client = await here.client(server)
    line = bytes(range(32, 108)) + b"\r\n"
    body = line * (25 * 1024 * 1024 // len(line))
    assert (await deliver(client, body)).startswith("250")
    assert here.router.digests() == [hashlib.sha256(body).hexdigest()]
    assert peaks[0] < 600 * 1024
