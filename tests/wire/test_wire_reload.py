"""A renewed certificate under a running gateway with two fronts: `openssl s_client` sees it on every port,
sessions go on, a broken file changes nothing; and the figures that `curl` fetches move meanwhile."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from wire_support import Serving, Space, box_of, eventually, letter, new_patient, run, set_fronts

from certs import DemoPki, certificates_in, identity
from gateway.demo import cast, prepare_demo
from gateway.demo.cast import DOCTOR
from store import Store, now_ms

DAY = 86_400_000
pytestmark = [pytest.mark.package("openssl"), pytest.mark.package("curl")]
PORTS = ("operators", "submission", "imap")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Space, Serving]]:
    """Only the patients' gateway serves: nobody else's certificate is in question."""
    scene = prepare_demo(tmp_path_factory.mktemp("reload"))
    set_fronts(scene, "passerelle", 2)
    serving = Serving(scene, "passerelle")
    serving.start()
    try:
        yield Space(scene), serving
    finally:
        serving.stop()


def issue(pki: DemoPki, name: str, *, days: int = 900) -> int:
    server = cast.GATEWAY_SERVER
    issued = pki.issue_server(
        server.cn, server.ou, server.o, hosts=server.hosts, name=name, end=now_ms() + days * DAY
    )
    return issued.serial


def seen(space: Space, port: str) -> int:
    """The serial that OpenSSL's client is shown."""
    words = ["openssl", "s_client", "-connect", f"127.0.0.1:{space.port(port)}"]  # type: ignore[arg-type]
    if port == "operators":
        words += ["-starttls", "smtp"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    pem = re.search(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", done.stdout, re.S)
    return identity(certificates_in(pem[0])[0]).serial if pem else 0


def everywhere(space: Space, serial: int) -> bool:
    """Whether both fronts show it on every port: the kernel chooses the front, so ask a few times."""
    return all(seen(space, port) == serial for port in PORTS for _ in range(4))


def figures(space: Space) -> dict[str, float]:
    host, port = space.scene.port("passerelle", "metrics")
    status, text = run("curl", "-sS", "--max-time", "20", f"http://{host}:{port}/metrics")
    assert status == 0, text
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found


def passerelle(serving: Serving, *words: str | Path) -> tuple[int, str]:
    return run(sys.executable, "-m", "cli", *words, "--home", serving.home)


def one_file(pki: DemoPki, name: str) -> Path:
    certificate, key = pki.paths(name)
    both = pki.folder / f"{name}-both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    return both


def test_a_renewal_is_seen_by_the_next_and_felt_by_nobody(alone: tuple[Space, Serving]) -> None:
    space, serving = alone
    with Store.open(serving.home) as store:
        owner = new_patient(store, space.scene)
        assert box_of(store, owner.address).box_id == owner.box_id
    old = identity(space.pki.issued("gateway").der).serial
    new = issue(space.pki, "renewed", days=12)
    assert everywhere(space, old)
    before = figures(space)
    with space.operators() as operator, space.imap(owner) as reader:
        operator.sendmail(DOCTOR.address, [owner.address], letter(owner.address))
        status, told = passerelle(serving, "certs", "import", one_file(space.pki, "renewed"))
        assert status == 0, told
        eventually(lambda: everywhere(space, new))
        assert operator.noop()[0] == 250
        operator.sendmail(DOCTOR.address, [owner.address], letter(owner.address))
        assert reader.noop()[0] == "OK"
        assert reader.search(None, "ALL")[1] == [b"1 2"]
    after = figures(space)
    days = 'passerelle_certificate_days_left{role="server",state="current"}'
    assert (before[days] > 900, after[days]) == (True, 11)
    delivered = [
        name for name in after if name.startswith('passerelle_evidence_records_total{event="delivered"')
    ]
    assert sum(after[name] - before.get(name, 0) for name in delivered) == 2
    status, told = passerelle(serving, "certs", "expiring")
    assert status == 1
    assert "warning" in told
    status, told = passerelle(serving, "certs", "rollback")
    assert status == 0
    eventually(lambda: everywhere(space, old))


@pytest.mark.parametrize("by", ["verb", "signal"])
def test_a_broken_file_leaves_the_old_one_in_use(alone: tuple[Space, Serving], by: str) -> None:
    space, serving = alone
    tls = serving.home / "tls"
    good, old = (tls / "server.pem").read_bytes(), seen(space, "imap")
    log = space.scene.root / "passerelle.log"
    read = len(log.read_bytes())
    try:
        (tls / "server.pem").write_text("-----BEGIN CERTIFICATE-----\nrubbish\n")
        if by == "verb":
            status, told = passerelle(serving, "reload")
            assert status == 1
            assert "[certs.key]" in told
            assert "server.pem" in told
        else:
            os.kill(serving.pid, signal.SIGHUP)
        eventually(
            lambda: log.read_bytes()[read:].count(b"certificate_not_loaded") == 3
        )  # two fronts, one back
        assert everywhere(space, old)
    finally:
        (tls / "server.pem").write_bytes(good)
    status, told = passerelle(serving, "reload")
    assert status == 0
    assert f"serial {old:x}" in told
    assert everywhere(space, old)
    assert serving.alive


def test_a_signal_to_the_whole_group_ends_nobody(alone: tuple[Space, Serving]) -> None:
    """As a closing terminal sends it: the fork server is in the group too."""
    space, serving = alone
    log = space.scene.root / "passerelle.log"
    read = len(log.read_bytes())
    with space.operators() as operator:
        os.killpg(os.getpgid(serving.pid), signal.SIGHUP)
        eventually(lambda: b"reload" in log.read_bytes()[read:])
        time.sleep(1.0)  # a child that is restarted would be gone by now
        assert operator.noop()[0] == 250
    assert b"process_ended" not in log.read_bytes()[read:]
    assert serving.alive


def test_files_copied_by_hand(alone: tuple[Space, Serving]) -> None:
    """As certificate agents do it: the two files replaced, nobody told."""
    space, serving = alone
    tls = serving.home / "tls"
    new = issue(space.pki, "copied")
    for source, name in zip(space.pki.paths("copied"), ("server.pem", "server.key"), strict=True):
        shutil.copyfile(source, tls / name)
    eventually(lambda: everywhere(space, new))
    assert figures(space)["passerelle_plain_keys"] == 1
    status, told = passerelle(serving, "doctor")
    assert status == 1
    assert "server.key" in told
    assert passerelle(serving, "certs", "protect")[0] == 0
    assert figures(space)["passerelle_plain_keys"] == 0
    status, told = passerelle(serving, "doctor")
    assert status == 0, told
    assert everywhere(space, new)


def test_nobody_to_reload(alone: tuple[Space, Serving]) -> None:
    space, _ = alone
    home = space.scene.home("hopital")
    status, told = run(sys.executable, "-m", "cli", "reload", "--home", home)
    assert status == 1
    assert "[gateway.running]" in told
    (home / "run").mkdir(exist_ok=True)
    (home / "run" / "serve.pid").write_text("1\n")  # left by one that was killed: its number is another's now
    status, told = run(sys.executable, "-m", "cli", "reload", "--home", home)
    (home / "run" / "serve.pid").unlink()
    assert "[gateway.running]" in told
