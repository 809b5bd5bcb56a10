"""A spool read back before it is placed: any range, however it was written, in memory or in its file."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store import Store

FRAME = 256 * 1024


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(st.integers(0, FRAME + 7), max_size=6),
    compressible=st.booleans(),
    data=st.data(),
)
def test_any_range_reads_what_was_written(
    store: Store, pieces: list[int], compressible: bool, data: st.DataObject
) -> None:
    spool = store.spool()
    whole = bytearray()
    for number, size in enumerate(pieces):
        piece = bytes([number]) * size if compressible else random.Random(number).randbytes(size)
        spool.write(piece)
        whole += piece
    assert b"".join(spool.chunks()) == whole
    start = data.draw(st.integers(0, len(whole) + 1))
    length = data.draw(st.integers(0, len(whole) + 1))
    assert b"".join(spool.chunks(start, length)) == whole[start : start + length]
    assert b"".join(spool.chunks(start)) == whole[start:]
    spool.discard()


def test_a_range_of_a_large_one_and_more_after_it(store: Store) -> None:
    spool = store.spool()
    body = random.Random(1).randbytes(5 * FRAME + 11)
    spool.write(body)
    assert b"".join(spool.chunks(FRAME - 3, 2 * FRAME)) == body[FRAME - 3 : 3 * FRAME - 3]
    assert max(len(piece) for piece in spool.chunks()) <= FRAME
    spool.write(b"after")
    assert b"".join(spool.chunks(5 * FRAME + 5)) == body[5 * FRAME + 5 :] + b"after"
    box_id = store.create_box(address="a@patient.test", kind="patient", owner="")
    store.new_message(box_id, spool, b"meta")  # placed as if it had never been read
