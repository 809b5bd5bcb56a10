"""From accepted to readable over IMAP: messages per second and CPU per message.

``python -m bench.accept [--mix small|mixed|large] [--count N] [--connections N] [--fronts N]
[--peer DIR] [--milter 1|0|both] [--rounds N] …``

A round sends ``--count`` messages, waits until the last accepted ones are seen over IMAP, and then
checks every mailbox: each accepted message there, once, bodies compared by SHA-256. A round with a
missing or wrong message is a failure (exit 1). With ``--peer`` the same generator drives the peer with
the same messages, turn about, and the ratio of the medians is printed.

Passerelle does not verify DKIM signatures yet (DESIGN §5 has the rule, a later issue builds it); the
peer does with ``--milter 1``. Both ratios are given, so that nobody is flattered.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path

import structlog

from bench import commit, figures, peer, scene, system, verify
from bench.load import send
from bench.messages import MIXES, Corpus
from bench.target import Target
from store import Store, tasks

_FILING_PATIENCE_S = 300.0
COUNTS = {"small": 5000, "mixed": 2000, "medium": 1500, "large": 300}


def measure(
    target: Target,
    mix: str,
    count: int,
    *,
    connections: int = 20,
    each: int = 0,
    rate: float = 0.0,
    processes: int = 1,
    recipients: int = 1,
    dkim_key: Path | None = None,
    check: bool = True,
    bodies_of: int = 20,
) -> dict[str, object]:
    """One round against one server; the figures as a row of a table. Exits when a message is lost."""
    run = f"b{time.time_ns():x}"
    corpus = Corpus(run, mix, target.address, target.boxes, recipients=recipients, dkim_key=dkim_key)
    commits, flushes = _commits(target), system.flushes(target.folder)
    before = system.usage(target.roots)
    sent = send(target, corpus, count, connections=connections, each=each, rate=rate, processes=processes)
    accepted = len(sent.numbers)
    if sent.failures or accepted != count:
        raise SystemExit(f"{target.name}: {accepted} of {count} accepted; {dict(sent.failures)}")
    readable = verify.wait_readable(target, corpus, sent)
    after = system.usage(target.roots)
    used = after.since(before)
    commits_after, flushes_after = _commits(target), system.flushes(target.folder)
    row: dict[str, object] = {
        "server": target.name,
        "mix": mix,
        "messages": accepted,
        "accepted/s": accepted / (sent.last - sent.began),
        "readable/s": accepted / (readable - sent.began),
        "CPU ms each": used / accepted * 1000,
        "of it in the first process": _first(target, before, after) / accepted * 1000,
        "p50 ms": figures.percentile(sent.latencies, 0.5) * 1000,
        "p99 ms": figures.percentile(sent.latencies, 0.99) * 1000,
        "MiB/s": sent.octets / 2**20 / (sent.last - sent.began),
        "generator CPU ms": sent.cpu / accepted * 1000,
    }
    if commits is not None and commits_after is not None and commits_after != commits:
        row["messages per commit"] = accepted / ((commits_after - commits) % 2**32)
    if flushes is not None and flushes_after is not None:
        row["disk flushes each"] = (flushes_after - flushes) / accepted
    if target.database is not None:
        filed = _until_filed(target.folder)
        if filed:
            total = system.usage(target.roots).since(before)
            row["CPU ms each, with filing"] = total / accepted * 1000
            row["filing behind by s"] = filed
    row["MiB of memory"] = system.memory(target.roots)
    if check:
        found = verify.check(target, corpus, sent, bodies_of=bodies_of)
        print(f"{target.name}, {mix}: {found}", file=sys.stderr)
        if not found.ok:
            raise SystemExit(f"{target.name}: messages were lost or changed: {found}")
    return row


def _first(target: Target, before: system.Usage, after: system.Usage) -> float:
    """CPU seconds of the server's first process: the gateway's writer, Postfix's master."""
    pid = target.roots[0]
    return after.by_process.get(pid, 0.0) - before.by_process.get(pid, 0.0)


def _commits(target: Target) -> int | None:
    return system.commits(target.database) if target.database else None


def _until_filed(home: Path) -> float:
    """Wait until the gateway's back has filed what was left to it; how long that took (s)."""
    begin = time.monotonic()
    with Store.open(home) as store:
        while any(store.read(tasks.pending, tasks.FILING, 1, state) for state in ("due", "leased")):
            if time.monotonic() - begin > _FILING_PATIENCE_S:
                raise SystemExit("documents wait to be filed and nothing happens")
            time.sleep(0.05)
    took = time.monotonic() - begin
    return took if took > 0.2 else 0.0


