"""Status and lists in a serving gateway: what it sends along, what its relay reads, what it picks up."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from certs_ocsp import ISSUER, answer, http, responder

from certs import DemoPki, OnlineTrust, TrustStore, client_context, read_chain
from gateway.demo import prepare_demo
from gateway.demo.scene import Scene
from gateway.server import Back, Front
from gateway.settings import load_settings
from gateway.smtp.client import PeerError, RelayClient, Timeouts
from gateway.smtp.routes import Route
from store import Store, now_ms


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return prepare_demo(tmp_path_factory.mktemp("status") / "demo")


@pytest.fixture
async def front(scene: Scene) -> AsyncIterator[Front]:
    """The hospital's gateway, whose trust.toml names a responder for its authority."""
    home = scene.home("hopital")
    settings = load_settings(home)
    leaf = read_chain(home / settings.tls.certificate)[0]
    pki = scene.pki

    async def handler(_head: bytes, _body: bytes) -> bytes:
        return http(answer(pki, leaf, begin=now_ms() - 1000, end=now_ms() + 3_600_000))

    async with responder(handler) as (url, _):
        (home / "trust" / "trust.toml").write_text(
            f'mode = "demo"\n[lists]\nfetch = false\n[ocsp.responders]\n"{ISSUER}" = "{url}"\n'
        )
        with Store.open(home) as store:
            front = Front(home, settings, store)
            await front.start()
            async with asyncio.timeout(30):
                while not front.keeper.staple.response_for(leaf):  # noqa: ASYNC110  # a file would do no better
                    await asyncio.sleep(0.02)
            yield front
            await front.close()


def _stranger_to_lists(pki: DemoPki, folder: Path) -> OnlineTrust:
    """A trust folder that has no list of the authority, and may ask nobody."""
    shutil.copytree(pki.trust, folder)
    (folder / "crls" / "ACI-EL-ORG-TEST.crl").unlink()
    (folder / "trust.toml").write_text('mode = "demo"\n[ocsp]\nask = false\n')
    return OnlineTrust(folder)


async def _allowed(_domain: str, _dn: str) -> bool:
    return True


def _client(scene: Scene, port: int, trust: TrustStore) -> RelayClient:
    return RelayClient(
        route=Route("127.0.0.1", port),
        domain="hopital.test",
        hostname="relay.test",
        context=client_context(*scene.pki.paths("gateway")),
        trust=trust,
        allowed=_allowed,
        timeouts=Timeouts(),
    )


async def test_the_relay_believes_what_the_other_gateway_sends_along(
    scene: Scene, front: Front, tmp_path: Path
) -> None:
    trust = _stranger_to_lists(scene.pki, tmp_path / "trust")
    assert front.operators.port
    async with _client(scene, front.operators.port, trust) as relay:
        assert relay.usable
    assert trust.ocsp.counts()["offered"] == 1
    other = _stranger_to_lists(scene.pki, tmp_path / "other")
    front.keeper.staple.hold(b"", b"")
    with pytest.raises(PeerError, match="The status of the certificate is unknown") as e:
        async with _client(scene, front.operators.port, other):
            pass
    assert e.value.rule == "relay.certificate"


async def test_a_list_brought_by_another_process_is_in_use_within_seconds(scene: Scene, front: Front) -> None:
    home = scene.home("hopital")
    pki = scene.pki
    issued = pki.issue_server("soon.test", "1690000007", "ESSAI", name="soon")
    assert (await front.trust.check(issued.chain, "client")).ok
    pki.revoke(issued)
    TrustStore.load(home / "trust").import_crl(pki.crl("organisations", number=500, now=now_ms()))
    async with asyncio.timeout(30):
        while (await front.trust.check(issued.chain, "client")).ok:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.05)
    assert (await front.trust.check(issued.chain, "client")).rule == "sender.revoked"


async def test_the_back_fetches_lists(scene: Scene) -> None:
    home = scene.home("passerelle")
    (home / "trust" / "intermediates").rename(home / "trust" / "apart")  # their places are nowhere
    number = 700

    async def handler(_head: bytes, _body: bytes) -> bytes:
        return http(scene.pki.crl("racine", number=number, now=now_ms()))

    try:
        async with responder(handler) as (url, asked):
            (home / "trust" / "trust.toml").write_text(f'mode = "demo"\n[lists]\nurls = ["{url}/x.crl"]\n')
            with Store.open(home) as store:
                back = Back(home, load_settings(home), store)
                await back.start()
                async with asyncio.timeout(30):
                    while number not in {crl.number for crl in back.trust.crls}:  # noqa: ASYNC110  # as above
                        await asyncio.sleep(0.05)
                await back.close()
        assert b"GET /x.crl " in asked[0]
    finally:
        (home / "trust" / "apart").rename(home / "trust" / "intermediates")
