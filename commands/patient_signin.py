"""`passerelle patient access …`: what the support does for a person who cannot sign in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, moment, open_store, progress_bar, reported, show

app = typer.Typer(name="access", help="Patients' access: cards, contacts, sessions.", no_args_is_help=True)
Ins = Annotated[str, typer.Argument(help="INS: the matricule of 15 characters.")]


@app.command("import")
@reported
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV with a header line.")],
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Add Vitale cards and contacts of persons: ins;card_kind;card_serial;holder;email;phone.

    `card_kind` is plain or photo; `holder` the number printed on the card, where it is another person's.
    """
    import msgspec

    from patients import signin

    with open_store(home) as store, progress_bar(file.name) as advance:
        report = signin.import_reach(store, file, progress=advance)
    row = msgspec.to_builtins(report)
    show(row if json else {name: row[name] for name in row if name != "bad"}, json)
    if not json:
        for bad in report.bad[:20]:
            typer.echo(f"line {bad.line}: {bad.reason}", err=True)


@app.command("show")
@reported
def show_(ins: Ins, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """How a person signs in: since when, by which channel, with how many sessions and passkeys."""
    import msgspec

    from patients import normalise, signin

    with open_store(home) as store:
        found = store.read(signin.access, normalise(ins))
    row = msgspec.to_builtins(found) if found else {}
    if not json:
        row = {name: moment(value) if name.endswith("_at") else value for name, value in row.items()}
    show(row, json, empty="no account")


@app.command()
@reported
def sessions(ins: Ins, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """The sessions of a person that were not revoked."""
    _list("sessions_of", ins, home, json, {"ins", "revoked_at"})


@app.command()
@reported
def passkeys(ins: Ins, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """The passkeys of a person, withdrawn ones too."""
    _list("passkeys_of", ins, home, json, {"ins"})


@app.command()
@reported
def history(ins: Ins, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """What happened to a person's access, newest first."""
    _list("events_of", ins, home, json, set())


def _list(what: str, ins: str, home: Path, json: bool, without: set[str]) -> None:
    import msgspec

    from patients import normalise, signin

    with open_store(home) as store:
        found = store.read(getattr(signin, what), normalise(ins))
    rows = [
        {
            name: moment(value) if not json and name.rpartition("_")[2] == "at" else value
            for name, value in msgspec.to_builtins(one).items()
            if name not in without
        }
        for one in found
    ]
    show(rows, json)


@app.command()
@reported
def revoke(
    ins: Ins,
    number: Annotated[int, typer.Argument(help="The session_id; 0: all of them.")] = 0,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """End a session of a person, or all."""
    from patients import normalise, signin

    with open_store(home) as store:
        if number:
            ended = int(store.write(signin.revoke_session, ins=normalise(ins), session_id=number))
        else:
            ended = store.write(signin.revoke_sessions, ins=normalise(ins))
    show({"ended": ended}, json)


@app.command()
@reported
def reset(ins: Ins, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """Withdraw password, passkeys, devices and sessions: the person makes his access anew with his card."""
    from patients import normalise, signin

    with open_store(home) as store:
        show({"reset": store.write(signin.reset_factors, ins=normalise(ins))}, json)


@app.command()
@reported
def unlock(ins: Ins, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """Forget the tries counted against a person."""
    from patients import normalise, signin

    with open_store(home) as store:
        show({"unlocked": store.write(signin.unlock, ins=normalise(ins))}, json)
