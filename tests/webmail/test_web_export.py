"""« Emporter mes données »: the archive of the page is the archive of the room, sent while it is made."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import zipfile
from typing import BinaryIO

import pytest

from store import Tx, operation
from tests.webmail.web_kit import ALICE, CLEMENCE, Browser, Site, letter
from webmail.export import pages, stream


@operation("test.forget_proof_before_export")
def forget_proof(tx: Tx) -> None:
    """As if everybody had signed in an hour ago."""
    tx.conn.exec_driver_sql("UPDATE signin_session SET stepped_at = stepped_at - 3600000")


async def test_a_code_is_asked_for_first(site: Site, alice: Browser) -> None:
    assert "quelques minutes" in await alice.get("/export")  # signed in by a code just now
    site.store.write(forget_proof)
    assert "un code vous sera demandé" in await alice.get("/export")
    answer = await alice.post("/export", page="/export")
    assert answer.headers["location"] == "/compte/preuve?suite=/export"
    page = "/compte/preuve?suite=/export"
    await alice.post("/compte/preuve", {"suite": "/export"}, page=page)
    await site.door._signin.courier.drain()
    given = {"code": site.codes.last("alice@example.org")}
    answer = await alice.post("/compte/preuve/code", given, page="/compte/preuve/code")
    assert answer.headers["location"] == "/export"
    assert "quelques minutes" in await alice.after(answer)


async def test_the_archive_holds_what_there_is(site: Site, alice: Browser) -> None:
    for number in range(3):
        await site.deliver(letter(f"Compte rendu {number}"))
    await alice.post("/sante/ajouter/maladies", {"label": "Asthme", "system": ""}, page="/sante")
    answer = await alice.post("/export", page="/export", status=200)
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["cache-control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        manifest = json.loads(archive.read("manifest.json"))
        assert "LISEZMOI.txt" in archive.namelist()
    assert manifest["counts"]["messages"] >= 3
    assert manifest["counts"]["items"] == 1
    assert manifest["person"]["ins"] == ALICE.ins
    await alice.post("/export", page="/export", status=200)  # and again: the first one gave its place back


async def test_one_at_a_time_for_a_person(site: Site, alice: Browser) -> None:
    await alice.get("/export")
    makers = _makers(site)
    assert makers.take((ALICE.ins, site.box()))
    answer = await alice.post("/export", page="/export", status=503)
    assert "déjà en train" in answer.text
    makers.leave((ALICE.ins, site.box()))
    await alice.post("/export", page="/export", status=200)


def _makers(site: Site) -> pages.Makers:
    state = site.door.app.state
    if not hasattr(state, "exports"):
        state.exports = pages.Makers()
    found: pages.Makers = state.exports
    return found


async def test_a_stranger_gets_no_archive(site: Site) -> None:
    answer = await site.client().post("/export", data={})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/connexion"
    other = await site.signed_in(CLEMENCE)
    answer = await other.client.post("/export", data={"_cle": "0" * 40})
    assert answer.status_code == 403


# -- the stream -----------------------------------------------------------------------------------


async def test_a_stream_gives_every_octet_in_order() -> None:
    content = bytes(range(256)) * 9000  # many pieces, more than may wait
    ended = asyncio.Event()

    def make(out: BinaryIO) -> None:
        for begin in range(0, len(content), 50_000):
            out.write(content[begin : begin + 50_000])

    pieces = await stream.sending(make, done=ended.set)
    got = b"".join([piece async for piece in pieces])
    assert got == content
    assert ended.is_set()


async def test_what_fails_at_once_is_raised_at_once() -> None:
    def make(out: BinaryIO) -> None:
        raise ValueError("no right")

    with pytest.raises(ValueError, match="no right"):
        await stream.sending(make, done=lambda: None)


async def test_what_fails_on_the_way_breaks_the_stream() -> None:
    def make(out: BinaryIO) -> None:
        out.write(b"x" * stream.PIECE)
        raise ValueError("the disk is gone")

    pieces = await stream.sending(make, done=lambda: None)
    got: list[bytes] = []
    with pytest.raises(ValueError, match="the disk is gone"):
        got.extend([piece async for piece in pieces])
    assert not got


async def test_a_writer_stops_when_its_reader_goes() -> None:
    stopped = threading.Event()

    def make(out: BinaryIO) -> None:
        try:
            while True:
                out.write(b"x" * stream.PIECE)
        except stream.Gone:
            stopped.set()
            raise

    pieces = await stream.sending(make, done=lambda: None)
    assert await anext(pieces)
    await pieces.aclose()
    assert stopped.is_set()


async def test_a_writer_whose_reader_takes_nothing_stops() -> None:
    ended = asyncio.Event()

    def make(out: BinaryIO) -> None:
        while True:
            out.write(b"x" * stream.PIECE)

    await stream.sending(make, done=ended.set, patience=0.05)
    async with asyncio.timeout(20):
        await ended.wait()
