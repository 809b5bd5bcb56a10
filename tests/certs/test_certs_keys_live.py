"""A renewed certificate under running servers: who connects next sees it, who is connected goes on."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from certs_fixtures import NOW

from certs import (
    DemoPki,
    KeyPair,
    KeyRefused,
    KeySafe,
    Keystore,
    LiveTls,
    Role,
    Slot,
    certificates_in,
    client_context,
    identity,
    operators_context,
    peer_chain,
    read_bundle,
    server_context,
)
from certs import pki_profiles as shape

pytestmark = pytest.mark.package("openssl")
HOUR = 3_600_000


def _asking(certificate: Path, key: Path, passphrase: bytes) -> ssl.SSLContext:
    return operators_context(certificate, key, passphrase=passphrase)


def pair(pki: DemoPki, name: str) -> KeyPair:
    certificate, key = pki.paths(name)
    bundle = read_bundle(certificate.read_bytes() + key.read_bytes(), lambda _: b"")
    assert bundle.key is not None
    return KeyPair.make(pki.issued(name).chain, bundle.key)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home" / "tls").mkdir(parents=True)
    (tmp_path / "home" / "master.key").write_text("ab" * 32)
    return tmp_path / "home"


def open_store(home: Path, *, client: bool = False, now: int = NOW) -> Keystore:
    tls = home / "tls"
    slots: dict[Role, Slot] = {"server": Slot(tls / "server.pem", tls / "server.key")}
    if client:
        slots["client"] = Slot(tls / "client.pem", tls / "client.key")
    return Keystore(tls, slots, KeySafe.of(home), clock=lambda: now)


@pytest.fixture
def store(home: Path, pki: DemoPki) -> Keystore:
    opened = open_store(home)
    opened.install("server", pair(pki, "gateway"))
    return opened


@contextlib.asynccontextmanager
async def serving(context: ssl.SSLContext) -> AsyncIterator[int]:
    """Says how many certificates the client showed, then echoes lines."""
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        shown = peer_chain(writer.get_extra_info("ssl_object"))
        writer.write(b"%d shown\n" % len(shown))
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                writer.write(b"again " + line)
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*running)


async def shown_to(port: int, context: ssl.SSLContext) -> bytes:
    """What a server of :func:`serving` says that it was shown."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return line


async def s_client(port: int, *words: str | Path) -> tuple[int, str]:
    """The serial that OpenSSL's client sees, and all that it says."""
    process = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-connect", f"127.0.0.1:{port}", *map(str, words),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    text = out.decode("utf-8", "replace")
    pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", text, re.S)
    assert pem is not None, text
    return identity(certificates_in(pem[0].encode())[0]).serial, text


def serial(pki: DemoPki, name: str) -> int:
    return pki.issued(name).serial


@pytest.mark.parametrize("kind", ["operators", "server"])
async def test_new_handshakes_see_it_and_old_sessions_go_on(store: Keystore, pki: DemoPki, kind: str) -> None:
    """TLS 1.2 and 1.3, with and without a server name; also from an elliptic key to RSA and back."""
    live = LiveTls(store)
    make = operators_context if kind == "operators" else server_context
    door = live.door(lambda cert, key, phrase: make(cert, key, passphrase=phrase))
    usage = [shape.key_usage(signature=True), shape.extended(shape.CLIENT, shape.SERVER)]
    rsa = pki.issue("rsa", shape.organisation_name(cn="x", ou="y", o="z", st="w"), usage, key_type="rsa2048")
    async with serving(door) as port:
        before_all = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client_context(*pki.paths("hospital"))
        )
        greeting = await before_all[0].readline()
        assert greeting == (b"2 shown\n" if kind == "operators" else b"0 shown\n")
        for name, key in (("gateway", "EC"), (rsa.name, "RSA"), ("hospital", "EC"), ("gateway", "EC")):
            if live.pair.chain != pair(pki, name).chain:
                store.install("server", pair(pki, name))
                assert await live.refresh(force=True)
            for words in (("-tls1_2", "-noservername"), ("-tls1_3", "-servername", "mss.example.test")):
                seen, text = await s_client(port, *words, *shown(pki, "stranger"))
                assert seen == serial(pki, name)
                assert ("a:PKEY: rsaEncryption" in text) == (key == "RSA")
            told = await shown_to(port, client_context(*pki.paths("stranger")))
            assert told == (b"2 shown\n" if kind == "operators" else b"0 shown\n")
        before_all[1].write(b"still here\n")
        assert await before_all[0].readline() == b"again still here\n"
        before_all[1].close()
        await before_all[1].wait_closed()
    assert live.changes == 3


