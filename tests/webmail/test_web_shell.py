"""What holds for every page: who is let in, whose forms are taken, what heads say."""

from __future__ import annotations

from tests.webmail.web_kit import ALICE, Browser, Site, letter


async def test_a_stranger_sees_the_welcome(site: Site) -> None:
    answer = await site.client().get("/")
    assert answer.status_code == 200
    assert "/connexion" in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]


async def test_a_signed_in_person_sees_her_name(site: Site, alice: Browser) -> None:
    assert ALICE.birth_name in await alice.get("/")
    await site.deliver(letter())
