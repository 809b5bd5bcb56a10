from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from ldap_support import BASE, DOCTOR, LOCAL, PATIENT, ROWS, Bench, make_contexts

import annuaire
import patients
from annuaire.demo import write_mssante
from gateway.ldap import LdapServer, Limits
from store import Store


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext, Path]:
    return make_contexts(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, dict[str, str]]]:
    """A store with the directory and two mailboxes: a professional's and a patient's."""
    home = tmp_path_factory.mktemp("ldap")
    with Store.open(home / "home") as store:
        annuaire.import_extraction(store, write_mssante(home / "Extraction_Correspondance_MSSante.txt", ROWS))
        annuaire.import_extraction(store, write_mssante(home / "liste-locale.txt", LOCAL), local=True)
        passwords = {}
        for address, kind in ((DOCTOR, "pro"), (PATIENT, "patient")):
            box_id = store.create_box(address=address, kind=kind, owner="899900000101")
            passwords[address] = patients.add_app_password(store, box_id, "test")
        yield store, passwords


@pytest.fixture
def limits() -> Limits:
    """What a test may override: waits are short."""
    return Limits(login_delay=0.0)


@pytest.fixture
async def bench(
    directory: tuple[Store, dict[str, str]],
    tls: tuple[ssl.SSLContext, ssl.SSLContext, Path],
    limits: Limits,
) -> AsyncIterator[Bench]:
    store, passwords = directory
    server_context, client_context, authority = tls

    async def authenticate(user: str, password: str, peer: str) -> int | None:
        assert peer == "127.0.0.1"
        return await patients.check_app_password(store, user, password)

    server = LdapServer(store, authenticate, server_context, base=BASE, limits=limits)
    starttls = LdapServer(store, authenticate, server_context, base=BASE, limits=limits, implicit_tls=False)
    await server.start("127.0.0.1", 0)
    await starttls.start("127.0.0.1", 0)
    bench = Bench(store, server, starttls, client_context, authority, passwords)
    yield bench
    for wire in bench.wires:
        await wire.close()
    await asyncio.gather(server.close(), starttls.close())
    assert server.metrics.faults + starttls.metrics.faults == 0
