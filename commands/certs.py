"""`passerelle certs`: what certificates say, whether they are believed, and the trust folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands import crl
from commands.common import Home, Json, fail, moment, reported, show

if TYPE_CHECKING:
    from certs import Keystore, Role

app = typer.Typer(name="certs", help="Certificates, trust and revocation.", no_args_is_help=True)
app.add_typer(crl.app, name="crl")

File = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="PEM, DER or PKCS #7.")
]


@app.command()
def check(
    file: File,
    home: Home,
    address: Annotated[str, typer.Option(help="Does its holder own this address?")] = "",
    purpose: Annotated[str, typer.Option(help="client, server or sign.")] = "client",
    offline: Annotated[bool, typer.Option("--offline", help="Ask no responder (OCSP).")] = False,
    json: Json = False,
) -> None:
    """Check a certificate as a peer's would be: path, usage, revocation; non-zero when refused."""
    import asyncio

    import msgspec

    from certs import OnlineTrust, Purpose, TrustStore, read_chain, verdict_rows
    from store import PasserelleError

    try:
        wanted = msgspec.convert(purpose, Purpose)
        trust = TrustStore.load(home / "trust") if offline else OnlineTrust(home / "trust")
        verdict = asyncio.run(trust.check(read_chain(file), wanted))
    except msgspec.ValidationError as error:
        raise typer.BadParameter("client, server or sign", param_hint="--purpose") from error
    except PasserelleError as error:
        fail(error)
    rows = verdict_rows(verdict)
    owned = True
    if address:
        from commands.holder_check import address_rows

        found, owned = address_rows(home, verdict.identity, address)
        rows += found
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
    """List our certificates, the trusted authorities, the revocation lists in use, and those refused."""
    from certs import TrustStore, trust_rows
    from store import PasserelleError

    try:
        rows = [*_our_rows(home), *trust_rows(TrustStore.load(home / "trust"))]
    except PasserelleError as error:
        fail(error)
    show(rows, json)


def _our_rows(home: Path) -> list[dict[str, str]]:
    """Our certificates in the columns of the trust folder; none in a folder that is no home."""
    from certs import standing_row, standings
    from gateway.keyring import keystore
    from gateway.settings import FILE_NAME, load_settings

    if not (home / FILE_NAME).exists():
        return []
    rows = []
    for one in standings(keystore(home, load_settings(home))):
        row = standing_row(one)
        detail = f"serial {row['serial']}, {row['days']} days left, {row['key']}, {row['where']}"
        rows.append(
            {
                "what": f"our {row['role']}, {row['state']}",
                "name": str(row["subject"]),
                "detail": detail,
                "from": str(row["from"]),
                "until": str(row["until"]),
            }
        )
    return rows


@app.command()
def expiring(
    home: Home,
    days: Annotated[int, typer.Option(help="Look so many days ahead.")] = 30,
    json: Json = False,
) -> None:
    """List our certificates that end soon. Exit status: 0 none, 1 within --days, 2 within 7 days, 3 expired
    already, 4 the keys cannot be read."""
    from certs import ending, standing_row
    from store import PasserelleError

    try:
        status, found = ending(_keystore(home), days=days)
    except PasserelleError as error:
        typer.secho(f"{error.log} [{error.rule}]", fg="red", err=True)
        raise typer.Exit(4) from error
    rows = [{"level": one.level, **standing_row(one)} for one in found]
    show(rows, json, empty=f"no certificate of ours ends within {days} days")
    raise typer.Exit(status)


