"""The view as a gateway serves it: settings, the demonstration's people and PKI, both ports."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.demo import cast, prepare_demo
from gateway.demo.scene import Scene
from gateway.server import Front
from gateway.settings import load_settings
from store import Store


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return prepare_demo(tmp_path_factory.mktemp("demo") / "demo")


@pytest.fixture
async def front(scene: Scene) -> AsyncIterator[Front]:
    home = scene.home("hopital")
    with Store.open(home) as store:
        front = Front(home, load_settings(home), store)
        await front.start()
        yield front
        await front.close()
        assert front.ldap.metrics.faults == front.ldap_starttls.metrics.faults == 0


async def ldapsearch(scene: Scene, authorities: Path, url: str, *words: str) -> tuple[int, str]:
    secret = scene.passwords[cast.DOCTOR.address]
    process = await asyncio.create_subprocess_exec(
        "ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", url, "-D", cast.DOCTOR.address, "-w", secret,
        "-b", "ou=annuaire,dc=" + ",dc=".join(cast.HOSPITAL_SERVER.cn.split(".")), *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "LDAPTLS_CACERT": str(authorities), "LDAPTLS_REQCERT": "demand"},
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


@pytest.mark.package("ldapsearch")
@pytest.mark.parametrize("starttls", [False, True])
async def test_a_professional_looks_a_colleague_up(
    scene: Scene, front: Front, tmp_path: Path, starttls: bool
) -> None:
    authorities = tmp_path / "authorities.pem"
    paths = [path for path in (scene.root / "pki" / "trust").glob("*/*.pem") if path.parent.name != "crls"]
    authorities.write_bytes(b"\n".join(path.read_bytes() for path in paths))
    server, scheme = (front.ldap_starttls, "ldap") if starttls else (front.ldap, "ldaps")
    tls = ["-ZZ"] if starttls else []
    code, out = await ldapsearch(
        scene, authorities, f"{scheme}://127.0.0.1:{server.port}", *tls, "(|(cn=coll*)(mail=coll*)(sn=coll*))"
    )
    assert code == 0, out
    assert f"mail: {cast.COLLEAGUE.address}" in out


def test_it_is_served_only_where_it_is_asked_for(scene: Scene) -> None:
    assert load_settings(scene.home("passerelle")).ports.ldap == ""
    summary = scene.summary()
    assert "ldaps://127.0.0.1:" in summary["hospital's operator: directory"]
    assert summary["base of the directory"].startswith("ou=annuaire,dc=")
