"""The relay against real servers: aiosmtpd as a plain peer, our own port as a capable one."""

from __future__ import annotations

import asyncio
import hashlib
import random
import ssl
from collections.abc import AsyncIterator
from typing import Any

import dns.exception
import dns.message
import dns.resolver
import msgspec
import pytest
import pytest_asyncio
from aiosmtpd.smtp import SMTP
from smtp_support import World, free_port

import evidence
from certs import client_context, operators_context
from gateway.message import Indexer, MessageMeta, encode_meta
from gateway.routing import queue_relay
from gateway.routing.model import Envelope, Origin, Recipient, RelayJob, Verdict
from gateway.smtp import Limits, RelayWorker, Route, RouteError, Routes, Schedule
from store import Tx, mail, new_id, now_ms, operation, tasks

pytestmark = pytest.mark.wire
ME = "dr@here.example"
RAW = b"Message-ID: <m1@here>\r\nFrom: dr@here.example\r\nSubject: SECRET\r\n\r\n.dot\r\nbody\r\n"
PREFIX = b"Return-Path: <dr@here.example>\r\nReceived: from x by y; date\r\n"


@operation("tests.smtp.submit")
def submit(tx: Tx, *, box_id: int, message: mail.NewMessage, jobs: list[RelayJob]) -> None:
    mail.append(tx, box_id=box_id, folder_id=mail.OUTBOX_ID, message=message)
    for job in jobs:
        queue_relay(tx, box_id, job)


class Sink:
    """aiosmtpd's own server: no DSN, no CHUNKING. ``answers`` decides each RCPT and DATA."""

    def __init__(self) -> None:
        self.got: list[tuple[str, list[str], bytes]] = []
        self.answers: dict[str, list[str]] = {}
        self.data_answers: list[str] = []
        self.certificates: list[Any] = []
        self.port = 0
        self.sessions = 0

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, hostname: str, lines: list[str]
    ) -> Any:
        session.host_name = hostname
        self.sessions += 1
        return lines

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        told = self.answers.get(address)
        if told:
            return told.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.data_answers:
            answer = self.data_answers.pop(0)
            if answer == "drop":
                server.transport.abort()
                return "421 gone"
            return answer
        self.certificates.append(session.ssl["ssl_object"].getpeercert(True))
        self.got.append((envelope.mail_from, list(envelope.rcpt_tos), bytes(envelope.content)))
        return "250 2.0.0 taken"


class Post:
    """A sender's box, a worker and a sink at one address each."""

    def __init__(self, here: World) -> None:
        self.here = here
        self.store = here.store
        self.box_id = self.store.create_box(address=ME, kind="pro", owner="x")
        self.sink = Sink()
        self.allowed = {("there.example", "mss.hopital-exemple.test")}
        self.routes = Routes({})
        self.workers: list[RelayWorker] = []

    async def check(self, domain: str, dn: str) -> bool:
        return any(domain == name and f"CN={host}," in dn for name, host in self.allowed)

    def worker(self, **options: Any) -> RelayWorker:
        settings: dict[str, Any] = {
            "store": self.store,
            "routes": self.routes,
            "context": client_context(*self.here.pki.paths("gateway")),
            "trust": self.here.trust,
            "allowed": self.check,
            "hostname": "smtps.passerelle.test",
            "schedule": Schedule(first=1, longest=1, jitter=0),
        }
        made = RelayWorker(**(settings | options))
        self.workers.append(made)
        return made

    def submit(self, *recipients: Recipient, raw: bytes = RAW, **fields: Any) -> str:
        spool, indexer, trace = self.store.spool(), Indexer(), f"{new_id():x}"
        for start in range(0, len(raw), 1 << 18):
            spool.write(raw[start : start + (1 << 18)])
            indexer.feed(raw[start : start + (1 << 18)])
        meta = encode_meta(MessageMeta(prefix=PREFIX, index=indexer.close()))
        message = self.store.new_message(self.box_id, spool, meta, prefix_size=len(PREFIX))
        settings: dict[str, Any] = {"mail_from": ME, "received_at": now_ms()}
        jobs = [
            RelayJob(
                recipient=recipient,
                message_id=message.message_id,
                header_message_id="<m1@here>",
                trace_id=trace,
                sha256=hashlib.sha256(raw).digest(),
                **(settings | fields),
            )
            for recipient in recipients
        ]
        self.store.write(submit, box_id=self.box_id, message=message, jobs=jobs)
        return trace

    def reports(self) -> list[str]:
        def read(conn: Any) -> list[str]:
            found = mail.entries(conn, self.box_id, mail.INBOX_ID)
            messages = self.store.messages(conn, self.box_id, [entry.message_id for entry in found])
            return [
                b"".join(self.store.open_body(messages[entry.message_id]).chunks()).decode()
                for entry in found
            ]

        return self.store.read(read)

    def outbox(self) -> int:
        return self.store.read(mail.folder_counts, self.box_id, mail.OUTBOX_ID).messages

    def events(self, trace: str) -> list[tuple[str, str, str]]:
        return [
            (record.event, record.recipient, record.rule) for record in self.store.read(evidence.trace, trace)
        ]

    def states(self) -> list[str]:
        return [
            task.state
            for state in ("due", "leased", "done", "failed")
            for task in self.store.read(tasks.pending, "relay", 100, state)
        ]


