"""The dialogue octet by octet: what ends a session, what does not, and every bound."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ldap_support import (
    BASE,
    DOCTOR,
    DOMAIN,
    PATIENT,
    Bench,
    Wire,
    bind,
    equal,
    extended,
    paged,
    present,
    search,
    starts,
)

import patients
from gateway.ldap import LdapServer, Limits, ber, messages
from gateway.ldap.errors import MalformedError
from gateway.ldap.messages import read_request
from store import Store, mail

LIMITS = Limits()
EXEMPLE = search(equal("sn", "exemple"))


def nested(depth: int) -> bytes:
    inner = present("cn")
    for _ in range(depth):
        inner = ber.element(0xA2, inner)
    return inner


HOSTILE = {
    "not BER at all": b"GET / HTTP/1.0\r\n\r\n",
    "another kind of element": ber.element(0x31, ber.integer(1)),
    "an indefinite length": bytes.fromhex("3080020101420000 00".replace(" ", "")),
    "a length of nine octets": bytes.fromhex("3089000000000000000000"),
    "larger than allowed": b"\x30\x84\x7f\xff\xff\xff",
    "number zero": messages.message(0, EXEMPLE),
    "a number that is negative": bytes.fromhex("30050201ff4200"),
    "a number of five octets": bytes.fromhex("3009020501000000004200"),
    "no such operation": messages.message(1, ber.element(0x7E, b"")),
    "a response": messages.message(1, messages.bind_response(0)),
    "an operation in another class": messages.message(1, ber.element(0x30, b"")),
    "a bind cut short": messages.message(1, ber.element(0x60, ber.integer(3))),
    "a bind by no known way": messages.message(
        1, ber.element(0x60, ber.integer(3), ber.octets(""), ber.octets("", 0x81))
    ),
    "version 2": messages.message(1, bind("", "", version=2)),
    "a name that is not UTF-8": messages.message(
        1, ber.element(0x60, ber.integer(3), ber.octets(b"\xff\xfe"), ber.octets("", 0x80))
    ),
    "an element beyond its message": bytes.fromhex("3008020101 63ff 0400 0a".replace(" ", "")),
    "a scope of 9": messages.message(1, search(present("cn"), scope=9)),
    "no such filter": messages.message(1, search(ber.element(0xAF, b""))),
    "a filter of 5000 levels": messages.message(1, search(nested(5000))),
    "a filter of 33 levels": messages.message(1, search(nested(33))),
    "a filter of 300 parts": messages.message(1, search(ber.element(0xA1, present("cn") * 300))),
    "a substring without parts": messages.message(
        1, search(ber.element(0xA4, ber.octets("cn"), ber.element(0x30, b"")))
    ),
    "a final part that is not the last": messages.message(
        1,
        search(
            ber.element(
                0xA4, ber.octets("cn"), ber.element(0x30, ber.octets("a", 0x82), ber.octets("b", 0x81))
            )
        ),
    ),
    "more after the message's end": ber.element(0x30, ber.integer(1), b"\x42\x00", b"\x04\x00"),
    "300 attributes": messages.message(1, search(present("cn"), attributes=["a"] * 300)),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_cannot_be_read_ends_the_session_with_a_notice(bench: Bench, name: str) -> None:
    wire = await bench.wire()
    wire.writer.write(HOSTILE[name])
    notice = await wire.answer()
    assert notice is not None
    assert (notice.number, notice.tag, notice.code) == (0, 0x78, 2)
    assert "[ldap.s" in notice.diagnostic  # ldap.syntax or ldap.size
    assert await wire.answer() is None
    assert bench.server.metrics.malformed == 1


@pytest.mark.parametrize("cut", [1, 2, 5, 20])
async def test_a_request_cut_short_is_waited_for_and_then_forgotten(bench: Bench, cut: int) -> None:
    wire = await bench.signed_in()
    wire.writer.write(messages.message(9, EXEMPLE)[:-cut])
    await wire.close()
    assert await wire.answer() is None
    async with asyncio.timeout(10):
        while bench.server.metrics.sessions:  # noqa: ASYNC110  # the server's own end tells nobody
            await asyncio.sleep(0.01)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_octets_break_the_reader(data: st.DataObject) -> None:
    """Any octets, and any message with an octet changed, give a request or the one error."""
    raw = bytearray(
        data.draw(st.sampled_from([messages.message(1, EXEMPLE), messages.message(7, bind("a", "b"))]))
    )
    for _ in range(data.draw(st.integers(0, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw += data.draw(st.binary(max_size=8))
    for octets in (bytes(raw), data.draw(st.binary(max_size=60))):
        with contextlib.suppress(MalformedError):
            read_request(octets, LIMITS)
        with contextlib.suppress(MalformedError):
            size = ber.message_size(octets, 1000)
            assert size is None or 2 <= size <= 1000


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=5))
async def test_any_octets_on_the_wire_leave_the_server_up(bench: Bench, pieces: list[bytes]) -> None:
    wire = await bench.wire()
    for piece in pieces:
        wire.writer.write(piece)
    await wire.close()
    good = await bench.signed_in()
    answers = await good.ask(EXEMPLE)
    assert [one.tag for one in answers] == [0x64, 0x65]
    await good.close()


async def test_requests_may_come_octet_by_octet_and_many_at_once(bench: Bench) -> None:
    wire = await bench.signed_in()
    for octet in messages.message(50, EXEMPLE):
        wire.writer.write(bytes((octet,)))
        await asyncio.sleep(0)
    assert [(await wire.answer()).number for _ in range(2)] == [50, 50]  # type: ignore[union-attr]  # they are there
    wire.writer.write(b"".join(messages.message(number, EXEMPLE) for number in (60, 61, 62)))
    seen = [(await wire.answer()) for _ in range(6)]
    assert sorted(one.number for one in seen if one is not None and one.tag == 0x65) == [60, 61, 62]


async def test_abandon_has_no_answer_and_unbind_ends(bench: Bench) -> None:
    wire = await bench.signed_in()
    number = wire.send(EXEMPLE)
    wire.send(ber.integer(number, 0x50))
    wire.send(ber.integer(12345, 0x50))  # of nothing
    last = wire.send(extended("1.3.6.1.4.1.4203.1.11.3"))
    seen = []
    while (answer := await wire.answer()) is not None and answer.number != last:
        seen.append(answer.number)
    assert answer is not None
    assert answer.number == last
    assert set(seen) <= {number}
    wire.send(b"\x42\x00")
    assert await wire.answer() is None


async def test_critical_controls_that_are_not_known(bench: Bench) -> None:
    wire = await bench.signed_in()
    unknown = ber.element(ber.SEQUENCE, ber.octets("1.2.3"), ber.element(ber.BOOLEAN, b"\xff"))
    (done,) = await wire.ask(EXEMPLE, unknown)
    assert done.code == 12
    assert "[ldap.control]" in done.diagnostic
    harmless = ber.element(ber.SEQUENCE, ber.octets("1.2.3"))
    assert (await wire.ask(EXEMPLE, harmless))[-1].code == 0


async def test_pages_one_by_one(bench: Bench) -> None:
    wire = await bench.signed_in()
    lyon = search(starts("l", "lyon"), attributes=["mail"])
    cookie, sizes = b"", []
    while True:
        answers = await wire.ask(lyon, paged(2, cookie))
        assert answers[-1].code == 0
        total, cookie = answers[-1].page
        assert total == 3
        sizes.append(len(answers) - 1)
        if not cookie:
            break
    assert sizes == [2, 1]
    (done,) = await wire.ask(lyon, paged(2, b"forged"))
    assert done.code == 53
    first = (await wire.ask(lyon, paged(1)))[-1].page[1]
    (done,) = await wire.ask(EXEMPLE, paged(1, first))
    assert "[ldap.page]" in done.diagnostic
    first = (await wire.ask(lyon, paged(1)))[-1].page[1]
    (done,) = await wire.ask(lyon, paged(0, first))  # RFC 2696 §3: given up
    assert (done.code, done.page) == (0, (0, b""))
    (done,) = await wire.ask(lyon, paged(1, first))
    assert done.code == 53
    malformed = messages.control("1.2.840.113556.1.4.319", b"\x30\x01")
    (done,) = await wire.ask(lyon, malformed)
    assert done.code == 2


async def test_only_so_many_pages_are_kept(bench: Bench) -> None:
    wire = await bench.signed_in()
    lyon = search(starts("l", "lyon"))
    cookies = [(await wire.ask(lyon, paged(1)))[-1].page[1] for _ in range(3)]
    assert (await wire.ask(lyon, paged(1, cookies[0])))[-1].code == 53
    assert (await wire.ask(lyon, paged(1, cookies[2])))[-1].code == 0


async def test_a_bind_that_fails_leaves_nobody_signed_in(bench: Bench) -> None:
    wire = await bench.signed_in()
    assert (await wire.bind(DOCTOR, "wrong")).code == 49
    assert (await wire.ask(EXEMPLE))[-1].code == 8
    assert (await wire.bind(DOCTOR, "")).code == 53  # RFC 4513 §5.1.2
    assert (await wire.bind("", "")).code == 0
    assert (await wire.ask(EXEMPLE))[-1].code == 8


async def test_a_few_wrong_passwords_end_the_connection(bench: Bench) -> None:
    wire = await bench.wire()
    codes = [(await wire.bind(DOCTOR, f"wrong {number}")).code for number in range(3)]
    assert codes == [49] * 3
    assert await wire.answer() is None
    assert bench.server.metrics.failed_logins == 3


async def test_no_password_without_tls(bench: Bench) -> None:
    wire = await bench.wire(starttls=True)
    refused = await wire.bind(DOCTOR, bench.passwords[DOCTOR])
    assert (refused.code, "[ldap.tls]" in refused.diagnostic) == (13, True)
    (_, root) = await wire.ask(search(present("objectClass"), "", 0, ["supportedExtension"]))
    assert root.code == 0
    (started,) = await wire.ask(extended("1.3.6.1.4.1.1466.20037"))
    assert started.code == 0
    await wire.writer.start_tls(bench.client, server_hostname="localhost")
    assert (await wire.bind(DOCTOR, bench.passwords[DOCTOR])).code == 0
    (again,) = await wire.ask(extended("1.3.6.1.4.1.1466.20037"))
    assert again.code == 1


async def test_octets_sent_before_the_handshake_are_not_obeyed(bench: Bench) -> None:
    wire = await bench.wire(starttls=True)
    wire.writer.write(
        messages.message(1, extended("1.3.6.1.4.1.1466.20037")) + messages.message(2, bind("", ""))
    )
    first = await wire.answer()
    assert first is not None
    assert first.number == 1
    assert await wire.answer() is None


async def test_a_closed_mailbox_looks_nothing_up_any_more(bench: Bench) -> None:
    address = f"closing@{DOMAIN}"
    box_id = await asyncio.to_thread(bench.store.create_box, address=address, kind="pro", owner="1")
    secret = await asyncio.to_thread(patients.add_app_password, bench.store, box_id, "test")
    wire = await bench.wire()
    assert (await wire.bind(address, secret)).code == 0
    assert (await wire.ask(EXEMPLE))[-1].code == 0
    await bench.store.awrite(mail.set_box_state, box_id=box_id, state="closed")
    assert (await wire.ask(EXEMPLE))[-1].code == 49


class TestBounds:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(
            login_delay=0.0, login_timeout=1.0, connections=3, connections_per_box=1, entries=1, outstanding=2
        )

    async def test_a_connection_too_many(self, bench: Bench) -> None:
        wires = [await bench.wire() for _ in range(3)]
        assert (await wires[0].bind("", "")).code == 0
        fourth = await bench.wire()
        notice = await fourth.answer()
        assert notice is not None
        assert (notice.number, notice.code) == (0, 51)
        assert await fourth.answer() is None

    async def test_a_connection_of_one_mailbox_too_many(self, bench: Bench) -> None:
        first = await bench.signed_in()
        second = await bench.wire()
        assert (await second.bind(DOCTOR, bench.passwords[DOCTOR])).code == 51
        assert (await first.bind(DOCTOR, bench.passwords[DOCTOR])).code == 0, "again on the same one"
        await first.close()
        async with asyncio.timeout(10):
            while (await second.bind(DOCTOR, bench.passwords[DOCTOR])).code != 0:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.01)

    async def test_whoever_does_not_sign_in_is_sent_away(self, bench: Bench) -> None:
        wire = await bench.wire()
        answer = await wire.answer()
        assert answer is not None
        assert (answer.number, answer.code) == (0, 52)
        assert "[ldap.idle]" in answer.diagnostic
        assert await wire.answer() is None

    async def test_the_server_has_a_size_limit_of_its_own(self, bench: Bench) -> None:
        wire = await bench.signed_in()
        answers = await wire.ask(search(starts("l", "lyon"), size=100))
        assert ([one.tag for one in answers], answers[-1].code) == ([0x64, 0x65], 4)


class TestFewCandidates:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(candidates=2)

    async def test_a_search_that_was_cut_short_says_so(self, bench: Bench) -> None:
        """Two of the three in Lyon were read: what is found may not be all."""
        wire = await bench.signed_in()
        done = (await wire.ask(search(starts("l", "lyon"))))[-1]
        assert (done.code, "[ldap.limit]" in done.diagnostic) == (11, True)


async def test_a_slow_search_ends_in_time_and_too_many_are_refused(
    directory: tuple[Store, dict[str, str]], tls: tuple[ssl.SSLContext, ssl.SSLContext, object]
) -> None:
    """The look-up is held up by a store whose readers are busy; nothing of ours is replaced."""
    store, passwords = directory
    server_context, client, _ = tls

    async def authenticate(user: str, password: str, peer: str) -> int | None:
        return await patients.check_app_password(store, user, password)

    limits = Limits(time=0.3, searches=1, outstanding=2)
    server = LdapServer(store, authenticate, server_context, base=BASE, limits=limits)
    await server.start("127.0.0.1", 0)
    services = server._services
    await services._searches.acquire()  # another client's search that takes long
    wire = await Wire.connect(server.port, client)
    assert (await wire.bind(DOCTOR, passwords[DOCTOR])).code == 0
    for _ in range(3):
        wire.send(EXEMPLE)
    codes = [answer.code for answer in [await wire.answer() for _ in range(3)] if answer is not None]
    assert sorted(codes) == [3, 3, 51]
    services._searches.release()
    assert (await wire.ask(EXEMPLE))[-1].code == 0
    await wire.close()
    await server.close()


async def test_a_patient_is_told_why(bench: Bench) -> None:
    wire = await bench.wire()
    answer = await wire.bind(PATIENT, bench.passwords[PATIENT])
    assert (answer.code, answer.diagnostic) == (50, "the directory is for professionals [ldap.professionals]")


async def test_the_end_of_the_server_is_told(bench: Bench) -> None:
    wire = await bench.signed_in()
    await bench.server.close()
    notice = await wire.answer()
    assert notice is not None
    assert (notice.number, notice.code) == (0, 52)
    assert bench.server.metrics.sessions == 0
