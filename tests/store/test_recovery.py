"""What survives a killed process and what is cut off: committed data stays, torn data goes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from store import Store, StoreError, mail
from store.segments import path_of

WRITER = """
import json, sys
from pathlib import Path
from store import Store, mail
store = Store.open(Path(sys.argv[1]))
box = store.read(mail.box_by_address, "a@example.test")
for number in range(int(sys.argv[2])):
    spool = store.spool()
    spool.write(b"%d " % number * 400)
    message = store.new_message(box.box_id, spool, b"meta")
    appended = store.write(mail.append, box_id=box.box_id, folder_id=1, message=message)
    print(json.dumps([number, appended.uid]), flush=True)
"""


def bodies(store: Store, box_id: int) -> dict[int, bytes]:
    found = {}
    for entry in store.read(mail.entries, box_id, 1):
        message = store.read(lambda conn, wanted=entry.message_id: store.messages(conn, box_id, [wanted]))
        found[entry.uid] = b"".join(store.open_body(message[entry.message_id]).chunks())
    return found


@pytest.mark.parametrize("point", ["writer.before_sync", "writer.before_commit", "writer.after_commit"])
@pytest.mark.parametrize("times", [1, 4])
def test_killed_at_a_point(tmp_path: Path, point: str, times: int) -> None:
    with Store.open(tmp_path) as store:
        box_id = store.create_box(address="a@example.test", kind="patient", owner="1")
    run = subprocess.run(
        [sys.executable, "-c", WRITER, str(tmp_path), "10"],
        env=os.environ | {"PASSERELLE_KILL_AT": f"{point}:{times}"},
        stdout=subprocess.PIPE,
        check=False,
    )
    assert run.returncode == -signal.SIGKILL
    answered = dict(json.loads(line) for line in run.stdout.splitlines())
    assert len(answered) == times - 1
    with Store.open(tmp_path) as store:
        there = bodies(store, box_id)
        for number, uid in answered.items():
            assert there[uid] == b"%d " % number * 400
        # what was under way when the process died is there whole, or not at all
        assert len(there) == times - 1 + (point == "writer.after_commit")
        spool = store.spool()
        spool.write(b"after")
        store.write(mail.append, box_id=box_id, folder_id=1, message=store.new_message(box_id, spool, b""))
        assert sorted(bodies(store, box_id)) == list(range(1, len(there) + 2))


FAILING_DISK = """
import os, sys
def refuse(file):
    raise OSError(5, "Input/output error")
