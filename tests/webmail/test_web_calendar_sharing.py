"""The agenda elsewhere: private addresses told once, files in and out, invitations that came by message."""

from __future__ import annotations

import asyncio
import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

import agenda
from activity import Actor
from gateway.demo import cast
from gateway.invitations import Invitations
from tests.webmail.web_kit import ALICE, CLEMENCE, DOCTOR, NOE, Browser, Site, hide, letter
from webmail.people import contact_of

TITLE = "Dentiste; chez Éva, 2e étage"
GIVEN = {
    "titre": TITLE, "jour": "2026-03-03", "debut": "14:30", "fin_heure": "15:00", "zone": "Europe/Paris",
    "repete": "semaine", "tous": "2", "fin": "le", "jusquau": "2026-05-01", "rappels": ["60"],
}  # fmt: skip
FEEDS, IMPORT = "/agenda/abonnements", "/agenda/import"


async def exported(alice: Browser) -> bytes:
    await alice.post("/agenda/ajouter", GIVEN, page="/agenda/ajouter")
    answer = await alice.client.get("/agenda/export/calendrier")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == agenda.MEDIA_TYPE
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["cache-control"] == "no-store"
    return answer.content


async def test_a_feed_s_address_is_told_once_and_ends(site: Site, alice: Browser) -> None:
    await alice.post("/agenda/ajouter", GIVEN, page="/agenda/ajouter")
    answer = await alice.post(FEEDS, {"nom": "Mon téléphone", "montre": "busy"}, page=FEEDS, status=200)
    address = re.search(r'value="https://localhost:1(/agenda/[A-Za-z0-9_-]{43}\.ics)"', answer.text)
    assert address
    assert "Quiconque a cette adresse" in answer.text
    page = await alice.get(FEEDS)
    assert address[1] not in page
    assert "Mon téléphone" in page
    stranger = site.client()
    served = await stranger.get(address[1])
    assert served.status_code == 200
    assert "Dentiste" not in served.text  # only busy
    revoke = re.search(rf'action="({FEEDS}/\d+/revoquer)"', page)
    assert revoke
    other = await site.signed_in(CLEMENCE)
    await other.post(revoke[1], page=FEEDS, status=404)
    assert (await stranger.get(address[1])).status_code == 200
    await alice.post(revoke[1], page=FEEDS)
    assert (await stranger.get(address[1])).status_code == 404
    assert "Adresses coupées" in await alice.get(FEEDS)


async def test_a_stranger_reads_the_export(site: Site, alice: Browser) -> None:
    content = await exported(alice)
    (event,) = Calendar.from_ical(content).walk("VEVENT")
    assert event["SUMMARY"] == TITLE
    assert b"INTERVAL=2" in event["RRULE"].to_ical()


