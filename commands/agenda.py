"""``passerelle agenda``: what support does in a patient's agenda at his request, each use traced.

Lists show when and from where, never titles, places or notes: support needs none of them to help. A file
that is exported holds them: it is the patient's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, fail, moment, open_store, reported, settings, show

if TYPE_CHECKING:
    from activity import Actor
    from agenda import Length
    from patients import Profile
    from store import Store

app = typer.Typer(no_args_is_help=True)
feed = typer.Typer(help="Private subscriptions, for phones.", no_args_is_help=True)
plan = typer.Typer(help="The table of preventive care.", no_args_is_help=True)
app.add_typer(feed, name="feed")
app.add_typer(plan, name="plan")

Ins = Annotated[str, typer.Argument(metavar="INS", help="The patient's matricule, 15 characters.")]
Reason = Annotated[str, typer.Option("--reason", help="What the patient asked for; in his history.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing; tell what would be done.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="See `passerelle agenda list`.")]
_SHOWN_FAULTS = 20


@feed.callback()
def feed_group() -> None:
    """Private subscriptions, for phones."""


@plan.callback()
def plan_group() -> None:
    """The table of preventive care."""


def _operator(reason: str) -> Actor:
    """Who acts, for the history. Ends the verb without a reason."""
    from activity import Actor
    from commands.patient_bulk import actor
    from store import InvalidInputError

    if not reason.strip():
        fail(InvalidInputError("agenda.reason", "give --reason: what the patient asked for"))
    return Actor(by="operator", ident=actor(), reason=reason.strip())


def _box(store: Store, ins: str) -> tuple[Profile, int]:
    from agenda import AgendaError
    from patients import UnknownPatientError, normalise, profile

    found = store.read(profile, normalise(ins))
    if found is None:
        raise UnknownPatientError
    if found.box_id is None:
        raise AgendaError("agenda.closed")
    return found, found.box_id


def _day_ms(text: str) -> int:
    """Midnight in Paris of a day, by default today, in ms."""
    from datetime import date, datetime

    from patients import calendar
    from store import InvalidInputError, now_ms

    try:
        day = date.fromisoformat(text) if text else calendar.today(now_ms())
    except ValueError:
        fail(InvalidInputError("agenda.day", "give --since as YYYY-MM-DD"))
    return int(datetime(day.year, day.month, day.day, tzinfo=calendar.PARIS).timestamp() * 1000)


def _day(number: int) -> str:
    """A day since the epoch as text; empty for 0."""
    from datetime import date, timedelta

    return (date(1970, 1, 1) + timedelta(days=number)).isoformat() if number else ""


@app.command("list")
@reported
def list_(
    ins: Ins,
    reason: Reason,
    since: Annotated[str, typer.Option(metavar="DAY", help="YYYY-MM-DD; by default today.")] = "",
    days: Annotated[int, typer.Option(min=1, max=3660, help="How many days.")] = 31,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """When something is in a patient's agenda: numbers, times, where they come from; no titles."""
    from agenda import read_occurrences

    actor = _operator(reason)
    begin = _day_ms(since)
    with open_store(home) as store:
        _, box_id = _box(store, ins)
        found = read_occurrences(store, box_id, actor, begin, begin + days * 86_400_000, cancelled=True)
    rows = [
        {
            "number": one.appointment_id,
            "begin": one.begin,
            "end": one.end,
            "zone": one.zone,
            "all day": one.all_day,
            "from": one.source,
            "for professionals": one.shared,
            "hidden": one.hidden,
            "cancelled": one.cancelled,
        }
        for one in found
    ]
    show(rows, json, empty="nothing in these days")


