"""Bad input and hard limits: a clear answer, or the end of that one session; the server lives on."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from imap_support import Bench, Wire, limits, simple_message

from gateway.imap import ImapServer, Limits


async def started(bench: Bench, settings_: Limits) -> ImapServer:
    async def authenticate(user: str, password: str, peer: str) -> int | None:
        if user == "boom":
            raise RuntimeError("a fault of ours")
        return bench.box_id if password == "right" else None

    server = ImapServer(bench.store, authenticate, bench.server_context, limits=settings_)
    await server.start("127.0.0.1", 0)
    return server


async def everything(wire: Wire) -> bytes:
    """All that comes until the server closes."""
    try:
        return await asyncio.wait_for(wire.reader.read(), 10)
    except ConnectionResetError:
        return b""


async def test_ten_bad_commands_end_the_session(bench: Bench) -> None:
    wire = await bench.wire()
    for _ in range(9):
        assert (await wire.command("FROB")).status == "BAD"
    await wire.ok("NOOP")  # a good one starts the count anew
    wire.send(b"x FROB\r\n" * 10)
    assert (await everything(wire)).endswith(b"* BYE Too many bad commands\r\n")


@pytest.mark.parametrize(
    ("octets", "last"),
    [
        (b"a" * 9000, b"* BYE A line is too long\r\n"),
        (b"a LOGIN {5000}\r\n", b"a BAD [TOOBIG] A literal is too large\r\n"),
        (b"a LOGIN {99999999999999999999}\r\n", b"a BAD [TOOBIG] A literal is too large\r\n"),
        (b"a LOGIN {5000+}\r\n" + b"x" * 5000 + b" y\r\n", b"a BAD [TOOBIG] A literal is too large\r\n"),
        (b"a LOGIN {999999999+}\r\n", b"* BYE [TOOBIG] A literal is too large\r\n"),
        (b"a NOOP\n", b"a BAD Lines end with CRLF\r\n"),
        (b"\r\n", b"* BAD Expected a tag at position 0\r\n"),
        (b"a APPEND INBOX {3+}\r\nabc\r\n", b"a BAD APPEND needs a folder and a message literal\r\n"),
        (b"a NOOP {5+}\r\n12345\r\n", b"a BAD Unexpected text at position 6\r\n"),
        (b'a LOGIN "x {5}\r\n', b"a BAD Expected a complete quoted string at position 8\r\n"),
        (b"\x00\xff\xfe\r\n", b"* BAD Expected a tag at position 0\r\n"),
        (b"\x16\x03\x01\x02\x00\r\n", b"* BAD Expected a tag at position 0\r\n"),
        (b"GET / HTTP/1.1\r\n", b"GET BAD Expected a keyword at position 4\r\n"),
    ],
)
async def test_before_login(bench: Bench, octets: bytes, last: bytes) -> None:
    wire = await bench.connect()
    wire.send(octets)
    answer = await wire.response() + b"\r\n"
    if octets.startswith(b"GET"):
        assert answer.startswith(b"GET BAD ")
        return
    assert answer == last
    if b"BYE" in last:
        assert await everything(wire) == b""
    else:
        assert (await wire.command("NOOP")).status == "OK"


async def test_after_login_more_fits(bench: Bench) -> None:
    wire = await bench.wire()
    await wire.ok("SELECT INBOX")
    await wire.ok("SEARCH UID " + ",".join(str(n) for n in range(1, 20000, 2))[:60000].rsplit(",", 1)[0])
    await wire.ok(b"SEARCH SUBJECT {60000+}\r\n" + b"x" * 60000)
    assert b"NO [TOOBIG]" in (await wire.command(b"SEARCH SUBJECT {70000+}\r\n" + b"x" * 70000)).tagged
    wire.send(b"b " + b"x" * 70000)
    assert (await everything(wire)).endswith(b"* BYE A line is too long\r\n")


async def test_timeouts(bench: Bench) -> None:
    server = await started(bench, limits(login_timeout=0.3, idle_timeout=0.5, idle_poll=0.1))
    try:
        silent = await Wire.connect(server.port, bench.client_context)
        assert await silent.response() == b"* BYE Log in sooner"
        drip = await Wire.connect(server.port, bench.client_context)
        for _ in range(6):  # a NOOP now and then does not keep the door open
            drip.send(b"a NOOP\r\n")
            await asyncio.sleep(0.1)
        assert (await everything(drip)).endswith(b"* BYE Log in sooner\r\n")
        idle = await Wire.connect(server.port, bench.client_context)
        await idle.ok("LOGIN a right")
        assert await idle.response() == b"* BYE Idle for too long"
        waiting = await Wire.connect(server.port, bench.client_context)
        await waiting.ok("LOGIN a right")
        waiting.send(b"i IDLE\r\n")
        assert await waiting.response() == b"+ idling"
        assert await waiting.response() == b"* BYE Idle for too long"
        for wire in (silent, drip, idle, waiting):
            await wire.close()
    finally:
        await server.close()


async def test_connection_limits(bench: Bench) -> None:
    server = await started(bench, limits(connections=3, connections_per_box=2))
    try:
        wires = [await Wire.connect(server.port, bench.client_context) for _ in range(3)]
        refused = await Wire.connect(server.port, bench.client_context)
        assert server.metrics.refused_connections == 1
        assert refused.greeting == b"* BYE [UNAVAILABLE] Too many connections"
        await wires[0].ok("LOGIN a right")
        await wires[1].ok("LOGIN a right")
        assert b"NO [LIMIT]" in (await wires[2].command("LOGIN a right")).tagged
        await wires[0].ok("LOGOUT")
        await everything(wires[0])
        await asyncio.sleep(0.05)
        await wires[2].ok("LOGIN a right")
        for wire in [*wires, refused]:
            await wire.close()
    finally:
        await server.close()


async def test_every_metric_moves(bench: Bench) -> None:
    metrics = bench.server.metrics
    wire = await bench.connect()
    assert (metrics.sessions, metrics.connections) == (1, 1)
    await wire.command("LOGIN x y")
    await wire.login()
    await wire.append("INBOX", simple_message())
    await wire.command("FROB")
    await wire.command("SELECT nowhere")
    await wire.ok("LOGOUT")
    await everything(wire)
    await asyncio.sleep(0.05)
    assert (metrics.sessions, metrics.logins, metrics.failed_logins, metrics.appended) == (0, 1, 1, 1)
    assert (metrics.no, metrics.bad) == (2, 1)
    assert metrics.commands == {"LOGIN": 2, "APPEND": 1, "SELECT": 1, "LOGOUT": 1}
    assert metrics.bytes_in > 400 and metrics.bytes_out > 400


async def test_a_fault_ends_the_command_only(bench: Bench) -> None:
    server = await started(bench, limits())
    try:
        wire = await Wire.connect(server.port, bench.client_context)
        assert b"NO [SERVERBUG]" in (await wire.command("LOGIN boom x")).tagged
        await wire.ok("LOGIN a right")
        assert server.metrics.faults == 1
        await wire.close()
    finally:
        await server.close()


async def test_close_tells_the_clients(bench: Bench) -> None:
    server = await started(bench, limits())
    wire = await Wire.connect(server.port, bench.client_context)
    await wire.ok("LOGIN a right")
    idle = await Wire.connect(server.port, bench.client_context)
    await idle.ok("LOGIN a right")
    idle.send(b"i IDLE\r\n")
    assert await idle.response() == b"+ idling"
    await server.close()
    assert await everything(wire) == b"* BYE The server is going down\r\n"
    assert await everything(idle) == b"* BYE The server is going down\r\n"
    for one in (wire, idle):
        await one.close()


async def test_vanishing_clients_leave_nothing(bench: Bench) -> None:
    await bench.adeliver(simple_message(1, "x" * 100_000))
    for octets in (
        b"a APPEND INBOX {100000}\r\n",
        b"a APPEND INBOX {100000+}\r\nhalf",
        b"a IDLE\r\n",
        b"a SEL",
        b"a SELECT INBOX\r\nb FETCH 1 BODY[]\r\n" * 30,
    ):
        wire = await bench.wire()
        wire.send(octets)
        await wire.writer.drain()
        await asyncio.sleep(0.02)
        wire.writer.transport.abort()
    for _ in range(200):
        if bench.server.metrics.sessions == 0:
            break
        await asyncio.sleep(0.02)
    assert bench.server.metrics.sessions == 0
    assert list((bench.store.home / "spool").iterdir()) == []
    survivor = await bench.wire()
    assert (await survivor.ok("STATUS INBOX (MESSAGES)")).untagged == [b"* STATUS INBOX (MESSAGES 1)"]


async def test_nothing_confidential_is_logged(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    wire = await bench.connect()
    await wire.command("LOGIN secret-user secret-word")
    await wire.login()
    await wire.command("CREATE secret-folder/")
    await wire.append("secret-folder", b"Subject: secret-subject\r\n\r\nsecret-body")
    await wire.command("SELECT secret-folder")
    await wire.command("SEARCH SUBJECT secret-search")
    await wire.command("CREATE secret-folder")
    logged = "".join(capsys.readouterr())
    assert "imap_login_failed" in logged
    assert "secret" not in logged and "correct horse" not in logged and "patient.example" not in logged


_PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"a NOOP\r\n",
            b"a FETCH 1:* (FLAGS BODY[])\r\n",
            b"{5+}\r\n",
            b"{3}\r\n",
            b"\r\n",
            b"\n",
            b'"',
            b"(",
            b"a SEARCH ",
            b"TEXT x\r\n",
            b"a STORE 1 FLAGS (",
            b"a APPEND INBOX {3+}\r\n",
            b"a IDLE\r\n",
            b"DONE\r\n",
            b"a UID ",
            b"EXPUNGE 1\r\n",
            b"a SELECT INBOX\r\n",
            b"a CLOSE\r\n",
            b'a LIST "" *\r\n',
            b"a COPY 1 x\r\n",
        ]
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(_PIECES, max_size=12), logged_in=st.booleans())
def test_any_octets_leave_the_server_sane(
    sync_bench: tuple[asyncio.AbstractEventLoop, Bench], pieces: list[bytes], logged_in: bool
) -> None:
    """Whatever is sent is answered by OK, NO, BAD, BYE or ``+``; never a fault, never a hang."""
    loop, bench = sync_bench

    async def attempt() -> None:
        wire = await Wire.connect(bench.port, bench.client_context)
        if logged_in:
            await wire.login()
            await wire.ok("SELECT INBOX")
        wire.send(b"".join(pieces))
        if wire.writer.can_write_eof():
            wire.writer.write_eof()
        # TLS has no half-close: end the line, leave IDLE or a literal, then log out.
        wire.send(b"\r\nDONE\r\n" + b"\r\n" * 9 + b"zz LOGOUT\r\n")
        octets = b""
        try:
            async with asyncio.timeout(0.4):
                while chunk := await wire.reader.read(65536):
                    octets += chunk
        except (TimeoutError, ConnectionResetError):
            pass  # inside a literal that never ends
        for line in octets.split(b"\r\n"):
            assert not line.startswith(b"Traceback")
        wire.writer.transport.abort()

    loop.run_until_complete(attempt())
    assert bench.server.metrics.faults == 0
