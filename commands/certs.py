"""`passerelle certs`: what certificates say, whether they are believed, and the trust folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.common import Home, Json, fail, open_store, show

app = typer.Typer(name="certs", help="Certificates, trust and revocation.", no_args_is_help=True)
crl = typer.Typer(help="Revocation lists.", no_args_is_help=True)
app.add_typer(crl, name="crl")

File = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="PEM, DER or PKCS #7.")
]


@app.command()
def check(
    file: File,
    home: Home,
    address: Annotated[str, typer.Option(help="Does its holder own this address?")] = "",
    purpose: Annotated[str, typer.Option(help="client, server or sign.")] = "client",
    json: Json = False,
) -> None:
    """Check a certificate as a peer's would be: path, usage, revocation; non-zero when refused."""
    import msgspec

    from certs import Purpose, TrustStore, read_chain, verdict_rows
    from store import PasserelleError

    try:
        wanted = msgspec.convert(purpose, Purpose)
        verdict = TrustStore.load(home / "trust").check_sync(read_chain(file), wanted)
    except msgspec.ValidationError as error:
        raise typer.BadParameter("client, server or sign", param_hint="--purpose") from error
    except PasserelleError as error:
        fail(error)
    rows = verdict_rows(verdict)
    owned = True
    if address:
        from annuaire import owns, whitelist_allows

        who, domain = verdict.identity, address.rpartition("@")[2]
        with open_store(home) as store:
            listed = store.read(whitelist_allows, domain, who.subject_dn)
            owner = store.read(lambda conn: owns(conn, address, id_nat=who.id_nat, struct_id=who.struct_id))
        owned = listed or owner
        detail = f"{address}: whitelist {'yes' if listed else 'no'}, annuaire {'yes' if owner else 'no'}"
        rows.append({"step": "address", "result": "ok" if owned else "REFUSED", "detail": detail})
    show(rows, json)
    if not (verdict.ok and owned):
        raise typer.Exit(1)


@app.command("show")
def show_file(file: File, json: Json = False) -> None:
    """Show who the certificates of a file say they are; believes nothing."""
    from certs import holder, identity, read_chain
    from store import PasserelleError

    try:
        holders = [holder(identity(der)) for der in read_chain(file)]
    except PasserelleError as error:
        fail(error)
    if json:
        show(holders, json)
        return
    for shown in holders:
        show(shown, json)
        typer.echo("")


@app.command("list")
def list_(home: Home, json: Json = False) -> None:
    """List the trusted authorities and the revocation lists in use, and those refused."""
    from certs import TrustStore, trust_rows
    from store import PasserelleError

    try:
        rows = trust_rows(TrustStore.load(home / "trust"))
    except PasserelleError as error:
        fail(error)
    show(rows, json)


@crl.command("import")
def crl_import(file: File, home: Home, json: Json = False) -> None:
    """Verify a revocation list and put it in use; an older one than in use is refused."""
    from certs import TrustStore, crl_row
    from store import PasserelleError

    try:
        row = crl_row(TrustStore.load(home / "trust").import_crl(file.read_bytes()))
    except PasserelleError as error:
        fail(error)
    show(row, json)


@app.command("demo-pki")
def demo_pki_(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="Where to put it; made if absent.")],
    json: Json = False,
    rsa: Annotated[bool, typer.Option("--rsa", help="RSA-2048 keys, as the real ones; slower.")] = False,
) -> None:
    """Issue a demonstration PKI shaped like IGC-Santé's: one revoked, one expired, one stranger."""
    from certs import demo_pki, pki_rows
    from store import PasserelleError

    try:
        rows = pki_rows(demo_pki(folder, key_type="rsa2048" if rsa else "p256"))
    except PasserelleError as error:
        fail(error)
    show(rows, json)
