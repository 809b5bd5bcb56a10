"""``passerelle demo`` from end to end, then the administrator's verbs on the homes that it leaves."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from wire_support import Space

import cli
from gateway.demo import prepare_demo
from gateway.demo.cast import ALICE, BASILE, CLEMENCE, COLLEAGUE, DOCTOR, PATIENT_DOMAIN, PHARMACY


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.status == 0, self.err
        return json.loads(self.out)


def shell(*words: str | Path, home: Path | None = None) -> Said:
    """One verb in a process of its own, as an administrator's shell runs it."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", *_words(words, home)],
        capture_output=True,
        timeout=180,
        check=False,
        text=True,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def passerelle(*words: str | Path, home: Path | None = None) -> Said:
    """The same in this process, which is a second quicker."""
    done = CliRunner().invoke(cli.app, _words(words, home))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Said(done.exit_code, done.stdout, done.stderr)


def _words(words: tuple[str | Path, ...], home: Path | None) -> list[str]:
    return [*map(str, words), *(["--home", str(home)] if home is not None else [])]


@dataclass(frozen=True)
class Played:
    """The demonstration after its end; ``seconds`` is what all of it took."""

    folder: Path
    transcript: str
    seconds: float

    @property
    def ours(self) -> Path:
        return self.folder / "passerelle"

    @property
    def theirs(self) -> Path:
        return self.folder / "hopital"

    @property
    def record(self) -> str:
        """The Message-ID of the doctor's message with the documents."""
        found = passerelle("evidence", "export", home=self.ours).out
        return next(json.loads(line)["message_id"] for line in found.splitlines() if '"delivered"' in line)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("demo") / "stage"
    began = time.monotonic()
    said = shell("demo", home=folder)
    assert said.status == 0, said.out + said.err
    seconds = time.monotonic() - began
    for party in ("passerelle", "hopital"):
        # JSON and nothing else on standard output, even when the store has something to log
        rows = shell("doctor", "--json", home=folder / party).json()
        assert all(row["ok"] for row in rows), rows
    return Played(folder, said.out, seconds)


def test_the_demo_holds_in_time(played: Played) -> None:
    lines = played.transcript.splitlines()
    acts = [line for line in lines if line.startswith("✓")]
    assert len(acts) >= 17
    assert not any(line.startswith("✗") for line in lines)
    assert lines[-1] == "Everything held."
    took = re.search(r"The scenario took ([0-9.]+) s\.", played.transcript)
    assert took is not None
    assert float(took[1]) < 30
    for rule in (
        "sender.certificate",
        "sender.revoked",
        "sender.whitelist",
        "sender.identity",
        "reply.never_contacted",
        "reply.ended",
        "reply.pharmacy",
        "recipient.opposed",
    ):
        assert rule in played.transcript
    for party in ("passerelle", "hopital"):
        log = (played.folder / f"{party}.log").read_text()
        assert "Traceback" not in log
        assert not re.search(r"Z \[?(error|critical)", log)
        # nothing of a message, nobody's name
        for secret in ("Compte rendu", "Merci docteur", "DUPONT", "Ordonnance", "ALICE"):
            assert secret not in log


def test_the_demo_can_be_played_again_in_its_folder_or_says_why_not(played: Played, tmp_path: Path) -> None:
    (tmp_path / "something").write_text("else")
    said = passerelle("demo", home=tmp_path)
    assert said.status == 1
    assert "[demo.folder]" in said.err


