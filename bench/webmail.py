"""The patient's pages on a large mailbox, and under many readers: ``python -m bench.webmail``.

A real gateway (``passerelle serve``) with its web and IMAP ports; one patient has 10 000 letters from 200
professionals of the annuaire, one in five with a PDF, and 200 others have 40 letters each. Sessions are
opened in the store beforehand. Times are a client's, over TLS on one kept connection: the server's
own and the way.

Beside the pages, on the same ports in the same run: a file of the pages' own size class served by the same
HTTP engine (what TLS and HTTP cost), and what a mail program asks over IMAP to show the same list, which must
have every ENVELOPE to group letters by who wrote. ``times`` is the ratio to the file.

Readers each walk list → conversation → letter → its document, with a pause between pages or none.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import secrets
import ssl
import tempfile
import time
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from sqlalchemy import Connection, select

import annuaire
from annuaire.demo import write_activities, write_mssante
from bench import figures, messages, scene, system
from bench.system import machine
from bench.wireimap import WireImap
from gateway.home import settings_text
from gateway.message import Indexer, MessageMeta, encode_meta
from gateway.settings import FILE_NAME
from patients import signin
from patients.signin.sessions import open_session
from store import Store, Tx, mail, operation
from store.mail import SEEN, NewMessage
from store.schema import box as boxes

PROFESSIONALS: Final = 200
_SMALL: Final = 40
_SLICE: Final = 250
_FILE: Final = "/statique/htmx.min.js"
_MINUTES: Final = 4 * 60.0


@operation("bench.letters")
def _letters(tx: Tx, *, box_id: int, letters: list[NewMessage], seen: list[bool], at: list[int]) -> None:
    for one, read, when in zip(letters, seen, at, strict=True):
        mail.append(
            tx,
            box_id=box_id,
            folder_id=mail.INBOX_ID,
            message=one,
            flags=SEEN if read else 0,
            internal_date=when,
        )


@operation("bench.session")
def _session(tx: Tx, *, ins: str, token: str) -> None:
    lifetimes = signin.Lifetimes()
    open_session(tx, ins, "password", token, "bench", secrets.token_urlsafe(32), lifetimes)


def _address(number: int) -> str:
    return f"medecin.{number:03d}@{messages.DOMAIN}"


def _directory(folder: Path, store: Store) -> None:
    people = [
        {
            "national": f"8999{number:08d}",
            "civility": "DR",
            "family": f"EXEMPLE-{number:03d}",
            "given": "CAMILLE",
            "profession": ("10", "40", "50", "60", "70")[number % 5],
        }
        for number in range(PROFESSIONALS)
    ]
    day = "202611200500"
    mailboxes = [{"kind": "PER", "address": _address(n), **one} for n, one in enumerate(people)]
    work = [
        {**one, "finess": f"{690000000 + n % 40}", "legal_name": f"CENTRE EXEMPLE {n % 40}", "sector": "SA01"}
        for n, one in enumerate(people)
    ]
    path = write_mssante(folder / f"Extraction_Correspondance_MSSante_{day}.txt", mailboxes)
    annuaire.import_extraction(store, path)
    path = write_activities(folder / f"PS_LibreAcces_Personne_activite_{day}.txt", work)
    annuaire.import_extraction(store, path)


def _raw(number: int, to: str, chosen: random.Random) -> bytes:
    sender = number * 7 % PROFESSIONALS
    text = "Bonjour,\r\n" + "Voici des nouvelles de votre dossier, à lire avant la visite.\r\n" * 30
    head = (
        f"From: Camille EXEMPLE-{sender:03d} <{_address(sender)}>\r\nTo: <{to}>\r\n"
        f"Subject: =?utf-8?q?R=C3=A9sultats_n=C2=B0_{number}_de_la_visite?=\r\n"
        f"Message-ID: <{number}.{chosen.getrandbits(64):x}@{messages.DOMAIN}>\r\n"
        "Date: Fri, 20 Nov 2026 10:00:00 +0100\r\nMIME-Version: 1.0\r\n"
    )
    if number % 5:
        return f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}".encode()
    file = messages.pdf(6_000, chosen)
    return (
        (
            f'{head}Content-Type: multipart/mixed; boundary="bb"\r\n\r\n--bb\r\n'
            f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n--bb\r\n"
            "Content-Type: application/pdf\r\n"
            f'Content-Disposition: attachment; filename="compte-rendu-{number}.pdf"\r\n\r\n'
        ).encode()
        + file.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        + b"\r\n--bb--\r\n"
    )


def _fill(store: Store, box_id: int, to: str, count: int) -> None:
    chosen = random.Random(box_id)
    begin = 1_790_000_000_000
    for start in range(0, count, _SLICE):
        numbers = range(start, min(start + _SLICE, count))
        letters = []
        for number in numbers:
            raw = _raw(number, to, chosen)
            indexer = Indexer()
            indexer.feed(raw)
            spool = store.spool()
            spool.write(raw)
            meta = encode_meta(MessageMeta(b"Received: from bench\r\n", indexer.close()))
            letters.append(store.new_message(box_id, spool, meta))
        seen = [number < count - 20 for number in numbers]
        at = [begin + number * 60_000 for number in numbers]
        store.write(_letters, box_id=box_id, letters=letters, seen=seen, at=at)


class _Web:
    """A browser's kept connection, without the browser."""

    def __init__(self, port: int, context: ssl.SSLContext, token: str) -> None:
        self._port, self._context, self._token = port, context, token
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def get(self, path: str) -> bytes:
        """The body of a page. Raises :class:`SystemExit` unless it is a 200."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(
                "127.0.0.1", self._port, ssl=self._context, server_hostname="localhost"
            )
        assert self._reader is not None
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: __Host-session={self._token}\r\n\r\n"
        self._writer.write(head.encode())
        top = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", top.lower())
        if length is not None:
            body = await self._reader.readexactly(int(length[1]))
        else:
            body = await self._chunks()
        if not top.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"{path}: {top[:200]!r} {body[:200]!r}")
        return body

    async def _chunks(self) -> bytes:
        assert self._reader is not None
        found = []
        while size := int(await self._reader.readline(), 16):
            found.append(await self._reader.readexactly(size))
            await self._reader.readexactly(2)
        await self._reader.readexactly(2)
        return b"".join(found)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()


class _Person(msgspec.Struct):
    ins: str
    box_id: int
    token: str


def _prepare(folder: Path, letters: int, readers: int) -> tuple[scene.Scene, int, list[_Person]]:
    made = scene.prepare(folder, readers + 1, fronts=0, log_level="warning")
    (port,) = scene._free_ports(1)
    path = made.home / FILE_NAME
    values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    values["ports"]["web"] = f"127.0.0.1:{port}"
    values["signin"] = {"sender": "file", "terms": "1", "origin": f"https://localhost:{port}"}
    path.write_text(settings_text(values), encoding="utf-8")
    people = []
    with Store.open(made.home) as store:
        _directory(folder, store)
        for number in range(readers + 1):
            box_id = store.read(_box, scene.address(number))
            one = _Person(scene.ins(number), box_id, secrets.token_urlsafe(32))
            store.write(_session, ins=one.ins, token=one.token)
            _fill(store, box_id, scene.address(number), letters if number == 0 else _SMALL)
            people.append(one)
    return made, port, people


def _box(conn: Connection, address: str) -> int:
    return int(conn.scalar(select(boxes.c.box_id).where(boxes.c.address == address)) or 0)


async def _median(times: int, work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """The median and the 95th percentile of some runs, in ms."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - began) * 1000)
    return figures.median(taken), figures.percentile(taken, 0.95)