@pytest_asyncio.fixture
async def post(here: World) -> AsyncIterator[Post]:
    made = Post(here)
    loop = asyncio.get_running_loop()
    context = operators_context(*here.pki.paths("hospital"))
    server = await loop.create_server(
        lambda: SMTP(
            made.sink,
            hostname="there.example",
            tls_context=context,
            require_starttls=True,
            enable_SMTPUTF8=True,
            loop=loop,
        ),
        "127.0.0.1",
        0,
    )
    made.sink.port = server.sockets[0].getsockname()[1]
    made.routes.static["there.example"] = Route("127.0.0.1", made.sink.port)
    yield made
    for worker in made.workers:
        await worker.close(grace=1)
    server.close()


async def test_one_transaction_for_recipients_of_one_message(post: Post, here: World) -> None:
    trace = post.submit(Recipient(address="a@there.example"), Recipient(address="b@There.Example"))
    await post.worker().drain()
    sender, recipients, content = post.sink.got[0]
    assert (sender, sorted(recipients)) == (ME, ["a@there.example", "b@There.Example"])
    assert content == b"Received: from x by y; date\r\n" + RAW  # Return-Path stays here
    assert len(post.sink.got) == 1
    assert post.sink.certificates[0] == here.pki.issued("gateway").der
    assert post.states() == ["done", "done"]
    assert post.outbox() == 0
    assert post.reports() == []
    assert sorted(post.events(trace)) == [
        ("relayed", "a@there.example", "relay.taken"),
        ("relayed", "b@There.Example", "relay.taken"),
    ]


async def test_each_recipient_has_its_own_end(post: Post) -> None:
    post.sink.answers = {
        "bad@there.example": ["550 5.1.1 no such box [recipient.unknown]"],
        "busy@there.example": ["450 4.2.0 later"],
    }
    trace = post.submit(
        Recipient(address="good@there.example"),
        Recipient(address="bad@there.example", orcpt="rfc822;Bad+2BX@There.Example"),
        Recipient(address="busy@there.example"),
        ret="FULL",
        envid="E1",
    )
    worker = post.worker(schedule=Schedule())
    await worker.drain()
    assert post.states() == ["due", "done", "failed"]
    assert post.outbox() == 1
    waiting = post.store.read(tasks.pending, "relay", 10, "due")[0]
    assert waiting.last_error == "450 4.2.0 later"
    (report,) = post.reports()
    assert "Action: failed\r\nStatus: 5.1.1" in report
    assert "Original-Recipient: rfc822;Bad+X@There.Example" in report
    assert "Diagnostic-Code: smtp; 550 5.1.1 no such box [recipient.unknown]" in report
    assert "aucun profil patient" in report
    assert "Original-Envelope-Id: E1" in report
    assert "SECRET" not in report
    assert "<m1@here>" in report
    await post.store.awrite(tasks.retry, task_id=waiting.task_id, due_at=now_ms())  # `queue retry`
    await worker.drain()
    assert post.states() == ["done", "done", "failed"]
    assert post.outbox() == 0
    assert sorted(event for event, _, _ in post.events(trace)) == ["failed", "relayed", "relayed"]
    assert post.store.read(evidence.verify, evidence.public_key(post.store.home)).ok


async def test_success_is_reported_when_the_peer_cannot(post: Post) -> None:
    post.submit(Recipient(address="a@there.example", notify="SUCCESS"))
    await post.worker().drain()
    (report,) = post.reports()
    assert "Action: relayed" in report


