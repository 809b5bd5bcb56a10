"""`passerelle certs` for our own certificates: import, list, expiring, rollback, protect."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import shutil
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from certs import DemoPki, Issued, demo_pki
from certs.keys import is_sealed
from commands.certs import app
from gateway.home import create_home
from store import now_ms

DAY = 86_400_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PKI of today and a home that trusts it, without a certificate of its own."""
    folder = tmp_path_factory.mktemp("made")
    pki = demo_pki(folder / "pki")
    create_home(folder / "home", hostname="smtps.passerelle.test", hosted=["hopital.example.test"])
    shutil.copytree(pki.trust, folder / "home" / "trust", dirs_exist_ok=True)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(made, tmp_path / "made", ignore=shutil.ignore_patterns("*.sock"))
    yield tmp_path / "made"


@pytest.fixture
def home(folder: Path) -> Path:
    return folder / "home"


@pytest.fixture
def pki(folder: Path) -> DemoPki:
    return DemoPki.open(folder / "pki")


def run(*arguments: str | Path, data: bytes | None = None) -> tuple[int, str]:
    with capture_logs():
        result = CliRunner().invoke(app, [str(one) for one in arguments], input=data)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def issue(pki: DemoPki, name: str, *, days: int) -> Issued:
    cn = "smtps.passerelle.test"
    return pki.issue_server(
        cn, "390000000000015", "PASSERELLE DEMONSTRATION", hosts=[cn], name=name, end=now_ms() + days * DAY
    )


def one_file(pki: DemoPki, name: str) -> Path:
    certificate, key = pki.paths(name)
    both = pki.folder / f"{name}-both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    return both


def files(home: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in (home / "tls").rglob("*") if path.is_file()}


def ours(home: Path) -> list[str]:
    status, output = run("list", "--home", home, "--json")
    assert status == 0
    return [row["what"] for row in json.loads(output) if row["what"].startswith("our ")]


@pytest.mark.package("openssl")
def test_pkcs12_with_its_passphrase(home: Path, pki: DemoPki, tmp_path: Path) -> None:
    certificate, key = pki.paths("gateway")
    bundle = tmp_path / "server.p12"
    subprocess.run(
        ["openssl", "pkcs12", "-export", "-in", certificate, "-inkey", key, "-out", bundle,
         "-name", "serveur", "-passout", "pass:un secret"],
        check=True,
    )  # fmt: skip
    status, output = run("import", bundle, "--home", home)
    assert status == 1
    assert "--passphrase-file" in output  # nobody sits at a terminal
    status, output = run("import", bundle, "--home", home, "--passphrase-file", "-", data=b"faux\n")
    assert status == 1
    assert "its passphrase is another" in output
    assert files(home) == {}
    status, output = run(
        "import", bundle, "--home", home, "--passphrase-file", "-", "--json", data=b"un secret\n"
    )
    assert status == 0, output
    assert json.loads(output)[-1] == {"step": "outcome", "result": "ok", "detail": "in use"}
    assert ours(home) == ["our server, current"]
    assert is_sealed((home / "tls" / "server.key").read_bytes())
    assert b"un secret" not in b"".join(files(home).values())
    (tmp_path / "phrase").write_bytes(b"un secret\n")
    status, output = run("import", bundle, "--home", home, "--passphrase-file", tmp_path / "phrase")
    assert status == 1
    assert "it is the one in use already" in output


def read_terminal(descriptor: int) -> bytes:
    ready, _, _ = select.select([descriptor], [], [], 60)
    assert ready, "nothing is said for a minute"
    return os.read(descriptor, 4096)


@pytest.mark.package("openssl")
def test_the_passphrase_is_asked_for_at_the_terminal_and_not_shown(
    home: Path, pki: DemoPki, tmp_path: Path
) -> None:
    certificate, key = pki.paths("gateway")
    bundle = tmp_path / "server.p12"
    subprocess.run(
        ["openssl", "pkcs12", "-export", "-in", certificate, "-inkey", key, "-out", bundle,
         "-passout", "pass:un secret"],
        check=True,
    )  # fmt: skip
    ours_end, its_end = pty.openpty()
    words = [sys.executable, "-m", "cli", "certs", "import", str(bundle), "--home", str(home)]
    process = subprocess.Popen(words, stdin=its_end, stdout=its_end, stderr=its_end, start_new_session=True)
    os.close(its_end)
    told = b""
    try:
        while b"Passphrase of the PKCS #12 file" not in told:
            told += read_terminal(ours_end)
        deadline = time.monotonic() + 60
        while termios.tcgetattr(ours_end)[3] & termios.ECHO:  # what is typed before is thrown away
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.write(ours_end, b"un secret\n")
        with contextlib.suppress(OSError):  # until the other end is closed
            while piece := read_terminal(ours_end):
                told += piece
        assert process.wait(60) == 0, told
    finally:
        os.close(ours_end)
        process.kill()
        process.wait()
    assert b"un secret" not in told
    assert b"in use" in told


