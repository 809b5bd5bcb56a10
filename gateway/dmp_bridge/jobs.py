"""What the queue ``filing`` carries: a message to file, and the report to its sender that follows."""

from __future__ import annotations

from typing import Literal

import msgspec


class FilingJob(msgspec.Struct, frozen=True, kw_only=True):
    """One message delivered to one patient's box (``task.box_id``). Written by the pipeline that accepts
    messages, as a msgpack map with these names; fields that are not known here are passed over."""

    ins: str
    message_id: int
    sender: str
    trace_id: str
    received_at: int
    header_message_id: str = ""
    operator_dn: str = ""
    report_to: str = ""


class ReportLine(msgspec.Struct, frozen=True):
    """What became of one document. ``place`` is its place in the message ("attachment 2, document 1");
    ``outcome`` filed, replaced, duplicate, deleted, refused or passed; ``code`` 900 to 906 when refused;
    ``title`` is health data: for the sender's eyes only."""

    place: str
    outcome: Literal["filed", "replaced", "duplicate", "deleted", "refused", "passed"]
    code: int = 0
    rule: str = ""
    reason: str = ""
    title: str = ""


class FilingReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the sender of a message is told. ``key`` is the same when the same report is made again: use it
    so that it goes out once. ``report_to`` is the address that asked for a receipt (an MDN goes there), ""
    when nobody asked: then only refusals are told, by an ordinary mail to ``sender``. ``code`` is 0 when all
    went well, else the first of the codes 900 to 906, and ``label`` its French wording."""

    key: str
    trace_id: str
    box_id: int
    message_id: int
    header_message_id: str
    sender: str
    recipient: str
    report_to: str
    code: int
    label: str
    lines: list[ReportLine]


class ReportJob(msgspec.Struct, frozen=True, kw_only=True, tag="report"):
    """A report that has still to go out."""

    report: FilingReport


class _Kind(msgspec.Struct):
    type: str = ""


_kind = msgspec.msgpack.Decoder(_Kind)
_filing = msgspec.msgpack.Decoder(FilingJob)
_report = msgspec.msgpack.Decoder(ReportJob)


def encode_job(job: FilingJob | ReportJob) -> bytes:
    """The payload of a task."""
    return msgspec.msgpack.encode(job)


def decode_job(payload: bytes) -> FilingJob | ReportJob:
    """The reverse. Raises :class:`msgspec.DecodeError` for anything else."""
    return _report.decode(payload) if _kind.decode(payload).type == "report" else _filing.decode(payload)