@pytest.mark.parametrize("fields", [{"mail_from": ""}, {"notify": "NEVER"}, {"notify": "SUCCESS,DELAY"}])
async def test_nobody_is_told_who_did_not_ask(post: Post, fields: dict[str, str]) -> None:
    post.sink.answers = {"bad@there.example": ["550 5.1.1 no"]}
    notify = fields.pop("notify", "")
    trace = post.submit(Recipient(address="bad@there.example", notify=notify), **fields)
    await post.worker().drain()
    assert post.reports() == []
    assert post.events(trace) == [("failed", "bad@there.example", "relay.refused")]


async def test_a_broken_connection_is_retried_and_the_message_arrives_once(post: Post) -> None:
    post.sink.data_answers = ["drop", "451 4.3.0 disk"]
    trace = post.submit(Recipient(address="a@there.example"))
    worker = post.worker()
    for _ in range(3):
        await worker.drain()
        await asyncio.sleep(0.02)
    assert len(post.sink.got) == 1
    assert post.events(trace) == [("relayed", "a@there.example", "relay.taken")]


async def test_a_server_that_is_not_the_domains_gets_nothing(post: Post, here: World) -> None:
    post.allowed = {("there.example", "mss.clinique-exemple.test")}
    post.submit(Recipient(address="a@there.example"))
    worker = post.worker()
    await worker.take()
    await asyncio.gather(*worker._running)
    (task,) = post.store.read(tasks.pending, "relay", 10, "due")
    assert task.last_error.endswith("[relay.whitelist]")
    assert post.sink.got == []


@pytest.mark.parametrize("name", ["stranger", "revoked", "expired"])
async def test_a_server_whose_certificate_is_bad_gets_nothing(post: Post, here: World, name: str) -> None:
    server = await here.serve(context=operators_context(*here.pki.paths(name)))
    post.routes.static["there.example"] = Route("127.0.0.1", server.port)
    post.submit(Recipient(address="p1@there.example"))
    worker = post.worker()
    await worker.take()
    await asyncio.gather(*worker._running)
    (task,) = post.store.read(tasks.pending, "relay", 10, "due")
    assert task.last_error.endswith("[relay.certificate]")
    assert here.router.accepted == []


async def test_nothing_goes_in_clear(post: Post) -> None:
    class Plain(Sink):
        pass

    plain, loop = Plain(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(plain, hostname="x", loop=loop), "127.0.0.1", 0)
    post.routes.static["there.example"] = Route("127.0.0.1", server.sockets[0].getsockname()[1])
    post.submit(Recipient(address="a@there.example"))
    worker = post.worker()
    await worker.take()
    await asyncio.gather(*worker._running)
    (task,) = post.store.read(tasks.pending, "relay", 10, "due")
    assert task.last_error == "451 4.7.4 the server does not offer STARTTLS [relay.tls]"
    assert plain.got == []
    server.close()


