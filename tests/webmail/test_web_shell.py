"""What every page has around it: names, counts, banners, messages, theme and size, error pages."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from itertools import pairwise
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route

from tests.webmail.web_kit import ALICE, CLEMENCE, NOE, Browser, Site, form_key, letter
from webmail.formats import short_month
from webmail.turn import local


async def test_a_stranger_sees_the_welcome(site: Site) -> None:
    answer = await site.client().get("/")
    assert answer.status_code == 200
    for way in ("/connexion", "/activation", "/aide"):
        assert f'href="{way}"' in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "Se déconnecter" not in answer.text


async def test_a_signed_in_person_sees_her_name(site: Site, alice: Browser) -> None:
    assert ALICE.birth_name in await alice.get("/")
    await site.deliver(letter())


async def test_every_page_has_its_landmarks(site: Site, alice: Browser) -> None:
    for path in ("/", "/aide", "/affichage", "/vos-donnees", "/accessibilite", "/rien"):
        for page in ((await site.client().get(path)).text, (await alice.client.get(path)).text):
            assert len(re.findall(r"<h1\b", page)) == 1, path
            assert page.count('<main id="contenu"') == 1
            assert page.index('class="skip"') < page.index("<header") < page.index("<main")
            levels = [int(one) for one in re.findall(r"<h([1-6])\b", page)]
            assert all(after - before <= 1 for before, after in pairwise(levels)), levels
            assert re.search(r"<title>\S.* – Mon espace santé</title>", page)


async def test_what_is_unread_is_counted(site: Site, alice: Browser) -> None:
    assert re.search(r'id="non-lus" class="count" hidden>', await alice.get("/aide"))
    await site.deliver(letter())
    await site.deliver(letter())
    page = await alice.get("/aide")
    assert re.search(r'id="non-lus" class="count">2<span class="visually-hidden"> 2 messages non lus', page)
    assert "2 messages non lus" in await alice.get("/")
    other = await site.signed_in(CLEMENCE)
    assert re.search(r'id="non-lus" class="count" hidden>', await other.get("/aide"))


async def test_home_tells_what_is_new(site: Site, alice: Browser) -> None:
    page = await alice.get("/")
    assert "Vous avez tout lu" in page
    assert "Le dossier est vide" in page
    await site.deliver(letter("Votre ordonnance de novembre"))
    page = await alice.get("/")
    assert "Votre ordonnance de novembre" in page
    path = re.search(r'class="row unread" href="([^"]+)"', page)
    assert path
    assert "Votre ordonnance de novembre" in await alice.get(path[1])


async def test_home_leads_to_what_it_names(site: Site, alice: Browser) -> None:
    page = await alice.get("/")
    assert "/agenda/prevention" in page
    for path in set(re.findall(r'href="(/[^"]*)"', page)):
        assert (await alice.client.get(path)).status_code in (200, 303), path
    for path in ("/ecrire", "/pharmacies", "/documents/deposer", "/mesures", "/sante/synthese", "/droits"):
        assert f'href="{path}"' in page


def test_months_are_shortened_as_people_do() -> None:
    """Imprimerie nationale's way: ``nov.``, never ``nove.``."""
    whens = [int(datetime(2026, number, 15, tzinfo=UTC).timestamp() * 1000) for number in range(1, 13)]
    assert " ".join(map(short_month, whens)) == (
        "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc."
    )
    assert short_month(whens[10], language="en") == "Nov"


async def test_filters_are_not_called_optional(site: Site, alice: Browser) -> None:
    """A choice that always says something, and what narrows a list, need no "(facultatif)"."""
    for path in ("/catalogue", "/historique", "/pharmacies"):
        assert "(facultatif)" not in await alice.get(path), path


async def test_whose_space_it_is_shows_on_every_page(site: Site) -> None:
    there = await site.signed_in(ALICE, space=NOE)
    for path in ("/", "/aide", "/messages", "/rien"):
        page = (await there.client.get(path)).text
        assert re.search(r'<body class="[^"]*elsewhere space-1', page), path
        assert "Vous agissez pour" in page
        assert "Vous êtes dans l&#39;espace de Noe" in page or "Vous êtes dans l'espace de Noe" in page
    own = await site.signed_in(ALICE)
    page = await own.get("/")
    assert "elsewhere" not in page[: page.index("<main")]
    assert "Votre espace" in page


async def test_in_a_childs_space_nothing_of_the_record_is_named_at_home(site: Site) -> None:
    """Titles are an access that the rooms write down; the first page leaves no trace, so it names none."""
    there = await site.signed_in(ALICE, space=NOE)
    page = await there.get("/")
    assert "L&#39;espace de Noe" in page or "L'espace de Noe" in page
    assert re.search(r'href="/documents/\d', page) is None
    assert 'class="dates"' not in page


async def test_a_profile_that_is_not_his_is_not_shown(site: Site) -> None:
    """The cookie is no right: who may not act for somebody stays in his own space."""
    other = await site.signed_in(CLEMENCE, space=NOE)
    page = await other.get("/")
    assert "elsewhere" not in page[: page.index("<main")]
    assert NOE.birth_name not in page