async def as_mozilla(repository: Path, data: bytes) -> list[dict[str, Any]]:
    """What ical.js expands until the end of 2026; skipped aloud where there is no npm."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing (Debian packages nodejs and npm)")
    pipe = asyncio.subprocess.PIPE
    made = await asyncio.create_subprocess_exec(
        repository / "scripts" / "node-tools", "ical", stdout=pipe, stderr=pipe
    )
    folder, error = await made.communicate()
    if made.returncode:
        pytest.skip(f"ical.js could not be installed: {error.decode()[-200:]}")
    run = await asyncio.create_subprocess_exec(
        "node", repository / "tests" / "ical" / "occurrences.mjs", "2026-12-31T00:00:00Z",
        cwd=repository / folder.decode().strip(), stdin=pipe, stdout=pipe, stderr=pipe,
    )  # fmt: skip
    out, error = await run.communicate(data)
    assert run.returncode == 0, error.decode()
    found: list[dict[str, Any]] = json.loads(out)["found"]
    return found


async def test_mozilla_s_library_sees_the_same_times(site: Site, alice: Browser, repository: Path) -> None:
    found = await as_mozilla(repository, await exported(alice))
    # 14:30 in Paris, before and after the clocks change
    assert [one["start"][:16] for one in found] == [
        "2026-03-03T13:30", "2026-03-17T13:30", "2026-03-31T12:30", "2026-04-14T12:30", "2026-04-28T12:30",
    ]  # fmt: skip
    assert {one["summary"] for one in found} == {TITLE}


async def test_a_file_is_looked_at_before_it_is_taken(site: Site, alice: Browser) -> None:
    content = await exported(alice)
    bad = b"BEGIN:VEVENT\r\nUID:bad\r\nDTSTART:20269999T000000\r\nSUMMARY:X\r\nEND:VEVENT\r\nEND:VCALENDAR"
    content = content.replace(b"END:VCALENDAR", bad)
    other = await site.signed_in(CLEMENCE)
    file = {"fichier": ("agenda.ics", content, "text/calendar")}
    answer = await other.post(IMPORT, page=IMPORT, files=file, status=200)
    assert "1 rendez-vous à ajouter" in answer.text
    assert "1 élément laissé de côté" in answer.text
    assert "Dentiste" not in await other.get("/agenda?mois=2026-03")
    waits = re.search(r'name="attente" value="([^"]+)"', answer.text)
    assert waits
    empty = {"fichier": ("", b"", "application/octet-stream")}
    await other.post(IMPORT, {"attente": waits[1], "etape": "importer"}, page=IMPORT, files=empty)
    assert "Dentiste" in await other.get("/agenda?mois=2026-03")
    again = await other.post(IMPORT, page=IMPORT, files=file, status=200)
    assert "1 rendez-vous déjà là" in again.text


async def test_files_that_are_none(site: Site, alice: Browser) -> None:
    for content in (b"", b"nothing", b"\x00\xff" * 500, b"BEGIN:VCALENDAR\r\n" * 50):
        file = {"fichier": ("a.ics", content, "text/calendar")}
        answer = await alice.post(IMPORT, page=IMPORT, files=file, status=422)
        assert 'class="notice error"' in answer.text


# -- invitations ----------------------------------------------------------------------------------

ICS = "\r\n".join(
    [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "METHOD:REQUEST", "BEGIN:VEVENT", "UID:rdv-1@hopital",
        "DTSTAMP:20260110T090000Z", "DTSTART;TZID=Europe/Paris:20300302T090000", "SUMMARY:Consultation",
        "LOCATION:Bâtiment B", "DTEND;TZID=Europe/Paris:20300302T093000", "END:VEVENT", "END:VCALENDAR", "",
    ]
)  # fmt: skip


async def invite(site: Site, to: cast.Patient = ALICE) -> None:
    attached = (("invite.ics", "text/calendar", ICS.encode()),)
    await site.deliver(letter("Rendez-vous", to=to, attachments=attached), to=to)
    await Invitations(site.store).worker("test").run_once()


async def test_an_invitation_is_accepted(site: Site, alice: Browser) -> None:
    await invite(site)
    assert "Consultation" not in await alice.get("/agenda?mois=2030-03")
    page = await alice.get("/agenda/invitations")
    assert "Consultation" in page
    assert "samedi 2 mars 2030, de 09:00 à 09:30" in page
    assert site.store.read(contact_of, DOCTOR.address).name in page
    accept = re.search(r'action="(/agenda/invitations/\d+/accepter)"', page)
    message = re.search(r'href="(/messages/\d+)"', page)
    assert accept
    assert message
    other = await site.signed_in(CLEMENCE)
    await other.post(accept[1], page="/agenda", status=404)
    await other.post(accept[1].replace("accepter", "ecarter"), page="/agenda", status=404)
    answer = await alice.post(accept[1], page="/agenda/invitations")
    assert "Venu d'une invitation" in html.unescape(await alice.after(answer))
    await alice.post(accept[1], page="/agenda/invitations", status=404)
    assert "Consultation" in await alice.get("/agenda?mois=2030-03")


async def test_an_invitation_is_set_aside(site: Site, alice: Browser) -> None:
    await invite(site)
    page = await alice.get("/agenda/invitations")
    decline = re.search(r'action="(/agenda/invitations/\d+/ecarter)"', page)
    assert decline
    page = await alice.after(await alice.post(decline[1], page="/agenda/invitations"))
    assert "Aucune invitation en attente" in page
    assert "Consultation" not in await alice.get("/agenda?mois=2030-03")


async def test_an_invitation_in_a_hidden_message_is_not_shown_to_a_parent(site: Site) -> None:
    await invite(site, to=NOE)
    parent = await site.signed_in(ALICE, space=NOE)
    page = await parent.get("/agenda/invitations")
    accept = re.search(r'action="(/agenda/invitations/\d+/accepter)"', page)
    assert accept
    box = site.box(NOE)
    (found,) = site.store.read(
        agenda.invitations, site.store, box, Actor(by="representative", ident=ALICE.ins)
    )
    hide(site, found.message_id, "899700000001")
    assert "Consultation" not in await parent.get("/agenda/invitations")
    await parent.post(accept[1], page="/agenda", status=404)
