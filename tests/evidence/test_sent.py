"""A sender's messages: every one of his once, newest first, nobody else's; along an index."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

import evidence
from store import Store, Tx, operation

_SENDERS = ("a@x.test", "b@x.test", "")
_message = st.tuples(
    st.sampled_from(_SENDERS),
    st.integers(1, 4),  # recipients
    st.integers(0, 3),  # ms since the message before
    st.sampled_from(("delivered", "refused", "accepted")),
)


@operation("test.sent")
def sent(tx: Tx, *, trace_id: str, sender: str, recipients: int, at: int, event: evidence.Event) -> None:
    tx.now = at
    for number in range(recipients):
        said = {"trace_id": trace_id, "sender": sender, "recipient": f"r{number}@p.test"}
        evidence.record(tx, event, **said)  # type: ignore[arg-type]  # strings all
    evidence.record(tx, "filed", trace_id=trace_id, sender=sender, recipient="r0@p.test")
    evidence.record(tx, "receipt", trace_id=trace_id, sender="r0@p.test", recipient=sender)


@settings(max_examples=15, deadline=None)
@given(messages=st.lists(_message, max_size=14), size=st.integers(1, 5), both=st.booleans())
def test_pages_hold_each_message_once(
    tmp_path_factory: pytest.TempPathFactory,
    messages: list[tuple[str, int, int, evidence.Event]],
    size: int,
    both: bool,
) -> None:
    wanted = _SENDERS[:2] if both else _SENDERS[:1]
    at, expected = 1000, []
    with Store.open(tmp_path_factory.mktemp("sent")) as store:
        for number, (sender, recipients, later, event) in enumerate(messages):
            at += later
            name = f"t{number}"
            store.write(sent, trace_id=name, sender=sender, recipients=recipients, at=at, event=event)
            if sender in wanted:
                expected.insert(0, name)
        found, after = [], None
        while True:
            page = store.read(evidence.sent_by, wanted, 0, at + 1, size, after)
            assert len(page.traces) <= size
            for trace in page.traces:
                assert [one.seq for one in trace] == sorted(one.seq for one in trace)
                assert {one.trace_id for one in trace} == {trace[0].trace_id}
                found.append(trace[0].trace_id)
            after = page.after
            if after is None:
                break
        assert found == expected
        assert store.read(evidence.sent_by, wanted, at + 1, at + 2, size).traces == []


def test_it_goes_along_the_index(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        plan = store.read(
            lambda conn: conn.execute(
                text(
                    "EXPLAIN QUERY PLAN SELECT at, seq, trace_id FROM evidence WHERE sender = 'a' "
                    "AND at >= 0 AND at <= 9 AND (at < 9 OR seq < 3) ORDER BY at DESC, seq DESC LIMIT 5"
                )
            ).all()
        )
    assert "ix_evidence_sender_at" in plan[0][3]