def test_trace_and_evidence(played: Played) -> None:
    rows = passerelle("trace", played.record, "--json", home=played.ours).json()
    assert [row["event"] for row in rows] == ["delivered", "filed", "filed"]
    assert {row["recipient"] for row in rows} == {ALICE.address}
    there = passerelle("trace", played.record, "--json", home=played.theirs).json()
    assert [row["event"] for row in there] == ["accepted", "relayed"]
    # by our trace id as well, and for people
    said = passerelle("trace", rows[0]["trace"], home=played.ours)
    assert said.status == 0
    assert "recipient.open" in said.out
    for home in (played.ours, played.theirs):
        told = passerelle("evidence", "verify", "--json", home=home).json()
        assert told["holds"] is True
        assert told["records"] > 10
    first = passerelle("evidence", "receipt", "1", home=played.ours).json()
    assert first["event"] == "profile"  # the patients were imported before any mail
    delivered = passerelle("evidence", "receipt", str(rows[0]["number"]), home=played.ours).json()
    assert delivered["event"] == "delivered" and delivered["recipient"] == ALICE.address


def test_a_changed_record_is_noticed(played: Played, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(played.ours, home)
    with sqlite3.connect(home / "store.db") as connection:
        connection.execute("UPDATE evidence SET recipient = 'x@y.test' WHERE seq = 3")
    connection.close()
    said = passerelle("evidence", "verify", home=home)
    assert said.status == 1
    assert "record 3 was changed" in said.out
    said = passerelle("doctor", "--json", home=home)
    assert said.status == 1
    assert [row["check"] for row in json.loads(said.out) if not row["ok"]] == ["evidence"]


def test_doctor_and_stats(played: Played) -> None:
    rows = passerelle("doctor", "--json", home=played.ours).json()
    assert all(row["ok"] for row in rows), rows
    assert {"trust", "our certificate", "whitelist", "our domain", "evidence", "silence"} <= {
        row["check"] for row in rows
    }
    figures = passerelle("stats", "--gateway", "--json", home=played.ours).json()
    assert figures["filed"] == 2
    assert figures["relayed"] >= 3  # the answer, the mail to the pharmacy, the report with code 904
    assert figures["duplicate"] == 1
    assert (figures["profiles activated"], figures["profiles opposed"]) == (1, 1)
    assert figures["relay waiting"] == figures["filing waiting"] == figures["silent for an hour"] == 0
    csv = passerelle("stats", "--gateway", "--csv", "--since", "2020-01-01", home=played.ours)
    assert csv.out.startswith("figure,count\n")
    assert "filed,2\n" in csv.out


def test_the_published_figures_hide_a_handful_of_people(played: Played) -> None:
    """The demonstration has two patients: every figure is below ten."""
    for words in ([], ["--by", "month"], ["--by", "region"], ["--by", "sector"]):
        table = passerelle("stats", "--json", *words, home=played.ours).json()
        shown = [value for row in [*table["rows"], table["total"]] for value in row["figures"].values()]
        assert len(shown) >= 5
        assert set(shown) == {None}
    csv = passerelle("stats", "--csv", "--by", "sector", home=played.ours).out.splitlines()
    assert csv[0].startswith("sector,messages received by users,")
    assert csv[-1] == "total,,,,,"


def test_queues_are_empty(played: Played) -> None:
    for home in (played.ours, played.theirs):
        for state in ("due", "leased", "held"):
            assert passerelle("queue", "list", "--state", state, "--json", home=home).json() == []
        assert passerelle("dmp", "list", "--json", home=home).json() == []
    failed = passerelle("queue", "list", "--json", home=played.theirs).json()
    assert {row["recipient"] for row in failed} == {BASILE.address}
    ended = passerelle("queue", "list", "--state", "done", "--json", home=played.ours).json()
    assert {DOCTOR.address, PHARMACY.address} <= {row["recipient"] for row in ended}
    shown = passerelle("queue", "show", str(ended[0]["number"]), "--json", home=played.ours).json()
    assert shown["state"] == "done"
    filings = passerelle("dmp", "list", "--state", "done", "--json", home=played.ours).json()
    assert any(row["note"] == "2 filed" for row in filings)
    assert any("904" in row["note"] for row in filings)
    shown = passerelle("dmp", "show", str(filings[0]["number"]), "--json", home=played.ours).json()
    assert shown["state"] == "done"


def test_mailboxes(played: Played, tmp_path: Path) -> None:
    boxes = passerelle("mailbox", "list", "--json", home=played.ours).json()
    assert {box["address"] for box in boxes} == {ALICE.address, f"postmaster@{PATIENT_DOMAIN}"}
    folders = {
        row["folder"]: row
        for row in passerelle("mailbox", "show", ALICE.address, "--json", home=played.ours).json()
    }
    count = folders["INBOX"]["messages"]
    said = passerelle("mailbox", "export", ALICE.address, tmp_path / "export", home=played.ours)
    assert said.status == 0, said.err
    files = sorted((tmp_path / "export" / "INBOX").iterdir(), key=lambda file: int(file.stem))
    assert len(files) == count
    subjects = [message_from_bytes(file.read_bytes())["Subject"] for file in files]
    wanted = ["Votre compte rendu", "Rappel", "[FIN]", "XDM/1.0/DDM+CR ou fiche de consultation"]
    assert [subject for subject in subjects if subject in wanted] == wanted
    assert files[0].read_bytes().startswith(b"Return-Path: <" + DOCTOR.address.encode())


def test_patients_and_their_records(played: Played) -> None:
    states = {
        one.ins: passerelle("patient", "show", one.ins, "--json", home=played.ours).json()["state"]
        for one in (ALICE, BASILE, CLEMENCE)
    }
    assert states == {ALICE.ins: "activated", BASILE.ins: "opposed", CLEMENCE.ins: "notified"}
    history = passerelle("patient", "show", ALICE.ins, "--history", "--json", home=played.ours).json()
    assert [event["event"] for event in history][-2:] == ["notify", "activate"]
    why = ("--reason", "a test")
    documents = passerelle("dossier", "list", ALICE.ins, *why, "--json", home=played.ours).json()
    by_title = {row["title"]: row for row in documents}
    assert by_title.keys() == {"Compte rendu de consultation", "Lettre de suivi", "conseils"}
    number = str(by_title["conseils"]["number"])
    shown = passerelle("dossier", "show", number, *why, "--json", home=played.ours).json()
    assert shown["sent by"] == DOCTOR.address
    refused = passerelle("dossier", "list", CLEMENCE.ins, *why, home=played.ours)
    assert "[dossier.closed]" in refused.err  # no record yet


def test_directory_and_certificates(played: Played) -> None:
    found = passerelle("annuaire", "show", DOCTOR.address, "--json", home=played.ours).json()
    assert [row["id_nat"] for row in found] == ["899900000101"]
    found = passerelle("annuaire", "search", "pharmacie", "--json", home=played.ours).json()
    assert [row["address"] for row in found] == [PHARMACY.address]
    listed = passerelle("annuaire", "whitelist", "show", PATIENT_DOMAIN, home=played.ours)
    assert listed.status == 0 and "CN=smtps.passerelle.test" in listed.out
    rows = passerelle("certs", "list", home=played.ours)
    assert rows.status == 0 and "TEST AC RACINE IGC-SANTE ELEMENTAIRE" in rows.out
    pki = played.folder / "pki"
    good = passerelle("certs", "check", pki / "hospital.pem", "--address", DOCTOR.address, home=played.ours)
    assert good.status == 0, good.out
    for name, words in (
        ("revoked", "was revoked"),
        ("expired", "expired"),
        ("stranger", "not the trusted key"),
    ):
        bad = passerelle("certs", "check", pki / f"{name}.pem", home=played.ours)
        assert bad.status == 1
        assert words in bad.out
    other = passerelle("certs", "check", pki / "clinic.pem", "--address", DOCTOR.address, home=played.ours)
    assert other.status == 1


def test_explain_says_what_the_wire_said(played: Played) -> None:
    def explained(sender: str, recipient: str) -> tuple[int, str]:
        said = passerelle("explain", "--from", sender, "--to", recipient, "--json", home=played.ours)
        return said.status, json.loads(said.out)["rule"]

    assert explained(DOCTOR.address, ALICE.address) == (0, "recipient.open")
    assert explained(DOCTOR.address, BASILE.address) == (1, "recipient.opposed")
    assert explained(DOCTOR.address, CLEMENCE.address) == (1, "recipient.unknown")
    assert explained(ALICE.address, COLLEAGUE.address) == (1, "reply.never_contacted")
    assert explained(ALICE.address, PHARMACY.address) == (0, "reply.pharmacy")
    assert explained(ALICE.address, CLEMENCE.address) == (1, "patient.to_patient")
    assert explained("a@elsewhere.test", ALICE.address) == (1, "sender.whitelist")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["trace", "<nothing@x.test>"], "[trace.unknown]"),
        (["mailbox", "show", "nobody@x.test"], "[mailbox.unknown]"),
        (["mailbox", "app-password", "add", "nobody@x.test"], "[mailbox.unknown]"),
        (["patient", "show", "123"], "[patient.unknown]"),
        (["patient", "oppose", ALICE.ins], "[patient.transition]"),
        (["dossier", "list", "123", "--reason", "x"], "[patient.unknown]"),
        (["queue", "show", "7"], "[queue.task]"),
        (["dmp", "retry", "7"], "[queue.task]"),
        (["evidence", "receipt", "999999"], "[evidence.record]"),
        (["explain", "--from", DOCTOR.address, "--to", ALICE.address, "--at", "yesterday"], "[explain.at]"),
        (["stats", "--since", "yesterday"], "[stats.since]"),
        (["stats", "--until", "2026-02-30"], "[stats.until]"),
        (["stats", "--by", "town"], "[stats.by]"),
        (["stats", "--since", "2026-02-01", "--until", "2026-01-01"], "[stats.period]"),
    ],
)
def test_wrong_input_ends_with_a_reason_and_status_1(played: Played, words: list[str], told: str) -> None:
    said = passerelle(*words, home=played.ours)
    assert said.status == 1
    assert told in said.err
    assert said.out == ""


