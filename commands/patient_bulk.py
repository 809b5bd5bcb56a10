"""The verbs of `passerelle patient` for many persons: import, notices, openings, ends of archives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, fail, moment, open_store, progress_bar, settings, show

if TYPE_CHECKING:
    from patients import CampaignReport, PersonsReport

DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing; tell what would be done.")]
Force = Annotated[bool, typer.Option("--force", help="The clock is right, whatever was seen before.")]
_DAY_MS = 86_400_000
_SHOWN_FAULTS = 20


def actor() -> str:
    """Who acts, for the history: the user of the command line."""
    import getpass

    return f"cli:{getpass.getuser()}"


def _report(report: PersonsReport | CampaignReport, json: bool) -> None:
    import msgspec

    row = msgspec.to_builtins(report)
    if json:
        show(row, json)
        return
    skipped = row.pop("skipped", {})
    show(
        {name: row[name] for name in row if name != "bad"} | {f"skipped: {n}": m for n, m in skipped.items()},
        json,
    )
    for bad in report.bad[:_SHOWN_FAULTS]:
        typer.echo(f"line {bad.line}: {bad.reason}", err=True)
    if report.bad_count > _SHOWN_FAULTS:
        typer.echo(f"… and {report.bad_count - _SHOWN_FAULTS} more lines; --json tells 200", err=True)


def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV with a header line.")],
    home: Home = DEFAULT_HOME,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Add insured persons: ins;oid;birth_name;given_names;sex;birth_date;birth_place.

    Optional columns: used_name, department or postcode, previous_ins.
    """
    from patients import import_persons

    with open_store(home) as store, progress_bar(file.name) as advance:
        report = import_persons(store, file, actor=actor(), dry_run=dry_run, progress=advance)
    _report(report, json)


def notify(
    ins: Annotated[str, typer.Argument(help="INS: one person, told by other means.")] = "",
    home: Home = DEFAULT_HOME,
    file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="CSV with a column ins; the others go along."),
    ] = None,
    all_known: Annotated[bool, typer.Option("--all-known", help="Everyone not notified yet.")] = False,
    channel: Annotated[str, typer.Option(help="email or letter.")] = "letter",
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Mailing file to write, with the codes.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Those notified before, too: their six weeks start again.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Kept in the history of the profile; of one person.")] = "",
    force: Force = False,
    json: Json = False,
) -> None:
    """Note that persons were told of the service; a campaign writes a mailing file with provisional codes.

    Give INS, --file or --all-known. A campaign that was interrupted goes on when it is called again.
    """
    import msgspec

    from patients import normalise, run_campaign
    from patients import notify as notify_
    from store import InvalidInputError

    if (bool(ins), file is not None, all_known).count(True) != 1:
        fail(InvalidInputError("patients.campaign", "give one of INS, --file and --all-known"))
    if ins:
        with open_store(home) as store:
            row = msgspec.to_builtins(notify_(store, normalise(ins), actor=actor(), reason=reason))
            times = {name: moment(row[name]) for name in row if name.endswith("_at")}
            show(row if json else {**row, **times}, json)
        return
    if out is None:
        fail(InvalidInputError("patients.campaign", "give --out: where the mailing file is to stand"))
    if channel not in ("email", "letter"):
        fail(InvalidInputError("patients.campaign", "--channel is email or letter"))
    days = settings(home).patients.code_days
    with open_store(home) as store, progress_bar(out.name) as advance:
        report = run_campaign(
            store,
            out,
            channel="email" if channel == "email" else "letter",
            file=file,
            actor=actor(),
            again=again,
            code_ms=days * _DAY_MS,
            force=force,
            progress=advance,
        )
    _report(report, json)


def list_campaigns(home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """Campaigns of notices, newest first; one without an end is to be called again."""
    import msgspec

    from patients import campaigns

    with open_store(home) as store:
        rows = [msgspec.to_builtins(one) for one in store.read(campaigns)]
    if not json:
        rows = [
            {
                "campaign": row["campaign_id"],
                "channel": row["channel"],
                "file": row["out"],
                "notified": row["notified"],
                "started": moment(row["started_at"]),
                "finished": moment(row["finished_at"]),
            }
            for row in rows
        ]
    show(rows, json, empty="no campaign")


def open_due(
    home: Home = DEFAULT_HOME,
    dry_run: DryRun = False,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0: all.")] = 0,
    force: Force = False,
    json: Json = False,
) -> None:
    """Open the profiles of those told six weeks ago who neither activated nor objected.

    The gateway does it each night by itself.
    """
    import msgspec

    from patients import count_due
    from patients import open_due as open_due_
    from store import now_ms

    chosen = settings(home)
    with open_store(home) as store:
        if dry_run:
            show({"due": store.read(count_due, now_ms())}, json)
            return
        with progress_bar("opening") as advance:
            report = open_due_(
                store,
                chosen.gateway.patient_domain,
                actor=actor(),
                quota=chosen.gateway.quota,
                limit=limit,
                leap_ms=chosen.patients.leap_days * _DAY_MS,
                force=force,
                progress=advance,
            )
        show(msgspec.to_builtins(report), json)


def expire_archives(
    home: Home = DEFAULT_HOME, dry_run: DryRun = False, force: Force = False, json: Json = False
) -> None:
    """Destroy the archives of profiles closed ten years ago, and what persons asked to delete by now.

    The gateway does it each night by itself.
    """
    import msgspec

    from patients import count_ended
    from patients import expire_archives as expire_archives_
    from store import now_ms

    chosen = settings(home)
    with open_store(home) as store:
        if dry_run:
            show({"ended": store.read(count_ended, now_ms())}, json)
            return
        with progress_bar("archives") as advance:
            report = expire_archives_(
                store,
                actor=actor(),
                leap_ms=chosen.patients.leap_days * _DAY_MS,
                force=force,
                progress=advance,
            )
        show(msgspec.to_builtins(report), json)
