"""Ways to fill the form of a letter as a browser does, and to look at what became of it."""

from __future__ import annotations

import html
import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

import httpx
import msgspec

from gateway.demo import cast as people
from gateway.routing import RelayJob
from store import mail, tasks
from store.mail import Entry
from tests.routing.routing_support import Post
from tests.webmail.web_kit import ALICE, DOCTOR, Browser, Site, form_key, letter

PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
NONE: Any = {"fichiers": ("", b"")}


def pdf(name: str = "bilan.pdf", content: bytes = PDF) -> tuple[str, tuple[str, bytes, str]]:
    """A file as a browser sends it."""
    return "fichiers", (name, content, "application/pdf")


def field(page: str, name: str) -> str:
    """The value of a field of the form."""
    found = re.search(rf'name="{name}"[^>]*? value="([^"]*)"', page)
    assert found, (name, page[:3000])
    return html.unescape(found[1])


def typed(page: str) -> str:
    """What stands in the text area."""
    found = re.search(r'<textarea id="f-texte"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    assert found, page[:3000]
    return html.unescape(found[1])


def form_of(page: str) -> dict[str, str]:
    """What a browser would send of the form as it is shown, but for the buttons."""
    hidden = {name: field(page, name) for name in ("jeton", "a", "original", "brouillon", "objet")}
    return {"_cle": form_key(page), **hidden, "texte": typed(page)}


async def submit(
    browser: Browser,
    path: str,
    page: str,
    verb: str = "envoyer",
    *,
    status: int = 303,
    files: Any = None,
    fragment: bool = False,
    **values: str,
) -> httpx.Response:
    """Press a button of the form that stands on ``page``."""
    data = {**form_of(page), "faire": verb, **values}
    headers = {"HX-Request": "true"} if fragment else {}
    answer = await browser.client.post(path, data=data, files=files or NONE, headers=headers)
    assert answer.status_code == status, (answer.status_code, answer.headers, answer.text[:4000])
    return answer


async def arrived(site: Site, raw: bytes | None = None, *, to: people.Patient = ALICE, **told: Any) -> int:
    """Deliver a letter; its number."""
    sender = told.get("sender", DOCTOR)
    before = {one.message_id for one in entries(site, who=to)}
    await site.deliver(raw or letter(to=to, **told), to=to, sender=sender)
    (new,) = {one.message_id for one in entries(site, who=to)} - before
    return new


def entries(site: Site, special_use: str = "", who: people.Patient = ALICE) -> list[Entry]:
    """The entries of a folder, INBOX by default."""
    box_id, folder_id = site.box(who), mail.INBOX_ID
    if special_use:
        folder = site.store.read(mail.special_folder, box_id, special_use)
        assert folder is not None
        folder_id = folder.folder_id
    return site.store.read(mail.entries, box_id, folder_id)


def opened(site: Site, special_use: str = "", who: people.Patient = ALICE) -> list[EmailMessage]:
    """The messages of a folder, parsed by the standard library."""
    post = Post(site.store, site.router)
    raws = [post.body(one) for one in post.stored(who.address, special_use)]
    return [cast(EmailMessage, message_from_bytes(one, policy=policy.default)) for one in raws]


def queued(site: Site) -> list[RelayJob]:
    """What waits for other operators."""
    found = site.store.read(tasks.pending, tasks.RELAY)
    return [msgspec.msgpack.decode(one.payload, type=RelayJob) for one in found]


def outgoing(site: Site, who: people.Patient = ALICE) -> list[EmailMessage]:
    """The messages that wait for the other operator, as he will get them."""
    post = Post(site.store, site.router)
    box_id = site.box(who)
    wanted = [one.message_id for one in site.store.read(mail.entries, box_id, mail.OUTBOX_ID)]
    found = site.store.read(lambda conn: site.store.messages(conn, box_id, wanted))
    raws = [post.body(found[one]) for one in wanted]
    return [cast(EmailMessage, message_from_bytes(one, policy=policy.default)) for one in raws]
