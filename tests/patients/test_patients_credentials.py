"""App passwords: made strong, checked off the loop, forgotten at once when withdrawn."""

from __future__ import annotations

import asyncio
import time

import pytest

import patients
from patients import CredentialError, add_app_password, app_passwords, check_app_password, revoke_app_password
from patients import credentials as room
from patients.persons import Person
from store import Store, mail

ADDRESS = "marie@medecin.exemple.fr"


@pytest.fixture
def box_id(store: Store) -> int:
    return store.create_box(address=ADDRESS, kind="pro", owner="810009999991")


async def test_right_and_wrong(store: Store, box_id: int) -> None:
    secret = add_app_password(store, box_id, "Thunderbird")
    assert await check_app_password(store, ADDRESS, secret) == box_id
    assert await check_app_password(store, ADDRESS.upper(), secret.replace("-", " ").upper()) == box_id
    for wrong in ("", "x", secret[:-1], secret + "a", secret[:4] + secret[4:][::-1], "é" * 500, "\udcff"):
        assert await check_app_password(store, ADDRESS, wrong) is None
    for nobody in ("nobody@medecin.exemple.fr", "", "\udcff@x.fr", "\x00"):
        assert await check_app_password(store, nobody, secret) is None


async def test_several_passwords_one_box(store: Store, box_id: int) -> None:
    secrets = [add_app_password(store, box_id, f"n° {number}") for number in range(3)]
    assert len(set(secrets)) == 3
    for secret in secrets:
        assert await check_app_password(store, ADDRESS, secret) == box_id
    listed = store.read(app_passwords, box_id)
    assert [one.label for one in listed] == ["n° 0", "n° 1", "n° 2"]
    assert all(one.last_used_at for one in listed)
    other = store.create_box(address="autre@exemple.fr", kind="pro", owner="x")
    assert await check_app_password(store, "autre@exemple.fr", secrets[0]) is None
    assert store.read(app_passwords, other) == []


async def test_revoked_at_once_though_remembered(store: Store, box_id: int) -> None:
    secret = add_app_password(store, box_id, "téléphone")
    assert await check_app_password(store, ADDRESS, secret) == box_id
    [listed] = store.read(app_passwords, box_id)
    revoke_app_password(store, box_id, listed.credential_id)
    assert await check_app_password(store, ADDRESS, secret) is None
    with pytest.raises(CredentialError):
        revoke_app_password(store, box_id, listed.credential_id)
    assert store.read(app_passwords, box_id)[0].revoked_at


async def test_a_closed_box_lets_nobody_in(store: Store, box_id: int) -> None:
    secret = add_app_password(store, box_id, "x")
    assert await check_app_password(store, ADDRESS, secret) == box_id
    store.write(mail.set_box_state, box_id=box_id, state="closed")
    assert await check_app_password(store, ADDRESS, secret) is None
    for number in (box_id, 42):
        with pytest.raises(CredentialError):
            add_app_password(store, number, "x")
    store.write(mail.set_box_state, box_id=box_id, state="open")
    assert await check_app_password(store, ADDRESS, secret) == box_id


async def test_a_patient_enters_only_when_activated(store: Store) -> None:
    ins, domain = "279035121518989", "patient.exemple.fr"
    person = Person(ins, patients.OID_NIR_TEST, "EXEMPLE", "MARIE", "", "F", "1979-03-04", "51215")
    store.write(patients.add_persons, persons=[person], actor="test")
    patients.notify(store, ins, actor="test")
    opened = patients.open_profile(store, ins, domain, actor="test")
    assert opened.box_id is not None
    secret = add_app_password(store, opened.box_id, "x")
    assert await check_app_password(store, opened.address, secret) is None
    patients.activate(store, ins, domain, actor="test")
    assert await check_app_password(store, opened.address, secret) == opened.box_id
    patients.suspend(store, ins, actor="test")
    assert await check_app_password(store, opened.address, secret) is None


async def test_remembered_for_a_while_only(
    store: Store, box_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = add_app_password(store, box_id, "x")
    hashed = 0
    verify = room._verify

    def counted(digest: str, bare: str) -> bool:
        nonlocal hashed
        hashed += 1
        return verify(digest, bare)

    monkeypatch.setattr(room, "_verify", counted)
    for _ in range(3):
        assert await check_app_password(store, ADDRESS, secret) == box_id
    assert hashed == 1
    assert await check_app_password(store, ADDRESS, secret + "a") is None
    assert hashed == 2  # only the very secret is remembered
    assert await check_app_password(store, "nobody@exemple.fr", secret) is None
    assert hashed == 3  # the unknown cost the same
    later = time.monotonic() + room.REMEMBERED_S + 1
    monkeypatch.setattr(room.time, "monotonic", lambda: later)
    assert await check_app_password(store, ADDRESS, secret) == box_id
    assert hashed == 4


async def test_the_loop_stays_free(store: Store, box_id: int) -> None:
    secret = add_app_password(store, box_id, "x")
    longest, stop = 0.0, False

    async def watch() -> None:
        nonlocal longest
        while not stop:
            start = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - start)
            await asyncio.sleep(0.001)

    watcher = asyncio.create_task(watch())
    wrong = [check_app_password(store, ADDRESS, secret + "x") for _ in range(10)]
    assert await asyncio.gather(*wrong) == [None] * 10
    stop = True
    await watcher
    assert longest < 0.5


def test_secrets_are_long_and_readable() -> None:
    for _ in range(50):
        secret = room.new_secret()
        assert len(secret.split("-")) == 7
        assert not set(secret) & set("01ilo")
    assert len(room._ALPHABET) ** (room._LENGTH - room._SELECTOR) > 2**115


def test_only_a_hash_is_kept(store: Store, box_id: int) -> None:
    secret = add_app_password(store, box_id, "x").replace("-", "")
    rows = store.read(lambda conn: conn.exec_driver_sql("SELECT * FROM credential").all())
    assert "$argon2id$" in repr(rows)
    assert secret[4:] not in repr(rows)
