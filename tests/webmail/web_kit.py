"""The patients' pages of a real gateway over TLS, with the demonstration's people, and strangers' clients to
drive them: httpx here, Chromium in ``tests/browser``.

Alice (her child Noé hangs on her profile) and Clémence have accounts; Basile objected. ``Site.deliver``
brings mail by the road of every message: the rules, one transaction, the store.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import ssl
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Any

import httpx

import gateway.rooms  # noqa: F401  # every operation and table
import patients
from certs import DemoPki, server_context
from gateway.demo import cast, prepare_demo
from gateway.demo.scene import filings_left
from gateway.dmp_bridge import FilingWorker, LocalDossier
from gateway.home import settings_text
from gateway.keyring import LiveSigner
from gateway.reporter import Reporter
from gateway.routing import Router
from gateway.settings import FILE_NAME, load_settings
from gateway.web import PatientsDoor
from patients import Profile, signin
from patients.signin import imports
from store import Store, mail
from tests.routing.routing_support import Post, operator

ALICE, BASILE, CLEMENCE = cast.ALICE, cast.BASILE, cast.CLEMENCE
DOCTOR, COLLEAGUE, PHARMACY = cast.DOCTOR, cast.COLLEAGUE, cast.PHARMACY
NOE = cast.Patient(cast.ins("1160575056004"), "DUPONT-EXEMPLE", "NOE", "M", "2016-05-14", "75056")
PASSWORD = "trois hérissons gris"
TERMS = "1"
ACCOUNTS = {ALICE.ins: ("alice.d", "alice@example.org"), CLEMENCE.ins: ("clemence.p", "clemence@example.org")}
SERIALS = {ALICE.ins: "123456789", CLEMENCE.ins: "20202020", BASILE.ins: "30303030", NOE.ins: "123456789"}


def make_space(folder: Path) -> Path:
    """The prepared home, to be copied for each test. Blocking; once for all tests."""
    prepare_demo(folder)
    home = folder / "passerelle"
    path = home / FILE_NAME
    values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    values["signin"] = {"sender": "file", "terms": TERMS, "origin": "https://localhost:1"}
    values["ports"] = {"web": "127.0.0.1:0"}
    path.write_text(settings_text(values), encoding="utf-8")
    with Store.open(home) as store:
        asyncio.run(_people(store, home))
    return folder


async def _people(store: Store, home: Path) -> None:
    settings = load_settings(home)
    store.write(patients.add_persons, persons=[NOE.person], actor="test")
    rows = [
        imports.Reach(2, ALICE.ins, "plain", SERIALS[ALICE.ins], "", ACCOUNTS[ALICE.ins][1], "+33612345642"),
        imports.Reach(3, CLEMENCE.ins, "plain", SERIALS[CLEMENCE.ins], "", ACCOUNTS[CLEMENCE.ins][1], ""),
        imports.Reach(4, BASILE.ins, "plain", SERIALS[BASILE.ins], "", "basile@example.org", ""),
    ]
    assert store.write(imports.add_reach, rows=rows) == []
    door = PatientsDoor(home, settings, store, Router(store, settings.policy()), None)
    codes = Codes(home)
    for one in (ALICE, CLEMENCE):
        name, to = ACCOUNTS[one.ins]
        begun = await door.kit.desk.begin_activation(
            birth_date=one.birth_date,
            number=one.ins,
            card_kind="plain",
            card_serial=SERIALS[one.ins],
            channel="email",
            source="192.0.2.9",
        )
        assert isinstance(begun, signin.Begun), begun
        await door._signin.courier.drain()
        proven = await door.kit.desk.prove(begun.token, codes.last(to))
        assert proven.step == "decision", proven
        await door.kit.desk.decide(begun.token, "activate", TERMS)
        made = await door.kit.desk.make_account(begun.token, name, PASSWORD)
        assert made == signin.Answer("ok", "end"), made
    await door.close()
    patients.activate(store, NOE.ins, cast.PATIENT_DOMAIN, actor="test")
    represent(store, NOE)


def represent(store: Store, child: cast.Patient, by: cast.Patient = ALICE) -> None:
    """Let a parent act for a child; an administrator saw the family's book."""
    store.write(
        patients.attach_representative,
        ins=child.ins,
        representative=by.ins,
        capacity="parent",
        actor="test",
        reason="livret de famille",
    )


