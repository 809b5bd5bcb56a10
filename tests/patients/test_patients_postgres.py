"""Patients on a real PostgreSQL: the same statements, the same answers."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest

import patients
from patients.persons import Person
from store import Store, mail
from tests.patients.patients_support import add, seven_weeks_pass, states
from tests.store.postgres import new_database, postgres_server

INS = "279035121518989"
DOMAIN = "patient.exemple.fr"


@pytest.mark.package("postgres")
async def test_patients_on_postgresql(tmp_path: Path) -> None:
    person = Person(INS, patients.OID_NIR_TEST, "EXEMPLE", "MARIE", "", "F", "1979-03-04", "51215")
    with (
        postgres_server() as url,
        Store.open(tmp_path / "home", url=new_database(url, "patients")) as store,
    ):
        for given in ("MARIE", "MARIE ANNE"):
            renamed = msgspec.structs.replace(person, given_names=given)
            store.write(patients.add_persons, persons=[renamed], actor="test")
        patients.notify(store, INS, actor="test")
        profile = patients.activate(store, INS, DOMAIN, actor="test")
        assert profile.given_names == ["MARIE", "ANNE"]
        assert profile.box_id is not None
        secret = patients.add_app_password(store, profile.box_id, "téléphone")
        assert await patients.check_app_password(store, profile.address, secret) == profile.box_id
        [listed] = store.read(patients.app_passwords, profile.box_id)
        patients.revoke_app_password(store, profile.box_id, listed.credential_id)
        assert await patients.check_app_password(store, profile.address, secret) is None
        assert await patients.check_app_password(store, "\x00", "\udcff") is None
        patients.close(store, INS, actor="test")
        box = store.read(mail.box_by_id, profile.box_id)
        assert box is not None
        assert box.state == "closed"
        assert len(store.read(patients.history, INS)) == 5


@pytest.mark.package("postgres")
def test_a_population_on_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two nodes on one database: a campaign, openings at the same time, the end of an archive."""
    monkeypatch.setattr("patients.opening.SLICE", 20)
    with postgres_server() as url:
        database = new_database(url, "population")
        with (
            Store.open(tmp_path / "one", url=database) as one,
            _second(tmp_path, database) as two,
        ):
            wanted = add(one, 250)
            report = patients.run_campaign(one, tmp_path / "o.csv", channel="letter", file=None, actor="test")
            assert report.notified == 250
            one.write(seven_weeks_pass)
            opened: list[int] = []

            def open_due(store: Store) -> None:
                opened.append(patients.open_due(store, DOMAIN, actor="test").opened)

            threads = [threading.Thread(target=open_due, args=(store,)) for store in (one, two)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert (sum(opened), states(two)) == (250, {"opened": 250})
            for ins in wanted[::50]:
                assert [event.event for event in one.read(patients.history, ins)] == [
                    "import",
                    "notify",
                    "open",
                ]
            patients.close(one, wanted[0], actor="x")
            gone = patients.ask_deletion(two, wanted[0], actor="x")
            assert gone.state == "deleted"
            assert one.read(mail.wrapped_key, gone.box_id or 0) is None
            assert patients.expire_archives(two, actor="x").deleted == 0
            assert one.read(patients.state_at, wanted[1], (gone.closed_at or 0)) == "opened"
            report_ = one.read(patients.check_history)
            assert (report_.unproven, report_.broken) == (0, [])


def _second(tmp_path: Path, database: str) -> Store:
    """Another node: the same keys, another folder."""
    home = tmp_path / "two"
    home.mkdir()
    for name in ("master.key", "evidence.key", "evidence.pub"):
        if (tmp_path / "one" / name).exists():
            (home / name).write_bytes((tmp_path / "one" / name).read_bytes())
    return Store.open(home, url=database)