@app.command("import")
@reported
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="PEM, DER or PKCS #12.")],
    home: Home,
    key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The private key, when in another file.")
    ] = None,
    role: Annotated[str, typer.Option(help="server, client or sign.")] = "server",
    passphrase_file: Annotated[
        str, typer.Option(help="Holds the passphrase; - for standard input. Else it is asked for.")
    ] = "",
    activate_at: Annotated[
        str, typer.Option(help="Put it in use then, ISO 8601; until then it is the next one.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check.")] = False,
    json: Json = False,
) -> None:
    """Check a certificate of ours with its key, and put it in use; running gateways show it at once."""
    from certs import KeyRefused, TrustStore, examine, read_bundle
    from gateway.settings import load_settings

    keys = _keystore(home)
    chosen = _role(role)
    active_from = _moment(activate_at)
    ask = _asker(passphrase_file)
    try:
        bundle = read_bundle(file.read_bytes(), ask)
        if key is not None:
            other = read_bundle(key.read_bytes(), ask)
            bundle = type(bundle)((*bundle.certificates, *other.certificates), other.key or bundle.key)
    except OSError as error:
        raise KeyRefused(f"the file cannot be read: {error.strerror}") from error
    hostname = load_settings(home).gateway.hostname
    trust = TrustStore.load(home / "trust")
    examined = examine(keys, trust, bundle, chosen, active_from=active_from, hostname=hostname)
    rows = [
        {"step": check.name, "result": "ok" if check.ok else "REFUSED", "detail": check.detail}
        for check in examined.checks
    ]
    rows += [{"step": "note", "result": "", "detail": note} for note in examined.notes]
    if examined.before is not None:
        before = examined.before
        detail = f"{before.subject_dn}, serial {before.serial:x}, until {moment(before.not_after)}"
        rows.append({"step": "replaces", "result": "", "detail": detail})
    if not examined.ok or examined.pair is None:
        show([*rows, {"step": "outcome", "result": "REFUSED", "detail": "nothing was changed"}], json)
        raise typer.Exit(1)
    told = "checked only: nothing was changed"
    if not dry_run:
        keys.install(chosen, examined.pair, active_from=active_from)
        told = f"comes into use at {moment(active_from)}" if active_from else "in use"
    show([*rows, {"step": "outcome", "result": "ok", "detail": told}], json)


@app.command()
@reported
def rollback(
    home: Home, role: Annotated[str, typer.Option(help="server, client or sign.")] = "server"
) -> None:
    """Give up the next certificate; without one, put the previous one back in use."""
    pair = _keystore(home).rollback(_role(role))
    typer.echo(f"in use: serial {pair.identity.serial:x}, until {moment(pair.identity.not_after)}")


@app.command()
@reported
def retire(home: Home, role: Annotated[str, typer.Option(help="server, client or sign.")] = "server") -> None:
    """Never show the previous certificate again, for instance because it was revoked."""
    _keystore(home).forget_previous(_role(role))
    typer.echo("the previous certificate is retired")


@app.command()
@reported
def protect(home: Home, json: Json = False) -> None:
    """Seal every private key of the home that lies in clear."""
    from evidence import seal_key

    keys = _keystore(home)
    sealed = [str(path) for path in keys.protect()]
    sealed += [str(path) for path in seal_key(home)]
    show([{"sealed": path} for path in sealed], json, empty="every private key is sealed already")


def _keystore(home: Path) -> Keystore:
    from gateway.keyring import keystore
    from gateway.settings import load_settings

    return keystore(home, load_settings(home))


def _role(name: str) -> Role:
    from certs import ROLES

    for role in ROLES:
        if role == name:
            return role
    raise typer.BadParameter("server, client or sign", param_hint="--role")


def _moment(text: str) -> int:
    from datetime import datetime

    try:
        return int(datetime.fromisoformat(text).astimezone().timestamp() * 1000) if text else 0
    except ValueError as error:
        raise typer.BadParameter("a time is written 2026-11-21T14:00", param_hint="--activate-at") from error


def _asker(source: str) -> Callable[[str], bytes]:
    """Gives passphrases: of a file, of standard input, or of the terminal; never of an argument."""
    import sys

    from certs import KeyRefused

    held: list[bytes] = []

    def ask(what: str) -> bytes:
        if held:
            return held[0]
        if source == "-":
            text = sys.stdin.buffer.readline()
        elif source:
            try:
                text = Path(source).read_bytes()
            except OSError as error:
                raise KeyRefused(f"the passphrase file cannot be read: {error.strerror}") from error
        elif sys.stdin.isatty():
            text = typer.prompt(f"Passphrase of {what}", hide_input=True).encode()
        else:
            raise KeyRefused(f"{what} has a passphrase: give --passphrase-file FILE, or - for standard input")
        held.append(text.rstrip(b"\r\n"))
        return held[0]

    return ask


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
