"""What judging a certificate costs beside a list of 100 000 revocations: ``python -m bench.certs``.

Loading and verifying the list, the first verdict about each of many certificates (nothing remembered), and a
verdict that is known. One process, one thread; CPU time beside wall time, since the machine is shared.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from bench import figures, system
from certs import DEMO_ORGANISATIONS, DEMO_PERSONS, DEMO_SERVERS, CertVerdict, DemoPki, TrustStore, demo_pki
from certs.pki import KeyType

T = TypeVar("T")

HOLDERS = 50
_AUTHORITY = "organisations"
_DAY_MS = 86_400_000


def big_list(pki: DemoPki, entries: int) -> bytes:
    """A list of the organisations' authority with that many entries, each with its reason."""
    certificate, key = pki.authority(_AUTHORITY)
    reason = x509.CRLReason(x509.ReasonFlags.superseded)
    revoked = [
        x509.RevokedCertificateBuilder()
        .serial_number(x509.random_serial_number())
        .revocation_date(datetime.fromtimestamp(pki.now // 1000 - at, UTC))
        .add_extension(reason, critical=False)
        .build()
        for at in range(1, entries + 1)
    ]
    public = certificate.public_key()
    return (
        x509.CertificateRevocationListBuilder(revoked_certificates=revoked)
        .issuer_name(certificate.subject)
        .last_update(datetime.fromtimestamp(pki.now // 1000 - 3600, UTC))
        .next_update(datetime.fromtimestamp((pki.now + 7 * _DAY_MS) // 1000, UTC))
        .add_extension(x509.CRLNumber(1000), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(public),  # type: ignore[arg-type]  # EC or RSA
            critical=False,
        )
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


def measure(folder: Path, entries: int, key_type: KeyType) -> list[dict[str, object]]:
    """The rows of one run; the PKI is made in ``folder``."""
    pki = demo_pki(
        folder, hosts=DEMO_SERVERS, persons=DEMO_PERSONS, organisations=DEMO_ORGANISATIONS, key_type=key_type
    )
    chains = [pki.issue_server(f"h{n}.test", "1690000007", "X").chain for n in range(HOLDERS)]
    der = big_list(pki, entries)
    (pki.trust / "crls" / "big.crl").write_bytes(der)
    gc.collect()
    store, load = _timed(lambda: TrustStore.load(pki.trust))
    assert not store.problems, store.problems
    rows: list[dict[str, object]] = [{**load, "what": f"load, {len(der) / 1e6:.1f} MB list"}]
    _, reload = _timed(store.reload)
    rows.append({**reload, "what": "reload, nothing new"})
    store.check_sync(chains[0], "server")  # what is remembered of the authorities
    rows.append({**_each(store, chains[1:]), "what": "verdict, not known"})
    verdict, known = _timed(lambda: asyncio.run(_known(store, chains[1], 20_000)))
    assert verdict.ok, verdict.reason
    rows.append({**{name: value / 20 for name, value in known.items()}, "what": "1000 verdicts, known"})
    return [{"key": key_type, "what": row.pop("what"), **row} for row in rows]


def _timed(work: Callable[[], T]) -> tuple[T, dict[str, float]]:
    """What the work returns, and its times in ms."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, {
        "ms": (time.perf_counter() - wall) * 1000,
        "CPU ms": (time.process_time() - cpu) * 1000,
    }


def _each(store: TrustStore, chains: Sequence[list[bytes]]) -> dict[str, float]:
    walls: list[float] = []
    cpus: list[float] = []
    for chain in chains:
        verdict, taken = _timed(partial(store.check_sync, chain, "server"))
        assert verdict.ok, verdict.reason
        walls.append(taken["ms"])
        cpus.append(taken["CPU ms"])
    return {
        "ms": figures.median(walls),
        "CPU ms": figures.median(cpus),
        "p99 ms": figures.percentile(walls, 0.99),
    }


async def _known(store: TrustStore, chain: list[bytes], count: int) -> CertVerdict:
    for _ in range(count - 1):
        await store.check(chain, "server")
    return await store.check(chain, "server")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--key", choices=("p256", "rsa2048"), action="append")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(system.machine(), "", sep="\n")
    rows: list[dict[str, object]] = []
    for key in options.key or ("p256", "rsa2048"):
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            rows += measure(Path(name) / "pki", options.entries, key)
    print(figures.table(rows))


if __name__ == "__main__":
    main()