def test_a_home_that_is_none(tmp_path: Path) -> None:
    for words in (["stats"], ["serve"]):
        said = shell(*words, home=tmp_path / "nothing")
        assert said.status == 1
        assert "[settings.missing]" in said.err and "passerelle init" in said.err
        assert said.out == "" and "Traceback" not in said.err
    said = passerelle("certs", "check", tmp_path / "none.pem", home=tmp_path)
    assert said.status == 2
    assert not (tmp_path / "nothing").exists()


def test_what_cannot_start_does_not_start(tmp_path: Path) -> None:
    scene = prepare_demo(tmp_path / "stage")
    with socket.socket() as taken:
        taken.bind(scene.port("passerelle", "imap"))
        taken.listen()
        said = shell("serve", home=scene.home("passerelle"))
    assert said.status == 1
    assert "[gateway.start]" in said.err and "address already in use" in said.err
    assert "Traceback" not in said.err


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def test_serve_demo_makes_its_home_and_prints_the_sign_ins(tmp_path: Path) -> None:
    """`make serve` on a machine that never saw a demonstration."""
    if any(map(_taken, (2525, 4650, 9930, 2526, 4651, 9931))):
        pytest.skip("a port of `make serve` is taken on this machine")
    command = [sys.executable, "-m", "cli", "serve", "--demo", "--home", str(tmp_path / "demo-home")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        printed = []
        for line in serving.stdout:
            printed.append(line)
            if line.startswith("Ctrl-C"):
                break
        serving.send_signal(signal.SIGINT)
        _, complaints = serving.communicate(timeout=60)
    assert serving.returncode == 0, complaints
    text = "".join(printed)
    assert "127.0.0.1:2525" in text
    assert f"sign-in {ALICE.address}" in text


def test_the_verbs_beside_a_gateway_that_serves(space: Space) -> None:
    home = space.scene.home("passerelle")
    assert passerelle("doctor", home=home).status == 0
    assert passerelle("evidence", "verify", "--json", home=home).json()["holds"] is True
    said = shell("serve", home=home)
    assert said.status == 1
    assert "[store.writer]" in said.err
