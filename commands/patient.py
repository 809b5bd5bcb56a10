"""`passerelle patient`: the life of a patient's profile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, moment, open_store, progress_bar, settings, show

if TYPE_CHECKING:
    from patients import Profile

app = typer.Typer(name="patient", help="Insured persons and their profiles.", no_args_is_help=True)

Ins = Annotated[str, typer.Argument(help="INS: the matricule of 15 characters.")]
Why = Annotated[str, typer.Option(help="Kept in the history of the profile.")]


def _print(profile: Profile, as_json: bool) -> None:
    import msgspec

    row = msgspec.to_builtins(profile)
    times = {name: moment(row[name]) for name in row if name.endswith("_at")}
    show(row if as_json else {**row, **times}, as_json)


def _actor() -> str:
    import getpass

    return f"cli:{getpass.getuser()}"


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV with a header line.")],
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Add insured persons: ins;oid;birth_name;given_names;sex;birth_date;birth_place."""
    import msgspec

    from patients import import_persons

    with open_store(home) as store, progress_bar(file.name) as advance:
        report = import_persons(store, file, actor=_actor(), progress=advance)
    row = msgspec.to_builtins(report)
    show(row if json else {name: row[name] for name in row if name != "bad"}, json)
    if not json:
        for bad in report.bad[:20]:
            typer.echo(f"line {bad.line}: {bad.reason}", err=True)


@app.command()
def notify(ins: Ins, home: Home = DEFAULT_HOME, reason: Why = "", json: Json = False) -> None:
    """Note that the person was told of the service."""
    from patients import normalise
    from patients import notify as notify_

    with open_store(home) as store:
        _print(notify_(store, normalise(ins), actor=_actor(), reason=reason), json)


@app.command()
def activate(ins: Ins, home: Home = DEFAULT_HOME, reason: Why = "", json: Json = False) -> None:
    """Activate the profile: the person gets his mail address and mailbox."""
    from patients import activate as activate_
    from patients import normalise

    chosen = settings(home).gateway
    with open_store(home) as store:
        profile = activate_(
            store, normalise(ins), chosen.patient_domain, actor=_actor(), reason=reason, quota=chosen.quota
        )
        _print(profile, json)


@app.command()
def oppose(ins: Ins, home: Home = DEFAULT_HOME, reason: Why = "", json: Json = False) -> None:
    """The person objects to the service."""
    from patients import normalise
    from patients import oppose as oppose_

    with open_store(home) as store:
        _print(oppose_(store, normalise(ins), actor=_actor(), reason=reason), json)


@app.command()
def close(ins: Ins, home: Home = DEFAULT_HOME, reason: Why = "", json: Json = False) -> None:
    """Close the profile and its mailbox; the content is kept as an archive."""
    from patients import close as close_
    from patients import normalise

    with open_store(home) as store:
        _print(close_(store, normalise(ins), actor=_actor(), reason=reason), json)


@app.command()
def reopen(ins: Ins, home: Home = DEFAULT_HOME, reason: Why = "", json: Json = False) -> None:
    """Open a closed profile again, with its archive and its address."""
    from patients import normalise
    from patients import reopen as reopen_

    with open_store(home) as store:
        _print(reopen_(store, normalise(ins), actor=_actor(), reason=reason), json)


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
