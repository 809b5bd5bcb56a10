"""What every verb shares: the home, JSON output, errors that say what to do next."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, ParamSpec, TypeVar

import typer

if TYPE_CHECKING:
    from gateway.settings import Settings
    from store import PasserelleError, Store

P = ParamSpec("P")
T = TypeVar("T")

Home = Annotated[
    Path,
    typer.Option("--home", envvar="PASSERELLE_HOME", help="The gateway's home directory.", show_default=True),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
DEFAULT_HOME = Path("passerelle-home")

_NEXT = {
    "settings.missing": "Make a home with `passerelle init --home DIR`.",
    "store.writer": "Is `passerelle serve` running on this home? Wait for it, or stop it.",
    "store.key": "Put back master.key from the backup of this home.",
    "store.segment": "Restore the segment from a backup, then start again.",
    "patient.transition": "`passerelle patient show INS` tells its state and history.",
    "whitelist.signer": "Set signer_cn and signer_ou in [whitelist], or give --signer-cn and --signer-ou.",
    "whitelist.url": "Set url in [whitelist], or give --url.",
    "whitelist.certificate": "`passerelle certs list` shows what is trusted here.",
    "whitelist.shrunk": "Look at it; then --accept-shrink takes it.",
    "whitelist.older": "Fetch the newest list; --accept-older takes this one all the same.",
    "fhir.key": "Set key_file in [fhir]: a file that holds the key alone, readable by the gateway only.",
    "fhir.mark": "`passerelle annuaire import FILE`, or `passerelle annuaire fhir sync --all`.",
    "annuaire.older": "Fetch today's file, or give --accept-older to go back to this one.",
    "annuaire.shrunk": "Look with --dry-run at what would go; --accept-shrink takes the file all the same.",
    "annuaire.superseded": "Wait until the other import has ended, then run this one again.",
    "annuaire.history": "`passerelle annuaire generations` lists the imports that can still be asked.",
    "annuaire.truncated": "Fetch the file again; what was loaded before is still in use.",
    "catalogue.shrunk": "Look with --dry-run at what would go; --accept-shrink takes the list all the same.",
    "queue.task": "`passerelle queue list` shows the tasks and their numbers.",
    "patient.clock": "Look at the machine's clock. If it is right, give --force.",
    "patient.unknown": "Import the person first: `passerelle patient import FILE`.",
    "sender.certificate": "`passerelle certs list` shows what is trusted here.",
    "sender.revocation_unknown": "Import a fresh list: `passerelle certs crl import FILE`.",
}


def fail(error: PasserelleError) -> NoReturn:
    """Print the failed check, its reason and what to do next; leave with status 1."""
    typer.secho(f"{error.log} [{error.rule}]", fg="red", err=True)
    step = _NEXT.get(error.rule)
    if step:
        typer.echo(step, err=True)
    raise typer.Exit(1)


def reported(verb: Callable[P, T]) -> Callable[P, T]:
    """Have a verb's :class:`PasserelleError` end it by :func:`fail`."""

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        from store import PasserelleError

        try:
            return verb(*args, **kwargs)
        except PasserelleError as error:
            fail(error)

    return run


@contextmanager
def open_store(home: Path) -> Iterator[Store]:
    """The store of a home, with all rooms' operations loaded. Ends the verb when it cannot be opened."""
    import gateway.rooms  # noqa: F401  # registers every operation and table
    from gateway.settings import load_settings
    from store import PasserelleError, Store

    try:
        opened = Store.open(home, url=load_settings(home).run.database)
    except PasserelleError as error:
        fail(error)
    try:
        yield opened
    except PasserelleError as error:
        fail(error)
    finally:
        opened.close()


def settings(home: Path) -> Settings:
    """The home's settings; ends the verb when they cannot be used."""
    from gateway.settings import load_settings
    from store import PasserelleError

    try:
        return load_settings(home)
    except PasserelleError as error:
        fail(error)


def show(
    data: Mapping[str, Any] | Sequence[Mapping[str, Any]], as_json: bool, *, empty: str = "nothing"
) -> None:
    """Print a mapping or a list of mappings: a table for people, JSON for machines."""
    if as_json:
        typer.echo(json.dumps(data, ensure_ascii=False, indent=2, default=str))
        return
    if not data:
        typer.echo(empty)
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 220  # into a file or a pipe: nothing is cut
    if isinstance(data, Mapping):
        table = Table(show_header=False, box=None)
        for name, value in data.items():
            table.add_row(str(name), _text(value))
    else:
        table = Table(box=None, header_style="bold")
        for name in data[0]:
            table.add_column(str(name), overflow="fold")
        for row in data:
            table.add_row(*(_text(value) for value in row.values()))
    console.print(table)


def _text(value: Any) -> str:
    from rich.markup import escape

    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return escape(", ".join(map(str, value)))
    return escape(str(value))


def moment(milliseconds: int | None) -> str:
    """A time in ms as local ISO 8601 to the second; empty for none."""
    from datetime import datetime

    if not milliseconds:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000).astimezone().isoformat(" ", "seconds")


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error, silent without a terminal; gives ``advance(done, total)``."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield advance