def shown(pki: DemoPki, name: str) -> tuple[str | Path, ...]:
    certificate, key = pki.paths(name)
    return ("-cert", certificate, "-key", key)


async def test_files_replaced_by_hand_are_heard_when_they_rest(
    store: Keystore, pki: DemoPki, home: Path
) -> None:
    live = LiveTls(store)
    assert not await live.refresh()
    certificate, key = pki.paths("hospital")
    shutil.copyfile(certificate, home / "tls" / "server.pem")
    assert not await live.refresh()  # changing: the key may follow
    shutil.copyfile(key, home / "tls" / "server.key")
    assert not await live.refresh()
    assert live.problem == ""
    assert await live.refresh()
    assert live.pair.chain == pair(pki, "hospital").chain
    assert not await live.refresh()


async def test_broken_files_leave_the_old_pair_in_use(store: Keystore, pki: DemoPki, home: Path) -> None:
    live = LiveTls(store)
    door = live.door(_asking)
    shutil.rmtree(home / "tls" / "history")
    async with serving(door) as port:
        for breaking in (
            lambda: shutil.copyfile(pki.paths("hospital")[0], home / "tls" / "server.pem"),
            lambda: (home / "tls" / "server.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n"),
            lambda: (home / "tls" / "server.pem").unlink(),
            lambda: (home / "tls" / "keystore.json").write_text("["),
        ):
            breaking()
            assert not await live.refresh(force=True)
            assert live.problem
            assert (await s_client(port))[0] == serial(pki, "gateway")
        (home / "tls" / "keystore.json").unlink()
        for file, name in zip(("server.pem", "server.key"), pki.paths("clinic"), strict=True):
            shutil.copyfile(name, home / "tls" / file)
        assert await live.refresh(force=True)
        assert live.problem == ""
        assert (await s_client(port))[0] == serial(pki, "clinic")


async def test_the_time_of_the_next_pair(home: Path, pki: DemoPki) -> None:
    store = open_store(home)
    store.install("server", pair(pki, "gateway"))
    store.install("server", pair(pki, "clinic"), active_from=NOW + HOUR)
    live = LiveTls(store)
    assert not await live.refresh(force=True)
    assert len(live.others) == 1
    later = LiveTls(open_store(home, now=NOW + HOUR))
    assert later.pair.chain == pair(pki, "gateway").chain
    for _ in range(2):
        await later.refresh()
    assert later.pair.chain == pair(pki, "clinic").chain
    assert len(later.others) == 1


async def test_a_client_of_its_own(home: Path, pki: DemoPki) -> None:
    store = open_store(home, client=True)
    store.install("server", pair(pki, "gateway"))
    with pytest.raises(KeyRefused, match=r"client\.pem"):
        LiveTls(store)
    store.install("client", pair(pki, "clinic"))
    live = LiveTls(store)
    assert seen_by_a_server(pki, live.client) == pki.issued("clinic").der
    store.install("client", pair(pki, "hospital"))
    assert await live.refresh(force=True)
    assert seen_by_a_server(pki, live.client) == pki.issued("hospital").der
    assert [seen_by_a_server(pki, other) for other in live.others] == [pki.issued("clinic").der]
    assert live.pair.chain == pair(pki, "gateway").chain


def seen_by_a_server(pki: DemoPki, client: ssl.SSLContext) -> bytes:
    """The certificate that a client's context shows, by a handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = pair(pki, "gateway").lend(_asking).wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server)
    for side in (theirs, server, theirs, server):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return peer_chain(server)[0]


def test_no_pair_at_all(home: Path) -> None:
    with pytest.raises(KeyRefused, match=r"server\.pem cannot be read"):
        LiveTls(open_store(home))
