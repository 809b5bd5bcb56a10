"""The list fetched from an HTTPS server on a real socket, judged by the real trust store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.testing import capture_logs

import annuaire
from annuaire import WhitelistEntry, WhitelistReport, WhitelistRules
from certs import DemoPki, Issued, TrustStore
from gateway.freshness import Refresher, authorised, refresh_trouble, whitelist_freshness
from gateway.settings import Settings
from store import PasserelleError, Store, now_ms
from tests.annuaire.test_annuaire_whitelist import DN_A, DN_B
from tests.annuaire.whitelist_site import CN, OU, Site, serving, signed_by, signer_of

HOUR = 3_600_000
DAY = 24 * HOUR
ENTRIES = [WhitelistEntry("a.mssante.fr", DN_A, "A", 1), WhitelistEntry("b.mssante.fr", DN_B, "B", 1)]


@dataclass
class World:
    """A trust space of our own, and the site that publishes its list."""

    folder: Path
    pki: DemoPki
    signer: Issued
    site: Site

    def publish(self, at: int, entries: list[WhitelistEntry] | None = None) -> None:
        self.site.body = signed_by(self.signer, entries or ENTRIES, at)

    def trust(self) -> TrustStore:
        return TrustStore.load(self.folder / "trust")


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    pki = DemoPki.create(folder, key_type="p256")
    server = pki.issue_server("localhost", "318751275100020", "EXEMPLE", hosts=("localhost",), name="site")
    pem, key = pki.paths(server.name)
    with serving(pem, key) as site:
        yield World(folder, pki, signer_of(pki), site)


@pytest.fixture
def world(ground: World) -> World:
    site = ground.site
    site.status, site.body, site.headers, site.cut, site.asked = 200, b"", {}, 0, 0
    return ground


async def fetch(store: Store, world: World, url: str = "") -> WhitelistReport:
    trust = world.trust()
    return await annuaire.fetch_whitelist(
        store,
        url or world.site.url,
        [*trust.roots, *trust.intermediates],
        lambda chain: trust.check(chain, "sign"),
        WhitelistRules(signer_cn=CN, signer_ou=OU),
    )


def settings_of(world: World, **whitelist: object) -> Settings:
    return Settings.model_validate(
        {
            "gateway": {"hostname": "mss.exemple.test", "patient_domain": "patient.exemple.test"},
            "whitelist": {"signer_cn": CN, "signer_ou": OU, "url": world.site.url, **whitelist},
        }
    )


async def test_fetched_verified_in_use(store: Store, world: World) -> None:
    made = now_ms() - 5 * DAY
    world.publish(made)
    report = await fetch(store, world)
    assert (report.entries, report.added, report.generated_at // 1000) == (2, 2, made // 1000)
    assert store.read(annuaire.whitelist_allows, "a.mssante.fr", DN_A)
    state = store.read(annuaire.refresh_state, "whitelist")
    assert (state.failures, state.rule) == (0, "")
    assert abs(state.succeeded_at - now_ms()) < 60_000
    status = store.read(annuaire.whitelist_status)
    assert status is not None
    assert status.origin == world.site.url
    assert status.age(now_ms()) >= 5 * DAY
    # Made days ago, and still the published one: only its own server can say so.
    again = await fetch(store, world)
    assert again.version == report.version
    age = store.read(annuaire.whitelist_age, now_ms())
    assert age is not None
    assert age < 60_000


async def test_every_refusal_leaves_the_last_good_list(store: Store, world: World) -> None:
    made = now_ms() - DAY
    world.publish(made)
    version = (await fetch(store, world)).version
    good = world.site.body
    stranger = signer_of(world.pki, "300000000000000")
    elsewhere = DemoPki.create(world.folder.parent / "elsewhere", key_type="p256")
    bodies = {
        "whitelist.signature": good.replace(b"a.mssante.fr", b"z.mssante.fr"),
        "whitelist.signer": signed_by(stranger, ENTRIES, made + 1000),
        "whitelist.certificate": signed_by(signer_of(elsewhere), ENTRIES, made + 1000),
        "whitelist.older": signed_by(world.signer, ENTRIES, made - 2000),
        "whitelist.future": signed_by(world.signer, ENTRIES, now_ms() + DAY),
        "whitelist.xml": good[: len(good) // 2],
    }
    for failures, (rule, body) in enumerate(bodies.items(), 1):
        world.site.body = body
        with pytest.raises(PasserelleError) as caught:
            await fetch(store, world)
        assert caught.value.rule == rule
        state = store.read(annuaire.refresh_state, "whitelist")
        assert (state.failures, state.rule) == (failures, rule)
        status = store.read(annuaire.whitelist_status)
        assert status is not None
        assert status.version == version
    assert store.read(annuaire.whitelist_allows, "a.mssante.fr", DN_A)
    assert not store.read(annuaire.domain_listed, "z.mssante.fr")
    assert "whitelist.xml" in store.read(refresh_trouble, "whitelist")
    world.publish(made + 5000)
    await fetch(store, world)
    assert store.read(refresh_trouble, "whitelist") == ""


async def test_a_revoked_signer(store: Store, world: World) -> None:
    world.publish(now_ms() - DAY)
    await fetch(store, world)
    revoked = world.pki.issue_organisation(CN, OU, "LISTE BLANCHE", use="sign", name="revoked")
    world.pki.revoke(revoked)
    world.pki.write_crls()
    world.site.body = signed_by(revoked, ENTRIES, now_ms() - HOUR)
    with pytest.raises(PasserelleError, match="revoked") as caught:
        await fetch(store, world)
    assert caught.value.rule == "whitelist.certificate"


async def test_the_server_must_be_proven_and_answer(store: Store, world: World) -> None:
    world.publish(now_ms() - DAY)
    site = world.site
    with pytest.raises(PasserelleError) as caught:  # another name than in its certificate
        await fetch(store, world, url=site.url.replace("localhost", "127.0.0.1"))
    assert caught.value.rule == "certs.download"
    DemoPki.create(world.folder.parent / "strangers", key_type="p256")
    strangers = TrustStore.load(world.folder.parent / "strangers" / "trust").roots
    for roots in (strangers, []):
        with pytest.raises(PasserelleError) as caught:  # nobody vouches for it
            await annuaire.fetch_whitelist(
                store,
                site.url,
                roots,
                lambda chain: world.trust().check(chain, "sign"),
                WhitelistRules(signer_cn=CN, signer_ou=OU),
            )
        assert caught.value.rule == "certs.download"
    assert site.asked == 0
    for status, headers, cut in (
        (302, {"Location": "https://localhost:1/"}, 0),
        (304, {}, 0),
        (404, {}, 0),
        (503, {"Retry-After": "1"}, 0),
        (200, {}, 100),
    ):
        site.status, site.headers, site.cut = status, headers, cut
        with pytest.raises(PasserelleError) as caught:
            await fetch(store, world)
        assert caught.value.rule == "certs.download", status
    assert store.read(annuaire.whitelist_status) is None
    assert store.read(annuaire.refresh_state, "whitelist").failures == 8


async def test_the_back_fetches_when_it_is_time(store: Store, world: World) -> None:
    settings = settings_of(world)
    refresher = Refresher(world.folder, settings, store, world.trust())
    await Refresher(world.folder, settings_of(world, url=""), store, world.trust()).whitelist()
    assert world.site.asked == 0
    world.site.status = 500
    await refresher.whitelist()  # written down, not raised
    await refresher.whitelist()  # too soon
    assert world.site.asked == 1
    assert "500" in store.read(refresh_trouble, "whitelist")
    with Store.open(world.folder / "fresh") as other:
        world.site.status = 200
        world.publish(now_ms() - HOUR)
        refresher = Refresher(world.folder, settings, other, world.trust())
        await asyncio.gather(refresher.whitelist(), asyncio.sleep(0))
        assert other.read(annuaire.whitelist_allows, "a.mssante.fr", DN_A)
        await refresher.whitelist()
        assert world.site.asked == 2


async def test_in_plain_words(store: Store, world: World) -> None:
    settings = settings_of(world, warn_days=2, max_age_days=7)
    now = now_ms()

    def told(at: int) -> tuple[str, str]:
        found = store.read(whitelist_freshness, settings, at)
        return found.level, found.text

    assert told(now)[0] == "refused"
    assert "nobody may bring mail" in told(now)[1]
    assert not store.read(authorised, settings, "a.mssante.fr", DN_A)
    world.publish(now - 3 * DAY)
    await fetch(store, world)
    level, text = told(now)
    assert level == "warning"
    assert "nobody will be authorised in 4 days" in text or "in 3 days" in text
    assert store.read(authorised, settings, "a.mssante.fr", DN_A)
    assert not store.read(authorised, settings, "a.mssante.fr", DN_B)
    level, text = told(now + 5 * DAY)
    assert level == "refused"
    assert "older than max_age_days" in text
    assert "passerelle annuaire whitelist fetch" in text
    assert told(now + 5 * DAY)[0] == "refused"
    never = settings_of(world, warn_days=2, max_age_days=0)
    assert store.read(whitelist_freshness, never, now + 500 * DAY).level == "warning"
    short = settings_of(world, warn_days=1, max_age_days=1)
    assert not store.read(authorised, short, "a.mssante.fr", DN_A)
    await fetch(store, world)
    assert told(now_ms())[0] == "good"


@pytest.mark.parametrize(
    ("days", "level", "event"),
    [(0, "", ""), (3, "warning", "whitelist_old"), (9, "error", "whitelist_unusable")],
)
async def test_the_log_says_so(store: Store, world: World, days: int, level: str, event: str) -> None:
    world.publish(now_ms() - days * DAY - HOUR)
    listed = world.folder / "by-hand.xml"
    await asyncio.to_thread(listed.write_bytes, world.site.body)
    trust = world.trust()
    await annuaire.import_whitelist(
        store, listed, lambda chain: trust.check(chain, "sign"), signer_cn=CN, signer_ou=OU
    )
    with capture_logs() as logged:
        await Refresher(world.folder, settings_of(world), store, trust).watch()
    assert [(one["log_level"], one["event"]) for one in logged] == ([(level, event)] if event else [])