async def test_a_delay_is_told_once_and_the_end_of_patience_once(post: Post) -> None:
    post.routes.static["there.example"] = Route("127.0.0.1", free_port())
    day = 24 * 3_600_000
    trace = post.submit(
        Recipient(address="a@there.example", notify="DELAY,FAILURE"), received_at=now_ms() - day
    )
    worker = post.worker(schedule=Schedule(first=1, longest=1, jitter=0))
    for _ in range(3):
        await worker.take()
        await asyncio.gather(*worker._running)
        await asyncio.sleep(0.01)
    (report,) = post.reports()
    assert "Action: delayed" in report
    assert "Will-Retry-Until: " in report
    assert post.events(trace) == [("delayed", "a@there.example", "relay.connection")]
    impatient = post.worker(schedule=Schedule(first=1, longest=1, lifetime=day // 2))
    await impatient.drain()
    assert "Action: failed\r\nStatus: 4.4.7" in post.reports()[1]
    assert post.states() == ["failed"]
    assert post.events(trace)[1:] == [("failed", "a@there.example", "relay.expired")]


async def test_a_closed_senders_box_does_not_keep_the_end_from_being_written(post: Post) -> None:
    post.sink.answers = {"bad@there.example": ["550 5.1.1 no"]}
    trace = post.submit(Recipient(address="bad@there.example"))
    post.store.write(mail.set_box_state, box_id=post.box_id, state="closed")
    await post.worker().drain()
    assert post.events(trace) == [("failed", "bad@there.example", "relay.refused")]
    assert post.reports() == []


async def test_a_dead_worker_leaves_its_tasks_to_the_next(post: Post) -> None:
    trace = post.submit(Recipient(address="a@there.example"))
    post.store.write(tasks.lease, queue="relay", owner="dead", limit=10, lease_ms=50)
    worker = post.worker()
    await worker.drain()
    assert post.sink.got == []
    await asyncio.sleep(0.1)
    await worker.drain()
    assert len(post.sink.got) == 1
    assert post.events(trace) == [("relayed", "a@there.example", "relay.taken")]


async def test_it_runs_by_itself_and_wakes_on_new_work(post: Post) -> None:
    worker = post.worker(poll=30)
    worker.start()
    await asyncio.sleep(0.05)
    post.submit(Recipient(address="a@there.example"))
    for _ in range(200):
        if post.states() == ["done"]:
            break
        await asyncio.sleep(0.02)
    assert post.states() == ["done"]
    assert len(post.sink.got) == 1


class Accepting:
    """A router of the peer that takes all and remembers."""

    def __init__(self) -> None:
        self.got: list[tuple[Envelope, bytes, int]] = []

    async def origin(self, verdict: Any, tls: str, peer: str) -> Origin:
        return Origin(kind="operator", dn=verdict.identity.subject_dn)

    async def sender(self, *_: Any) -> Verdict:
        return Verdict(action="accept", rule="ok")

    async def recipient(self, *_: Any) -> Verdict:
        return Verdict(action="accept", rule="ok")

    async def accept(self, origin: Any, envelope: Envelope, spool: Any, index: Any, sha256: bytes) -> Verdict:
        self.got.append((envelope, sha256, index.size))
        return Verdict(action="accept", rule="ok")


async def test_to_a_capable_peer_all_parameters_travel_and_no_octet_changes(post: Post, here: World) -> None:
    peer = Accepting()
    server = await here.serve(
        router=peer, context=operators_context(*here.pki.paths("hospital")), limits=Limits()
    )
    post.routes.static["there.example"] = Route("127.0.0.1", server.port)
    no_final_line_end = b"Subject: \xc3\xa9\r\n\r\nno final line end, 8-bit \xe9"
    post.submit(
        Recipient(address="zoé@there.example", notify="SUCCESS,FAILURE", orcpt="utf-8;Zo+C3+A9@x"),
        raw=no_final_line_end,
        ret="HDRS",
        envid="Ab+3DC",
        smtputf8=True,
    )
    large = b"Subject: x\r\n\r\n" + (random.Random(1).randbytes(57).hex().encode() + b"\r\n") * 220_000
    post.submit(Recipient(address="b@there.example"), raw=large)
    await post.worker().drain()
    found = {envelope.recipients[0].address: (envelope, digest, size) for envelope, digest, size in peer.got}
    envelope, digest, _ = found["zoé@there.example"]
    prefix = PREFIX.partition(b"\r\n")[2]
    assert digest == hashlib.sha256(prefix + no_final_line_end).digest()
    assert (envelope.ret, envelope.envid, envelope.body) == ("HDRS", "Ab+3DC", "8BITMIME")
    assert envelope.smtputf8
    assert envelope.recipients[0].notify == "SUCCESS,FAILURE"
    assert envelope.recipients[0].orcpt == "utf-8;Zo+C3+A9@x"
    assert found["b@there.example"][1] == hashlib.sha256(prefix + large).digest()
    assert len(large) > 25_000_000
    assert post.reports() == []  # the peer offers DSN: success is its to report
    assert post.states() == ["done", "done"]


async def test_what_cannot_travel_unchanged_is_refused_not_rebuilt(post: Post, here: World) -> None:
    server = await here.serve(
        router=Accepting(),
        context=operators_context(*here.pki.paths("hospital")),
        limits=Limits(message_size=500),
    )
    post.routes.static["there.example"] = Route("127.0.0.1", server.port)
    trace = post.submit(Recipient(address="b@there.example"), raw=RAW + b"x" * 1000 + b"\r\n")
    await post.worker().drain()
    assert post.events(trace) == [("failed", "b@there.example", "message.size")]
    assert "le message est trop volumineux" in post.reports()[0]


class FakeAnswer:
    """A resolver that answers from a table; the DNS itself is not ours to test."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def resolve(self, domain: str, kind: str, lifetime: float) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Mx(msgspec.Struct):
    preference: int
    exchange: str


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([Mx(20, "b.example."), Mx(10, "a.example.")], ["a.example", "b.example"]),
        (dns.resolver.NoAnswer(response=dns.message.make_query("d.example", "MX")), ["d.example"]),
        ([Mx(0, ".")], "5.1.10"),
        (dns.resolver.NXDOMAIN(), "5.1.2"),
        (dns.resolver.NoNameservers(), "4.4.3"),
        (dns.exception.Timeout(), "4.4.3"),
    ],
)
async def test_mail_exchangers(answer: Any, expected: Any) -> None:
    routes = Routes({"static.example": Route("h", 2525)}, resolver=FakeAnswer(answer))  # type: ignore[arg-type]
    assert await routes.find("static.example") == [Route("h", 2525)]
    if isinstance(expected, str):
        with pytest.raises(RouteError) as caught:
            await routes.find("d.example")
        assert caught.value.enhanced == expected
    else:
        assert [route.host for route in await routes.find("d.example")] == expected


def test_waiting_grows_to_a_bound_and_is_spread() -> None:
    schedule = Schedule()
    waits = [schedule.delay(attempt, 0.5) for attempt in range(1, 12)]
    assert waits[:4] == [60_000, 120_000, 240_000, 480_000]
    assert waits[-1] == 3_600_000
    assert schedule.delay(1, 0.0) == 48_000
    assert schedule.delay(500, 0.999) < 3_600_000 * 1.2


# -- two certificates of ours, while one replaces the other


@pytest.mark.parametrize("others", [0, 1])
async def test_a_peer_that_refuses_our_certificate_is_shown_the_other(
    post: Post, here: World, others: int
) -> None:
    """The peer's list names the old certificate or the new one: which, nobody tells us."""
    server = await here.serve(context=operators_context(*here.pki.paths("hospital")))
    post.routes.static["there.example"] = Route("127.0.0.1", server.port)
    there = ["p1@there.example", "p2@there.example"]
    here.router.boxes |= dict.fromkeys(there, next(iter(here.router.boxes.values())))
    trace = post.submit(*(Recipient(address=address) for address in there))
    known = [client_context(*here.pki.paths("gateway"))][:others]
    await post.worker(context=client_context(*here.pki.paths("revoked")), others=known).drain()
    events = [(event, rule) for event, _, rule in post.events(trace) if event != "receipt"]
    if others:
        assert events == [("relayed", "relay.taken")] * 2
        assert len(here.router.accepted) == 1
    else:
        assert events == [("failed", "relay.refused")] * 2
        assert here.router.accepted == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("others", [0, 1])
async def test_a_peer_that_refuses_our_certificate_in_the_handshake(
    post: Post, here: World, others: int, version: ssl.TLSVersion
) -> None:
    """An operator whose OpenSSL judges: an alert instead of a reply (RFC 8446 §4.4.2.4)."""
    strict = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    strict.load_cert_chain(*here.pki.paths("hospital"))
    for folder in ("roots", "intermediates"):
        for path in (here.pki.trust / folder).iterdir():
            strict.load_verify_locations(path)
    strict.verify_mode = ssl.CERT_REQUIRED
    strict.minimum_version = strict.maximum_version = version
    sink, loop = Sink(), asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(sink, hostname="x", tls_context=strict, require_starttls=True, loop=loop), "127.0.0.1", 0
    )
    post.routes.static["there.example"] = Route("127.0.0.1", server.sockets[0].getsockname()[1])
    trace = post.submit(Recipient(address="p1@there.example"))
    known = [client_context(*here.pki.paths("gateway"))][:others]
    worker = post.worker(context=client_context(*here.pki.paths("stranger")), others=known)
    try:
        await worker.take()
        await asyncio.gather(*worker._running)
    finally:
        server.close()
    if others:
        assert [(event, rule) for event, _, rule in post.events(trace)] == [("relayed", "relay.taken")]
        assert len(sink.got) == 1
    else:
        (task,) = post.store.read(tasks.pending, "relay", 10, "due")
        assert task.last_error.endswith("not accept our certificate [relay.identity]")
        assert sink.got == []


async def test_another_certificate_is_not_shown_for_other_refusals(post: Post) -> None:
    post.sink.answers["a@there.example"] = ["550 5.1.1 nobody here"]
    trace = post.submit(Recipient(address="a@there.example"))
    await post.worker(others=[client_context(*post.here.pki.paths("clinic"))]).drain()
    assert [rule for event, _, rule in post.events(trace) if event == "failed"] == ["relay.refused"]
    assert post.sink.answers["a@there.example"] == []
