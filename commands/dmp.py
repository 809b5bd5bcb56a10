"""``passerelle dmp …``: the filing of attachments into the record, seen and steered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, moment, open_store, reported, show

if TYPE_CHECKING:
    from store import Store
    from store.tasks import Task

app = typer.Typer(no_args_is_help=True)
Number = Annotated[int, typer.Argument(metavar="TASK", help="The task's number, see `passerelle dmp list`.")]


@app.command("list")
@reported
def list_(
    state: Annotated[str, typer.Option(help="due, leased, held (parked), done or dropped.")] = "",
    limit: Annotated[int, typer.Option(min=1)] = 100,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Filings that wait or are parked, soonest first; with --state also what has ended."""
    from store import tasks

    with open_store(home) as store:
        found = store.read(tasks.pending, tasks.FILING, limit, state or None)
    show([_row(task) for task in found], json, empty="nothing waits to be filed")


@app.command("show")
@reported
def show_(number: Number, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """One filing in full."""
    with open_store(home) as store:
        task = _task(store, number)
    show(_row(task) | _job(task), json)


@app.command()
@reported
def retry(number: Number, home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """Try a waiting or parked filing again now."""
    from store import NotFoundError, now_ms, tasks

    with open_store(home) as store:
        _task(store, number)
        if not store.write(tasks.retry, task_id=number, due_at=now_ms(), error="retried by hand"):
            raise NotFoundError("queue.task", f"filing {number} has ended: it cannot be tried again")
        task = _task(store, number)
    show(_row(task), json)


@app.command()
@reported
def park(
    number: Number,
    note: Annotated[str, typer.Option(help="Why; no name, no health data.")] = "",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Keep a filing until `passerelle dmp retry`."""
    from gateway.dmp_bridge import park as park_task

    with open_store(home) as store:
        _task(store, number)
        task = store.write(park_task, task_id=number, note=f"filing.by_hand: {note or 'parked by hand'}")
    show(_row(task), json)


def _task(store: Store, number: int) -> Task:
    from store import NotFoundError, tasks

    task = store.read(tasks.by_id, number)
    if task.queue != tasks.FILING:
        raise NotFoundError("queue.task", f"task {number} is no filing")
    return task


def _row(task: Task) -> dict[str, object]:
    return {
        "number": task.task_id,
        "for": task.subject_key,
        "state": "parked" if task.state == "held" else task.state,
        "due": moment(task.due_at),
        "attempts": task.attempts,
        "note": task.last_error,
        "trace": task.trace_id,
    }


def _job(task: Task) -> dict[str, object]:
    import msgspec

    from gateway.dmp_bridge import FilingJob, decode_job

    try:
        job = decode_job(task.payload)
    except msgspec.DecodeError:
        return {"payload": "unreadable"}
    if isinstance(job, FilingJob):
        return {
            "kind": "filing",
            "sender": job.sender,
            "message": job.message_id,
            "received": moment(job.received_at),
            "receipt to": job.report_to,
        }
    return {"kind": "report", "sender": job.report.sender, "code": job.report.code, "label": job.report.label}
