"""IMAP on a mailbox with many messages: FETCH, SEARCH, sign-in; the median of some runs, and the CPU.

``python -m bench.imap [--messages 10000] [--runs 5] [--peer DIR]``

The messages are small ones (8 KiB), delivered over SMTP by the load generator. With ``--peer`` the same
are delivered to the peer, whose Dovecot then answers the same commands, and the ratio is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from bench import figures, peer, scene, system, verify
from bench.load import send
from bench.messages import Corpus
from bench.target import Target
from bench.wireimap import WireImap

_BIG = 0  # the mailbox that gets the messages
_BOXES = 60
_LOGINS = 50


def _commands(count: int) -> list[tuple[str, list[str], int]]:
    """(name, commands, what must be in their answers as often as there are messages found)."""
    rnd = random.Random(7)
    some = [rnd.randint(1, count) for _ in range(100)]
    return [
        ("SELECT", ["SELECT INBOX"], 0),
        ("FETCH 1:* (UID FLAGS)", [f"FETCH 1:{count} (UID FLAGS)"], count),
        ("FETCH 1:* ENVELOPE", [f"FETCH 1:{count} (UID ENVELOPE)"], count),
        ("FETCH 1:* BODYSTRUCTURE", [f"FETCH 1:{count} (UID BODYSTRUCTURE)"], count),
        ("as mbsync: UID FLAGS SIZE", ["UID FETCH 1:* (UID FLAGS RFC822.SIZE)"], count),
        ("bodies of 1000", [f"FETCH 1:{min(count, 1000)} (UID BODY.PEEK[])"], min(count, 1000)),
        ("100 single bodies", [f"FETCH {number} (BODY.PEEK[])" for number in some], 100),
        ("100 single ENVELOPE BODYSTRUCTURE", [f"FETCH {n} (ENVELOPE BODYSTRUCTURE)" for n in some], 100),
        ("SEARCH UNSEEN", ["UID SEARCH UNSEEN"], 0),
        ("SEARCH SUBJECT", ['UID SEARCH SUBJECT "small 007"'], 0),
        ("SEARCH TEXT, no hit", ['UID SEARCH TEXT "zzqzzq"'], 0),
        ("100 NOOP", ["NOOP"] * 100, 0),
    ]


def measure(target: Target, count: int, runs: int) -> list[dict[str, object]]:
    """Fill the mailbox of ``target`` with ``count`` messages, then time the commands; rows for a table."""
    corpus = Corpus(f"i{time.time_ns():x}", "small", lambda _: target.address(_BIG), 1)
    sent = send(target, corpus, count)
    if sent.failures:
        raise SystemExit(f"{target.name}: {dict(sent.failures)}")
    verify.wait_readable(target, corpus, sent, last=1)
    rows = _logins(target)
    client = WireImap(target)
    client.login(target.address(_BIG), target.password)
    client.command("SELECT INBOX")
    for name, commands, found in _commands(count):
        first, _ = _timed(target, client, commands, found)
        pairs = [_timed(target, client, commands, found) for _ in range(runs)]
        rows.append(
            {
                "what": name,
                "server": target.name,
                "first ms": first,
                "ms": figures.median([took for took, _ in pairs]),
                "CPU ms": sum(used for _, used in pairs) / runs,
            }
        )
    rows[-1]["MiB of memory"] = system.memory(target.roots)
    client.close()
    return rows


def _timed(target: Target, client: WireImap, commands: list[str], found: int) -> tuple[float, float]:
    """Milliseconds and the server's CPU milliseconds of some commands, one after the other."""
    before = system.usage(target.roots)
    begin = time.perf_counter()
    seen = 0
    for command in commands:
        answer = client.command(command)
        seen += answer.count(b" FETCH (") if found else 0
    took = time.perf_counter() - begin
    if seen != found:
        raise SystemExit(f"{target.name}: {commands[0]}: {seen} answers instead of {found}")
    return took * 1000, system.usage(target.roots).since(before) * 1000


def _logins(target: Target) -> list[dict[str, object]]:
    """Connect, sign in, sign out: mailboxes nobody signed in to yet, then the same ones again."""

    def one(box: int) -> Callable[[], None]:
        def sign_in() -> None:
            client = WireImap(target)
            client.login(target.address(box), target.password)
            client.close()

        return sign_in

    rows: list[dict[str, object]] = []
    for name in ("sign in, first time", "sign in, again"):
        before = system.usage(target.roots)
        took = []
        for box in range(1, 1 + _LOGINS):
            begin = time.perf_counter()
            one(box)()
            took.append((time.perf_counter() - begin) * 1000)
        used = system.usage(target.roots).since(before)
        rows.append(
            {
                "what": name,
                "server": target.name,
                "first ms": took[0],
                "ms": figures.median(took),
                "CPU ms": used * 1000 / _LOGINS,
            }
        )
    return rows


def beside(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """One row for each command: ours, beside it the peer's where there is one, and peer ÷ ours."""
    merged: dict[object, dict[str, object]] = {}
    for row in rows:
        line = merged.setdefault(row["what"], {"what": row["what"]})
        short = "" if row["server"] == "passerelle" else "peer "
        for name in ("first ms", "ms", "CPU ms", "MiB of memory"):
            if name in row:
                line[short + name] = row[name]
    for line in merged.values():
        if "peer ms" in line:
            line["times as fast"] = float(str(line["peer ms"])) / float(str(line["ms"]))
    return list(merged.values())


def run(folder: Path, count: int, runs: int, fronts: int, scripts: Path | None) -> list[dict[str, object]]:
    """Measure the gateway, and the peer where it is at hand; merged rows."""
    prepared = scene.prepare(folder / "imap", _BOXES, fronts=fronts, slow_hash=True)
    with scene.serving(prepared) as target:
        rows = measure(target, count, runs)
    if scripts is not None:
        with peer.serving(scripts, folder / "imap-peer", _BOXES, milter=False) as other:
            rows += measure(other, count, runs)
    return beside(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--fronts", type=int, default=0)
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    system.end_cleanly()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    scripts = options.peer
    if scripts is not None and not (scripts / "start.sh").exists():
        print(f"no peer at {scripts}: measured without one", file=sys.stderr)
        scripts = None
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        rows = run(folder, options.messages, options.runs, options.fronts, scripts)
    print(system.machine(), "", f"{options.messages} messages of 8 KiB in one mailbox", "", sep="\n")
    print(figures.table(rows))


if __name__ == "__main__":
    main()
