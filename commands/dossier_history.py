"""``passerelle dossier history`` and ``notices``: what happened to a record, and who is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, fail, moment, open_store, reported, show
from commands.record import Ins, open_record

if TYPE_CHECKING:
    from store import Store


def _box(store: Store, ins: str) -> int:
    """The box of a patient. Raises :class:`patients.UnknownPatientError`, :class:`NotFoundError`."""
    from patients import UnknownPatientError, normalise, profile
    from store import NotFoundError

    found = store.read(profile, normalise(ins))
    if found is None:
        raise UnknownPatientError
    if found.box_id is None:
        raise NotFoundError("mailbox.unknown", "this profile was never opened: nothing happened to it")
    return found.box_id


def _day(text: str, *, after: bool = False) -> int:
    """The beginning of a day in Paris (ms), or of the day after it."""
    from datetime import date, datetime, timedelta

    from patients import calendar
    from store import InvalidInputError

    try:
        day = date.fromisoformat(text) + timedelta(days=after)
    except (ValueError, OverflowError):
        fail(InvalidInputError("history.day", "a day is written YYYY-MM-DD"))
    return int(datetime(day.year, day.month, day.day, tzinfo=calendar.PARIS).timestamp() * 1000)


@reported
def history(
    ins: Ins,
    reason: Annotated[str, typer.Option("--reason", help="Why it is read: who asked, when. Kept.")],
    since: Annotated[str, typer.Option(help="From this day on, YYYY-MM-DD.")] = "",
    until: Annotated[str, typer.Option(help="Up to this day, included.")] = "",
    refused: Annotated[bool, typer.Option("--refused", help="Only what was refused.")] = False,
    professionals: Annotated[bool, typer.Option("--professionals", help="Only what they did.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many lines, the newest.")] = 500,
    csv: Annotated[Path | None, typer.Option(help="Write a CSV file instead, with every line.")] = None,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Who did what with a patient's record, agenda and consents, as the patient reads it.

    That it was read is itself in the history, with the reason.
    """
    import msgspec

    from activity import PROFESSIONALS, Asked
    from dossier import history_csv, history_for
    from store import InvalidInputError, write_private

    if csv is not None and csv.exists():
        fail(InvalidInputError("history.file", f"{csv} exists already: nothing is overwritten"))
    asked = Asked(refused=refused, by=PROFESSIONALS if professionals else ())
    first = _day(since) if since else 0
    last = _day(until, after=True) if until else None
    with open_record(home, ins, reason) as (store, box_id, who):
        lines = history_for(
            store,
            box_id,
            who,
            asked,
            since=first,
            until=last,
            limit=10_000_000 if csv is not None else limit,
        )
    if csv is not None:
        write_private(csv, history_csv(lines))
        typer.echo(f"{len(lines)} lines in {csv}", err=True)
        return
    if json:
        show([msgspec.to_builtins(one) for one in lines], json)
        return
    show([{"time": moment(one.at), "what": one.french} for one in lines], json, empty="nothing happened")


@reported
def notices(
    ins: Ins,
    wish: Annotated[
        str, typer.Option("--wish", help="Write down what the person wishes: at_once, daily, weekly or none.")
    ] = "",
    person: Annotated[
        str, typer.Option("--person", help="INS of who is told, where it is not the patient.")
    ] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why: needed with --wish. Kept.")] = "",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Who is told by e-mail of what happens to a record, how often, and when last. No address is shown."""
    from activity import WISHES, Actor, notices_of, set_wish
    from commands.patient_bulk import actor
    from patients import normalise
    from store import InvalidInputError

    with open_store(home) as store:
        box_id = _box(store, ins)
        if wish:
            if wish not in WISHES:
                fail(InvalidInputError("notices.wish", f"one of: {', '.join(WISHES)}"))
            if not reason.strip():
                fail(InvalidInputError("dossier.reason", "say why: who asked, when"))
            who = Actor(by="operator", ident=actor(), reason=reason.strip())
            set_wish(store, box_id, who, wish, ins=normalise(person or ins))
        found = store.read(notices_of, box_id)
    rows = [
        {
            "person": one.ins,
            "wish": one.wish,
            "waits": one.waits,
            "due": moment(one.due_at),
            "last": moment(one.last_at),
            "failures": one.failures,
            "error": one.error,
        }
        for one in found
    ]
    show(rows, json, empty="nobody was told anything yet")
