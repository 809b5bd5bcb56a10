"""``passerelle evidence …`` and ``trace``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, fail, moment, open_store, reported, show

if TYPE_CHECKING:
    from sqlalchemy import Connection

app = typer.Typer(no_args_is_help=True)


@app.command()
@reported
def verify(home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """Check the whole chain, no record missing, changed, reordered or unsigned; the journals against it."""
    import evidence as room
    from activity import check

    with open_store(home) as store:
        report = store.read(room.verify, room.public_key(home))
        journal = store.read(check)
    show(
        {
            "holds": report.ok,
            "records": report.records,
            "reason": report.reason,
            "head": report.head,
            "journal holds": journal.holds,
            "journal entries": journal.entries,
            "journal broken": journal.broken,
            "journal missing": journal.missing,
            "journal unproven": journal.unproven,
        },
        json,
    )
    if not (report.ok and journal.holds):
        raise typer.Exit(1)


@app.command()
@reported
def export(home: Home = DEFAULT_HOME) -> None:
    """Print every record, one JSON object a line."""
    import json

    import evidence as room

    with open_store(home) as store:

        def write(conn: Connection) -> None:
            for link in room.walk(conn):
                typer.echo(json.dumps(room.receipt(link)))

        store.read(write)


@app.command()
@reported
def receipt(
    number: Annotated[int, typer.Argument(help="The record's number.")], home: Home = DEFAULT_HOME
) -> None:
    """Print one record as a receipt that can be checked elsewhere with evidence.pub.

    Where a signing certificate is configured, "cms" is the same receipt signed with it: base64 of what
    `openssl cms -verify -inform DER` reads.
    """
    import base64
    from json import dumps

    import evidence as room
    from certs import sign_cms
    from commands.common import settings
    from gateway.keyring import signer
    from store import NotFoundError, now_ms

    with open_store(home) as store:
        link = store.read(room.by_number, number)
    if link is None:
        fail(NotFoundError("evidence.record", f"there is no record {number}"))
    told = room.receipt(link)
    ours = signer(home, settings(home))
    if ours is not None:
        told["cms"] = base64.b64encode(
            sign_cms(dumps(told, sort_keys=True).encode(), ours, now_ms(), detached=False)
        ).decode()
    show(told, True)


@reported
def trace(
    message: Annotated[str, typer.Argument(help="A Message-ID, or the trace id that the SMTP reply gave.")],
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Everything that happened to a message: each recipient's end, filings, and what is still to do."""
    import evidence as room
    from store import NotFoundError, tasks

    with open_store(home) as store:
        links = store.read(room.trace, message)
        left = [
            task
            for trace_id in dict.fromkeys(link.trace_id for link in links)
            for task in store.read(tasks.of_trace, trace_id)
            if task.state in ("due", "leased", "held", "failed")
        ]
    if not links:
        fail(NotFoundError("trace.unknown", "nothing is recorded of this message"))
    rows = [
        {
            "number": link.seq,
            "time": moment(link.at),
            "event": link.event,
            "recipient": link.recipient,
            "rule": link.rule,
            "detail": link.detail if link.detail != "{}" else "",
            "trace": link.trace_id,
        }
        for link in links
    ]
    rows += [
        {
            "number": "",
            "time": moment(task.due_at),
            "event": f"to do: {task.queue} ({task.state})",
            "recipient": task.subject_key,
            "rule": "",
            "detail": task.last_error,
            "trace": task.trace_id,
        }
        for task in left
    ]
    show(rows, json)
