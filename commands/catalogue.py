"""``passerelle catalogue …``: services referenced by the State, and patients' consents to exchanges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, fail, moment, open_store, reported, show
from commands.record import Ins, Reason, open_record

if TYPE_CHECKING:
    from catalogue import Service

app = typer.Typer(no_args_is_help=True)
ServiceId = Annotated[str, typer.Argument(metavar="SERVICE", help="Id: see `passerelle catalogue list`.")]
Scopes = Annotated[
    list[str] | None, typer.Option("--scope", help="As read:measures/weight; can be repeated.")
]
_SHOWN = 20


@app.command("import")
@reported
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV with a header, or JSON.")],
    criteria: Annotated[bool, typer.Option("--criteria", help="The file is the table of criteria.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; tell what would be.")] = False,
    accept_shrink: Annotated[
        bool, typer.Option("--accept-shrink", help="Take a list much shorter than the one in use.")
    ] = False,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Put a list in use as a whole; with a bad row, nothing. The table of criteria comes first."""
    import msgspec

    from catalogue import import_list
    from commands.patient_bulk import actor

    with open_store(home) as store:
        report = import_list(
            store,
            file,
            "criteria" if criteria else "services",
            actor=actor(),
            dry_run=dry_run,
            accept_shrink=accept_shrink,
        )
    row = msgspec.to_builtins(report)
    if json:
        show(row, json)
    else:
        named = ("added", "changed", "gone")
        show({**{n: v for n, v in row.items() if n != "bad"}, **{n: len(row[n]) for n in named}}, json)
        for name in named:
            if row[name]:
                more = " …" if len(row[name]) > _SHOWN else ""
                typer.echo(f"{name}: {', '.join(row[name][:_SHOWN])}{more}")
        for bad in report.bad[:_SHOWN]:
            typer.echo(f"line {bad.line}: {bad.reason}", err=True)
    if report.bad_count:
        typer.echo("bad rows: nothing was put in use; correct the file and import it again", err=True)
        raise typer.Exit(1)