def _context(made: scene.Scene) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(made.pki.trust / "roots" / "racine.pem"))


async def _alone(
    made: scene.Scene, port: int, one: _Person, letters: int, imap: WireImap
) -> list[dict[str, object]]:
    web = _Web(port, _context(made), one.token)
    await web.get("/aide")
    rows: list[dict[str, object]] = []

    async def row(what: str, path: str, times: int = 25) -> bytes:
        body = await web.get(path)
        half, most = await _median(times, lambda: web.get(path))
        rows.append({"what": what, "ms": half, "p95 ms": most, "kB": len(body) / 1000})
        return body

    began = time.perf_counter()
    page = (await web.get("/messages")).decode()
    first = (time.perf_counter() - began) * 1000
    await row("a file, same engine", _FILE)
    rows.append({"what": f"/messages of {letters}, first time", "ms": first})
    await row("/messages, warm", "/messages")
    taken = []
    for number in range(10):  # a mail program changes something in between
        sign = "+-"[number % 2]
        await asyncio.to_thread(imap.command, f"STORE {letters} {sign}FLAGS (\\Flagged)")
        began = time.perf_counter()
        await web.get("/messages")
        taken.append((time.perf_counter() - began) * 1000)
    half, most = figures.median(taken), figures.percentile(taken, 0.95)
    rows.append({"what": "/messages, after a change elsewhere", "ms": half, "p95 ms": most})
    await row("/messages, last page", "/messages?page=5")
    await row("inbox as a list", "/messages?dossier=reception")
    await row("inbox as a list, in the middle", "/messages?dossier=reception&page=125")
    talk = re.search(r"/messages/conversation/[A-Za-z0-9_-]+", page)
    assert talk is not None
    body = (await row("a conversation", talk[0])).decode()
    letter = re.search(r'href="(/messages/\d+)"', body)
    assert letter is not None
    await row("a letter", letter[1])
    await row("search, a name and a word", "/messages/recherche?q=exemple-007+visite", 5)
    await row("search, in no letter (1 s of texts)", "/messages/recherche?q=zzqzzq", 3)

    def program(command: str) -> Callable[[], Awaitable[object]]:
        return lambda: asyncio.to_thread(imap.command, command)

    half, most = await _median(5, program(f"FETCH {max(1, letters - 39)}:{letters} (UID FLAGS ENVELOPE)"))
    rows.append({"what": "IMAP: FLAGS ENVELOPE of the newest 40", "ms": half, "p95 ms": most})
    half, most = await _median(3, program(f"FETCH 1:{letters} (UID FLAGS ENVELOPE)"))
    rows.append({"what": "IMAP: FLAGS ENVELOPE of all", "ms": half, "p95 ms": most})
    file = next(one["ms"] for one in rows if str(one["what"]).startswith("a file"))
    assert isinstance(file, float)
    for one_row in rows:
        assert isinstance(one_row["ms"], float)
        one_row["times"] = one_row["ms"] / file
    web.close()
    return rows


