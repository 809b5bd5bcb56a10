"""News of a mailbox as it happens: server-sent events, read by curl over the real port."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

import patients
from gateway.demo import cast
from patients import signin
from store import Store, mail
from tests.webmail.web_kit import ALICE, CLEMENCE, NOE, Browser, Site, hide, letter
from webmail.mail import live

CURL = shutil.which("curl")
pytestmark = [pytest.mark.package("curl")]


class Stream:
    """A curl that follows ``/vivant``."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.seen = b""

    async def until(self, text: str, count: int = 1) -> None:
        assert self.process.stdout is not None
        async with asyncio.timeout(15):
            while self.seen.count(text.encode()) < count:
                some = await self.process.stdout.read(4096)
                assert some, f"the stream ended: {self.seen!r}"
                self.seen += some

    async def ended(self) -> bytes:
        assert self.process.stdout is not None
        async with asyncio.timeout(15):
            self.seen += await self.process.stdout.read()
            await self.process.wait()
        return self.seen

    async def quiet(self, seconds: float = 1.5) -> bool:
        """Whether nothing but signs of life comes for a while."""
        assert self.process.stdout is not None
        before = len(self.seen)
        try:
            async with asyncio.timeout(seconds):
                while some := await self.process.stdout.read(4096):
                    self.seen += some
        except TimeoutError:
            pass
        return b"event:" not in self.seen[before:]


@asynccontextmanager
async def following(site: Site, token: str, space: str = "") -> AsyncIterator[Stream]:
    cookies = f"__Host-session={token}" + (f"; __Host-profil={space}" if space else "")
    assert CURL is not None
    process = await asyncio.create_subprocess_exec(
        CURL, "-sSN", "-i", "--cacert", str(site.authority), "-H", f"Cookie: {cookies}",
        "-H", "Accept: text/event-stream", f"{site.url}/vivant", stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    stream = Stream(process)
    try:
        yield stream
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_letter_rings_and_says_nothing_of_itself(site: Site) -> None:
    token, _ = await site.session()
    async with following(site, token) as stream:
        await stream.until("retry:")
        assert b"content-type: text/event-stream" in stream.seen.lower()
        assert b"cache-control: no-store" in stream.seen.lower()
        await site.deliver(letter("Objet secret", to=CLEMENCE), to=CLEMENCE)
        assert await stream.quiet()  # another box
        await site.deliver(letter("Objet secret"))
        await stream.until("event: courrier\ndata:\n\n")
        assert b"secret" not in stream.seen
    for _ in range(100):  # the stream is given back when its reader has gone
        if live.streams_of(site.door.app).count == 0:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("a stream whose reader has gone is still counted")


async def test_signs_of_life_and_the_session_s_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BEAT_S", 0.2)
    token, _ = await site.session()
    async with following(site, token) as stream:
        await stream.until(": \n\n", 2)
        (session,) = site.store.read(signin.sessions_of, ALICE.ins)
        site.store.write(signin.revoke_session, ins=ALICE.ins, session_id=session.session_id)
        seen = await stream.ended()
        assert b"event:" not in seen
    answer = await site.client().get("/vivant", headers={"cookie": f"__Host-session={token}"})
    assert answer.status_code == 303


async def test_a_representative_hears_nothing_of_what_is_hidden(site: Site) -> None:
    token, _ = await site.session()
    async with following(site, token, str(site.box(NOE))) as stream:
        await stream.until("retry:")
        await site.deliver(letter("Pour tous", to=NOE), to=NOE)
        await stream.until("event: courrier")
        box_id = site.box(NOE)
        (entry,) = site.store.read(mail.entries, box_id, mail.INBOX_ID)
        hide(site, entry.message_id, cast.DOCTOR.id_nat)
        await stream.until("event: courrier", 2)  # it went from the list
        site.store.write(
            mail.change_flags,
            box_id=box_id,
            folder_id=mail.INBOX_ID,
            uids=[entry.uid],
            mode="add",
            flags=mail.SEEN,
        )
        assert await stream.quiet()


async def test_the_right_to_a_child_s_space_is_looked_at_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BEAT_S", 0.2)
    token, _ = await site.session()
    async with following(site, token, str(site.box(NOE))) as stream:
        await stream.until(": \n\n")
        site.store.write(
            patients.remove_representative,
            ins=NOE.ins,
            representative=ALICE.ins,
            actor="test",
            reason="jugement",
        )
        await stream.ended()


async def test_a_session_has_a_few_streams(site: Site, alice: Browser) -> None:
    token, _ = await site.session()
    streams = live.streams_of(site.door.app)
    (session, *_) = site.store.read(signin.sessions_of, ALICE.ins)
    events = [asyncio.Event() for _ in range(live.OF_SESSION)]
    for one in events:
        streams.enter(session.session_id, one)
    async with following(site, token) as stream:
        seen = await stream.ended()
        assert b" 204" in seen.splitlines()[0]
    streams.leave(session.session_id, events[0])
    async with following(site, token) as stream:
        await stream.until("retry:")


async def test_a_change_in_another_process_rings_too(site: Site) -> None:
    token, _ = await site.session()
    box_id = site.box()
    await site.deliver(letter())
    other = await asyncio.to_thread(Store.open, site.home, may_lead=False)
    try:
        async with following(site, token) as stream:
            await stream.until("retry:")
            await asyncio.to_thread(
                other.write,
                mail.change_flags,
                box_id=box_id,
                folder_id=mail.INBOX_ID,
                uids=[1],
                mode="add",
                flags=mail.SEEN,
            )
            await stream.until("event: courrier")
    finally:
        await asyncio.to_thread(other.close)


async def test_the_port_closes_at_once(site: Site) -> None:
    token, _ = await site.session()
    async with following(site, token) as stream:
        await stream.until("retry:")
        async with asyncio.timeout(5):
            await site.door.close()
        await stream.ended()
