"""The agenda through its pages: seen, added, changed for once or for all, cancelled, removed."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import date, timedelta

import agenda
from activity import Actor
from agenda import Details
from tests.webmail.web_kit import ALICE, CLEMENCE, NOE, Browser, Site

DAY = date(2026, 3, 3)  # a Tuesday
GIVEN = {
    "titre": "Dentiste", "jour": DAY.isoformat(), "debut": "14:30", "fin_heure": "15:00",
    "lieu": "Rue Exemple", "zone": "Europe/Paris", "rappels": ["1440", "60"],
}  # fmt: skip
WEEKLY = {
    **GIVEN,
    "titre": "Kiné",
    "repete": "semaine",
    "tous": "1",
    "semaine": ["1", "3"],
    "fin": "apres",
    "fois": "6",
}


async def add(browser: Browser, given: Mapping[str, object]) -> str:
    """Add an appointment; its page's path."""
    answer = await browser.post("/agenda/ajouter", dict(given), page="/agenda/ajouter")
    return str(answer.headers["location"])


async def test_an_appointment_stands_in_month_week_and_day(site: Site, alice: Browser) -> None:
    path = await add(alice, GIVEN)
    page = html.unescape(await alice.get(path))
    assert "mardi 3 mars 2026, de 14\u00a0h\u00a030 à 15\u00a0h\u00a000" in page
    assert "La veille" in page
    month = await alice.get("/agenda?mois=2026-03")
    assert month.count("Dentiste") == 2  # in the table, and in the list for narrow screens
    assert '<th scope="col">' in month
    assert "Dentiste" in await alice.get("/agenda/semaine?du=2026-03-06")
    assert "Dentiste" in await alice.get("/agenda/jour/2026-03-03")
    for empty in ("/agenda?mois=2026-04", "/agenda/semaine?du=2026-03-09", "/agenda/jour/2026-03-04"):
        assert "Dentiste" not in await alice.get(empty)
    for odd in (
        "/agenda?mois=9999-99",
        "/agenda/semaine?du=x",
        "/agenda?mois=2198-12",
        "/agenda?mois=1901-01",
    ):
        await alice.get(odd)
    for none in ("/agenda/jour/2026-02-30", "/agenda/jour/x", "/agenda/rendez-vous/1"):
        await alice.get(none, 404)


async def test_bad_input_keeps_what_was_typed(site: Site, alice: Browser) -> None:
    for change, field in (
        ({"titre": ""}, "titre"), ({"jour": "2026-02-30"}, "jour"), ({"fin_heure": "14:00"}, "fin_heure"),
        ({"debut": "quand ?"}, "debut"), ({"jour_fin": "2026-03-01"}, "jour_fin"),
        ({"zone": "Mars/Olympe"}, "zone"),
        ({"repete": "semaine", "fin": "le", "jusquau": "2026-01-01"}, "jusquau"),
        ({"repete": "semaine", "fin": "apres", "fois": "0"}, "fois"), ({"repete": "toujours"}, "repete"),
        ({"jour_fin": "2029-03-01"}, "jour_fin"),
    ):  # fmt: skip
        answer = await alice.post("/agenda/ajouter", {**GIVEN, **change}, page="/agenda/ajouter", status=422)
        assert f'id="e-{field}"' in answer.text, change
        assert 'value="Rue Exemple"' in answer.text
        assert re.search(r'name="rappels" value="60" checked', answer.text)
    assert "Dentiste" not in await alice.get("/agenda?mois=2026-03")


async def test_once_changed_cancelled_and_taken_up_again(site: Site, alice: Browser) -> None:
    path = await add(alice, WEEKLY)
    page = html.unescape(await alice.get(path))
    assert "chaque semaine le mardi et le jeudi, 6 fois" in page
    march = await alice.get("/agenda?mois=2026-03")
    assert march.count("Kiné") == 12
    once = f"{path}?a=2026-03-10T14:30:00"
    assert "Cette fois seulement" in await alice.get(once)
    form = await alice.get(f"{path}/modifier?a=2026-03-10T14:30:00")
    version = re.search(r'name="version" value="(\d+)"', form)
    assert version
    moved = {
        "a": "2026-03-10T14:30:00", "titre": "Kiné déplacé", "jour": "2026-03-11", "debut": "08:00",
        "version": version[1],
    }  # fmt: skip
    await alice.post(f"{path}/modifier", moved, page=f"{path}/modifier?a=2026-03-10T14:30:00")
    assert "Kiné déplacé" in await alice.get("/agenda/jour/2026-03-11")
    assert "Kiné" not in await alice.get("/agenda/jour/2026-03-10")
    stale = await alice.post(f"{path}/modifier", moved, page=path, status=422)
    assert "modifié entre-temps" in stale.text
    answer = await alice.post(f"{path}/annuler", {"a": "2026-03-12T14:30:00"}, page=path)
    page = await alice.after(answer)
    undo = re.search(r'action="([^"]+/retablir\?a=[^"]+)"', page)
    assert undo
    assert "annulé" in await alice.get("/agenda/jour/2026-03-12")
    await alice.post(html.unescape(undo[1]), page=path)
    assert "annulé" not in await alice.get("/agenda/jour/2026-03-12")
    await alice.post(f"{path}/annuler", {"a": "2026-03-13T14:30:00"}, page=path, status=404)
    await alice.get(f"{path}/modifier?a=2026-03-13T14:30:00", 404)