async def _walk(web: _Web, pause: float, rounds: int, taken: dict[str, list[float]]) -> None:
    async def page(what: str, path: str) -> str:
        if pause:
            await asyncio.sleep(random.uniform(0.5, 1.5) * pause)
        began = time.perf_counter()
        body = await web.get(path)
        taken.setdefault(what, []).append((time.perf_counter() - began) * 1000)
        return body.decode("utf-8", "replace")

    def one_of(pattern: str, text: str) -> str:
        found = re.findall(pattern, text)
        assert found, (pattern, text[:500])
        return str(random.choice(found)).replace("&amp;", "&")

    for _ in range(rounds):
        shown = await page("list", "/messages?filtre=pieces")
        talk = await page("conversation", one_of(r'href="(/messages/conversation/[A-Za-z0-9_-]+)"', shown))
        with_file = [part for part in talk.split("<li ") if 'class="file"' in part]
        letter = await page("letter", one_of(r'href="(/messages/\d+)"', "".join(with_file)))
        await page("document", one_of(r'href="(/messages/\d+/piece/[^"]+)"', letter))


async def _many(
    made: scene.Scene, port: int, people: list[_Person], pause: float, rounds: int
) -> list[dict[str, object]]:
    context = _context(made)
    webs = [_Web(port, context, one.token) for one in people]
    for start in range(0, len(webs), 20):  # connections and first pages come one after the other
        await asyncio.gather(*(one.get("/messages") for one in webs[start : start + 20]))
    taken: dict[str, list[float]] = {}
    began = time.perf_counter()
    async with asyncio.timeout(_MINUTES):
        ended = await asyncio.gather(
            *(_walk(one, pause, rounds, taken) for one in webs), return_exceptions=True
        )
    took = time.perf_counter() - began
    faults = [one for one in ended if one is not None]
    for one in webs:
        one.close()
    if faults:
        raise SystemExit(f"{len(faults)} of {len(webs)} readers met an error, the first: {faults[0]!r}")
    total = sum(map(len, taken.values()))
    return [
        {
            "what": what,
            "pages": len(times),
            "pages/s": total / took if what == "all" else "",
            "p50 ms": figures.percentile(times, 0.5),
            "p95 ms": figures.percentile(times, 0.95),
            "p99 ms": figures.percentile(times, 0.99),
        }
        for what, times in [*taken.items(), ("all", [one for some in taken.values() for one in some])]
    ]


def run(folder: Path, letters: int, readers: int, rounds: int, pause: float) -> None:
    """Prepare, serve, ask, print."""
    made, port, people = _prepare(folder, letters, readers)
    with scene.serving(made) as target:
        imap = WireImap(target)
        imap.login(scene.address(0), scene.PASSWORD)
        imap.command("SELECT INBOX")
        print(figures.table(asyncio.run(_alone(made, port, people[0], letters, imap))))
        imap.close()
        print(f"\n{readers} readers at once, {pause:g} s between pages\n")
        print(figures.table(asyncio.run(_many(made, port, people[1:], pause, rounds))))
        print(f"\n{readers} readers at once, no pause\n")
        print(figures.table(asyncio.run(_many(made, port, people[1:], 0.0, rounds))))
        print(f"\nmemory of the server: {system.memory(target.roots):.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--letters", type=int, default=10_000)
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5, help="walks of each reader")
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between a reader's pages")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    system.end_cleanly()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(machine(), "", sep="\n")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.folder) as name:
        run(Path(name), options.letters, options.readers, options.rounds, options.pause)


if __name__ == "__main__":
    main()
