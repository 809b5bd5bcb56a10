"""``passerelle queue …``: mail that waits for other operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, moment, open_store, reported, show

if TYPE_CHECKING:
    from store.tasks import Task

app = typer.Typer(no_args_is_help=True)
Number = Annotated[int, typer.Argument(help="The task's number, see `passerelle queue list`.")]


@app.command("list")
@reported
def list_(
    state: Annotated[str, typer.Option(help="due, leased, held, done, failed or dropped.")] = "",
    limit: Annotated[int, typer.Option(min=1)] = 100,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """What waits, soonest first; with --state also what has ended."""
    from store import tasks

    with open_store(home) as store:
        found = store.read(tasks.pending, tasks.RELAY, limit, state or None)
    show([_row(task) for task in found], json, empty="the queue is empty")


def _row(task: Task) -> dict[str, object]:
    return {
        "number": task.task_id,
        "recipient": task.subject_key,
        "state": task.state,
        "due": moment(task.due_at),
        "attempts": task.attempts,
        "last error": task.last_error,
        "trace": task.trace_id,
    }


@app.command("show")
@reported
def show_(number: Number, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """One task in full."""
    import msgspec

    from gateway.routing import RelayJob
    from store import tasks

    with open_store(home) as store:
        task = store.read(tasks.by_id, number)
    row = _row(task)
    if task.queue == tasks.RELAY:
        job = msgspec.msgpack.decode(task.payload, type=RelayJob)
        row |= {
            "sender": job.mail_from,
            "message id": job.header_message_id,
            "since": moment(job.received_at),
        }
    show(row, json)


def _steer(home: Home, number: int, action: str, json: bool) -> None:
    from store import tasks

    with open_store(home) as store:
        show(
            _row(store.write(tasks.steer, task_id=number, action=action, note=f"{action} by administrator")),
            json,
        )


@app.command()
@reported
def retry(number: Number, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """Try again now."""
    from store import now_ms, tasks

    with open_store(home) as store:
        store.write(tasks.retry, task_id=number, due_at=now_ms(), error="")
        show(_row(store.read(tasks.by_id, number)), json)


@app.command()
@reported
def hold(number: Number, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """Keep a task from being tried until it is released."""
    _steer(home, number, "hold", json)


@app.command()
@reported
def release(number: Number, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """Let a held task go on."""
    _steer(home, number, "release", json)


@app.command()
@reported
def drop(
    number: Number,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Give a task up without telling the sender; the evidence says that it failed."""
    from gateway import smtp
    from store import tasks

    if not yes:
        typer.confirm("The sender will not be told. Drop it?", abort=True)
    with open_store(home) as store:
        store.write(smtp.drop_relay, task_id=number)
        show(_row(store.read(tasks.by_id, number)), json)
