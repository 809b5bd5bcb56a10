"""``passerelle init``, ``serve``, ``reload``, ``doctor`` and ``demo``."""

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
