"""Acts on the companion modules: who reads Alice's record and who may not, her agenda, her whole archive."""

from __future__ import annotations

import base64
import hashlib
import tempfile
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

import activity
import agenda
import patients
from activity import Actor
from dossier import history_for, measures, rights, summary
from gateway.demo import letters, scene
from gateway.demo.cast import ALICE, COLLEAGUE, DOCTOR
from gateway.demo.clients import PATIENCE_S, trusting
from gateway.demo.scene import Scene
from gateway.portability import export_to_file
from store import Store, now_ms

_FHIR = "application/fhir+json"
_LINES_SHOWN = 6


class Companions:
    """The acts, in order, after those of the mail."""

    def __init__(self, play: Scene, ours: Store) -> None:
        self.play, self.ours = play, ours

    def acts(self) -> list[tuple[str, Callable[[], Awaitable[str]]]]:
        return [
            ("Refused: a colleague looks into Alice's record, unasked", self.uninvited),
            ("Alice lets the colleague in; he finds and reads her documents by FHIR", self.invited),
            ("Alice masks one: for the colleague it does not exist, its author reads it", self.masked),
            ("The doctor publishes a letter by FHIR; twice is once", self.published),
            ("Alice notes her weight as she writes it, and takes her summary", self.health),
            ("Her phone follows her agenda by a private link, until she revokes it", self.phone),
            ("Everything about Alice in one archive", self.archive),
            ("What happened, as Alice reads it", self.history),
        ]

    # -- the professionals' door

    async def uninvited(self) -> str:
        async with self.door("colleague") as client:
            answer = await self.search(client)
        rule = answer.json()["issue"][0]["details"]["coding"][0]["code"]
        assert (answer.status_code, rule) == (403, "door.patient"), answer.text
        return f"{answer.status_code} {rule}, as for somebody who has no record"

    async def invited(self) -> str:
        box_id, alice = await self.alice()
        await self.ours.in_thread(rights.authorise, self.ours, box_id, alice, COLLEAGUE.id_nat)
        async with self.door("colleague") as client:
            found = await self.entries(client)
            read = [await client.get(one["content"][0]["attachment"]["url"]) for one in found]
        assert len(found) == 2 and all(one.status_code == 200 for one in read), [one.text for one in read]
        for answer in read:
            digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
            assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
        return f"{len(found)} documents, {sum(len(one.content) for one in read)} octets, their digests hold"

    async def masked(self) -> str:
        box_id, alice = await self.alice()
        async with self.door("colleague") as colleague, self.door("doctor") as doctor:
            one = (await self.entries(colleague))[0]
            await self.ours.in_thread(rights.mask, self.ours, box_id, alice, int(one["id"]))
            url = one["content"][0]["attachment"]["url"]
            gone, left = await colleague.get(url), await self.entries(colleague)
            author = await doctor.get(url)
        assert (gone.status_code, len(left), author.status_code) == (404, 1, 200)
        return f"« {one['description']} »: 404 for one, 200 for the other"

    async def published(self) -> str:
        pdf = letters.pdf("Lettre de suivi")
        letter = {
            "resourceType": "DocumentReference",
            "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.250.1.999.1.9000.1"},
            "status": "current",
            "type": {"coding": [{"system": "http://loinc.org", "code": "34112-3"}]},
            "subject": {
                "identifier": {"system": f"urn:oid:{patients.OID_NIR_DEMO}", "value": ALICE.ins},
            },
            "author": [
                {
                    "identifier": {"system": "urn:oid:1.2.250.1.71.4.2.1", "value": DOCTOR.id_nat},
                    "display": "Dr Camille EXEMPLE",
                }
            ],
            "description": "Lettre de suivi",
            "content": [
                {
                    "attachment": {
                        "contentType": "application/pdf",
                        "data": base64.b64encode(pdf).decode(),
                        "title": "Lettre de suivi",
                        "creation": "2026-03-01T10:00:00+01:00",
                    }
                }
            ],
        }
        async with self.door("doctor") as client:
            answers = [
                await client.post("DocumentReference", json=letter, headers={"Content-Type": _FHIR})
                for _ in range(2)
            ]
            assert [one.status_code for one in answers] == [201, 200], [one.text for one in answers]
            content = await client.get(answers[0].json()["content"][0]["attachment"]["url"])
        assert content.content == pdf
        return f"{len(pdf)} octets, the same read back"

    # -- what Alice does

    async def health(self) -> str:
        box_id, alice = await self.alice()
        moment = measures.Moment(now_ms() - 60_000, 3600)
        weight = measures.parse("weight", "72,5 kg")
        await self.ours.in_thread(measures.add, self.ours, box_id, alice, weight, moment)
        pdf = await self.ours.in_thread(summary.summary_pdf, self.ours, box_id, alice)
        assert pdf.startswith(b"%PDF-")
        return f"72,5 kg, and a PDF of {len(pdf)} octets"

    async def phone(self) -> str:
        box_id, alice = await self.alice()
        visit = agenda.Details(title="Cardiologue", begin="2027-01-18T09:30", end="2027-01-18T10:00")
        await self.ours.in_thread(agenda.add, self.ours, box_id, alice, visit)
        feed, token = await self.ours.in_thread(agenda.open_feed, self.ours, box_id, alice, label="téléphone")
        host, port = self.play.port("passerelle", "web")
        url = f"https://{host}:{port}/agenda/{token}.ics"
        async with httpx.AsyncClient(verify=trusting(self.play), timeout=PATIENCE_S) as client:
            seen = await client.get(url)
            await self.ours.in_thread(agenda.revoke_feed, self.ours, box_id, alice, feed.feed_id)
            after = await client.get(url)
        assert seen.status_code == 200 and "20270118T093000" in seen.text, seen.text
        assert "Cardiologue" not in seen.text, "the phone's maker learns of the cardiologist"
        assert after.status_code == 404
        return "the hour, not the reason; then 404"

    async def archive(self) -> str:
        box_id, alice = await self.alice()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "alice.zip"
            await self.ours.in_thread(export_to_file, self.ours, box_id, alice, path)
            with zipfile.ZipFile(path) as opened:
                assert opened.testzip() is None
                names = opened.namelist()
                size = path.stat().st_size
        for wanted in ("manifest.json", "profile/bundle.json", "agenda/agenda.ics", "history/history.csv"):
            assert wanted in names, f"no {wanted} among {names}"
        return f"{len(names)} files, {size} octets"

    async def history(self) -> str:
        box_id, alice = await self.alice()
        lines = await self.ours.in_thread(history_for, self.ours, box_id, alice)
        of_others = [one for one in lines if one.by not in ("patient", "gateway")]
        assert any(one.refused for one in of_others), "no refusal in it"
        assert {DOCTOR.id_nat, COLLEAGUE.id_nat} <= await self.ours.aread(self.seen, box_id)
        shown = [f"    {one.french}" for one in of_others[-_LINES_SHOWN:]]
        return "\n".join([f"{len(lines)} lines; of others", *shown, "   "])

    # -- ways in

    async def alice(self) -> tuple[int, Actor]:
        box = await self.ours.aread(scene.box_by_address, ALICE.address)
        return box.box_id, await self.ours.aread(activity.person, box.box_id, ALICE.ins)

    def seen(self, conn: Any, box_id: int) -> set[str]:
        return {one.ident for one in activity.entries(conn, self.ours, box_id)}

    def door(self, certificate: str) -> httpx.AsyncClient:
        host, port = self.play.port("passerelle", "fhir")
        return httpx.AsyncClient(
            base_url=f"https://{host}:{port}/fhir/",
            verify=trusting(self.play, self.play.pki.paths(certificate)),
            timeout=PATIENCE_S,
        )

    async def search(self, client: httpx.AsyncClient) -> httpx.Response:
        """By POST, so that no address holds the INS."""
        who = f"urn:oid:{patients.OID_NIR_DEMO}|{ALICE.ins}"
        return await client.post("DocumentReference/_search", data={"patient.identifier": who})

    async def entries(self, client: httpx.AsyncClient) -> list[dict[str, Any]]:
        answer = await self.search(client)
        assert answer.status_code == 200, answer.text
        return [one["resource"] for one in answer.json().get("entry", [])]