async def test_theme_size_and_language_are_kept_for_a_stranger(site: Site) -> None:
    client = site.client()
    page = (await client.get("/affichage")).text
    assert 'media="screen and (prefers-color-scheme: dark)"' in page
    data = {"_cle": form_key(page), "theme": "sombre", "taille": "grand", "langue": "en"}
    answer = await client.post("/affichage", data=data)
    assert answer.status_code == 303
    kept = [one for one in answer.headers.get_list("set-cookie") if one.startswith(("affichage=", "langue="))]
    assert len(kept) == 2
    for cookie in kept:
        assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
        assert "samesite=lax" in cookie.lower()
    page = (await client.get("/affichage")).text
    assert '<html lang="en" data-theme="sombre" data-size="grand">' in page
    assert 'media="screen"' in page
    assert "Noted: this is how your pages look on this device." in page
    assert "Noted" not in (await client.get("/affichage")).text  # said once
    data = {"_cle": form_key(page), "theme": "clair", "taille": "x", "langue": "../../x"}
    await client.post("/affichage", data=data)
    page = (await client.get("/aide")).text
    assert '<html lang="en" data-theme="clair">' in page
    assert "dark.css" not in page
    data = {"_cle": form_key((await client.get("/affichage")).text), "theme": "auto", "langue": "fr"}
    await client.post("/affichage", data=data)
    assert '<html lang="fr">' in (await client.get("/aide")).text


@pytest.mark.parametrize(
    "cookie", ["<script>.grand", "clair.sombre", "grand" * 50, "%00", ".", "sombre.<b>.grand"]
)
async def test_a_strange_display_cookie_does_no_harm(site: Site, cookie: str) -> None:
    answer = await site.client().get("/", headers={"Cookie": f"affichage={cookie}; langue={cookie}"})
    assert answer.status_code == 200
    assert "<script>." not in answer.text
    assert "<b>" not in answer.text.partition("<main")[0]


@pytest.mark.parametrize(
    "said",
    [
        "x",
        "=" * 3000,
        base64.urlsafe_b64encode(b"[1,2,3]").decode(),
        base64.urlsafe_b64encode(b'["a","evil kind",""]').decode(),
        base64.urlsafe_b64encode(json.dumps({"text": "x"}).encode()).decode(),
    ],
)
async def test_a_strange_message_cookie_says_nothing(site: Site, said: str) -> None:
    answer = await site.client().get("/", headers={"Cookie": f"__Host-dit={said}"})
    assert answer.status_code == 200
    assert 'class="said"' not in answer.text


async def test_a_message_is_text_and_undoes_only_here(site: Site) -> None:
    told = json.dumps(["<script>alert(1)</script>", "ok", "https://ailleurs.example/"]).encode()
    cookie = base64.urlsafe_b64encode(told).decode()
    page = (await site.client().get("/", headers={"Cookie": f"__Host-dit={cookie}"})).text
    assert "&lt;script&gt;alert(1)" in page
    assert "ailleurs.example" not in page


async def test_an_address_that_leads_nowhere(site: Site, alice: Browser) -> None:
    for path in ("/rien", "/messages/1/2/3/4", "/documents/1.2", "/%00", "/" + "a" * 2000):
        for client in (site.client(), alice.client):
            answer = await client.get(path)
            assert answer.status_code in (404, 303), path
            if answer.status_code == 404:
                assert "Page introuvable" in answer.text
    assert ALICE.birth_name in (await alice.client.get("/rien")).text


async def test_what_nobody_foresaw_is_told_without_its_details(site: Site, alice: Browser) -> None:
    async def fall(request: object) -> None:
        raise ZeroDivisionError("un secret")

    app = site.door.app
    assert isinstance(app, Starlette)
    app.router.routes.insert(0, Route("/tomber", fall))
    answer = await alice.client.get("/tomber")
    assert answer.status_code == 500
    assert "Un problème de notre côté" in answer.text
    assert "secret" not in answer.text and "Zero" not in answer.text
    assert ALICE.birth_name not in answer.text  # nothing was asked of the store
    assert answer.headers["cache-control"] == "no-store"


async def test_head_is_answered_as_get(site: Site) -> None:
    answer = await site.client().head("/aide")
    assert answer.status_code == 200
    assert answer.content == b""
    assert "content-security-policy" in answer.headers


async def test_the_guest_is_told_so_and_led_out(site: Site) -> None:
    client = site.client()
    page = await client.get("/invite")
    if page.status_code == 404:
        pytest.skip("there is no guest mode here")
    await client.post("/invite", data={"_cle": form_key(page.text)})
    home = (await client.get("/")).text
    assert "Mode invité" in home.partition("<main")[0]
    assert 'action="/invite/quitter"' in home
    assert 'action="/deconnexion"' not in home


@given(st.text(max_size=60))
@example("//ailleurs.example")
@example("/\\ailleurs.example")
@example("/\t/ailleurs.example")
@example("/\n/ailleurs.example")
@example("\t//ailleurs.example")
@example("https:ailleurs.example")
@example("/%5cailleurs.example")
@example("/..//ailleurs.example")
def test_what_is_local_stays_here(path: str) -> None:
    """As browsers read addresses: tabs and line ends are dropped, a backslash is a slash."""
    if not local(path):
        return
    read = re.sub(r"[\t\r\n]", "", path).replace("\\", "/")
    assert urlsplit(urljoin("https://ici.example/x", read)).netloc == "ici.example"
    assert urljoin("https://ici.example/x", read).startswith("https://ici.example/")


@pytest.mark.parametrize(
    "path", ["/", "/messages", "/messages/12?page=2#ici", "/agenda/2026-11", "/a//b", "/a:b@c"]
)
def test_what_is_ours_is_local(path: str) -> None:
    assert local(path)


@pytest.mark.parametrize(
    "path",
    ["", "messages", "//x", "/\\x", "/\t/x", "https://x/", "javascript:x", "/a b", "/é", "/a\x00", "/a\n"],
)
def test_what_is_not_plainly_ours_is_not(path: str) -> None:
    assert not local(path)
