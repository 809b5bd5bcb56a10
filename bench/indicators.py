"""The published figures over a million profiles: ``python -m bench.indicators``.

Rows are written straight into an empty home (the same for the same arguments): profiles of which most were
notified and opened and a quarter activated, messages to and from them, documents. Then each table is asked by
its verb, in a process of its own.

``python -m bench.indicators [--count 1000000] [--messages 500000] [--folder DIR]``
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import patients
from bench import figures
from bench.system import machine
from store import Store

_DOMAIN = "patient.passerelle.test"
_BEGIN, _YEAR = 1_735_700_000_000, 31_536_000_000
_SENDERS = 20_000
_DEPARTMENTS = [f"{number:02}" for number in range(1, 96) if number != 20]


def _ins(number: int) -> str:
    year, month, rest = number % 90 + 10, number // 90 % 12 + 1, number // 1080
    body = f"1{year:02}{month:02}75{rest % 1000:03}{rest // 1000:03}"
    return body + patients.ins_key(body)


def _at(number: int) -> int:
    return _BEGIN + number * 7_919_113 % _YEAR


def _profiles(count: int) -> Iterator[tuple[object, ...]]:
    for number in range(count):
        ins = _ins(number)
        state = "activated" if number % 4 == 0 else "opened"
        yield (
            ins, patients.OID_NIR_TEST, "X", "Y", "", "M", "1980-01-01", "75056", _DEPARTMENTS[number % 94],
            state, number + 1, f"{ins}@{_DOMAIN}", 1, _at(number), _at(number),
        )  # fmt: skip


def _steps(count: int) -> Iterator[tuple[object, ...]]:
    for number in range(count):
        ins, at = _ins(number), _at(number)
        yield ins, 1, at - 10, "import", "", "known", "", "", 0
        yield ins, 2, at, "notify", "known", "notified", "", "", 0
        yield ins, 3, at + 42 * 86_400_000, "open", "notified", "opened", "", "", 0
        if number % 4 == 0:
            yield ins, 4, at + 50 * 86_400_000, "activate", "opened", "activated", "", "", 0


def _records(count: int, messages: int) -> Iterator[tuple[object, ...]]:
    blank, signature = b"\0" * 32, b"\0" * 64
    for number in range(messages):
        patient, other = f"{_ins(number * 31 % count)}@{_DOMAIN}", f"box{number % _SENDERS}@pro.test"
        pair = (other, patient) if number % 10 else (patient, other)
        event = "delivered" if number % 10 else "accepted"
        yield (number + 1, _at(number), event, f"t{number}", "<m@x>", *pair, "recipient.open", blank,
               '{"by":"x","size":"1"}', blank, blank, signature)  # fmt: skip


def _documents(count: int, documents: int) -> Iterator[tuple[object, ...]]:
    blank = b"\0" * 32
    for number in range(documents):
        yield (number * 31 % count + 1, number + 1, f"1.2.{number}", "", 1, "approved", "", "",
               f"box{number % _SENDERS}@pro.test", "", "", blank, 1, _at(number), "t", 0, 0, 0, 0, 1, blank,
               blank, blank)  # fmt: skip


def _fill(home: Path, count: int, messages: int) -> None:
    home.mkdir()
    (home / "passerelle.toml").write_text(
        f'[gateway]\nhostname = "gateway.passerelle.test"\npatient_domain = "{_DOMAIN}"\n', encoding="utf-8"
    )
    Store.open(home).close()
    inserts = {
        "patient(ins,oid,birth_name,given_names,used_name,sex,birth_date,birth_place,department,state,box_id,"
        "address,created_at,notified_at,opened_at)": _profiles(count),
        "patient_event(ins,event_id,at,event,from_state,to_state,actor,reason,evidence_seq)": _steps(count),
        "evidence(seq,at,event,trace_id,message_id,sender,recipient,rule,sha256,detail,previous,digest,"
        "signature)": _records(count, messages),
        "document(box_id,document_id,unique_id,set_id,version,status,author_id,author_struct,depositor,"
        "depositor_id,depositor_struct,content_sha256,created_at,filed_at,trace_id,message_id,segment,offset,"
        "length,size,sha256,wrapped_key,sealed)": _documents(count, messages // 2),
    }
    with sqlite3.connect(home / "store.db") as database:
        database.execute("PRAGMA synchronous=OFF")
        for place, rows in inserts.items():
            marks = ",".join("?" * (place.count(",") + 1))
            database.executemany(f"INSERT INTO {place} VALUES ({marks})", rows)
    database.close()


def _verb(home: Path, *words: str) -> tuple[float, float]:
    """Seconds and peak MiB of ``passerelle stats`` in a process of its own."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "cli", "stats", *words, "--home", str(home), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"stats ended with status {process.returncode}")
    return time.perf_counter() - begin, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000, help="profiles")
    parser.add_argument("--messages", type=int, default=500_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    print(machine(), "")
    with tempfile.TemporaryDirectory(prefix="bench-indicators-", dir=options.folder) as name:
        home = Path(name) / "home"
        _fill(home, options.count, options.messages)
        rows: list[dict[str, object]] = []
        for by in ("", "month", "region", "sector"):
            seconds, peak = _verb(home, *(["--by", by] if by else []))
            print(f"{by or 'total'}: {seconds:.1f} s, {peak:.0f} MiB", file=sys.stderr, flush=True)
            told = {"table": by or "total", "profiles": options.count, "messages": options.messages}
            rows.append(told | {"seconds": seconds, "peak MiB": peak})
        print(figures.table(rows))


if __name__ == "__main__":
    main()