class Codes:
    """What was sent by e-mail and SMS (``signin.sender = "file"``)."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "run" / "codes"

    def texts(self, to: str = "") -> list[str]:
        """The texts that went to somebody, oldest first."""
        files = sorted(self._folder.glob("*.json"), key=lambda one: int(one.stem))
        found = [json.loads(one.read_text(encoding="utf-8")) for one in files]
        return [one["fr"] for one in found if to in ("", one["to"])]

    def last(self, to: str) -> str:
        """The code of the latest one."""
        found = re.findall(r" : ([A-Z0-9-]{6,14})\. ", self.texts(to)[-1])
        assert found, self.texts(to)
        return str(found[-1])


@dataclass
class Site:
    """A serving gateway's pages. ``url`` has no slash at its end."""

    home: Path
    store: Store
    door: PatientsDoor
    router: Router
    authority: Path
    codes: Codes
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.door.port}"

    def client(self) -> httpx.AsyncClient:
        """Somebody's browser, as far as httpx is one: keeps cookies, follows nothing by itself."""
        context = ssl.create_default_context(cafile=str(self.authority))
        made = httpx.AsyncClient(base_url=self.url, verify=context, trust_env=False, timeout=30)
        self.clients.append(made)
        return made

    async def session(self, who: cast.Patient = ALICE) -> tuple[str, str]:
        """Sign in at the desk itself; the two cookie values: session, device."""
        name, to = ACCOUNTS[who.ins]
        begun = await self.door.kit.desk.sign_in(identifier=name, password=PASSWORD, source="192.0.2.9")
        assert begun.answer.outcome == "ok", begun
        await self.door._signin.courier.drain()
        entered = await self.door.kit.desk.enter(begun.token, self.codes.last(to), device_label="Essai")
        assert isinstance(entered, signin.SignedIn), entered
        return entered.session_token, entered.device_token

    async def signed_in(self, who: cast.Patient = ALICE, *, space: cast.Patient | None = None) -> Browser:
        """A client with an open session, in the space of ``space`` (a child) when given."""
        client = self.client()
        token, _ = await self.session(who)
        client.cookies.set("__Host-session", token, domain="localhost.local", path="/")
        if space is not None:
            client.cookies.set("__Host-profil", str(self.box(space)), domain="localhost.local", path="/")
        return Browser(client)

    def profile(self, who: cast.Patient) -> Profile:
        found = self.store.read(patients.profile, who.ins)
        assert found is not None
        return found

    def box(self, who: cast.Patient = ALICE) -> int:
        box_id = self.profile(who).box_id
        assert box_id is not None
        return box_id

    async def deliver(
        self, raw: bytes, *, to: cast.Patient = ALICE, sender: cast.Professional = DOCTOR
    ) -> None:
        """A message that another operator brings; raises when a rule refuses it."""
        domain = sender.address.partition("@")[2]
        post = Post(self.store, self.router)
        origin = operator(self.store, domain)
        verdict = await post.send(origin, sender.address, [to.address], raw)
        assert verdict.accepted, verdict

    async def file_all(self) -> None:
        """Work off the filing queue, as the gateway's back does."""
        settings = load_settings(self.home)
        signer = LiveSigner(self.home, settings)
        worker = FilingWorker(
            self.store, LocalDossier(self.store), Reporter(self.store, settings, signer), owner="test"
        )
        stop = asyncio.Event()
        running = asyncio.create_task(worker.run(stop))
        async with asyncio.timeout(20):
            while await self.store.aread(filings_left):  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0.02)
        stop.set()
        await running


@dataclass
class Browser:
    """A signed-in client that fills forms as a browser does: with the key that the page holds."""

    client: httpx.AsyncClient

    async def get(self, path: str, status: int = 200, **headers: str) -> str:
        answer = await self.client.get(path, headers=headers)
        assert answer.status_code == status, (answer.status_code, answer.headers, answer.text[:3000])
        return plain_spaces(answer.text)

    async def post(
        self,
        path: str,
        data: dict[str, Any] | None = None,
        *,
        page: str = "/",
        files: Any = None,
        status: int = 303,
    ) -> httpx.Response:
        """Send a form that stands on ``page``."""
        key = form_key(await self.get(page))
        answer = await self.client.post(path, data={"_cle": key, **(data or {})}, files=files)
        assert answer.status_code == status, (answer.status_code, answer.text[:3000])
        return answer

    async def after(self, answer: httpx.Response) -> str:
        """The page that a 303 leads to."""
        return await self.get(answer.headers["location"])


def plain_spaces(page: str) -> str:
    """A page as tests quote it: French texts get no-break spaces when they are said."""
    return re.sub("\u00a0(?=[:;?!»])", " ", page).replace("«\u00a0", "« ")


def form_key(page: str) -> str:
    """The key that forms of a page carry."""
    found = re.search(r'name="_cle" value="([0-9a-f]{40})"', page)
    assert found, page[:2000]
    return found[1]


def hide(site: Site, message_id: int, by: str = COLLEAGUE.id_nat) -> None:
    """Its author keeps a letter to the child from his parents."""
    (row,) = site.store.read(mail.message_rows, site.box(NOE), [message_id])
    site.store.write(
        patients.set_secret,
        box_id=site.box(NOE),
        kind="message",
        item=bytes(row.sha256),
        event="hide",
        by="professional",
        actor=by,
    )


def letter(
    subject: str = "Votre compte rendu",
    text: str = "Bonjour, voici votre compte rendu.",
    *,
    sender: cast.Professional = DOCTOR,
    to: cast.Patient = ALICE,
    html: str = "",
    attachments: tuple[tuple[str, str, bytes], ...] = (),
    **fields: str,
) -> bytes:
    """What a professional's mail client sends; attachments are (name, media type, content)."""
    made = EmailMessage(policy=SMTP)
    made["From"] = f'"{sender.given.title()} {sender.family}" <{sender.address}>'
    made["To"] = to.address
    made["Subject"] = subject
    made["Date"] = format_datetime(datetime.now(UTC))
    made["Message-ID"] = make_msgid(domain=sender.address.partition("@")[2])
    for name, value in fields.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    if html:
        made.add_alternative(html, subtype="html")
    for name, media, content in attachments:
        main, _, sub = media.partition("/")
        made.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return made.as_bytes()


@asynccontextmanager
async def serving(space: Path, folder: Path) -> AsyncIterator[Site]:
    """Serve a copy of the prepared home."""
    home = shutil.copytree(space / "passerelle", folder / "passerelle")
    pki = DemoPki.open(space / "pki")
    with Store.open(home) as store:
        settings = load_settings(home)
        router = Router(store, settings.policy())
        context = server_context(*pki.paths("gateway"))
        door = PatientsDoor(home, settings, store, router, context)
        await door.start("127.0.0.1", 0)
        authority = next(iter(sorted((pki.trust / "roots").iterdir())))
        site = Site(home, store, door, router, authority, Codes(home))
        try:
            yield site
        finally:
            for client in site.clients:
                await client.aclose()
            await door.close()
