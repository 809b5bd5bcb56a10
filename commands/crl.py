"""`passerelle certs crl`: revocation lists, brought by hand or fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.common import Home, Json, fail, reported, show

app = typer.Typer(help="Revocation lists.", no_args_is_help=True)


@app.command("import")
def import_(
    files: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, readable=True, help="PEM or DER.")
    ],
    home: Home,
    json: Json = False,
) -> None:
    """Verify revocation lists and put them in use; one older than in use is refused."""
    from certs import TrustStore, crl_row
    from store import PasserelleError

    rows: list[dict[str, str]] = []
    try:
        trust = TrustStore.load(home / "trust")
        rows.extend(crl_row(trust.import_crl(file.read_bytes())) for file in files)
    except PasserelleError as error:
        if rows:
            show(rows, json)
        fail(error)
    show(rows[0] if len(files) == 1 else rows, json)


@app.command()
@reported
def refresh(home: Home, json: Json = False) -> None:
    """Fetch every revocation list from where certificates and settings say it is; non-zero when one failed.

    What is bad, older or cannot be had changes nothing. A running gateway takes the new lists at once.
    """
    from certs import ListFetcher, TrustStore, fetched_row
    from gateway.settings import FILE_NAME, load_settings
    from gateway.trust_keeping import our_certificates

    trust = TrustStore.load(home / "trust")
    ours = our_certificates(home, load_settings(home)) if (home / FILE_NAME).exists() else []
    found = ListFetcher(trust, lambda: ours).refresh()
    empty = "no certificate or setting (trust.toml, lists.urls) names a place"
    show([fetched_row(one) for one in found], json, empty=empty)
    if not all(one.ok or one.outcome == "unsupported" for one in found):
        raise typer.Exit(1)
