"""``passerelle patient guardian``: who represents a minor, and what is kept from those who do."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.common import DEFAULT_HOME, Home, Json, moment, open_store, reported, show

if TYPE_CHECKING:
    from store import Store

app = typer.Typer(help="Minors and who represents them.", no_args_is_help=True)

Child = Annotated[str, typer.Argument(metavar="INS", help="The minor: matricule of 15 characters.")]
Other = Annotated[str, typer.Argument(metavar="REPRESENTATIVE", help="Who represents him: matricule.")]
As = Annotated[str, typer.Option("--as", help="parent, or guardian (tuteur).")]
Why = Annotated[str, typer.Option("--reason", help="Kept in the history: the decision, its date.")]


@app.callback()
def group() -> None:
    """Minors and who represents them."""


@app.command()
@reported
def add(
    ins: Child,
    representative: Other,
    capacity: As = "parent",
    replaces: Annotated[str, typer.Option(help="Who gives way to him, in the same step.")] = "",
    reason: Why = "",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Attach a minor to somebody who represents him; at most two do."""
    import patients
    from patients import normalise

    names: dict[str, Any] = {
        "ins": normalise(ins),
        "representative": normalise(representative),
        "capacity": _capacity(capacity),
        "actor": _actor(),
        "reason": reason,
    }
    with open_store(home) as store:
        if replaces:
            store.write(patients.replace_representative, former=normalise(replaces), **names)
        else:
            store.write(patients.attach_representative, **names)
        _list(store, names["ins"], json)


@app.command()
@reported
def remove(
    ins: Child, representative: Other, reason: Why = "", home: Home = DEFAULT_HOME, json: Json = False
) -> None:
    """Somebody represents a minor no more: a decision, which --reason names. His rights end at once."""
    import patients
    from patients import normalise

    child = normalise(ins)
    with open_store(home) as store:
        store.write(
            patients.remove_representative,
            ins=child,
            representative=normalise(representative),
            actor=_actor(),
            reason=reason,
        )
        _list(store, child, json)


@app.command("list")
@reported
def list_(
    ins: Child,
    events: Annotated[bool, typer.Option("--history", help="Everything that happened.")] = False,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Who represents a person, and whom he represents, with what they may do now and why."""
    import msgspec

    import patients

    child = patients.normalise(ins)
    with open_store(home) as store:
        _known(store, child)
        if not events:
            _list(store, child, json)
            return
        rows = [msgspec.to_builtins(one) for one in store.read(patients.guardian_events, child)]
        show(rows if json else [row | {"at": moment(row["at"])} for row in rows], json)


@app.command()
@reported
def emancipate(ins: Child, reason: Why = "", home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """A minor of sixteen or more decides alone from now on, by the decision that --reason names."""
    import patients

    child = patients.normalise(ins)
    with open_store(home) as store:
        store.write(patients.emancipate, ins=child, actor=_actor(), reason=reason)
        _list(store, child, json)


@app.command("hand-over")
@reported
def hand_over(ins: Child, reason: Why = "", home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """Give the account to a person of age: what others set up is withdrawn; prints his code of activation.

    His representatives have no right since his birthday, with or without this step.
    """
    import patients

    child = patients.normalise(ins)
    with open_store(home) as store:
        code = store.write(patients.hand_over, ins=child, actor=_actor(), reason=reason)
    show({"ins": child, "code": code}, json)


@app.command()
@reported
def hide(
    ins: Child,
    document: Annotated[int, typer.Option(help="Number of a document: `passerelle dossier list`.")] = 0,
    message: Annotated[int, typer.Option(help="Number of a message in the patient's mailbox.")] = 0,
    reason: Why = "",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Keep a document or a message from whoever represents the patient, now and later.

    Only the patient once of age, or the professional who wrote it, shows it again.
    """
    import patients
    from activity import Actor
    from dossier import rights
    from store import NotFoundError

    child = patients.normalise(ins)
    with open_store(home) as store:
        box_id = _known(store, child).box_id
        if box_id is not None and document:
            rights.hide(store, box_id, Actor(by="operator", ident=_actor(), reason=reason), document)
            show({"ins": child, "hidden": f"document {document}"}, json)
            return
        item = None if box_id is None else _item(store, box_id, message)
        if box_id is None or item is None:
            raise NotFoundError("guardian.item", "no such document or message of this patient")
        store.write(
            patients.set_secret,
            box_id=box_id,
            kind="message",
            item=item,
            event="hide",
            by="operator",
            actor=_actor(),
            reason=reason,
        )
    show({"ins": child, "hidden": f"message {message}"}, json)


def _item(store: Store, box_id: int, message: int) -> bytes | None:
    from store import mail

    rows = store.read(mail.message_rows, box_id, [message])
    return rows[0].sha256 if rows else None


def _list(store: Store, ins: str, as_json: bool) -> None:
    import patients

    rows = []
    for one in store.read(patients.representatives, ins):
        check = store.read(patients.may_act_for, one.ins, ins)
        rows.append(_row(one.ins, ins, one.capacity, one.since, check))
    for minor in store.read(patients.minors_of, ins):
        check = store.read(patients.may_act_for, ins, minor.ins)
        rows.append(_row(ins, minor.ins, minor.capacity, minor.since, check))
    if not as_json:
        rows = [row | {"since": moment(row["since"])} for row in rows]
        if store.read(patients.awaits_hand_over, ins):
            typer.echo("of age: `passerelle patient guardian hand-over` gives him the account", err=True)
    show(rows, as_json, empty="nobody")


def _row(representative: str, minor: str, capacity: str, since: int, check: Any) -> dict[str, Any]:
    return {
        "representative": representative,
        "minor": minor,
        "as": capacity,
        "since": since,
        "may act": check.ok,
        "why": f"{check.text} [{check.rule}]",
    }


def _known(store: Store, ins: str) -> Any:
    from patients import UnknownPatientError, profile

    found = store.read(profile, ins)
    if found is None:
        raise UnknownPatientError
    return found


def _capacity(text: str) -> str:
    from store import InvalidInputError

    if text not in ("parent", "guardian"):
        raise InvalidInputError("guardian.capacity", "a representative is a parent or a guardian")
    return text


def _actor() -> str:
    return f"cli:{getpass.getuser()}"