async def test_all_of_it_changed_cancelled_and_removed(site: Site, alice: Browser) -> None:
    path = await add(alice, WEEKLY)
    form = await alice.get(f"{path}/modifier")
    assert re.search(r'name="semaine" value="3" checked', form)
    version = re.search(r'name="version" value="(\d+)"', form)
    assert version
    changed = {**WEEKLY, "titre": "Ostéo", "version": version[1], "partage": "oui"}
    await alice.post(f"{path}/modifier", changed, page=f"{path}/modifier")
    page = await alice.get(path)
    assert "Ostéo" in page
    assert "visible par les professionnels" in page
    page = await alice.after(await alice.post(f"{path}/annuler", page=path))
    assert f"{path}/retablir" in page
    assert "annulé" in page
    await alice.post(f"{path}/retablir", page=path)
    assert f"{path}/annuler" in await alice.get(path)
    await alice.post(f"{path}/retirer", page=f"{path}/retirer")
    await alice.get(path, 404)
    assert "Ostéo" not in await alice.get("/agenda?mois=2026-03")


async def test_an_appointment_of_somebody_else_is_not_there(site: Site, alice: Browser) -> None:
    path = await add(alice, GIVEN)
    other = await site.signed_in(CLEMENCE)
    for end in ("", "/modifier", "/retirer", "/exporter"):
        await other.get(f"{path}{end}", 404)
    for end in ("/modifier", "/annuler", "/retablir", "/retirer", "/masquer"):
        await other.post(f"{path}{end}", GIVEN, page="/agenda", status=404)
    await other.get(f"/agenda/rendez-vous/{2**64}", 404)
    answer = await alice.client.post(f"{path}/retirer", data={"_cle": "0" * 40})
    assert answer.status_code == 403
    assert "Dentiste" in await alice.get(path)


async def test_a_child_s_agenda_and_what_is_hidden_in_it(site: Site) -> None:
    parent = await site.signed_in(ALICE, space=NOE)
    path = await add(parent, GIVEN)
    own = await site.signed_in(ALICE)
    await own.get(path, 404)
    child, box = Actor(by="patient", ident=NOE.ins), site.box(NOE)
    secret = Details(title="Psychologue", begin="2026-03-04T10:00:00", end="2026-03-04T11:00:00")
    made = agenda.add(site.store, box, child, secret, hidden=True)
    hidden = f"/agenda/rendez-vous/{made.appointment_id}"
    for page in ("/agenda?mois=2026-03", "/agenda/semaine?du=2026-03-04", "/agenda/jour/2026-03-04"):
        assert "Psychologue" not in await parent.get(page)
    await parent.get(hidden, 404)
    for end in ("/modifier", "/annuler", "/retirer", "/masquer"):
        await parent.post(f"{hidden}{end}", GIVEN, page="/agenda", status=404)
    await parent.post(f"{path}/masquer", page="/agenda", status=403)
    answer = await parent.client.get("/agenda/export/calendrier")
    assert "Dentiste" in answer.text
    assert "Psychologue" not in answer.text


async def test_preventive_care_is_planned_declined_or_done(site: Site, alice: Browser) -> None:
    page = await alice.get("/agenda/prevention")
    codes = re.findall(r'name="code" value="([A-Z0-9_-]+)"', page)
    codes = list(dict.fromkeys(codes))
    assert len(codes) >= 3
    assert "Proposé" in page
    day = (date.today() + timedelta(days=30)).isoformat()  # noqa: DTZ011  # any day to come
    answer = await alice.post("/agenda/prevention/prevoir", {"code": codes[0], "jour": day}, page="/agenda")
    assert "Proposition de prévention" in await alice.after(answer)
    await alice.post("/agenda/prevention/ecarter", {"code": codes[1]}, page="/agenda")
    late = {"code": codes[2], "jour": "2150-01-01"}
    answer = await alice.post("/agenda/prevention/fait", late, page="/agenda", status=422)
    assert "notice error" in answer.text
    await alice.post("/agenda/prevention/fait", {"code": codes[2], "jour": "2026-01-05"}, page="/agenda")
    page = await alice.get("/agenda/prevention")
    assert codes[0] not in page
    assert codes[1] not in page
    assert "Vos réponses" in page
    again = {"code": codes[0], "jour": day}
    await alice.post("/agenda/prevention/prevoir", again, page="/agenda", status=404)
    await alice.post("/agenda/prevention/ecarter", {"code": "RIEN"}, page="/agenda", status=422)
