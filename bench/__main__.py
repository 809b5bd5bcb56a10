"""Short versions of all measurements, in about a minute: ``python -m bench [--peer DIR] [--short]``.

Figures of one short run tell an order of magnitude; docs/performance.md says how to take better ones.
The peer is measured beside only with ``--peer``, by root; without it the rest is measured all the same.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import structlog

from bench import (
    accept,
    annuaire,
    certs,
    commit,
    dossier,
    figures,
    imap,
    population,
    smtp_front,
    system,
    webmail,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peer", type=Path, help="folder of the peer's start.sh and stop.sh; needs root")
    parser.add_argument("--short", action="store_true", help="a fifth of the messages: does it run at all")
    options = parser.parse_args()
    system.end_cleanly()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    share = 5 if options.short else 1
    scripts = options.peer
    if scripts is None:
        print("no --peer: measured without one", file=sys.stderr)
    elif not (scripts / "start.sh").exists():
        print(f"no peer at {scripts}: measured without one", file=sys.stderr)
        scripts = None
    print(system.machine(), "", "What a commit costs here", "", sep="\n")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the peer's daemons run as users of their own
        print(figures.table(commit.measure(folder, 0.5)))
        print(f"\nA certificate beside a list of {100_000 // share} revocations\n")
        print(figures.table(certs.measure(folder / "certs", 100_000 // share, "p256")))
        print("\nThe directory at a fiftieth of the national size\n")
        (folder / "annuaire").mkdir()
        annuaire.run(folder / "annuaire", 0.02 / share, False)
        print(f"\nA population of {20_000 // share}\n")
        (folder / "population").mkdir()
        print(figures.table(population.run(folder / "population", 20_000 // share)))
        print(f"\nA record of {1000 // share} documents\n")
        print(figures.table(dossier.measure(folder / "record", 1000 // share, 10 // share)))
        print(f"\nA patient's pages: {2000 // share} letters, {20 // share} readers\n")
        (folder / "webmail").mkdir()
        webmail.run(folder / "webmail", 2000 // share, 20 // share, 2, 0.2)
        print("\nThe SMTP front by itself (accepts at once, commits nothing)\n")
        print(figures.table([smtp_front.measure(mix, n // share, fresh=fresh) for mix, n, fresh in _FRONT]))
        print("\nFrom accepted to readable over IMAP\n")
        rows: list[dict[str, object]] = []
        for mix, count in (("small", 3000 // share), ("mixed", 1000 // share)):
            given = ["--mix", mix, "--count", str(count), "--rounds", "1", "--boxes", "200"]
            given += ["--peer", str(scripts)] if scripts else []
            rows += accept.run(accept.arguments().parse_args(given), folder / mix)
        print(figures.table(rows), "", *accept.ratios(rows), sep="\n")
        count = 2000 // share
        print(f"\nIMAP, {count} messages of 8 KiB in one mailbox\n")
        print(figures.table(imap.run(folder, count, 3, 0, scripts)))


_FRONT = (("small", 3000, False), ("small", 1000, True), ("large", 100, False))

if __name__ == "__main__":
    main()
