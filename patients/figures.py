"""What figures count of profiles: steps of their lives, by hour or by département of residence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Subquery,
    and_,
    case,
    exists,
    func,
    literal,
    select,
)

from patients.tables import patient, patient_event

HOUR_MS: Final = 3_600_000
StepFigure = Literal["notified", "opposed", "created", "closed", "activated"]
_WITHOUT_BOX: Final = ("known", "notified", "opposed")


class Steps(msgspec.Struct, frozen=True):
    """How many persons a step concerns, in an hour (``bucket``: hours since the epoch) or a département."""

    figure: StepFigure
    bucket: int | str
    persons: int


def residences() -> Subquery:
    """Rows (box_id, address, department) of every profile that has a mailbox, for joining."""
    columns = (patient.c.box_id, patient.c.address, patient.c.department)
    return select(*columns).where(patient.c.box_id.is_not(None)).subquery("residences")


def steps_by(
    conn: Connection, by: Literal["", "hour", "department"], since: int, until: int
) -> Iterator[Steps]:
    """Steps in [``since``, ``until``) (ms), each person counted once in each figure.

    ``notified``: told for the first time; ``created``: opened or activated for the first time; ``closed``:
    by the last closing of the period, whether or not the profile was opened again. Without ``by`` the
    bucket is "".
    """
    event = patient_event.c
    within = and_(event.at >= since, event.at < until)
    first = and_(event.from_state.in_(_WITHOUT_BOX), event.to_state.in_(("opened", "activated")))
    figures: dict[StepFigure, ColumnElement[bool]] = {
        "notified": and_(event.event == "notify", event.from_state == "known"),
        "opposed": event.event == "oppose",
        "created": first,
        "activated": event.event == "activate",
    }
    counted = [func.sum(case((condition, 1), else_=0)) for condition in figures.values()]
    wanted = event.event.in_(("notify", "oppose", "open", "activate"))
    for row in conn.execute(_grouped(by, counted).where(within, wanted)):
        for figure, persons in zip(figures, row[1:], strict=True):
            if persons:
                yield Steps(figure, row[0], int(persons))
    later = patient_event.alias("later")
    again = exists().where(
        later.c.ins == event.ins,
        later.c.event_id > event.event_id,
        later.c.event == "close",
        later.c.at >= since,
        later.c.at < until,
    )
    closings = _grouped(by, [func.count()]).where(within, event.event == "close", ~again)
    for row in conn.execute(closings):
        if row[1]:
            yield Steps("closed", row[0], row[1])


def _grouped(by: str, counted: Sequence[ColumnElement[Any]]) -> Any:
    if by == "hour":
        bucket = patient_event.c.at // literal(HOUR_MS, BigInteger)
        return select(bucket.label("bucket"), *counted).group_by("bucket")
    if by == "department":
        joined = patient_event.join(patient, patient.c.ins == patient_event.c.ins)
        return select(patient.c.department.label("bucket"), *counted).select_from(joined).group_by("bucket")
    return select(literal("").label("bucket"), *counted)


def first_step(conn: Connection) -> int | None:
    """When (ms) the first step of any profile was, None before there was one."""
    found: int | None = conn.scalar(select(func.min(patient_event.c.at)))
    return found
