"""Strangers before the pages: filling the forms of activation and sign-in as a browser does."""

from __future__ import annotations

import re
from typing import Any

import httpx

from gateway.demo import cast
from patients import new_provisional_code
from store import Tx, operation
from tests.webmail.web_kit import ACCOUNTS, ALICE, PASSWORD, SERIALS, TERMS, Browser, Site

FIRST = "/activation"
STEP = "/activation/etape"


@operation("tests.web.notice_code")
def notice_code(tx: Tx, *, ins: str) -> str:
    """A code as a campaign's letter brings it."""
    return new_provisional_code(tx, ins)


@operation("tests.web.stale")
def stale(tx: Tx) -> None:
    """The step-up of every session is an hour old."""
    tx.conn.exec_driver_sql("UPDATE signin_session SET stepped_at = stepped_at - 3600000")


def facts(who: cast.Patient, **other: str) -> dict[str, str]:
    """What somebody types at the first step."""
    year, month, day = who.birth_date.split("-")
    typed = {
        "jour": day.lstrip("0"),
        "mois": month.lstrip("0"),
        "annee": year,
        "numero": who.ins,
        "carte": "plain",
        "serie": SERIALS[who.ins],
        "canal": "email",
    }
    return typed | other


class Person(Browser):
    """Somebody at a browser; ``fill`` sends the form of a page and gives the page that follows."""

    async def get(self, path: str, status: int = 200, **headers: str) -> str:
        page = await super().get(path, status, **headers)
        return plain(page)

    async def fill(self, page: str, path: str, status: int = 303, /, **data: Any) -> str:
        answer = await self.post(path, data, page=page, status=status)
        return await self.after(answer) if status == 303 else plain(answer.text)


def plain(page: str) -> str:
    """A page whose texts can be looked for as they are written in the code."""
    return page.replace("&#39;", "'").replace("\u00a0", " ").replace("\u202f", " ")


def person(site: Site) -> Person:
    """A stranger."""
    return Person(site.client())


async def code(site: Site, to: str) -> str:
    """The latest code that went to somebody."""
    await site.door._signin.courier.drain()
    return site.codes.last(to)


async def enter(
    site: Site, who: cast.Patient = ALICE, *, after: str = "/", password: str = PASSWORD
) -> Person:
    """Somebody who signed in through the pages."""
    one = person(site)
    name, to = ACCOUNTS[who.ins]
    await sign_in(site, one, name, password, to, after)
    return one


async def sign_in(
    site: Site, one: Person, name: str, password: str, to: str, after: str = "/"
) -> httpx.Response:
    """Both factors; the answer that set the cookies."""
    data = {"identifiant": name, "motdepasse": password, "suite": after}
    answer = await one.post("/connexion", data, page="/connexion")
    assert answer.headers["location"] == "/connexion/code"
    entered = await one.post("/connexion/code", {"code": await code(site, to)}, page="/connexion/code")
    assert entered.headers["location"] == after
    return entered


async def old(site: Site) -> Person:
    """Alice, who signed in an hour ago."""
    one = await enter(site)
    site.store.write(stale)
    return one


async def at_decision(site: Site, one: Person, who: cast.Patient, to: str) -> None:
    """The first two steps."""
    page = await one.fill(FIRST, FIRST, **facts(who))
    assert "Entrez votre code" in page
    page = await one.fill(STEP, "/activation/code", code=await code(site, to))
    assert "Que souhaitez-vous faire" in page


async def activate(site: Site, one: Person, who: cast.Patient, to: str, name: str, password: str) -> str:
    """The whole of it, by e-mail."""
    await at_decision(site, one, who, to)
    await one.fill(STEP, "/activation/decision", version=TERMS, conditions="oui", donnees="oui")
    return await one.fill(STEP, "/activation/compte", identifiant=name, motdepasse=password, encore=password)


def titles(page: str) -> str:
    """The first heading of a page."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", page, re.DOTALL)
    assert found, page[:500]
    return found[1].strip()
