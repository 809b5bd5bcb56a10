"""The chain holds, and every way of tampering with it is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

import evidence
from store import Store, StoreError, Tx, operation
from store.database import sqlite_url, writing_engine


@operation("test.record")
def record(tx: Tx, *, event: str, trace_id: str, recipient: str, at: int = 0) -> int:
    tx.now = at or tx.now
    return evidence.record(
        tx,
        event,
        trace_id=trace_id,
        message_id=f"<{trace_id}@x>",
        recipient=recipient,
        sha256=b"h" * 32,  # type: ignore[arg-type]
        detail={"b": "2", "a": "1"},
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with Store.open(tmp_path) as store:
        for number in range(20):
            store.write(record, event="delivered", trace_id=f"t{number % 3}", recipient=f"r{number}")
    return tmp_path


def verify(home: Path) -> evidence.Report:
    with Store.open(home) as store:
        return store.read(evidence.verify, evidence.public_key(home))


def tamper(home: Path, statement: str) -> None:
    with writing_engine(sqlite_url(home)).begin() as connection:
        connection.execute(text(statement))


def test_it_holds(home: Path) -> None:
    report = verify(home)
    assert (report.ok, report.records) == (True, 20)


@pytest.mark.parametrize(
    ("statement", "first_bad"),
    [
        ("UPDATE evidence SET recipient = 'other' WHERE seq = 7", 7),
        ("UPDATE evidence SET at = at + 1 WHERE seq = 1", 1),
        ("UPDATE evidence SET detail = '{}' WHERE seq = 20", 20),
        ("DELETE FROM evidence WHERE seq = 5", 6),
        ("UPDATE evidence SET signature = zeroblob(64) WHERE seq = 9", 9),
        ("UPDATE evidence SET digest = zeroblob(32) WHERE seq = 9", 9),
        ("UPDATE evidence SET previous = zeroblob(32) WHERE seq = 9", 9),
    ],
)
def test_tampering_is_found(home: Path, statement: str, first_bad: int) -> None:
    tamper(home, statement)
    report = verify(home)
    assert (report.ok, report.first_bad) == (False, first_bad)


def test_a_lost_key_is_not_replaced_by_another(home: Path) -> None:
    public = (home / "evidence.pub").read_bytes()
    (home / "evidence.key").unlink()
    with pytest.raises(StoreError) as caught:
        evidence.create_key(home)
    assert caught.value.rule == "evidence.key"
    assert (home / "evidence.pub").read_bytes() == public


def test_a_public_key_that_is_missing_is_written_again(home: Path) -> None:
    public = (home / "evidence.pub").read_bytes()
    (home / "evidence.pub").unlink()
    evidence.create_key(home)
    assert (home / "evidence.pub").read_bytes() == public


def test_another_gateways_key_does_not_do(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    evidence.create_key(other)
    with Store.open(home) as store:
        report = store.read(evidence.verify, evidence.public_key(other))
    assert (report.ok, report.first_bad) == (False, 1)


def test_a_trace_is_found_by_message_id_and_by_trace_id(home: Path) -> None:
    with Store.open(home) as store:
        for ident in ("<t1@x>", "t1@x", "t1"):
            assert [link.recipient for link in store.read(evidence.trace, ident)] == [
                f"r{n}" for n in range(1, 20, 3)
            ]
        assert store.read(evidence.trace, "nothing") == []


def test_silence_is_seen(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.write(record, event="accepted", trace_id="a", recipient="r", at=1000)
        store.write(record, event="accepted", trace_id="b", recipient="r", at=1000)
        store.write(record, event="relayed", trace_id="b", recipient="r", at=2000)
        store.write(record, event="accepted", trace_id="c", recipient="r", at=9000)
        assert store.read(evidence.silent, 5000) == [("a", "r")]
        assert store.read(evidence.counts) == {"accepted": 3, "relayed": 1}
