"""``passerelle mailbox …``: the mailboxes (BAL) served here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, fail, moment, open_store, reported, settings, show

if TYPE_CHECKING:
    from collections.abc import Callable

    from store import Store
    from store.mail import Box

app = typer.Typer(no_args_is_help=True)
passwords = typer.Typer(no_args_is_help=True)
app.add_typer(passwords, name="app-password", help="Passwords for mail clients.")
Address = Annotated[str, typer.Argument(help="The mailbox's address.")]


@app.command("list")
@reported
def list_(
    kind: Annotated[str, typer.Option(help="patient, pro or system.")] = "",
    limit: Annotated[int, typer.Option(min=1)] = 1000,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """The mailboxes with their state and the room they take."""
    from store import mail

    with open_store(home) as store:
        boxes = store.read(mail.boxes, kind, limit)
    show([{"address": b.address, "kind": b.kind, "state": b.state, "octets": b.used} for b in boxes], json)


@app.command("show")
@reported
def show_(address: Address, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """The folders of a mailbox with their counts."""
    from store import mail

    with open_store(home) as store:
        box = _box(store, address)
        rows = []
        for folder in store.read(mail.folders, box.box_id):
            counts = store.read(mail.folder_counts, box.box_id, folder.folder_id)
            rows.append(
                {
                    "folder": folder.name,
                    "messages": counts.messages,
                    "unseen": counts.unseen,
                    "octets": counts.size,
                    "use": folder.special_use,
                }
            )
    show(rows, json)


def _box(store: Store, address: str) -> Box:
    from store import NotFoundError, mail

    box = store.read(mail.box_by_address, address)
    if box is None:
        fail(NotFoundError("mailbox.unknown", f"there is no mailbox {address}"))
    return box


@app.command()
@reported
def create(
    address: Address,
    owner: Annotated[str, typer.Option(help="IdNat_PS or Struct_IdNat of the holder.")] = "",
    quota: Annotated[int, typer.Option(min=0, help="Octets, 0 for none.")] = 0,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Make a professional's mailbox in a hosted domain (patients get theirs by activation)."""
    from gateway.routing import domain_of
    from store import InvalidInputError

    hosted = settings(home).gateway.hosted_domains
    if domain_of(address) not in hosted:
        fail(
            InvalidInputError(
                "mailbox.domain", f"the domain is not hosted here ({', '.join(hosted) or 'none is'})"
            )
        )
    with open_store(home) as store:
        box_id = store.create_box(address=address, kind="pro", owner=owner, quota=quota)
    show({"address": address, "box": box_id}, json)


@app.command()
@reported
def export(
    address: Address,
    folder: Annotated[Path, typer.Argument(help="Where to write; made when missing.")],
    reader: Annotated[
        str, typer.Option("--for", help="INS of who gets it: what is kept from a representative is left out.")
    ] = "",
    home: Home = DEFAULT_HOME,
) -> None:
    """Write every message of a mailbox as an .eml file, byte for byte as it is served."""
    import patients
    from gateway.message import decode_meta
    from store import mail

    with open_store(home) as store:
        box = _box(store, address)
        shown = _shown_to(store, box.box_id, patients.normalise(reader)) if reader else None
        written = 0
        for place in store.read(mail.folders, box.box_id):
            entries = store.read(mail.entries, box.box_id, place.folder_id)
            if shown is not None:
                kept = store.read(shown, box.box_id, [entry.message_id for entry in entries])
                entries = [entry for entry in entries if entry.message_id not in kept]
            target = folder / place.name.replace("/", "_")
            target.mkdir(parents=True, exist_ok=True)
            for entry in entries:
                found = store.read(store.messages, box.box_id, [entry.message_id]).get(entry.message_id)
                if found is None:  # expunged meanwhile
                    continue
                with (target / f"{entry.uid}.eml").open("wb") as file:
                    file.write(decode_meta(found.meta).prefix)
                    for chunk in store.open_body(found).chunks():
                        file.write(chunk)
                written += 1
    typer.echo(f"{written} messages written")


def _shown_to(store: Store, box_id: int, ins: str) -> Callable[..., set[int]] | None:
    """What tells the messages to leave out of an export for ``ins``; None: nothing."""
    import patients
    from store import PasserelleError

    viewer = store.read(patients.reader, ins, box_id).viewer
    if viewer == "stranger":
        raise PasserelleError("guardian.reader", "he neither is the patient nor represents him now")
    return patients.hidden_messages if viewer == "representative" else None


@passwords.command("add")
@reported
def add(
    address: Address,
    label: Annotated[str, typer.Option(help="What the password is for.")] = "mail client",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Make a password for a mail client; it is shown once."""
    import patients

    with open_store(home) as store:
        secret = patients.add_app_password(store, _box(store, address).box_id, label)
    show({"address": address, "password": secret}, json)


@passwords.command("list")
@reported
def list_passwords(address: Address, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """The passwords of a mailbox with their last use; the secrets cannot be shown."""
    import patients

    with open_store(home) as store:
        found = store.read(patients.app_passwords, _box(store, address).box_id)
    show(
        [
            {
                "number": item.credential_id,
                "label": item.label,
                "made": moment(item.created_at),
                "last use": moment(item.last_used_at),
                "revoked": moment(item.revoked_at),
            }
            for item in found
        ],
        json,
    )


@passwords.command("revoke")
@reported
def revoke(
    address: Address,
    number: Annotated[int, typer.Argument(help="The password's number.")],
    home: Home = DEFAULT_HOME,
) -> None:
    """Make a password useless at once."""
    import patients

    with open_store(home) as store:
        patients.revoke_app_password(store, _box(store, address).box_id, number)
    typer.echo("revoked")
