"""`passerelle explain` and `passerelle patient dispensation`, as an administrator types them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from routing_support import ALICE, BASILE, DOCTOR, PATIENTS, PHARMACY, Post, message, patient, settle
from typer.testing import CliRunner
from world import tick

import patients
from cli import app
from gateway.demo import cast
from gateway.routing import Router
from patients.calendar import today
from store import Store, now_ms


def run(*words: str) -> tuple[int, str]:
    """Status and standard output."""
    result = CliRunner().invoke(app, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


def iso(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat()


async def test_explain_now_and_then_in_both_languages(home: Path) -> None:
    with Store.open(home) as store:
        before = tick()
        post = Post(store, Router(store, PATIENTS))
        await post.from_doctor(message(DOCTOR))
        await post.from_doctor(message(DOCTOR, subject="[FIN]"))
        refused = await post.router.recipient(patient(store, ALICE.address), ALICE.address, DOCTOR)
        await settle(post.router)
    asked = ("explain", "--home", str(home), "--from", ALICE.address, "--to", DOCTOR)
    status, out = run(*asked)
    assert (status, out.splitlines()[-1]) == (1, f"refuse: {refused.reply}")
    assert "patient.to_patient" in out
    status, out = run(*asked, "--french")
    assert out.splitlines()[-1].startswith("refuse: Ce professionnel a mis fin à l'échange")
    told = json.loads(run(*asked, "--json")[1])
    assert (told["rule"], told["reply"], told["at"]) == ("reply.ended", refused.reply, None)
    assert told["checks"][-1]["french"] == told["french"]
    told = json.loads(run(*asked, "--json", "--at", iso(before))[1])
    assert (told["rule"], told["at"]) == ("reply.never_contacted", before)


def test_explain_knows_the_state_of_a_profile_then(home: Path) -> None:
    """A professional's message of that day: why was it refused?"""
    with Store.open(home) as store:
        opposed = tick()
        patients.activate(store, BASILE.ins, cast.PATIENT_DOMAIN, actor="test", reason="changed his mind")
        active = tick()
        patients.close(store, BASILE.ins, actor="test", reason="asked")
    asked = ("explain", "--home", str(home), "--json", "--from", DOCTOR, "--to", BASILE.address)
    rules = [
        json.loads(run(*asked, "--at", iso(moment))[1])["rule"] for moment in (opposed, active, now_ms())
    ]
    assert rules == ["recipient.opposed", "recipient.open", "recipient.closed"]
    asked = ("explain", "--home", str(home), "--json", "--from", BASILE.address, "--to", PHARMACY)
    assert run(*asked, "--at", iso(opposed))[0] == 1, "he had no address then"
    assert json.loads(run(*asked, "--at", iso(active))[1])["rule"] == "reply.pharmacy"
    assert json.loads(run(*asked)[1])["rule"] == "sender.closed"


def test_explain_refuses_what_it_cannot_read(home: Path) -> None:
    asked = ("explain", "--home", str(home), "--from", ALICE.address)
    assert run(*asked, "--to", "nobody")[0] == 1
    assert run(*asked, "--to", DOCTOR, "--at", "yesterday")[0] == 1
    assert run(*asked, "--to", DOCTOR, "--at", "0001-01-01")[0] == 1


def test_a_feed_is_imported_and_counts_once_it_is_required(home: Path, tmp_path: Path) -> None:
    feed = tmp_path / "feed.csv"
    day = today(now_ms()).isoformat()
    feed.write_text(f"ins;officine;date\n{ALICE.ins};{cast.PHARMACY.finess};{day}\nx;y;z\n")
    settings = home / "passerelle.toml"
    settings.write_text(settings.read_text() + '\n[rules]\ndispensations = "required"\n')
    asked = ("explain", "--home", str(home), "--json", "--from", ALICE.address, "--to", PHARMACY)
    assert json.loads(run(*asked)[1])["verdict"] == "refuse"
    status, out = run("patient", "dispensation", "import", str(feed), "--home", str(home), "--json")
    assert status == 0
    assert json.loads(out[out.index("{\n") :]) == {  # the log goes to standard output in this process
        "added": 1,
        "known": 0,
        "bad_count": 1,
        "bad": [{"line": 3, "reason": "ins: not a matricule of 15 characters with its key"}],
    }
    assert json.loads(run(*asked)[1])["rule"] == "reply.pharmacy"
    assert json.loads(run(*asked)[1])["verdict"] == "accept"
