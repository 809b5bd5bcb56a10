"""Patients on a real PostgreSQL: the same statements, the same answers."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import patients
from patients.persons import Person
from store import Store, mail
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