@app.command("list")
@reported
def list_(
    category: Annotated[str, typer.Option(help="One category only.")] = "",
    history: Annotated[bool, typer.Option("--versions", help="The lists that were put in use.")] = False,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """The services in use, by name."""
    import msgspec

    from catalogue import search, versions

    with open_store(home) as store:
        if not history:
            _show_services(store.read(search, category=category), json)
            return
        rows = [msgspec.to_builtins(one) for one in store.read(versions, "services")]
    if not json:
        rows = [
            row | {"imported_at": moment(row["imported_at"]), "sha256": row["sha256"][:12]} for row in rows
        ]
    show(rows, json, empty="no list was imported yet")


@app.command()
@reported
def search(
    text: Annotated[str, typer.Argument(help="Words, or their beginnings; accents do not count.")],
    exchanging: Annotated[
        bool | None, typer.Option("--exchanging/--not-exchanging", help="With or without exchange of data.")
    ] = None,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Services by words of their name, publisher, category and description."""
    from catalogue import search as search_

    with open_store(home) as store:
        _show_services(store.read(search_, text, exchanging=exchanging), json)


def _show_services(found: list[Service], json: bool) -> None:
    import msgspec

    rows = [msgspec.to_builtins(one) for one in found]
    if not json:
        rows = [
            {
                "id": one.id,
                "name": one.name,
                "publisher": one.publisher,
                "category": one.category,
                "price": one.price,
                "sector": one.sector,
                "scopes": len(one.scopes),
            }
            for one in found
        ]
    show(rows, json, empty="no service")


@app.command("show")
@reported
def show_(
    service: ServiceId,
    history: Annotated[bool, typer.Option("--history", help="As it stood in each list.")] = False,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """A service in full, with its criteria and what it may exchange; non-zero when it is not in the list."""
    import msgspec

    from catalogue import criteria, parse_scope, service_history

    with open_store(home) as store:
        found = store.read(service_history, service)
        labels = store.read(criteria)
    if json:
        show([msgspec.to_builtins(one) for one in (found if history else found[:1])], json)
    elif history:
        rows = [{"version": one.since_version, "since": moment(one.since), "until": moment(one.until),
                 "name": one.service.name, "publisher": one.service.publisher,
                 "scopes": one.service.scopes} for one in found]  # fmt: skip
        show(rows, json, empty="never in the list")
    elif found:
        one = found[0].service
        show(
            {
                **{name: value for name, value in msgspec.to_builtins(one).items() if value},
                "criteria": [f"{c}: {labels[c].label_fr}" if c in labels else c for c in one.criteria],
                "scopes": [parse_scope(scope).french for scope in one.scopes] or "sans échange de données",
                "in the list since": moment(found[0].since),
                "left it": moment(found[0].until),
            },
            json,
        )
    if not found or found[0].until is not None:
        if not found and not json:
            typer.echo("no such service was ever in the list", err=True)
        raise typer.Exit(1)


@app.command()
@reported
def consents(ins: Ins, reason: Reason = "", home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """The consents of a patient, as they stand now, in the words that he reads."""
    import msgspec

    import activity
    import catalogue

    with open_record(home, ins, reason) as (store, box_id, who):
        entry = activity.entry(store, box_id, who, "consents_read")
        store.write(activity.record, entry=entry)
        found = store.read(catalogue.consents, store, box_id)
    if json:
        show([msgspec.to_builtins(one) for one in found], json)
        return
    show(
        [
            {"service": c.service_id, "scope": c.scope, "stands": c.standing, "said": catalogue.sentence(c)}
            for c in found
        ],
        json,
        empty="no consent was ever given",
    )


@app.command()
@reported
def consent(
    ins: Ins,
    service: ServiceId,
    scope: Scopes = None,
    every: Annotated[bool, typer.Option("--all-scopes", help="All that the service has now.")] = False,
    until: Annotated[str, typer.Option(help="Last day, YYYY-MM-DD; without it, no end.")] = "",
    reason: Reason = "",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Write down a patient's consent that he gave in another way (--reason tells which)."""
    import catalogue

    with open_record(home, ins, reason) as (store, box_id, who):
        found = store.read(catalogue.service, service)
        wanted = [*(scope or []), *(found.scopes if every and found is not None else [])]
        given = catalogue.consent(store, box_id, who, service, wanted, expires_at=_end_of(until))
    show([{"service": service, "scope": one, "fr": catalogue.parse_scope(one).french} for one in given], json)


def _end_of(day: str) -> int:
    """The moment (ms) at which ``day`` has ended in Paris; 0 for ""."""
    from datetime import date, datetime, timedelta

    from catalogue import CatalogueError
    from patients import calendar

    if not day:
        return 0
    try:
        after = date.fromisoformat(day) + timedelta(days=1)
    except (ValueError, OverflowError):
        fail(CatalogueError("catalogue.expiry", "a day is written 2027-11-21"))
    return int(datetime(after.year, after.month, after.day, tzinfo=calendar.PARIS).timestamp() * 1000)


@app.command()
@reported
def revoke(
    ins: Ins,
    service: ServiceId,
    scope: Scopes = None,
    reason: Reason = "",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Take a patient's consents to a service back, at his request: some scopes, or all."""
    import catalogue

    with open_record(home, ins, reason) as (store, box_id, who):
        ended = catalogue.revoke(store, box_id, who, service, scope or [])
    show([{"service": service, "scope": one, "stands": "revoked"} for one in ended], json)


@app.command()
@reported
def check(
    ins: Ins,
    service: ServiceId,
    scope: Annotated[str, typer.Argument(metavar="SCOPE", help="As read:measures/weight.")],
    reason: Reason = "",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """What an exchange would be answered now, and by which rule; nothing is exchanged. Non-zero: refused."""
    import activity
    import catalogue

    with open_record(home, ins, reason) as (store, box_id, who):
        entry = activity.entry(store, box_id, who, "consents_read", kind="service", subject=service[:64])
        store.write(activity.record, entry=entry)
        decision = store.read(catalogue.judge, store, box_id, service, scope).decision
    show(
        {
            "allowed": decision.allowed,
            "rule": decision.rule,
            "fr": decision.french,
            "en": decision.english,
        },
        json,
    )
    if not decision.allowed:
        raise typer.Exit(1)
