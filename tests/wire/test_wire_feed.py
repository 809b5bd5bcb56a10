"""The private calendar feed over TLS, read by curl and by Mozilla's iCalendar library."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from wire_support import Space

import activity
import agenda
import patients
from agenda import Change, Details
from gateway.demo import cast, prepare_demo
from gateway.demo.scene import Scene
from gateway.server import Front
from gateway.settings import PortsSection
from store import Store

BEFORE = "2031-01-01T00:00:00Z"
BEFORE_MS = int(datetime.fromisoformat(BEFORE).timestamp() * 1000)


class Feed:
    """A front that serves the web port alone, and a patient's feed on it."""

    def __init__(self, space: Space, store: Store, front: Front) -> None:
        self.store, self.front, self.authorities = store, front, space.authorities
        found = store.read(patients.profile, cast.ALICE.ins)
        assert found is not None and found.box_id is not None
        self.box = found.box_id
        self.me = store.read(activity.person, self.box, cast.ALICE.ins)

    def open(self, **given: Any) -> tuple[int, str]:
        feed, token = agenda.open_feed(self.store, self.box, self.me, **given)
        return feed.feed_id, f"https://localhost:{self.front.web.port}/agenda/{token}.ics"

    async def curl(self, *arguments: str) -> tuple[int, str, bytes]:
        """Status, header and body."""
        run = await asyncio.create_subprocess_exec(
            "curl", "--silent", "--max-time", "60", "--cacert", self.authorities, "--dump-header", "-",
            *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, error = await run.communicate()
        assert run.returncode == 0, error
        head, _, body = out.partition(b"\r\n\r\n")
        return int(head.split()[1]), head.decode().casefold(), body


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return prepare_demo(tmp_path / "demo")


@pytest.fixture
async def feed(scene: Scene) -> AsyncIterator[Feed]:
    home = scene.home("passerelle")
    ports = PortsSection(operators="", submission="", imap="", web="127.0.0.1:0")
    settings = scene.settings("passerelle").model_copy(update={"ports": ports})
    with Store.open(home) as store:
        await asyncio.to_thread(patients.activate, store, cast.ALICE.ins, cast.PATIENT_DOMAIN, actor="test")
        front = Front(home, settings, store)
        await front.start()
        try:
            yield Feed(Space(scene), store, front)
        finally:
            await front.close()


def fill(feed: Feed) -> list[dict[str, object]]:
    """An agenda of everything there is, and what takes place by our own reckoning."""
    said = [
        Details(title="Séance; à Paris, 2e étage", begin="2030-03-25T09:00", end="2030-03-25T09:30",
                rule="FREQ=WEEKLY;COUNT=6", excluded=["2030-04-08T09:00"], reminders=[15, 1_440],
                place="12, rue de l'Essai",
                changes=[Change(at="2030-04-01T09:00", begin="2030-04-02T18:00", end="2030-04-02T18:45",
                                title="Séance déplacée", place="Ailleurs")]),
        Details(title="Rendez-vous à Saint-Denis", begin="2030-07-01T08:00", end="2030-07-01T09:00",
                zone="Indian/Reunion", rule="FREQ=MONTHLY;BYDAY=-1MO;UNTIL=20301001"),
        Details(title="À Pointe-à-Pitre", begin="2030-10-30T16:00", end="2030-10-30T17:00",
                zone="America/Guadeloupe", extra=["2030-11-05T10:00"]),
        Details(title="x" * 190, begin="2030-10-26T22:00", end="2030-10-26T23:00", rule="FREQ=DAILY;COUNT=2"),
        Details(title="Un jeudi, puis trois lundis", begin="2030-02-07T10:00", end="2030-02-07T11:00",
                rule="FREQ=WEEKLY;BYDAY=MO;COUNT=4"),
    ]  # fmt: skip
    for one in said:
        agenda.add(feed.store, feed.box, feed.me, one)
    found = feed.store.read(
        agenda.occurrences, feed.store, feed.box, feed.me, BEFORE_MS - 3_600 * 86_400_000, BEFORE_MS
    )

    def iso(ms: int) -> str:
        return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    return [
        {"summary": one.title, "location": one.place, "start": iso(one.since), "end": iso(one.until)}
        for one in found
    ]


async def as_mozilla(repository: Path, data: bytes) -> dict[str, Any]:
    """The calendar as ical.js expands it; skipped aloud where there is no npm."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing (Debian packages nodejs and npm)")
    made = await asyncio.create_subprocess_exec(
        repository / "scripts" / "node-tools", "ical",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    folder, error = await made.communicate()
    if made.returncode:
        pytest.skip(f"ical.js could not be installed: {error.decode()[-200:]}")
    run = await asyncio.create_subprocess_exec(
        "node", repository / "tests" / "ical" / "occurrences.mjs", BEFORE,
        cwd=repository / folder.decode().strip(),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, error = await run.communicate(data)
    assert run.returncode == 0, error.decode()
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.mark.package("curl")
async def test_mozilla_sees_what_we_see(feed: Feed, repository: Path) -> None:
    expected = await asyncio.to_thread(fill, feed)
    _, address = await asyncio.to_thread(lambda: feed.open(shows="full"))
    status, head, body = await feed.curl(address)
    assert status == 200 and "content-type: text/calendar; charset=utf-8" in head
    seen = await as_mozilla(repository, body)
    named = [{name: one[name] for name in ("summary", "location", "start", "end")} for one in seen["found"]]
    assert len(expected) > 8
    assert sorted(named, key=str) == sorted(expected, key=str)
    assert {"-PT15M", "-P1D"} <= {alarm for one in seen["found"] for alarm in one["alarms"]}
    _, address = await asyncio.to_thread(feed.open)
    _, _, body = await feed.curl(address)
    busy = await as_mozilla(repository, body)
    assert {(one["summary"], one["location"]) for one in busy["found"]} == {("Rendez-vous", "")}
    when = sorted((one["start"], one["end"]) for one in busy["found"])
    assert when == sorted((str(one["start"]), str(one["end"])) for one in expected)


@pytest.mark.package("curl")
async def test_curl_asks_again_until_it_is_revoked(feed: Feed) -> None:
    number, address = await asyncio.to_thread(feed.open)
    status, head, _ = await feed.curl(address)
    etag = next(line for line in head.splitlines() if line.startswith("etag: ")).partition(" ")[2]
    assert status == 200 and "cache-control: private, no-cache" in head
    assert (await feed.curl("--header", f"If-None-Match: {etag}", address))[::2] == (304, b"")
    await asyncio.to_thread(agenda.revoke_feed, feed.store, feed.box, feed.me, number)
    gone = await feed.curl("--header", f"If-None-Match: {etag}", address)
    never = await feed.curl(address[:-47] + "A" * 43 + ".ics")
    assert gone[0] == never[0] == 404 and gone[2] == never[2]
