"""Every route of the site, whoever wrote it, stands behind the guard: strangers, forgers, heads.

The routes are taken from the application, so a new page is tested the day it is listed.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

from starlette.routing import BaseRoute, Route

from tests.webmail.web_kit import ALICE, CLEMENCE, NOE, Browser, Site, form_key, letter
from webmail.guards import FORM, Gate

#: Served without a guard: they look at no session, and hold nothing of anybody.
UNGUARDED = {"/statique/{name}", "/robots.txt", "/manifeste.webmanifest", "/service.js", "/hors-ligne"}
#: Calendar feeds: their secret is in the address (see docs/agenda.md), and no cookie is read.
FEEDS = re.compile(r"/agenda/\{\w+\}\.ics|/agenda/\{\w+\}")
_FILLERS = {"int": "1", "str": "x", "path": "1/2", "": "x", "uuid": "00000000-0000-0000-0000-000000000000"}


def _routes(found: list[BaseRoute]) -> Iterator[Route]:
    for one in found:
        assert isinstance(one, Route), f"{one} is no plain route: teach this test to look inside"
        yield one


def _path(route: Route) -> str:
    """An address of the route; ids are those of nothing."""
    return re.sub(r"\{(\w+)(?::(\w+))?\}", lambda found: _FILLERS[found[2] or ""], route.path)


def _guarded(site: Site, method: str) -> list[tuple[str, str, Gate]]:
    return [
        (route.path, _path(route), gate)
        for route in _routes(list(site.door.app.routes))
        if method in (route.methods or ())
        if isinstance(gate := getattr(route.endpoint, "gate", None), Gate)
    ]


def test_every_route_has_its_guard(site: Site) -> None:
    bare = {
        route.path for route in _routes(list(site.door.app.routes)) if not hasattr(route.endpoint, "gate")
    }
    assert {one for one in bare if not FEEDS.fullmatch(one)} == UNGUARDED


async def test_a_stranger_is_led_to_the_sign_in(site: Site) -> None:
    client = site.client()
    wrong = []
    closed = [address for _, address, gate in _guarded(site, "GET") if gate.signed]
    assert len(closed) > 10
    for address in closed:
        answer = await client.get(address)
        led = answer.status_code, answer.headers.get("location"), answer.content
        script = await client.get(address, headers={"HX-Request": "true"})
        led += script.status_code, script.headers.get("hx-redirect")
        if led != (303, f"/connexion?suite={address}", b"", 401, "/connexion"):
            wrong.append((address, led))
    assert wrong == []


async def test_a_stranger_posts_nothing(site: Site) -> None:
    client = site.client()
    wrong = []
    for _, address, gate in _guarded(site, "POST"):
        answer = await client.post(address, data={"_cle": "0" * 40})
        if answer.status_code != (303 if gate.signed else 403) or (
            gate.signed and not answer.headers["location"].startswith("/connexion")
        ):
            wrong.append((address, answer.status_code))
    assert wrong == []


async def test_no_forged_form_is_taken(site: Site, alice: Browser) -> None:
    """Each form is sent without a key, and in one of the other ways of forging."""
    own = form_key(await alice.get("/aide"))
    child = await site.signed_in(ALICE, space=NOE)
    forged: list[tuple[str, dict[str, str]]] = [
        (form_key(await (await site.signed_in(CLEMENCE)).get("/aide")), {}),
        (form_key(await child.get("/aide")), {}),  # of another session and of another space
        (form_key((await site.client().get("/affichage")).text), {}),
        (own, {"Sec-Fetch-Site": "cross-site"}),
        (own, {"Sec-Fetch-Site": "same-site"}),
        (own, {"Origin": "https://ailleurs.example"}),
        (own.upper(), {}),
    ]
    forms = _guarded(site, "POST")
    assert len(forms) > 10
    wrong = []
    for number, (_, address, _) in enumerate(forms):
        key, headers = forged[number % len(forged)]
        for given, how in (({}, {}), ({"_cle": key}, headers)):
            answer = await alice.client.post(address, data=given, headers=how)
            if answer.status_code != 403 or "est plus valable" not in answer.text:
                wrong.append((address, answer.status_code, how))
    assert wrong == []


async def test_a_form_of_her_own_space_is_not_taken_in_her_childs(site: Site, alice: Browser) -> None:
    own = form_key(await alice.get("/aide"))
    alice.client.cookies.set("__Host-profil", str(site.box(NOE)), domain="localhost.local", path="/")
    there = form_key(await alice.get("/aide"))
    assert there != own
    for key, status in ((own, 403), (there, 303)):
        assert (await alice.client.post("/affichage", data={"_cle": key})).status_code == status


async def test_a_browser_that_says_little_is_believed_by_its_key(site: Site, alice: Browser) -> None:
    key = form_key(await alice.get("/affichage"))
    for origin in ("null", site.url):
        answer = await alice.client.post("/affichage", data={"_cle": key}, headers={"Origin": origin})
        assert answer.status_code == 303


async def test_what_is_no_form_is_refused(site: Site, alice: Browser) -> None:
    key = form_key(await alice.get("/aide"))
    assert (await alice.client.post("/affichage", json={"_cle": key})).status_code == 403
    headers = {"content-type": "text/plain;charset=application/x-www-form-urlencoded"}
    answer = await alice.client.post("/affichage", content=f"_cle={key}&theme=clair", headers=headers)
    assert answer.status_code == 403


async def test_a_broken_form_is_refused_not_fallen_over(alice: Browser) -> None:
    flat = "application/x-www-form-urlencoded"
    part = b"--x\r\nContent-Disposition: form-data%s\r\n\r\n%s\r\n--x--\r\n"
    for content, media in (
        (part % (b"", b"x"), "multipart/form-data; boundary=x"),
        (part % (b'; name="a"; filename="a"', b"x"), "multipart/form-data; boundary=x"),  # no file is taken
        (b"nothing", "multipart/form-data"),
        (b"&".join(b"a%d=1" % number for number in range(1_500)), flat),
        (b"theme=%00", flat),
        (part % (b'; name="theme"', b"\\ud800"), "multipart/form-data; boundary=x; charset=unicode_escape"),
    ):
        answer = await alice.client.post("/affichage", content=content, headers={"content-type": media})
        assert answer.status_code == 400, content
        assert "Action impossible" in answer.text


async def test_more_than_the_page_takes_is_413(alice: Browser) -> None:
    key = form_key(await alice.get("/aide"))

    async def pieces() -> AsyncIterator[bytes]:
        yield f"_cle={key}&theme=".encode()
        for _ in range(FORM // 1024 + 1):
            yield b"x" * 1024

    headers = {"content-type": "application/x-www-form-urlencoded"}
    for answer in (
        await alice.client.post("/affichage", data={"_cle": key, "theme": "x" * FORM}),
        await alice.client.post("/affichage", content=pieces(), headers=headers),  # of no announced length
    ):
        assert answer.status_code == 413
        assert "trop lourd" in answer.text


async def test_a_stranger_without_cookies_is_told(site: Site) -> None:
    page = await site.client().get("/affichage")
    answer = await site.client().post("/affichage", data={"_cle": form_key(page.text)})
    assert answer.status_code == 403
    assert "cookie" in answer.text


async def test_no_page_falls_over(site: Site, alice: Browser) -> None:
    """Nothing is there that the addresses name; whatever is answered, it is no failure of ours."""
    await site.deliver(letter())
    wrong = []
    for path, address, _ in _guarded(site, "GET"):
        for one in {address, address.replace("/1", "/9223372036854775808")}:
            async with alice.client.stream("GET", one) as answer:
                if answer.status_code >= 500 or answer.status_code in (401, 405):
                    wrong.append((path, one, answer.status_code))
    assert wrong == []


async def test_every_page_says_how_it_is_to_be_treated(site: Site, alice: Browser) -> None:
    seen = 0
    for path, address, _ in _guarded(site, "GET"):
        async with alice.client.stream("GET", address) as answer:
            heads = answer.headers
            if not heads.get("content-type", "").startswith("text/html"):
                continue
            seen += 1
            policy = dict(
                part.strip().partition(" ")[::2] for part in heads["content-security-policy"].split(";")
            )
            assert policy["default-src"] == "'none'", path
            assert "unsafe" not in heads["content-security-policy"], path
            assert policy["script-src" if "script-src" in policy else "default-src"] in (
                "'self'",
                "'none'",
            ), path
            assert policy["frame-ancestors"] in ("'none'", "'self'"), path
            assert "no-store" in heads["cache-control"], path
            assert heads["x-content-type-options"] == "nosniff", path
            assert heads["referrer-policy"] == "no-referrer", path
            assert "max-age" in heads["strict-transport-security"], path
            assert "content-encoding" not in heads, path  # a packed page tells of the secrets in it (BREACH)
            assert "server" not in heads, path
    assert seen > 10


async def test_what_is_posted_to_is_no_page(alice: Browser) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = await alice.client.request(method, "/invite/quitter")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"
        assert "Page introuvable" in answer.text