def test_dry_run_and_refusals_change_nothing(home: Path, pki: DemoPki) -> None:
    status, output = run("import", one_file(pki, "gateway"), "--home", home, "--dry-run")
    assert status == 0
    assert "nothing was changed" in output
    assert files(home) == {}
    run("import", one_file(pki, "gateway"), "--home", home)
    before = files(home)
    certificate, key = pki.paths("gateway")[0], pki.paths("clinic")[1]
    (pki.folder / "rubbish").write_text("x")
    for words, expected in (
        ((one_file(pki, "revoked"),), "revoked"),
        ((one_file(pki, "expired"),), "expired"),
        ((one_file(pki, "stranger"),), "REFUSED"),
        ((one_file(pki, "doctor"),), "REFUSED"),
        ((certificate,), "give it with --key"),
        ((certificate, "--key", key), "does not belong"),
        ((pki.folder / "rubbish",), "neither PEM"),
        ((one_file(pki, "hospital"), "--role", "client"), "no files for the role client"),
    ):
        status, output = run("import", *words, "--home", home)
        assert status == 1, output
        assert expected in " ".join(output.split()), output
        assert files(home) == before
    assert run("import", one_file(pki, "hospital"), "--home", home, "--role", "other")[0] == 2
    assert run("import", one_file(pki, "hospital"), "--home", home, "--activate-at", "tomorrow")[0] == 2


def test_history_activation_and_rollback(home: Path, pki: DemoPki) -> None:
    certificate, key = pki.paths("gateway")
    status, output = run("import", certificate, "--key", key, "--home", home, "--json")
    assert status == 0, output
    issue(pki, "renewed", days=1000)
    later = datetime.fromtimestamp((now_ms() + 5 * DAY) / 1000, UTC).isoformat()
    status, output = run("import", one_file(pki, "renewed"), "--home", home, "--activate-at", later)
    assert status == 0
    assert "same subject as before" in output
    assert "replaces" in output
    told = ours(home)
    assert told[0] == "our server, current"
    assert told[1].startswith("our server, from 20")
    assert run("rollback", "--home", home)[0] == 0
    assert ours(home) == ["our server, current", "our server, retired"]
    assert run("import", one_file(pki, "renewed"), "--home", home)[0] == 0
    assert ours(home) == ["our server, current", "our server, previous"]
    status, output = run("rollback", "--home", home)
    assert status == 0
    assert f"serial {pki.issued('gateway').serial:x}" in output
    assert run("retire", "--home", home)[0] == 0
    assert ours(home) == ["our server, current", "our server, retired"]
    status, output = run("rollback", "--home", home)
    assert status == 1
    assert "[certs.key]" in output


@pytest.mark.parametrize(("days", "status"), [(400, 0), (29, 1), (6, 2), (-1, 3)])
def test_expiring_tells_by_its_status(home: Path, pki: DemoPki, days: int, status: int) -> None:
    issue(pki, "short", days=days)
    for source, name in zip(pki.paths("short"), ("server.pem", "server.key"), strict=True):
        shutil.copyfile(source, home / "tls" / name)
    found, output = run("expiring", "--home", home, "--json")
    assert found == status
    rows = json.loads(output)
    assert [row["days"] for row in rows] == ([] if not status else [days - 1])
    if status == 1:
        assert run("expiring", "--home", home, "--days", "10")[0] == 0
    if status == 0:
        assert run("expiring", "--home", home, "--days", "500")[0] == 1


def test_expiring_without_settings(tmp_path: Path) -> None:
    assert run("expiring", "--home", tmp_path)[0] == 4


def test_protect_seals_what_lies_in_clear(home: Path, pki: DemoPki) -> None:
    for source, name in zip(pki.paths("gateway"), ("server.pem", "server.key"), strict=True):
        shutil.copyfile(source, home / "tls" / name)
    assert is_sealed((home / "evidence.key").read_bytes())  # since its making
    status, output = run("protect", "--home", home, "--json")
    assert status == 0
    assert [row["sealed"] for row in json.loads(output)] == [str(home / "tls" / "server.key")]
    assert is_sealed((home / "tls" / "server.key").read_bytes())
    assert "sealed already" in run("protect", "--home", home)[1]
    assert ours(home) == ["our server, current"]
