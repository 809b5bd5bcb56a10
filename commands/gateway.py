"""``passerelle init``, ``serve``, ``doctor``, ``demo`` and ``explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, fail, moment, open_store, reported, settings, show


@reported
def init(
    hostname: Annotated[str, typer.Option(help="Our name, as other operators see it.")] = "",
    patient_domain: Annotated[str, typer.Option(help="Domain of patients' addresses.")] = "",
    hosted_domain: Annotated[
        list[str] | None, typer.Option(help="A domain of professionals; repeatable.")
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="A demonstration: PKI, directory, patients, hospital.")
    ] = False,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Make a home: keys, database, settings. Nothing that exists is overwritten."""
    if demo:
        from gateway.demo import prepare_demo

        prepared = prepare_demo(home)
        show(prepared.summary(), json)
        return
    from gateway.home import create_home
    from store import InvalidInputError

    if not hostname or not (patient_domain or hosted_domain):
        fail(InvalidInputError("init.options", "give --hostname, and --patient-domain or --hosted-domain"))
    show(
        create_home(home, hostname=hostname, patient_domain=patient_domain, hosted=hosted_domain or []), json
    )


@reported
def serve(
    demo: Annotated[
        bool, typer.Option("--demo", help="Serve a demonstration: gateway and hospital.")
    ] = False,
    home: Home = DEFAULT_HOME,
) -> None:
    """Serve until stopped by SIGTERM or Ctrl-C."""
    if demo:
        from gateway.demo import serve_demo

        serve_demo(home)
        return
    import asyncio

    import gateway.rooms  # noqa: F401
    from gateway import logs, supervisor
    from gateway.settings import load_settings

    chosen = load_settings(home)
    logs.set_up(chosen.run.log_level, chosen.run.log_format, role="writer")
    with supervisor.open_writer(home, chosen) as store:
        asyncio.run(supervisor.serve(home, chosen, store))


@reported
def reload(home: Home = DEFAULT_HOME) -> None:
    """Have a running gateway read its certificates, keys and trust again (SIGHUP does the same).

    No session is lost. What cannot be used is named here and left out there: what was in use stays.
    """
    from certs import TrustStore
    from gateway.keyring import keystore
    from gateway.supervisor import ask_to_reload

    keys = keystore(home, settings(home))
    keys.activate_due()
    for role in keys.slots:
        pair = keys.current(role)
        typer.echo(f"{role}: serial {pair.identity.serial:x}, until {moment(pair.identity.not_after)}")
    TrustStore.load(home / "trust")
    ask_to_reload(home)


@reported
def doctor(home: Home = DEFAULT_HOME, json: Json = False) -> None:
    """Check settings, certificates, revocation lists, directory and evidence; says what to mend."""
    from gateway.doctor import examine

    chosen = settings(home)
    with open_store(home) as store:
        findings = examine(home, chosen, store)
    show([{"check": f.check, "ok": f.ok, "found": f.found} for f in findings], json)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@reported
def demo(
    home: Annotated[
        Path | None, typer.Option(help="Where to play it; a temporary folder when left out.")
    ] = None,
) -> None:
    """Play the whole mission on real sockets and exit: 0 only if everything held."""
    from gateway.demo import play

    raise typer.Exit(play(home))


@reported
def explain(
    sender: Annotated[str, typer.Option("--from", help="The sender's address.")],
    recipient: Annotated[str, typer.Option("--to", help="The recipient's address.")],
    at: Annotated[str, typer.Option(help="As correspondence and annuaire stood then, ISO 8601.")] = "",
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """The verdict for a pair of addresses, rule by rule."""
    from datetime import datetime

    from gateway import routing
    from gateway.routing.correspondence import FOREVER
    from store import InvalidInputError

    try:
        moment = int(datetime.fromisoformat(at).astimezone().timestamp() * 1000) if at else FOREVER
    except ValueError:
        fail(InvalidInputError("explain.at", "a time is written 2026-11-21 or 2026-11-21T14:00"))
    if "@" not in sender or "@" not in recipient:
        fail(InvalidInputError("explain.address", "give two mail addresses"))
    policy = settings(home).policy()
    with open_store(home) as store:
        told = store.read(routing.explain, policy, sender, recipient, moment)
    if json:
        show(
            {
                "from": told.sender,
                "to": told.recipient,
                "verdict": told.verdict.action,
                "rule": told.verdict.rule,
                "reply": told.verdict.reply,
                "checks": [{"rule": c.rule, "ok": c.ok, "text": c.text} for c in told.checks],
            },
            True,
        )
    else:
        show([{"": "✓" if c.ok else "✗", "rule": c.rule, "because": c.text} for c in told.checks], False)
        typer.echo(f"{told.verdict.action}: {told.verdict.reply}")
    if not told.verdict.accepted:
        raise typer.Exit(1)
