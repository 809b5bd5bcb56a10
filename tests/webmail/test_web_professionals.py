"""The professionals' corner over real TLS, with curl: who sees what he sent, and nobody else's."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
import pytest_asyncio

import annuaire
import evidence
from annuaire.demo import write_mssante
from certs import DemoPki, Issued, TrustStore, operators_context
from gateway.demo.letters import archive
from gateway.dmp_bridge import LABELS
from gateway.professionals import ProfessionalsDoor
from gateway.settings import load_settings
from store import mail
from tests.fhir.fhir_kit import Answer, answer_of
from tests.routing.routing_support import Post, operator
from tests.webmail.web_kit import (
    ALICE,
    BASILE,
    CLEMENCE,
    COLLEAGUE,
    DOCTOR,
    PHARMACY,
    Site,
    letter,
    plain_spaces,
)
from webmail.professionals import words

pytestmark = pytest.mark.package("curl")
SECRET_TEXT = "Une phrase que personne d'autre ne lit"
SECRET_SUBJECT = "Un objet que personne d'autre ne lit"


@dataclass
class Corner:
    """The professionals' port beside the patients' site."""

    site: Site
    pki: DemoPki
    door: ProfessionalsDoor

    @property
    def url(self) -> str:
        return f"https://localhost:{self.door.server.port}"

    async def get(self, path: str = "", who: str | Issued = "", *arguments: str) -> Answer:
        """With curl, as the holder of a certificate of the PKI, or as nobody."""
        url = path if path.startswith("https:") else f"{self.url}/espace-pro{path}"
        command = ["curl", "-s", "-i", "--http1.1", "--path-as-is", "--cacert", str(self.site.authority)]
        if who:
            issued = self.pki.issued(who) if isinstance(who, str) else who
            command += ["--cert", str(issued.pem), "--key", str(issued.key)]
        process = await asyncio.create_subprocess_exec(
            *command, *arguments, url, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, told = await process.communicate()
        assert process.returncode == 0, (process.returncode, told)
        return answer_of(out)

    async def page(self, path: str = "", who: str | Issued = "doctor", status: int = 200) -> str:
        answer = await self.get(path, who)
        text = plain_spaces(answer.body.decode())
        assert answer.status == status, text[:3000]
        return text

    async def messages(self, who: str | Issued = "doctor", query: str = "") -> list[str]:
        """Our trace ids of the messages on the list, newest first."""
        return re.findall(r'href="/espace-pro/envois/([0-9a-f]+)"', await self.page(query, who))


@pytest_asyncio.fixture
async def corner(site: Site, web_space: Path) -> AsyncIterator[Corner]:
    pki = DemoPki.open(web_space / "pki")
    settings = load_settings(site.home)
    context = operators_context(*pki.paths("gateway"))
    door = ProfessionalsDoor(site.home, settings, site.store, TrustStore.load(pki.trust), context)
    await door.start("127.0.0.1", 0)
    yield Corner(site, pki, door)
    await door.close()


async def test_without_a_certificate_it_explains(corner: Corner) -> None:
    answer = await corner.get()
    text = answer.body.decode()
    assert answer.status == 403  # there is no scheme to challenge with
    assert "Prouvez d'abord qui vous êtes" in text or "Prouvez d&#39;abord qui vous êtes" in text
    assert "door.credentials" in text and "CPS" in text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    # FHIR is where it was, and the style of the pages is here
    assert (await corner.get(f"{corner.url}/fhir/metadata")).status == 200
    style = re.search(r'href="(/statique/app\.css[^"]*)"', text)
    assert style is not None
    assert (await corner.get(corner.url + style[1])).headers["content-type"].startswith("text/css")


async def test_where_tokens_are_taken_it_challenges(corner: Corner, site: Site) -> None:
    settings = load_settings(site.home)
    taking = with_section(settings, "prosante", issuer="https://localhost:1/realms/x", audiences=["x"])
    context = operators_context(*corner.pki.paths("gateway"))
    door = ProfessionalsDoor(site.home, taking, site.store, TrustStore.load(corner.pki.trust), context)
    await door.start("127.0.0.1", 0)
    try:
        url = f"https://localhost:{door.server.port}/espace-pro"
        answer = await corner.get(url)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert "Authorization: Bearer" in answer.body.decode()
        assert "bouton de connexion" in answer.body.decode()
    finally:
        await door.close()


def with_section(settings: Any, section: str, **values: Any) -> Any:
    """The settings with one section changed."""
    changed = getattr(settings, section).model_copy(update=values)
    return settings.model_copy(update={section: changed})


@pytest.mark.parametrize("name", ["revoked", "expired", "stranger"])
async def test_a_bad_certificate_is_refused_by_its_rule(corner: Corner, name: str) -> None:
    page = await corner.page("", name, status=403)
    assert ("sender.revoked" if name == "revoked" else "sender.certificate") in page
    if name == "revoked":
        assert "Le certificat présenté est révoqué." in page


async def test_he_sees_what_he_sent_and_nothing_of_its_content(corner: Corner, site: Site) -> None:
    raw = letter(SECRET_SUBJECT, SECRET_TEXT)
    await site.deliver(raw)
    (trace,) = await corner.messages()
    listed, told = await corner.page(), await corner.page(f"/envois/{trace}")
    for page in (listed, told):
        assert ALICE.address in page and "remis" in page
        assert SECRET_SUBJECT not in page and SECRET_TEXT not in page and ALICE.birth_name not in page
    assert "Remis dans la messagerie du destinataire." in told
    assert sha256(raw).hexdigest() in told
    # whether it was read is not told
    assert "lu, selon" not in listed and "aucun accusé" in told


async def test_nobody_else_sees_it(corner: Corner, site: Site) -> None:
    await site.deliver(letter())
    await site.deliver(letter(sender=COLLEAGUE), sender=COLLEAGUE)
    (mine,) = await corner.messages("doctor")
    (theirs,) = await corner.messages("colleague")
    assert mine != theirs
    number = _numbers(await corner.page(f"/envois/{mine}"))[0]
    # the structure's certificate does not open its physicians' own boxes
    for who in ("colleague", "pharmacist", "hospital-auth"):
        assert mine not in await corner.messages(who)
        assert (await corner.get(f"/envois/{mine}", who)).status == 404
        assert (await corner.get(f"/preuves/{number}.json", who)).status == 404
    assert (await corner.get(f"/preuves/{number}.json", "doctor")).status == 200
    for path in (f"/envois/{mine}", f"/preuves/{number}.json"):
        assert (await corner.get(path)).status == 403
    message_id = site.store.read(evidence.trace_of, mine)[0].message_id
    assert await corner.messages("doctor", f"?message={quote(message_id)}") == [mine]
    assert await corner.messages("colleague", f"?message={quote(message_id)}") == []


def _numbers(page: str) -> list[int]:
    return [int(one) for one in re.findall(r"/espace-pro/preuves/([0-9]+)\.json", page)]


async def test_records_of_others_have_no_receipt(corner: Corner, site: Site) -> None:
    """Neither those of the patients' lives and journals, nor numbers that are none."""
    await site.deliver(letter())
    (trace,) = await corner.messages()
    shown = set(_numbers(await corner.page(f"/envois/{trace}")))
    last = site.store.read(evidence.tally, 0)[0]
    for number in (*range(1, last + 1, max(1, last // 12)), last + 5, 10**30):
        if number not in shown:
            assert (await corner.get(f"/preuves/{number}.json", "doctor")).status == 404, number


async def test_a_structure_sees_its_own_boxes(corner: Corner, site: Site) -> None:
    await site.deliver(letter(sender=PHARMACY), sender=PHARMACY)
    await site.deliver(letter())
    organisation = corner.pki.issue_organisation(
        "Officine", PHARMACY.struct_id, PHARMACY.legal_name, name="officine-corner"
    )
    (trace,) = await corner.messages(organisation)
    assert PHARMACY.address in await corner.page(f"/envois/{trace}", organisation)
    # its pharmacist in person does not own the officine's box
    assert await corner.messages("pharmacist") == []


async def test_a_refusal_names_its_check(corner: Corner, site: Site) -> None:
    post = Post(site.store, site.router)
    origin = operator(site.store, DOCTOR.address.partition("@")[2])
    for to in (BASILE.address, "personne@" + ALICE.address.partition("@")[2]):
        assert not (await site.router.recipient(origin, DOCTOR.address, to)).accepted
    await post.send(origin, DOCTOR.address, [ALICE.address], letter(sender=COLLEAGUE))
    await _refusals(site, 2)
    page = await corner.page()
    assert "refusé" in page
    told = "".join([await corner.page(f"/envois/{one}") for one in await corner.messages()])
    assert "recipient.opposed" in told and "s'est opposé" in told.replace("&#39;", "'")
    assert "recipient.invalid" in told
    assert BASILE.address in told


async def _refusals(site: Site, count: int) -> None:
    """Evidence of refusals is written behind the answer."""
    async with asyncio.timeout(20):
        while site.store.read(evidence.counts).get("refused", 0) < count:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0.02)


async def test_what_was_filed_and_what_was_not(corner: Corner, site: Site) -> None:
    for patient in (ALICE, CLEMENCE):  # the second is about somebody else than its recipient
        zipped = archive(patient, "Compte rendu")
        parts = (("IHE_XDM.ZIP", "application/zip", zipped),)
        await site.deliver(letter("XDM/1.0/DDM+x", attachments=parts))
    await site.file_all()
    wrong, right = await corner.messages()
    page = await corner.page(f"/envois/{right}")
    assert "Document déposé dans le dossier" in page and "1 document déposé" in page
    page = await corner.page(f"/envois/{wrong}")
    assert "1 document refusé" in page and "904" in page and "identity." in page


async def test_a_receipt_is_checked_by_openssl(corner: Corner, site: Site, tmp_path: Path) -> None:
    await site.deliver(letter())
    (trace,) = await corner.messages()
    number = _numbers(await corner.page(f"/envois/{trace}"))[0]
    answer = await corner.get(f"/preuves/{number}.json", "doctor")
    assert answer.headers["content-disposition"] == f'attachment; filename="preuve-{number}.json"'
    proof = json.loads(answer.body)
    key = tmp_path / "key.pem"
    key.write_bytes((await corner.get("/cle-publique.pem")).body)  # open: who checks need not be who asked

    def holds(digest: bytes) -> bool:
        (tmp_path / "digest").write_bytes(digest)
        (tmp_path / "signature").write_bytes(base64.b64decode(proof["signature"]))
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(key), "-rawin", "-in"]
        command += [str(tmp_path / "digest"), "-sigfile", str(tmp_path / "signature")]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    digest = bytes.fromhex(proof["digest"])
    assert holds(digest)
    assert not holds(bytes([digest[0] ^ 1]) + digest[1:])
    # the digest is of what the page says
    fields = [
        bytes.fromhex(proof["previous"]),
        *(proof[one] for one in ("number", "at", "event", "trace_id", "message_id", "sender", "recipient")),
        proof["rule"],
        bytes.fromhex(proof["sha256"]),
        proof["detail"],
    ]
    assert sha256(msgspec.msgpack.encode(fields)).digest() == digest
    guide = await corner.page("/verifier", "")
    for name in ("previous, number, at, event, trace_id", "openssl pkeyutl"):
        assert name in guide


async def test_periods_and_what_is_mistyped(corner: Corner, site: Site) -> None:
    await site.deliver(letter())
    today = datetime.now(UTC).date()
    assert (
        len(
            await corner.messages("doctor", f"?du={today - timedelta(days=2)}&au={today + timedelta(days=1)}")
        )
        == 1
    )
    assert await corner.messages("doctor", "?du=2020-01-01&au=2020-02-01") == []
    assert await corner.messages("doctor", "?du=01/01/2020&au=01/02/2020") == []
    page = await corner.page("?du=hier&au=2026-13-01", status=422)
    assert 'value="hier"' in page and page.count("Écrivez un jour comme 01/03/2026.") == 2
    page = await corner.page("?du=2026-03-02&au=2026-03-01", status=422)
    assert "Le premier jour vient après le dernier." in page
    await corner.page(f"?message={'x' * 999}", status=422)
    for strange in ("?boite=99999&suite=1-", "?boite=%C2%B2", "?suite=999999999999999-999999999999999"):
        await corner.page(strange)


async def test_pages_hold_every_message_once(corner: Corner, site: Site) -> None:
    for number in range(27):
        await site.deliver(letter(f"n° {number}"))
    first = await corner.page()
    older = re.search(r'href="/espace-pro(\?[^"]*suite=[^"]*)"', first)
    assert older is not None
    traces = await corner.messages()
    rest = await corner.messages("doctor", older[1].replace("&amp;", "&"))
    assert (len(traces), len(rest), len({*traces, *rest})) == (25, 2, 27)


async def test_who_has_the_address_now_sees_nothing_of_before(
    corner: Corner, site: Site, tmp_path: Path
) -> None:
    """The doctor's address passes to the colleague: neither sees what the other sent from it."""
    await site.deliver(letter())
    assert len(await corner.messages("doctor")) == 1
    rows = [{"kind": "PER", "address": DOCTOR.address, "national": COLLEAGUE.id_nat, "family": "COLLEGUE"}]
    path = write_mssante(tmp_path / "Extraction_Correspondance_MSSante.txt", rows)
    await asyncio.to_thread(annuaire.import_extraction, site.store, path, accept_shrink=True)
    assert DOCTOR.address in await corner.page("", "colleague")
    assert await corner.messages("colleague") == []
    assert await corner.messages("doctor") == []


async def test_reading_is_told_by_a_receipt_alone(corner: Corner, site: Site) -> None:
    """The patient sees it asked, opens the letter, and says yes at last."""
    await site.deliver(letter("Un accusé", Disposition_Notification_To=DOCTOR.address))
    alice = await site.signed_in()
    (trace,) = await corner.messages()
    messages = site.store.read(mail.entries, site.box(), mail.INBOX_ID)
    path = f"/messages/{messages[-1].message_id}"
    await alice.get(path)
    assert "lu, selon" not in await corner.page()
    await alice.post(f"{path}/accuse", {"reponse": "oui"}, page=path)
    assert "lu, selon" in await corner.page()
    assert "Accusé de lecture envoyé par" in await corner.page(f"/envois/{trace}")
    assert "lu, selon" not in await corner.page("", "colleague")


async def test_it_speaks_english(corner: Corner, site: Site) -> None:
    await site.deliver(letter())
    answer = await corner.get("", "doctor", "-H", "Accept-Language: en-GB,en;q=0.9")
    assert answer.headers["content-language"] == "en"
    assert "What you sent to patients" in answer.body.decode()
    assert "delivered" in answer.body.decode()


def test_codes_mean_what_the_bridge_says() -> None:
    assert words.LABELS == LABELS
    assert words.label(904, "en") != LABELS[904]
