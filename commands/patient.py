"""`passerelle patient`: the life of a patient's profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, fail, moment, open_store, settings, show
from commands.patient_bulk import actor, expire_archives, import_, list_campaigns, notify, open_due

if TYPE_CHECKING:
    from patients import Profile

app = typer.Typer(name="patient", help="Insured persons and their profiles.", no_args_is_help=True)
app.command("import")(import_)
app.command()(notify)
app.command("campaigns")(list_campaigns)
app.command("open-due")(open_due)
app.command("expire-archives")(expire_archives)

Ins = Annotated[str, typer.Argument(help="INS: the matricule of 15 characters.")]
Why = Annotated[str, typer.Option(help="Kept in the history of the profile.")]


def _print(profile: Profile, as_json: bool) -> None:
    import msgspec

    row = msgspec.to_builtins(profile)
    times = {name: moment(row[name]) for name in row if name.endswith("_at")}
    show(row if as_json else {**row, **times}, as_json)


@app.command()
def activate(ins: Ins, home: Home = DEFAULT_HOME, reason: Why = "", json: Json = False) -> None:
    """Activate the profile: the person gets his mail address and mailbox."""
    from patients import activate as activate_
    from patients import normalise

    chosen = settings(home).gateway
    with open_store(home) as store:
        profile = activate_(
            store, normalise(ins), chosen.patient_domain, actor=actor(), reason=reason, quota=chosen.quota
        )
        _print(profile, json)


@app.command()
def oppose(ins: Ins, home: Home = DEFAULT_HOME, reason: Why = "", json: Json = False) -> None:
    """The person objects to the service."""
    from patients import normalise
    from patients import oppose as oppose_

    with open_store(home) as store:
        _print(oppose_(store, normalise(ins), actor=actor(), reason=reason), json)


@app.command()
def close(
    ins: Ins,
    home: Home = DEFAULT_HOME,
    reason: Why = "",
    dead: Annotated[bool, typer.Option("--dead", help="The person died.")] = False,
    json: Json = False,
) -> None:
    """Close the profile and its mailbox; the content is kept as an archive for ten years."""
    from patients import close as close_
    from patients import normalise

    if dead:
        reason = f"death: {reason}" if reason else "death"
    with open_store(home) as store:
        _print(close_(store, normalise(ins), actor=actor(), reason=reason), json)


@app.command()
def reopen(ins: Ins, home: Home = DEFAULT_HOME, reason: Why = "", json: Json = False) -> None:
    """Open a closed profile again, with its archive and its address."""
    from patients import normalise
    from patients import reopen as reopen_

    with open_store(home) as store:
        _print(reopen_(store, normalise(ins), actor=actor(), reason=reason), json)


@app.command()
def suspend(ins: Ins, home: Home = DEFAULT_HOME, reason: Why = "", json: Json = False) -> None:
    """Stop the use of an activated profile for now (malfunction, fraud): its mail is put off."""
    from patients import normalise
    from patients import suspend as suspend_

    with open_store(home) as store:
        _print(suspend_(store, normalise(ins), actor=actor(), reason=reason), json)


@app.command()
def resume(ins: Ins, home: Home = DEFAULT_HOME, reason: Why = "", json: Json = False) -> None:
    """End a suspension."""
    from patients import normalise
    from patients import resume as resume_

    with open_store(home) as store:
        _print(resume_(store, normalise(ins), actor=actor(), reason=reason), json)


@app.command()
def delete(
    ins: Ins,
    home: Home = DEFAULT_HOME,
    at: Annotated[str, typer.Option(help="On this day, YYYY-MM-DD; within three months.")] = "",
    reason: Why = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Delete for ever what a closed profile held, as the person asked: its key is destroyed."""
    from datetime import date, datetime

    from patients import ask_deletion, calendar, normalise
    from store import InvalidInputError

    moment_: int | None = None
    if at:
        try:
            day = date.fromisoformat(at)
        except ValueError:
            fail(InvalidInputError("patient.deletion", "a day is written YYYY-MM-DD"))
        moment_ = int(datetime(day.year, day.month, day.day, tzinfo=calendar.PARIS).timestamp() * 1000)
    elif not yes:
        typer.confirm("Nothing brings the content back afterwards. Delete it now?", abort=True, err=True)
    with open_store(home) as store:
        _print(ask_deletion(store, normalise(ins), actor=actor(), reason=reason, at=moment_), json)


@app.command()
def verify(
    ins: Annotated[str, typer.Argument(help="INS; without it, every profile.")] = "",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Check histories against the chain of evidence: no step changed, added or taken away."""
    import msgspec

    import evidence
    from activity import check
    from patients import check_history, normalise

    with open_store(home) as store:
        report = store.read(check_history, normalise(ins) if ins else "")
        chain = store.read(evidence.verify, evidence.public_key(home))
        journal = store.read(check, normalise(ins) if ins else "")
        show(msgspec.to_builtins(report) | {"chain": chain.ok, "journal": journal.holds}, json)
    if report.broken or not chain.ok or not journal.holds:
        raise typer.Exit(1)


@app.command("show")
def show_(
    ins: Ins,
    home: Home = DEFAULT_HOME,
    events: Annotated[bool, typer.Option("--history", help="Everything that happened to it.")] = False,
    json: Json = False,
) -> None:
    """Show a profile and its state."""
    import msgspec

    from patients import UnknownPatientError, history, normalise, profile

    with open_store(home) as store:
        found = store.read(profile, normalise(ins))
        if found is None:
            raise UnknownPatientError
        if not events:
            _print(found, json)
            return
        rows = [msgspec.to_builtins(event) for event in store.read(history, found.ins)]
        show(rows if json else [{**row, "at": moment(row["at"])} for row in rows], json)