os.fdatasync = refuse
"""


def test_a_disk_that_does_not_sync_ends_the_process_and_promises_nothing(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        box_id = store.create_box(address="a@example.test", kind="patient", owner="1")
    run = subprocess.run(
        [sys.executable, "-c", FAILING_DISK + WRITER, str(tmp_path), "3"], capture_output=True, check=False
    )
    answers = [line for line in run.stdout.splitlines() if line.startswith(b"[")]
    assert (run.returncode, answers) == (74, [])
    assert b"disk_sync_failed" in run.stdout + run.stderr
    with Store.open(tmp_path) as store:
        assert bodies(store, box_id) == {}


def test_torn_bytes_are_cut_and_told(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        box_id = store.create_box(address="a@example.test", kind="patient", owner="1")
        spool = store.spool()
        spool.write(b"kept")
        message = store.new_message(box_id, spool, b"")
        store.write(mail.append, box_id=box_id, folder_id=1, message=message)
    path = path_of(tmp_path / "segments", message.ref.segment)
    with path.open("ab") as file:
        file.write(b"PSR1 torn")
    (tmp_path / "segments" / "00000000000000ff.seg").write_bytes(b"never named")
    with Store.open(tmp_path) as store:
        assert store.recovered == {"segments": 1, "torn_bytes": 9 + 11, "removed": 1}
        assert bodies(store, box_id) == {1: b"kept"}


def test_a_lost_segment_is_refused_loudly(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        box_id = store.create_box(address="a@example.test", kind="patient", owner="1")
        spool = store.spool()
        spool.write(b"kept")
        message = store.new_message(box_id, spool, b"")
        store.write(mail.append, box_id=box_id, folder_id=1, message=message)
    path_of(tmp_path / "segments", message.ref.segment).unlink()
    with pytest.raises(StoreError) as caught:
        Store.open(tmp_path)
    assert caught.value.rule == "store.segment"


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        box_id = store.create_box(address="a@example.test", kind="patient", owner="1")
        spool = store.spool()
        spool.write(b"kept" * 1000)
        message = store.new_message(box_id, spool, b"")
        store.write(mail.append, box_id=box_id, folder_id=1, message=message)
        path = path_of(tmp_path / "segments", message.ref.segment)
        data = bytearray(path.read_bytes())
        data[message.ref.offset + 20] ^= 1
        path.write_bytes(data)
        with pytest.raises(StoreError) as caught:
            bodies(store, box_id)
        assert caught.value.rule == "store.body"


def test_recovery_leaves_the_segment_of_a_living_process_alone(tmp_path: Path) -> None:
    writer = Store.open(tmp_path)
    box_id = writer.create_box(address="a@example.test", kind="patient", owner="1")
    other = Store.open(tmp_path)
    spool = other.spool()
    spool.write(b"placed, not named")
    message = other.new_message(box_id, spool, b"")
    writer.close()
    assert not other.connected or threading.Event().wait(0.5) is False
    with Store.open(tmp_path) as again:
        again.write(mail.append, box_id=box_id, folder_id=1, message=message)
        assert bodies(again, box_id) == {1: b"placed, not named"}
    other.close()


def test_a_lost_master_key_is_not_replaced_by_another(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.create_box(address="a@example.test", kind="patient", owner="1")
    (tmp_path / "master.key").unlink()
    with pytest.raises(StoreError) as caught:
        Store.open(tmp_path)
    assert caught.value.rule == "store.key"
    assert not (tmp_path / "master.key").exists()


def test_nothing_readable_lies_on_the_disk(tmp_path: Path) -> None:
    secret = b"antecedents de la patiente "
    with Store.open(tmp_path) as store:
        box_id = store.create_box(address="a@example.test", kind="patient", owner="1")
        spool = store.spool()
        for _ in range(80_000):
            spool.write(secret)
        message = store.new_message(box_id, spool, secret * 10)
        store.write(mail.append, box_id=box_id, folder_id=1, message=message)
        for path in tmp_path.rglob("*"):
            if path.is_file():
                assert secret not in path.read_bytes()


def test_the_second_opener_is_no_writer(tmp_path: Path) -> None:
    with Store.open(tmp_path) as first, Store.open(tmp_path) as second:
        assert (first.is_writer, second.is_writer) == (True, False)


@pytest.mark.parametrize("depth", [20, 200])
def test_a_home_may_lie_deep(tmp_path: Path, depth: int) -> None:
    """A socket's path holds 107 octets (unix(7)); a home's has no such bound."""
    home = tmp_path / ("é" * (depth // 2)) / "home"
    home.mkdir(parents=True)
    with Store.open(home) as first, Store.open(home) as second:
        assert (first.is_writer, second.is_writer) == (True, False)
        second.create_box(address="a@example.test", kind="patient", owner="269067505600187")
        assert first.read(mail.box_by_address, "a@example.test") is not None
        assert (home / "run" / "writer.sock").stat().st_mode & 0o777 == 0o600
    assert not (home / "run" / "writer.sock").exists()


def test_who_may_not_lead_waits_for_the_writer(tmp_path: Path) -> None:
    """A child of a gateway whose writer died must not lead in its place: the restarted one could not."""
    with ThreadPoolExecutor(1) as pool:
        child = pool.submit(Store.open, tmp_path, may_lead=False)
        threading.Event().wait(0.3)
        assert not child.done()
        with Store.open(tmp_path) as writer, child.result(20) as opened:
            assert (writer.is_writer, opened.is_writer) == (True, False)
