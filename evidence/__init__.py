"""Signed, chained evidence: how each recipient of each message ended, and what was filed."""

from evidence.chain import (
    ENDS,
    Event,
    Record,
    Report,
    by_number,
    counts,
    create_key,
    public_key,
    record,
    silent,
    trace,
    verify,
    walk,
)
from evidence.receipt import receipt

__all__ = [
    "ENDS",
    "Event",
    "Record",
    "Report",
    "by_number",
    "counts",
    "create_key",
    "public_key",
    "receipt",
    "record",
    "silent",
    "trace",
    "verify",
    "walk",
]
