from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bridge_support import INS, T0, cda
from test_bridge_filing import DOCTOR, PDF, Room, add_filing, message, xdm
from typer import Typer
from typer.testing import CliRunner, Result

from commands import dmp, dossier
from gateway.dmp_bridge import FilingJob, encode_job
from store import Store


def called(app: Typer, *words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def answered(app: Typer, *words: str) -> Any:
    result = called(app, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    (made / "passerelle.toml").write_text(
        '[gateway]\nhostname = "mx.example.test"\npatient_domain = "patient.mssante.fr"\n', encoding="utf-8"
    )
    return made


async def test_documents_and_filings_are_shown(home: Path, tmp_path: Path) -> None:
    with Store.open(home) as store:
        room = Room(store, tmp_path)
        room.receive(message(PDF, xdm(cda(1))))
        await room.until_idle()
    why = ("--reason", "a test", "--home", str(home))
    rows = answered(dossier.app, "list", INS, *why)
    assert sorted(row["title"] for row in rows) == ["Compte rendu de consultation", "lettre"]
    one = answered(dossier.app, "show", str(rows[0]["number"]), *why)
    assert one["type code"] == "11488-4"
    assert one["status"] == "approved"
    assert called(dossier.app, "show", "5", *why).exit_code == 1
    assert called(dossier.app, "list", "1", *why).exit_code == 1
    (done,) = answered(dmp.app, "list", "--state", "done", "--home", str(home))
    assert done["note"] == "2 filed"
    assert called(dmp.app, "retry", str(done["number"]), "--home", str(home)).exit_code == 1


def test_a_filing_is_parked_and_tried_again(home: Path, tmp_path: Path) -> None:
    with Store.open(home) as store:
        room = Room(store, tmp_path)
        job = FilingJob(ins=INS, message_id=5, sender=DOCTOR, trace_id="t", received_at=T0)
        task = str(store.write(add_filing, box_id=room.box_id, payload=encode_job(job), trace_id="t"))
    where = ("--home", str(home))
    assert answered(dmp.app, "list", *where)[0]["state"] == "due"
    assert answered(dmp.app, "park", task, "--note", "attente", *where)["state"] == "parked"
    shown = answered(dmp.app, "show", task, *where)
    assert (shown["sender"], shown["note"]) == (DOCTOR, "filing.by_hand: attente")
    assert called(dmp.app, "park", task, *where).exit_code == 1
    assert answered(dmp.app, "retry", task, *where)["state"] == "due"
    assert called(dmp.app, "show", "7", *where).exit_code == 1
