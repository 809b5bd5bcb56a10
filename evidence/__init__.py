"""Signed, chained evidence: how each recipient of each message ended, and what was filed."""

from evidence.chain import (
    ENDS,
    Event,
    Record,
    Report,
    by_number,
    counts,
    create_key,
    hold,
    key_is_sealed,
    public_key,
    record,
    seal_key,
    silent,
    tally,
    trace,
    trace_of,
    verify,
    walk,
)
from evidence.flows import flows
from evidence.receipt import receipt
from evidence.sent import Cursor, SentPage, sent_by

__all__ = [
    "ENDS",
    "Cursor",
    "Event",
    "Record",
    "Report",
    "SentPage",
    "by_number",
    "counts",
    "create_key",
    "flows",
    "hold",
    "key_is_sealed",
    "public_key",
    "receipt",
    "record",
    "seal_key",
    "sent_by",
    "silent",
    "tally",
    "trace",
    "trace_of",
    "verify",
    "walk",
]