def ratios(rows: list[dict[str, object]]) -> list[str]:
    """Medians of Passerelle over medians of each peer, mix by mix."""
    lines = []
    for mix in dict.fromkeys(row["mix"] for row in rows):
        by_server: dict[str, list[dict[str, object]]] = {}
        for row in rows:
            if row["mix"] == mix:
                by_server.setdefault(str(row["server"]), []).append(row)
        ours = by_server.get("passerelle", [])
        for name, theirs in by_server.items():
            if name == "passerelle" or not ours:
                continue

            def of(
                column: str, ours: list[dict[str, object]] = ours, theirs: list[dict[str, object]] = theirs
            ) -> float:
                values = [
                    figures.median([float(str(row[column])) for row in side]) for side in (ours, theirs)
                ]
                return values[0] / values[1]

            lines.append(
                f"{mix}: Passerelle ÷ {name}: readable/s x {of('readable/s'):.2f}, "
                f"CPU each ÷ {1 / of('CPU ms each'):.2f}, p50 ÷ {1 / of('p50 ms'):.2f}, "
                f"p99 ÷ {1 / of('p99 ms'):.2f} (medians of {len(ours)} and {len(theirs)} rounds)"
            )
    return lines


def run(options: argparse.Namespace, folder: Path) -> list[dict[str, object]]:
    """All rounds asked for; rows in the order they were measured."""
    rows: list[dict[str, object]] = []
    how = {
        name: getattr(options, name)
        for name in ("connections", "each", "rate", "processes", "recipients", "bodies_of")
    }
    count = options.count or COUNTS[options.mix]
    prepared = scene.prepare(
        folder / "passerelle",
        options.boxes,
        fronts=options.fronts,
        key_type=options.key,
        y=options.y,
        log_level=options.log_level,
    )
    peers = _peers(options)
    with scene.serving(prepared) as ours:
        for milter in peers:
            base = folder / f"peer-{milter}"
            with contextlib.ExitStack() as stack:
                servers = [ours]
                dkim_key = None
                if milter is not None:
                    dkim_key = peer.dkim_key(options.peer, base)
                    servers.append(
                        stack.enter_context(
                            peer.serving(
                                options.peer, base, options.boxes, milter=milter, key_type=options.key
                            )
                        )
                    )
                for server in servers:  # caches warm, processes started
                    measure(server, options.mix, max(40, count // 20), dkim_key=dkim_key, **how)
                for _ in range(options.rounds):
                    for server in servers:
                        row = measure(server, options.mix, count, dkim_key=dkim_key, **how)
                        print(json.dumps(row), file=sys.stderr)
                        rows.append(row)
    return rows


def _peers(options: argparse.Namespace) -> list[bool | None]:
    """With DKIM verified, without, or both, one after the other; None: without a peer."""
    if options.peer is None:
        return [None]
    if not (options.peer / "start.sh").exists():
        print(f"no peer at {options.peer}: measured without one", file=sys.stderr)
        return [None]
    chosen: dict[str, list[bool | None]] = {"1": [True], "0": [False], "both": [True, False]}
    return chosen[options.milter]


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--mix", choices=sorted(MIXES), default="small")
    add("--count", type=int, default=0, help="messages of a round; by default enough for some seconds")
    add("--rounds", type=int, default=3)
    add("--connections", type=int, default=20)
    add("--each", type=int, default=0, help="messages of a connection before a new one; 0: all of them")
    add("--rate", type=float, default=0.0, help="messages per second; 0: as many as go")
    add("--recipients", type=int, default=1, help="of each message")
    add("--processes", type=int, default=1, help="of the generator")
    add("--boxes", type=int, default=1000, help="mailboxes")
    add("--fronts", type=int, default=0, help="the gateway's front processes; 0: its own choice")
    add("--key", choices=("rsa2048", "p256"), default="rsa2048", help="certificates of all parties")
    add("--y", choices=("all", "xdm", "none"), default="all", help="documents filed into the record")
    add("--log-level", default="info", dest="log_level")
    add("--bodies-of", type=int, default=20, dest="bodies_of", help="mailboxes whose bodies are compared")
    add("--peer", type=Path, help="folder of the peer's start.sh and stop.sh; needs root")
    add("--milter", choices=("1", "0", "both"), default="both", help="does the peer verify DKIM")
    add("--commit-seconds", type=float, default=1.0, dest="commit_seconds")
    add("--keep", type=Path, help="work here, and leave everything for a look afterwards")
    return parser


def main() -> None:
    options = arguments().parse_args()
    system.end_cleanly()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # the peer's daemons run as users of their own
        print(system.machine(), "", "What a commit costs here:", "", sep="\n")
        print(figures.table(commit.measure(folder, options.commit_seconds)), "", sep="\n")
        rows = run(options, folder)
    print(figures.table(rows), "", *ratios(rows), sep="\n")
    if options.peer is not None:
        print(
            "\nThe peer verifies DKIM signatures where its name says so; Passerelle does not verify them yet."
            "\nThe peer keeps no evidence and no correspondence, and stores in clear; Passerelle does not."
        )


if __name__ == "__main__":
    main()
