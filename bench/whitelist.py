"""The list of authorised domains at real size: ``python -m bench.whitelist [--entries 8655]``.

A list of the published shape is made and signed (8,655 entries weigh more than the real 3.7 MB), then
verified, put in use, replaced by one that differs a little, and asked.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

import annuaire
import gateway.rooms  # noqa: F401  # every table
from annuaire import WhitelistEntry
from bench import figures, system
from store import Store

AT = 1_740_757_327_000


def entries(count: int) -> list[WhitelistEntry]:
    """Fictitious domains, two or three names for many of them, 391 names in all."""
    return [
        WhitelistEntry(
            f"etablissement-{number * 3 // 5}.mssante.test",
            f"CN=smtp{number % 391}.operateur.test,OU=1{750_000_000 + number % 391},"
            f"O=OPERATEUR EXEMPLE {number % 391},ST=Paris (75),C=FR",
            f"Domaine de messagerie de l'établissement exemple {number}",
            AT,
            "Prénom NOM, 0100000000, responsable@exemple.test",
            "Support, 0100000000, support@exemple.test",
        )
        for number in range(count)
    ]


def signer() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    """A key and its own certificate; who may sign is not measured here."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alb.exemple.test")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(days=1))
    return key, builder.not_valid_after(now + dt.timedelta(days=1)).sign(key, hashes.SHA256())


def timed(work: Callable[[], object]) -> float:
    """Seconds that ``work`` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


async def longest_wait(data: bytes) -> float:
    """The longest that the event loop waited while a list was verified in a thread, in ms."""
    longest = 0.0
    work = asyncio.create_task(asyncio.to_thread(annuaire.read_signed_list, data))
    while not work.done():
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        longest = max(longest, time.perf_counter() - began - 0.001)
    return longest * 1000


def run(folder: Path, count: int) -> list[dict[str, object]]:
    """Every measurement, one row each."""
    key, certificate = signer()
    listed = entries(count)
    data = annuaire.sign_whitelist(listed, key, certificate, AT)
    signed = annuaire.read_signed_list(data)
    changed = annuaire.read_signed_list(
        annuaire.sign_whitelist(listed[50:] + entries(count + 50)[count:], key, certificate, AT + 1000)
    )
    rows: list[dict[str, object]] = [{"what": "size of the list", "figure": f"{len(data) / 1e6:.1f} MB"}]

    def add(what: str, figure: str) -> None:
        rows.append({"what": what, "figure": figure})

    add("verified and read", f"{min(timed(lambda: annuaire.read_signed_list(data)) for _ in range(3)):.2f} s")
    add("event loop waits meanwhile, longest", f"{asyncio.run(longest_wait(data)):.0f} ms")
    with Store.open(folder) as store:
        add("first put in use", f"{timed(lambda: annuaire.install(store, signed)):.2f} s")
        add("replaced, 50 gone and 50 new", f"{timed(lambda: annuaire.install(store, changed)):.2f} s")
        asked = random.Random(1).choices(listed, k=20_000)
        plain = timed(lambda: [store.read(annuaire.whitelist_allows, e.domain, e.dn) for e in asked])
        add("look-ups (domain, name)", f"{len(asked) / plain:,.0f} /s")
        past = timed(
            lambda: [store.read(annuaire.whitelist_allows, e.domain, e.dn, 2 * AT) for e in asked[:5000]]
        )
        add("look-ups at a past time", f"{5000 / past:,.0f} /s")
        first, second = (one.version for one in reversed(store.read(annuaire.whitelist_versions)))
        add(
            "difference of two versions",
            f"{timed(lambda: store.read(annuaire.whitelist_diff, first, second)):.3f} s",
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--entries", type=int, default=8655)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(system.machine(), "", sep="\n")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        print(figures.table(run(Path(name), options.entries)))


if __name__ == "__main__":
    main()
