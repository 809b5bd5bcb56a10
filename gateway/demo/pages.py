"""Alice in the patients' pages, as a browser without scripts has it: forms are sent, links are followed."""

from __future__ import annotations

import asyncio
import json
import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from gateway.demo import cast
from gateway.demo.clients import PATIENCE_S, trusting
from gateway.demo.scene import Scene

_KEY = re.compile(r'name="_cle" value="([0-9a-f]+)"')


class Pages:
    """One browser; use it as a context."""

    def __init__(self, play: Scene) -> None:
        self.play = play
        self._letter = ""
        self._used = self._sent()
        port = play.port("passerelle", "web")[1]
        self._client = httpx.AsyncClient(
            base_url=f"https://localhost:{port}",
            verify=trusting(play),
            follow_redirects=True,
            timeout=PATIENCE_S,
            trust_env=False,
        )

    async def __aenter__(self) -> Pages:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def open(self, path: str) -> str:
        """A page, as text."""
        answer = await self._client.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return unescape(answer.text)

    async def send(self, page: str, path: str, *, files: Any = None, **fields: str) -> str:
        """Fill in a form that stands on ``page``; the page that comes then."""
        key = _KEY.search(await self.open(page))
        assert key, f"{page} has no form"
        answer = await self._client.post(path, data={"_cle": key[1], **fields}, files=files)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {_heard(answer.text)}"
        return unescape(answer.text)

    async def activate(self) -> None:
        """Alice's card, the code that was sent, the terms, her account."""
        year, month, day = cast.ALICE.birth_date.split("-")
        step = "/activation/etape"
        await self.send(
            "/activation",
            "/activation",
            jour=day,
            mois=month,
            annee=year,
            numero=cast.ALICE.ins,
            carte="plain",
            serie=cast.ALICE_CARD,
            canal="email",
        )
        await self.send(step, "/activation/code", code=await self.code())
        agreed = {"version": cast.TERMS, "conditions": "oui", "donnees": "oui"}
        await self.send(step, "/activation/decision", **agreed)
        word = cast.ALICE_PASSWORD
        named = {"identifiant": cast.ALICE_NAME, "motdepasse": word, "encore": word}
        await self.send(step, "/activation/compte", **named)

    async def sign_in(self) -> None:
        """Password, then the code."""
        named = {"identifiant": cast.ALICE_NAME, "motdepasse": cast.ALICE_PASSWORD}
        await self.send("/connexion", "/connexion", **named)
        await self.send("/connexion/code", "/connexion/code", code=await self.code())

    async def read(self, subject: str) -> str:
        """The page of the unread letter with that subject, found as a person finds it."""
        found = await self.open(f"/messages/recherche?{urlencode({'q': subject})}")
        path = re.search(r'class="row unread" href="(/messages/\d+)"', found)
        assert path, f"no unread letter is found by « {subject} »"
        self._letter = path[1]
        return await self.open(self._letter)

    async def answer(self, text: str, photograph: tuple[str, bytes, str]) -> None:
        """Answer the letter that was read last."""
        path = f"{self._letter}/repondre"
        form = await self.open(path)
        kept = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
        subject = re.search(r'name="objet"[^>]* value="([^"]*)"', form)
        assert subject, "there is no subject to be seen"
        kept |= {"objet": subject[1], "texte": text, "faire": "envoyer"}
        kept.pop("_cle", None)
        said = await self.send(path, path, files={"fichiers": photograph}, **kept)
        assert "Votre message est parti" in said, f"not sent: {_heard(said)}"

    async def code(self) -> str:
        """The next code that is sent to her; the courier keeps no page waiting: it may be a moment later."""
        async with asyncio.timeout(PATIENCE_S):
            while not (arrived := self._sent() - self._used):  # noqa: ASYNC110  # nothing tells of a file
                await asyncio.sleep(0.05)
        self._used |= arrived
        newest = max(arrived, key=lambda one: int(one.stem))
        text = json.loads(newest.read_text(encoding="utf-8"))
        assert text["to"] == cast.ALICE_EMAIL, "the newest code is for somebody else"
        found = re.search(r" : ([A-Z0-9-]{6,14})\. ", text["fr"])
        assert found
        return found[1]

    def _sent(self) -> set[Path]:
        return set((self.play.home("passerelle") / "run" / "codes").glob("*.json"))


def _heard(page: str) -> str:
    """What a page that refuses says."""
    found = re.findall(r'class="error"[^>]*>(?:<svg.*?</svg>)?([^<]+)', page)
    return " ".join(unescape(one) for one in found)
