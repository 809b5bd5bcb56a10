"""The directory kept fresh from a recorded API: increments, deletions, interruptions, everything at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

import annuaire
from annuaire import FhirClient, FhirReport
from annuaire.demo import write_mssante
from annuaire.fhir.client import ATTEMPTS
from annuaire.fhir.errors import FhirError
from certs import DemoPki, TrustStore
from commands.annuaire import app
from gateway.freshness import Refresher, refresh_trouble
from gateway.settings import Settings
from store import Store, now_ms
from tests.annuaire.fhir_server import (
    KEY,
    Answer,
    Api,
    Json,
    deleted,
    mailbox,
    organization,
    practitioner,
    role,
    serving,
)

DAY = 86_400_000
RECENT = "2026-08-26T10:16:30.021+02:00"

EXTRACTED = [
    {"kind": "PER", "address": "anne@medecin.mssante.fr", "national": "810009999991", "civility": "MME",
     "family": "EXEMPLE", "given": "ANNE", "profession": "10", "profession_label": "Médecin"},
    {"kind": "PER", "address": "anne.2@medecin.mssante.fr", "national": "810009999991", "civility": "MME",
     "family": "EXEMPLE", "given": "ANNE", "profession": "10", "profession_label": "Médecin"},
    {"kind": "PER", "address": "bob@medecin.mssante.fr", "national": "810009999992", "family": "EXEMPLE",
     "given": "BOB", "profession": "10"},
    {"kind": "ORG", "address": "pharma@exemple.mssante.fr", "structure_kind": "1", "structure": "180099999",
     "legal_name": "PHARMACIE EXEMPLE", "postcode": "18000", "delivery_line": "18000 BOURGES",
     "department": "18"},
]  # fmt: skip


class World:
    """A recorded API, who vouches for it, and a directory."""

    def __init__(self, api: Api, trust: TrustStore, folder: Path) -> None:
        self.api = api
        self.trust = trust
        self.folder = folder

    def client(self) -> FhirClient:
        roots = [*self.trust.roots, *self.trust.intermediates]
        return FhirClient(self.api.url, KEY, roots, wait=lambda _: None)

    def sync(self, store: Store, *, whole: bool = False, accept_shrink: bool = False) -> FhirReport:
        self.api.asked.clear()
        with self.client() as client:
            return annuaire.sync_fhir(store, client, whole=whole, accept_shrink=accept_shrink)

    def refused(self, store: Store, *, whole: bool = False) -> str:
        with pytest.raises(FhirError) as caught:
            self.sync(store, whole=whole)
        return caught.value.rule


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("fhir")
    pki = DemoPki.create(folder, key_type="p256")
    server = pki.issue_server("localhost", "318751275100020", "EXEMPLE", hosts=("localhost",), name="api")
    with serving(*pki.paths(server.name)) as api:
        yield World(api, TrustStore.load(folder / "trust"), folder)


@pytest.fixture
def world(served: World) -> World:
    api = served.api
    api.pages, api.faults, api.asked, api.expired = {}, [], [], set()
    api.rewrite = lambda bundle: bundle
    return served


@pytest.fixture
def directory(store: Store, tmp_path: Path) -> Store:
    annuaire.import_extraction(store, write_mssante(tmp_path / "m.txt", EXTRACTED))
    return store


def addresses(store: Store, id_nat: str = "", struct_id: str = "") -> list[str]:
    if id_nat:
        return sorted(box.address for box in store.read(annuaire.by_id_nat, id_nat))
    return sorted(box.address for box in store.read(annuaire.by_structure, struct_id))


def anne(*boxes: str, updated: str = RECENT, name: str = "EXEMPLE", which: str = "003-1") -> Json:
    telecom = [mailbox(box, "PER") for box in boxes]
    return practitioner(which, "10009999991", name, "ANNE", *telecom, updated=updated)


PHARMACY = organization(
    "4816", "1180099999", "PHARMACIE EXEMPLE", mailbox("pharma@exemple.mssante.fr", "ORG")
)


def test_what_changed_is_applied(world: World, directory: Store) -> None:
    world.api.pages = {
        "Practitioner": [[anne("anne@medecin.mssante.fr", "new@medecin.mssante.fr")]],
        "PractitionerRole": [
            [
                role("5015", "003-1", "4816", mailbox("anne@cabinet.mssante.fr", "CAB")),
                anne("anne@medecin.mssante.fr"),  # included with it
                PHARMACY,
            ]
        ],
    }
    report = world.sync(directory)
    assert (report.added, report.changed, report.gone, report.bad) == (2, 0, 1, 0)
    assert report.resources == {"Organization": 0, "Practitioner": 1, "PractitionerRole": 1}
    assert addresses(directory, "810009999991") == [
        "anne@cabinet.mssante.fr", "anne@medecin.mssante.fr", "new@medecin.mssante.fr",
    ]  # fmt: skip
    assert addresses(directory, "810009999992") == ["bob@medecin.mssante.fr"]
    cabinet = directory.read(annuaire.mailbox, "anne@cabinet.mssante.fr")[0]
    assert (cabinet.kind, cabinet.struct_id, cabinet.name) == ("CAB", "1180099999", "Mme Anne EXEMPLE")
    asked = {one.path.rpartition("/")[2]: one.query for one in world.api.asked}
    assert asked["PractitionerRole"]["_include"] == [
        "PractitionerRole:practitioner", "PractitionerRole:organization",
    ]  # fmt: skip
    assert all(query["_lastUpdated"][0].startswith("ge") for query in asked.values())
    assert all("mailbox-mss:contains" not in query for query in asked.values())


def test_from_mark_to_mark(world: World, directory: Store) -> None:
    world.api.pages = {"Practitioner": [[anne("anne@medecin.mssante.fr")]]}
    world.sync(directory)
    held = directory.read(annuaire.fhir_searches)
    # Up to the newest change seen; where nothing changed, where it was.
    assert held["Practitioner"].mark == max(1_787_732_190_021, held["Organization"].mark)
    began = held["Practitioner"].mark
    world.api.pages = {}
    report = world.sync(directory)
    assert (report.added, report.changed, report.gone) == (0, 0, 0)
    asked = {one.path.rpartition("/")[2]: one.query["_lastUpdated"][0] for one in world.api.asked}
    assert asked["Practitioner"] == _since(began - 600_000)
    assert directory.read(annuaire.fhir_searches)["Practitioner"].mark == began


def _since(at: int) -> str:
    return f"ge{datetime.fromtimestamp(at // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def test_a_clock_ahead_does_not_skip_changes(world: World, directory: Store) -> None:
    world.api.pages = {"Practitioner": [[anne("anne@medecin.mssante.fr", updated="2099-01-01T00:00:00Z")]]}
    world.sync(directory)
    assert directory.read(annuaire.fhir_searches)["Practitioner"].mark <= now_ms() + 60_000


def test_deleted_resources_take_their_mailboxes_away(world: World, directory: Store) -> None:
    world.api.pages = {
        "Organization": [[PHARMACY]],
        "Practitioner": [[anne("anne@medecin.mssante.fr", "anne.2@medecin.mssante.fr")]],
    }
    assert world.sync(directory).added == 0
    world.api.pages = {
        "Organization": [[deleted("Organization", "4816")]],
        "Practitioner": [[deleted("Practitioner", "003-1"), deleted("Practitioner", "003-unknown")]],
    }
    report = world.sync(directory)
    assert (report.added, report.gone, report.bad) == (0, 3, 0)
    assert addresses(directory, "810009999991") == []
    assert addresses(directory, struct_id="1180099999") == []
    assert addresses(directory, "810009999992") == ["bob@medecin.mssante.fr"]
    world.api.pages = {"Practitioner": [[anne("anne@medecin.mssante.fr")]]}  # and back again
    assert world.sync(directory).added == 1
    assert addresses(directory, "810009999991") == ["anne@medecin.mssante.fr"]


def test_two_professions_share_their_mailboxes(world: World, directory: Store) -> None:
    both = [anne("anne@medecin.mssante.fr"), anne("anne@medecin.mssante.fr", "pharma@x.fr", which="003-2")]
    world.api.pages = {"Practitioner": [both]}
    world.sync(directory)
    world.api.pages = {"Practitioner": [[deleted("Practitioner", "003-2")]]}
    assert world.sync(directory).gone == 1
    assert "anne@medecin.mssante.fr" in addresses(directory, "810009999991")
    assert "pharma@x.fr" not in addresses(directory, "810009999991")


def test_a_role_finds_its_people_of_an_earlier_search(world: World, directory: Store) -> None:
    world.api.pages = {"Organization": [[PHARMACY]], "Practitioner": [[anne("anne@medecin.mssante.fr")]]}
    world.sync(directory)
    world.api.pages = {
        "PractitionerRole": [[role("5015", "003-1", "4816", mailbox("c@cabinet.mssante.fr", "CAB"))]]
    }
    assert world.sync(directory).added == 1
    world.api.pages = {
        "PractitionerRole": [[role("5016", "003-9", "4816", mailbox("d@cabinet.mssante.fr", "CAB"))]]
    }
    report = world.sync(directory)
    assert (report.added, report.bad) == (0, 1)
    assert "not known" in report.faults[0]


def test_one_bad_resource_spoils_no_other(world: World, directory: Store) -> None:
    wrong = {**anne("x@y.fr"), "id": "003-7", "telecom": "none"}
    world.api.pages = {
        "Practitioner": [[wrong, {"resourceType": "Practitioner"}, anne("n@medecin.mssante.fr")]]
    }
    report = world.sync(directory)
    assert report.bad == 2
    assert addresses(directory, "810009999991") == ["n@medecin.mssante.fr"]


def test_the_red_list(world: World, directory: Store) -> None:
    red = mailbox("red@exemple.mssante.fr", "ORG", red=True)
    world.api.pages = {"Organization": [[{**PHARMACY, "telecom": [*PHARMACY["telecom"], red]}]]}
    assert world.sync(directory).red == 1
    assert "red@exemple.mssante.fr" not in [
        box.address for box in directory.read(annuaire.search, "exemple red")
    ]
    rows = directory.read(
        lambda conn: conn.exec_driver_sql("SELECT address FROM annuaire_bal WHERE red_list").scalars().all()
    )
    assert rows == ["red@exemple.mssante.fr"]


def test_interrupted_and_taken_up(world: World, directory: Store) -> None:
    pages = [[anne(f"p{n}@medecin.mssante.fr", which=f"003-{n}", name=f"EXEMPLE {n}")] for n in range(4)]
    world.api.pages = {"Organization": [[PHARMACY]], "Practitioner": pages}
    answered: list[str] = []

    def fail_later(bundle: Json) -> Json:
        answered.append(bundle["link"][-1]["url"])
        if len(answered) == 3:  # the second page of practitioners comes, then nothing more
            world.api.faults = [Answer(b"", 503)] * ATTEMPTS
        return bundle

    world.api.rewrite = fail_later
    assert world.refused(directory) == "fhir.unreachable"
    world.api.rewrite = lambda bundle: bundle
    # Nothing of it is in the directory, all of it is kept.
    assert addresses(directory, "810009999991") == ["anne.2@medecin.mssante.fr", "anne@medecin.mssante.fr"]
    assert "503" in directory.read(refresh_trouble, "fhir")
    report = world.sync(directory)
    assert report.resumed
    assert [one.path.rpartition("/")[2] for one in world.api.asked] == ["_page", "_page", "PractitionerRole"]
    assert {f"p{n}@medecin.mssante.fr" for n in range(4)} <= set(addresses(directory, "810009999991"))
    assert directory.read(refresh_trouble, "fhir") == ""


def test_a_page_that_was_forgotten(world: World, directory: Store) -> None:
    pages = [[anne(f"p{n}@medecin.mssante.fr", which=f"003-{n}")] for n in range(3)]
    world.api.pages = {"Practitioner": pages}
    world.api.expired = {"Practitioner-1"}
    assert world.refused(directory) == "fhir.expired"
    assert world.refused(directory) == "fhir.expired"  # begun anew, and again not whole
    assert [one.path.rpartition("/")[2] for one in world.api.asked] == ["_page", "Practitioner", "_page"]
    world.api.expired = set()
    assert world.sync(directory).added == 3


def test_everything_at_once(world: World, directory: Store) -> None:
    people = [
        practitioner(f"003-{n}", f"1000998{n:04d}", "EXEMPLE", "EVE", mailbox(f"e{n}@medecin.mssante.fr"))
        for n in range(450)
    ]
    world.api.pages = {"Practitioner": [people[:200], people[200:400], people[400:]]}
    report = world.sync(directory, whole=True)
    assert (report.whole, report.added, report.gone, report.pages) == (True, 450, 0, 5)
    assert [one.query["mailbox-mss:contains"] for one in world.api.asked if "_count" in one.query] == [
        ["@"]
    ] * 3
    world.api.pages = {"Practitioner": [people[:440]]}
    assert world.sync(directory, whole=True).gone == 10
    assert addresses(directory, "810009980449") == []
    # What the API never gave is the extraction's: it stays until the next one.
    assert addresses(directory, "810009999992") == ["bob@medecin.mssante.fr"]


def test_everything_gone_at_once_is_suspicious(
    world: World, directory: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annuaire.fhir.sync.SHRINK_FLOOR", 10)
    people = [
        practitioner(f"003-{n}", f"1000998{n:04d}", "EXEMPLE", "EVE", mailbox(f"e{n}@medecin.mssante.fr"))
        for n in range(100)
    ]
    world.api.pages = {"Practitioner": [people]}
    world.sync(directory, whole=True)
    world.api.pages = {}
    assert world.refused(directory, whole=True) == "fhir.shrunk"
    assert addresses(directory, "810009980005") == ["e5@medecin.mssante.fr"]
    world.api.pages = {"Practitioner": [people[:50]]}
    assert world.sync(directory, whole=True, accept_shrink=True).gone >= 50


def test_without_extraction_or_after_a_month(world: World, store: Store, directory: Store) -> None:
    with Store.open(world.folder / "empty") as empty:
        assert world.refused(empty) == "fhir.mark"
        assert world.api.asked == []
        assert world.sync(empty, whole=True).added == 0
        assert world.sync(empty).added == 0


def test_the_next_extraction_is_the_truth(world: World, directory: Store, tmp_path: Path) -> None:
    world.api.pages = {"Practitioner": [[anne("fresh@medecin.mssante.fr")]]}
    world.sync(directory)
    report = annuaire.import_extraction(directory, write_mssante(tmp_path / "m2.txt", EXTRACTED))
    assert (report.added, report.gone) == (2, 1)
    assert addresses(directory, "810009999991") == ["anne.2@medecin.mssante.fr", "anne@medecin.mssante.fr"]
    world.api.pages = {"Practitioner": [[anne("fresh@medecin.mssante.fr", "b@medecin.mssante.fr")]]}
    world.sync(directory)
    assert {"fresh@medecin.mssante.fr", "b@medecin.mssante.fr"} <= set(addresses(directory, "810009999991"))


def test_history_is_kept(world: World, directory: Store) -> None:
    rows = "SELECT count(*) FROM annuaire_bal WHERE address = 'anne.2@medecin.mssante.fr'"
    world.api.pages = {"Practitioner": [[anne("anne@medecin.mssante.fr")]]}
    world.sync(directory)
    assert addresses(directory, "810009999991") == ["anne@medecin.mssante.fr"]
    assert directory.read(lambda conn: conn.exec_driver_sql(rows).scalar()) == 1


def test_live_search(world: World) -> None:
    world.api.pages = {
        "Organization": [
            [{**PHARMACY, "telecom": [*PHARMACY["telecom"], mailbox("r@exemple.mssante.fr", red=True)]}]
        ],
        "Practitioner": [[anne("pharma.anne@medecin.mssante.fr", "other@medecin.mssante.fr")]],
    }
    with world.client() as client:
        found = annuaire.search_fhir(client, "Pharma")
        exact = annuaire.search_fhir(client, "r@exemple.mssante.fr", exact=True)
    assert [row.address for row in found.rows] == [
        "pharma@exemple.mssante.fr", "pharma.anne@medecin.mssante.fr",
    ]  # fmt: skip
    assert (exact.rows, exact.red) == ([], 1)


@pytest.fixture
def home(world: World, tmp_path: Path) -> Path:
    home = tmp_path / "of-a-gateway"
    home.mkdir()
    (home / "trust").symlink_to(world.folder / "trust")
    (home / "fhir.key").write_text(KEY + "\n", encoding="ascii")
    (home / "passerelle.toml").write_text(
        '[gateway]\nhostname = "mss.exemple.test"\npatient_domain = "patient.exemple.test"\n'
        f'[fhir]\nurl = "{world.api.url}"\nkey_file = "fhir.key"\n',
        encoding="utf-8",
    )
    return home


def run(home: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["fhir", *words, "--home", str(home)])
    return result.exit_code, result.output


def test_the_verbs(world: World, home: Path) -> None:
    world.api.pages = {"Organization": [[PHARMACY]]}
    code, text = run(home, "sync")
    assert (code, "[fhir.mark]" in text) == (1, True)
    code, text = run(home, "sync", "--all", "--json")
    assert code == 0, text
    assert json.loads(text[text.index("{\n") :])["added"] == 1
    code, text = run(home, "status")
    assert code == 0
    assert "Organization" in text
    code, text = run(home, "search", "pharma")
    assert (code, "PHARMACIE EXEMPLE" in text) == (0, True)
    assert run(home, "search", "nobody")[0] == 1
    (home / "fhir.key").unlink()
    for verb in (["sync"], ["search", "x"]):
        code, text = run(home, *verb)
        assert (code, "[fhir.key]" in text) == (1, True)


async def test_the_back_asks_when_it_is_time(world: World, home: Path, directory: Store) -> None:
    chosen = {
        "gateway": {"hostname": "mss.exemple.test", "patient_domain": "patient.exemple.test"},
        "fhir": {"url": world.api.url, "key_file": "fhir.key"},
    }
    world.api.pages = {"Practitioner": [[anne("back@medecin.mssante.fr")]]}
    off = Settings.model_validate({**chosen, "fhir": {"refresh_hours": 0, "key_file": "fhir.key"}})
    await Refresher(home, off, directory, world.trust).fhir()
    assert world.api.asked == []
    refresher = Refresher(home, Settings.model_validate(chosen), directory, world.trust)
    await refresher.fhir()
    assert addresses(directory, "810009999991") == ["back@medecin.mssante.fr"]
    count = len(world.api.asked)
    await refresher.fhir()
    assert len(world.api.asked) == count


async def test_a_closing_gateway_does_not_wait_for_it(world: World, home: Path, directory: Store) -> None:
    chosen = {
        "gateway": {"hostname": "mss.exemple.test", "patient_domain": "patient.exemple.test"},
        "fhir": {"url": world.api.url, "key_file": "fhir.key"},
    }
    refresher = Refresher(home, Settings.model_validate(chosen), directory, world.trust)
    world.api.faults = [Answer(b"", 429, {"Retry-After": "200"})]
    under_way = asyncio.create_task(refresher.fhir())
    while not world.api.asked:  # noqa: ASYNC110  # another thread's doing
        await asyncio.sleep(0.01)
    refresher.close()
    await asyncio.wait_for(under_way, 10)
    assert directory.read(annuaire.refresh_state, "fhir").rule == "fhir.stopped"
    assert world.sync(directory).resumed
