"""`passerelle annuaire whitelist`: the signed list of authorised domains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, fail, moment, open_store, settings, show

if TYPE_CHECKING:
    from annuaire import WhitelistDiff, WhitelistReport
    from store import Store

app = typer.Typer(help="The signed list of authorised domains.", no_args_is_help=True)

SHOWN = 20  # changes printed after an import; `diff` prints all

SignerCn = Annotated[str, typer.Option(help="Expected CN of the signer; else as in the settings.")]
SignerOu = Annotated[str, typer.Option(help="Expected OU of the signer; else as in the settings.")]
AcceptOlder = Annotated[
    bool, typer.Option("--accept-older", help="Take a list generated before the one in use.")
]
AcceptShrink = Annotated[
    bool, typer.Option("--accept-shrink", help="Take a list much shorter than the one in use.")
]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The signed XML list.")],
    home: Home = DEFAULT_HOME,
    signer_cn: SignerCn = "",
    signer_ou: SignerOu = "",
    accept_older: AcceptOlder = False,
    accept_shrink: AcceptShrink = False,
    json: Json = False,
) -> None:
    """Verify the signed list and put it in use; on any doubt the last good one stays."""
    import asyncio
    from functools import partial

    from annuaire import import_whitelist
    from certs import OnlineTrust

    expected = settings(home).whitelist
    with open_store(home) as store:
        report = asyncio.run(
            import_whitelist(
                store,
                file,
                partial(OnlineTrust(home / "trust").check, purpose="sign"),
                signer_cn=signer_cn or expected.signer_cn,
                signer_ou=signer_ou or expected.signer_ou,
                accept_older=accept_older,
                accept_shrink=accept_shrink,
                keep=expected.keep_days * 86_400_000,
            )
        )
        _tell(store, report, json)


@app.command()
def fetch(
    home: Home = DEFAULT_HOME,
    url: Annotated[str, typer.Option(help="Where to fetch it; else [whitelist] url.")] = "",
    signer_cn: SignerCn = "",
    signer_ou: SignerOu = "",
    accept_older: AcceptOlder = False,
    accept_shrink: AcceptShrink = False,
    json: Json = False,
) -> None:
    """Fetch the signed list, verify it and put it in use; on any doubt the last good one stays."""
    import asyncio
    from functools import partial

    from annuaire import WhitelistError, fetch_whitelist
    from certs import OnlineTrust
    from gateway.freshness import whitelist_rules

    chosen = settings(home)
    where = url or chosen.whitelist.url
    if not where:
        fail(WhitelistError("whitelist.url", "there is no address to fetch the list from"))
    rules = whitelist_rules(
        chosen,
        signer_cn=signer_cn,
        signer_ou=signer_ou,
        accept_older=accept_older,
        accept_shrink=accept_shrink,
    )
    with open_store(home) as store:
        trust = OnlineTrust(home / "trust")
        report = asyncio.run(
            fetch_whitelist(
                store,
                where,
                [*trust.roots, *trust.intermediates],
                partial(trust.check, purpose="sign"),
                rules,
            )
        )
        _tell(store, report, json)


def _tell(store: Store, report: WhitelistReport, json: bool) -> None:
    import msgspec

    from annuaire import whitelist_diff

    row = msgspec.to_builtins(report)
    show(row if json else {**row, "generated_at": moment(report.generated_at)}, json)
    if json:
        return
    if report.replaces == report.version:
        typer.echo("this list was in use already")
        return
    changes = _changes(store.read(whitelist_diff, report.replaces, report.version))
    for change in changes[:SHOWN]:
        typer.echo(" ".join(change.values()))
    if len(changes) > SHOWN:
        typer.echo(f"… and {len(changes) - SHOWN} more: `passerelle annuaire whitelist diff`")


def _changes(diff: WhitelistDiff) -> list[dict[str, str]]:
    rows = [
        *(("+", entry) for entry in diff.added),
        *(("-", entry) for entry in diff.gone),
        *(("~", entry) for _, entry in diff.changed),
    ]
    return [{"change": sign, "domain": entry.domain, "certificate": entry.dn} for sign, entry in rows]


@app.command("list")
def list_(home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """Show the versions that are kept, the one in use first."""
    import msgspec

    from annuaire import whitelist_status, whitelist_versions

    with open_store(home) as store:
        used = store.read(whitelist_status)
        versions = store.read(whitelist_versions)
    rows = []
    for one in versions:
        row = {**msgspec.to_builtins(one), "in_use": used is not None and one.version == used.version}
        if not json:
            row = {
                "version": one.version,
                "generated": moment(one.generated_at),
                "in use since": moment(one.imported_at) + ("" if row["in_use"] else " (not now)"),
                "confirmed": moment(one.confirmed_at),
                **{name: row[name] for name in ("entries", "added", "changed", "gone", "origin")},
            }
        rows.append(row)
    show(rows, json, empty="no list was imported yet")


@app.command("show")
def show_(
    home: Home = DEFAULT_HOME,
    domain: Annotated[str, typer.Argument(help="A mail domain; without one, the list itself.")] = "",
    at: Annotated[str, typer.Option(help="As the list in use then said, ISO 8601.")] = "",
    json: Json = False,
) -> None:
    """Show who may act for a domain; non-zero when the domain is not listed."""
    import msgspec

    from annuaire import whitelist_entries, whitelist_status, whitelist_versions

    then = _time(at)
    with open_store(home) as store:
        status = store.read(whitelist_status)
        if then is not None:
            past = [one for one in store.read(whitelist_versions) if one.imported_at <= then]
            status = past[0] if past else None
        entries = store.read(whitelist_entries, domain, then) if domain else []
    if domain:
        rows = []
        for one in entries:
            updated = one.updated_at if json else moment(one.updated_at)
            rows.append({"certificate": one.dn, "description": one.description, "updated": updated})
        show(rows, json, empty="not a domain of the trust space")
    elif status is not None:
        row = msgspec.to_builtins(status)
        names = ("generated_at", "imported_at", "confirmed_at")
        show(row if json else {**row, **{name: moment(row[name]) for name in names}}, json)
    else:
        show({}, json, empty="no list was in use then" if at else "no list was imported yet")
    if not (entries or (status and not domain)):
        raise typer.Exit(1)


def _time(text: str) -> int | None:
    from datetime import datetime

    from annuaire import WhitelistError

    try:
        return int(datetime.fromisoformat(text).astimezone().timestamp() * 1000) if text else None
    except (ValueError, OverflowError):
        fail(WhitelistError("explain.at", "a time is written 2026-11-21 or 2026-11-21T14:00"))


@app.command()
def diff(
    before: Annotated[int, typer.Argument(help="A version; 0: the empty list.")] = -1,
    after: Annotated[int, typer.Argument(help="A later version.")] = -1,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Show what changed between two versions; without any, what the list in use changed."""
    import msgspec

    from annuaire import WhitelistError, whitelist_diff, whitelist_versions

    with open_store(home) as store:
        if before < 0:
            kept = [one.version for one in store.read(whitelist_versions)]
            if not kept:
                fail(WhitelistError("whitelist.version", "no list was imported yet"))
            before, after = (kept[1] if len(kept) > 1 else 0), kept[0]
        elif after < 0:
            fail(WhitelistError("whitelist.version", "give two versions, or none"))
        found = store.read(whitelist_diff, before, after)
    if json:
        show(msgspec.to_builtins(found), json)
        return
    show(_changes(found), json, empty="nothing changed")
