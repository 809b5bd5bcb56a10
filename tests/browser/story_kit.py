"""Two gateways that serve, Alice's browser before one of them, the doctor's mail client before the other."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page

import patients
from gateway.demo import cast, prepare_demo
from gateway.demo.cast import ALICE, ALICE_CARD, ALICE_EMAIL, ALICE_NAME, ALICE_PASSWORD, DOCTOR
from gateway.demo.scene import Scene
from gateway.demo.stage import on_stage
from store import Store
from tests.browser.browser_kit import browsing
from tests.browser.browser_kit import sign_in as give_session
from tests.webmail.web_kit import NOE, represent
from tests.wire.wire_support import Owner, Space, box_of, fetch, uids

_PATIENCE_S: Final = 90


@dataclass
class Stage:
    """``url`` has no slash at its end; ``token`` is Alice's open session, once she has signed in."""

    scene: Scene
    space: Space
    browser: Browser
    url: str
    used: set[Path] = field(default_factory=set)
    token: str = ""

    async def session(self, who: cast.Patient) -> tuple[str, str]:
        raise AssertionError("people of this story sign in by the pages")

    def box(self, who: cast.Patient) -> int:
        with Store.open(self.scene.home("passerelle")) as store:
            profile = store.read(patients.profile, who.ins)
        assert profile is not None and profile.box_id is not None
        return profile.box_id

    async def code(self) -> str:
        """The next code that is sent to Alice."""
        folder = self.scene.home("passerelle") / "run" / "codes"
        async with asyncio.timeout(_PATIENCE_S):
            while not (fresh := set(folder.glob("*.json")) - self.used):  # noqa: ASYNC110  # a file tells nothing
                await asyncio.sleep(0.05)
        self.used |= fresh
        told = json.loads(max(fresh, key=lambda one: int(one.stem)).read_text(encoding="utf-8"))
        assert told["to"] == ALICE_EMAIL
        found = re.search(r" : ([A-Z0-9-]{6,14})\. ", told["fr"])
        assert found is not None, told
        return found[1]

    async def send(
        self,
        subject: str,
        text: str,
        *attachments: tuple[str, str, bytes],
        sender: cast.Professional = DOCTOR,
        to: cast.Patient = ALICE,
    ) -> None:
        """A professional's mail client hands a message to the hospital's operator (smtplib)."""
        made = EmailMessage(policy=SMTP)
        made["From"] = f'"{sender.given.title()} {sender.family}" <{sender.address}>'
        made["To"], made["Subject"], made["Date"] = to.address, subject, formatdate()
        made["Message-ID"] = make_msgid(domain="poste.hopital-exemple.test")
        made.set_content(text)
        for name, media, content in attachments:
            main, _, sub = media.partition("/")
            made.add_attachment(content, maintype=main, subtype=sub, filename=name)
        await asyncio.to_thread(self._submit, sender, to, made.as_bytes())

    def _submit(self, sender: cast.Professional, to: cast.Patient, raw: bytes) -> None:
        with self.space.submission(self._owner(sender), "hopital") as client:
            client.sendmail(sender.address, [to.address], raw)

    async def arrived(self, text: str, whose: cast.Professional = DOCTOR) -> Message:
        """The message with these words that his mail client finds at the hospital's operator (imaplib)."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                if (found := await asyncio.to_thread(self._find, whose, text)) is not None:
                    return found
                await asyncio.sleep(0.2)

    def _find(self, whose: cast.Professional, text: str) -> Message | None:
        with self.space.imap(self._owner(whose), "hopital") as client:
            for uid in reversed(uids(client)):
                message = message_from_bytes(fetch(client, uid))
                if any(text in _text(part) for part in message.walk()):
                    return message
        return None

    def _owner(self, one: cast.Professional) -> Owner:
        with Store.open(self.scene.home("hopital")) as store:
            box = box_of(store, one.address)
        return Owner(one.address, self.scene.passwords[one.address], box.box_id)

    def give_child(self) -> None:
        """Noé's profile is open, and Alice represents him; an administrator did it."""
        with Store.open(self.scene.home("passerelle")) as store:
            store.write(patients.add_persons, persons=[NOE.person], actor="test")
            patients.activate(store, NOE.ins, cast.PATIENT_DOMAIN, actor="test")
            represent(store, NOE)


def _text(part: Message) -> str:
    if part.get_content_maintype() != "text":
        return ""
    content = part.get_payload(decode=True)
    return content.decode(errors="replace") if isinstance(content, bytes) else ""


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    """Both gateways, each a process, and a browser."""
    scene = await asyncio.to_thread(prepare_demo, folder)
    async with browsing() as browser, on_stage(scene):
        port = scene.port("passerelle", "web")[1]
        yield Stage(scene, Space(scene), browser, f"https://localhost:{port}")


async def sign_in(stage: Stage, page: Page) -> None:
    """By password and code the first time; then her session stands: six codes an hour are sent at most."""
    if stage.token:
        await give_session(page.context, stage, ALICE, session=stage.token)
        await page.goto("/messages")
    else:
        await page.goto("/connexion")
        await page.get_by_label("Identifiant").fill(ALICE_NAME)
        await page.get_by_label("Mot de passe").fill(ALICE_PASSWORD)
        await page.get_by_role("button", name="Continuer", exact=True).first.click()
        await page.locator("#f-code").fill(await stage.code())
        await page.locator("main form button[type=submit]").first.click()
    await page.locator("body.signed").wait_for()
    kept = {one["name"]: one["value"] for one in await page.context.cookies(stage.url)}
    stage.token = kept["__Host-session"]


__all__ = ["ALICE_CARD", "Stage", "sign_in", "staged"]