@app.command()
@reported
def add(
    ins: Ins,
    title: Annotated[str, typer.Argument(help="What the patient calls it.")],
    begin: Annotated[str, typer.Argument(help="2026-03-29T14:30, or 2026-03-29 for a whole day.")],
    reason: Reason,
    end: Annotated[str, typer.Option(help="As the beginning; of a day the day after.")] = "",
    zone: Annotated[str, typer.Option(help="IANA name: Europe/Paris, Indian/Reunion…")] = "Europe/Paris",
    place: Annotated[str, typer.Option(help="Where.")] = "",
    rule: Annotated[str, typer.Option(help="RRULE: FREQ=WEEKLY;COUNT=10…")] = "",
    remind: Annotated[list[int] | None, typer.Option(help="Minutes before.")] = None,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Add an appointment at the patient's request."""
    from agenda import Details
    from agenda import add as add_

    actor = _operator(reason)
    all_day = "T" not in begin
    details = Details(
        title=title,
        begin=begin,
        end=end,
        all_day=all_day,
        zone="" if all_day else zone,
        place=place,
        rule=rule,
        reminders=remind or [],
    )
    with open_store(home) as store:
        _, box_id = _box(store, ins)
        made = add_(store, box_id, actor, details)
    show({"number": made.appointment_id, "begin": made.details.begin, "end": made.details.end}, json)


@app.command()
@reported
def remove(ins: Ins, number: Number, reason: Reason, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """Take an appointment out of the agenda at the patient's request; it is kept as removed."""
    from agenda import remove as remove_

    actor = _operator(reason)
    with open_store(home) as store:
        _, box_id = _box(store, ins)
        gone = remove_(store, box_id, actor, number)
    show({"number": gone.appointment_id, "status": gone.status}, json)


@app.command("import")
@reported
def import_(
    ins: Ins,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An iCalendar file (.ics).")],
    reason: Reason,
    zone: Annotated[str, typer.Option(help="Of times without a zone.")] = "Europe/Paris",
    dry_run: DryRun = False,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Add the appointments of an iCalendar file; the same file again changes nothing."""
    import msgspec

    from agenda import import_calendar

    actor = _operator(reason)
    with open_store(home) as store:
        _, box_id = _box(store, ins)
        report = import_calendar(store, box_id, actor, file.read_bytes(), default_zone=zone, dry_run=dry_run)
    row = msgspec.to_builtins(report)
    if json:
        show(row, json)
        return
    show({name: row[name] for name in row if name != "bad"}, json)
    for bad in report.bad[:_SHOWN_FAULTS]:
        typer.echo(f"line {bad.line}: {bad.reason}", err=True)


@app.command()
@reported
def export(
    ins: Ins,
    out: Annotated[Path, typer.Argument(dir_okay=False, help="Where the file is to stand.")],
    reason: Reason,
    number: Annotated[int, typer.Option(help="One appointment; 0: all.")] = 0,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Write the agenda, or one appointment, as an iCalendar file that only its owner can read."""
    from agenda import export_calendar
    from store import write_private

    actor = _operator(reason)
    with open_store(home) as store:
        _, box_id = _box(store, ins)
        data = export_calendar(store, box_id, actor, appointment_id=number or None)
    write_private(out, data)
    show({"file": str(out), "octets": len(data)}, json)


@app.command()
@reported
def proposals(ins: Ins, reason: Reason, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """What is proposed to a patient today by age and sex: codes and days."""
    from agenda import proposals_for
    from agenda import trace as trace_

    actor = _operator(reason)
    with open_store(home) as store:
        _, box_id = _box(store, ins)
        found = store.read(proposals_for, store, box_id, actor)
        trace_(store, box_id, actor)
    rows = [
        {
            "code": one.item.code,
            "kind": one.item.kind,
            "since": one.due.isoformat(),
            "until": one.last.isoformat(),
        }
        for one in found
    ]
    show(rows, json, empty="nothing is proposed today")


# -- feeds ----------------------------------------------------------------------------------------


@feed.command("open")
@reported
def feed_open(
    ins: Ins,
    reason: Reason,
    holder: Annotated[
        str, typer.Option("--for", help="INS of whose phone it is: a representative; by default the patient.")
    ] = "",
    label: Annotated[str, typer.Option(help="Which device.")] = "",
    full: Annotated[bool, typer.Option("--full", help="Also titles, places and notes.")] = False,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Open a subscription and print its address, this once."""
    from agenda import open_feed_for
    from patients import normalise

    actor = _operator(reason)
    chosen = settings(home)
    with open_store(home) as store:
        owner, box_id = _box(store, ins)
        who = normalise(holder) if holder else owner.ins
        made, token = open_feed_for(store, box_id, actor, who, label=label, shows="full" if full else "busy")
    origin = chosen.signin.origin.rstrip("/") or f"https://{chosen.gateway.hostname}"
    show({"feed": made.feed_id, "shows": made.shows, "address": f"{origin}/agenda/{token}.ics"}, json)


@feed.command("list")
@reported
def feed_list(ins: Ins, reason: Reason, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """The subscriptions to an agenda: whose, since when, last used; no addresses."""
    from agenda import feeds
    from agenda import trace as trace_

    actor = _operator(reason)
    with open_store(home) as store:
        _, box_id = _box(store, ins)
        found = store.read(feeds, store, box_id, actor)
        trace_(store, box_id, actor)
    rows = [
        {
            "feed": one.feed_id,
            "of": one.by,
            "shows": one.shows,
            "opened": moment(one.created_at),
            "last used": _day(one.used_day),
            "revoked": moment(one.revoked_at),
        }
        for one in found
    ]
    show(rows, json, empty="no subscription")


@feed.command("revoke")
@reported
def feed_revoke(
    ins: Ins,
    number: Annotated[int, typer.Argument(metavar="FEED", help="See `passerelle agenda feed list`.")],
    reason: Reason,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """End a subscription: its address leads nowhere from now on."""
    from agenda import revoke_feed

    actor = _operator(reason)
    with open_store(home) as store:
        _, box_id = _box(store, ins)
        revoke_feed(store, box_id, actor, number)
    show({"feed": number, "status": "revoked"}, json)


# -- the table of preventive care -----------------------------------------------------------------


@plan.command("import")
@reported
def plan_import(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV; see docs/agenda.md.")],
    reason: Annotated[str, typer.Option(help="Kept with the version: who checked it.")] = "",
    dry_run: DryRun = False,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Take a new version of the table, whole or not at all."""
    import msgspec

    from agenda import AgendaError, import_plan
    from commands.patient_bulk import actor

    with open_store(home) as store:
        report = import_plan(store, file, actor=actor(), reason=reason, dry_run=dry_run)
    row = msgspec.to_builtins(report)
    show(row if json else {name: row[name] for name in row if name != "bad"}, json)
    for bad in [] if json else report.bad[:_SHOWN_FAULTS]:
        typer.echo(f"line {bad.line}: {bad.reason}", err=True)
    if report.bad:
        fail(AgendaError("agenda.plan", f"{len(report.bad)} bad rows: nothing was changed"))


@plan.command("show")
@reported
def plan_show(home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """The table in force."""
    from agenda import current_plan

    with open_store(home) as store:
        found = store.read(current_plan)

    def age(one: Length | None) -> str:
        return "" if one is None else f"{one.number}{one.unit}"

    rows = [
        {
            "code": one.code,
            "kind": one.kind,
            "sex": one.sex,
            "from": age(one.since),
            "to": age(one.until),
            "interval": age(one.interval),
            "label": one.label_fr,
            "source": one.source,
            "of": one.source_date,
        }
        for one in found.items
    ]
    show(rows, json)
