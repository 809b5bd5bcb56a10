"""A population of a million: import, campaign, opening, statistics: ``python -m bench.population``.

Persons are made (the same for the same arguments), then each step is run by its verb in a process of its own,
on an empty home: import, import again, notices with their mailing file, opening of all, opening when nothing
is due. Between notices and opening the bench moves the notices six weeks into the past. Peak memory is that
of the verb's process, which holds the writer.

``python -m bench.population [--count 1000000] [--folder DIR]``
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import patients
from bench import figures
from bench.system import machine
from store import Store

_HEADER = "ins;oid;birth_name;given_names;sex;birth_date;birth_place;department\n"
_NAMES = (
    "MARTIN",
    "BERNARD",
    "THOMAS",
    "PETIT",
    "ROBERT",
    "RICHARD",
    "DURAND",
    "DUBOIS",
    "MOREAU",
    "LAURENT",
)
_GIVEN = ("MARIE", "JEAN", "CAMILLE", "LOUISE", "GABRIEL", "ANNE SOPHIE", "JULES", "EMMA", "PAUL", "ROSE")
_DEPARTMENTS = [number for number in range(1, 96) if number != 20]  # Corsica has letters
_SIX_WEEKS_MS = 43 * 86_400_000


def write_persons(path: Path, count: int) -> None:
    """Persons with distinct matricules of the test authority."""
    with path.open("w", encoding="utf-8") as file:
        file.write(_HEADER)
        for number in range(count):
            sex, year, month = number % 2 + 1, number // 2 % 90 + 10, number // 180 % 12 + 1
            department = _DEPARTMENTS[number // 2160 % len(_DEPARTMENTS)]
            rest = number // (2160 * len(_DEPARTMENTS))
            body = f"{sex}{year:02}{month:02}{department:02}{rest % 990 + 1:03}{rest // 990 + 1:03}"
            file.write(
                f"{body}{patients.ins_key(body)};{patients.OID_NIR_TEST};{_NAMES[number % 10]};"
                f"{_GIVEN[number // 7 % 10]};{'MF'[sex - 1]};19{year:02}-{month:02}-{number % 28 + 1:02};"
                f"{department:02}001;{department:02}\n"
            )


def _verb(home: Path, *words: str) -> tuple[float, float, float]:
    """Seconds, CPU seconds and peak MiB of a verb in a process of its own."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "cli", "patient", *words, "--home", str(home), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words[0]} ended with status {process.returncode}")
    return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def run(folder: Path, count: int) -> list[dict[str, object]]:
    """Every step, as rows of a table."""
    home = folder / "home"
    home.mkdir()
    (home / "passerelle.toml").write_text(
        '[gateway]\nhostname = "gateway.passerelle.test"\npatient_domain = "patient.passerelle.test"\n',
        encoding="utf-8",
    )
    Store.open(home).close()
    persons = folder / "persons.csv"
    write_persons(persons, count)
    rows: list[dict[str, object]] = []

    def step(name: str, *words: str) -> None:
        seconds, cpu, peak = _verb(home, *words)
        size = (home / "store.db").stat().st_size / 2**20
        print(f"{name}: {seconds:.0f} s, {peak:.0f} MiB", file=sys.stderr, flush=True)
        rows.append(
            {
                "step": name,
                "profiles": count,
                "seconds": seconds,
                "profiles/s": count / seconds,
                "CPU s": cpu,
                "peak MiB": peak,
                "store.db MiB": size,
            }
        )

    step("import", "import", str(persons))
    step("the same file again", "import", str(persons))
    step("notices to all", "notify", "--all-known", "--out", str(folder / "letters.csv"))
    with sqlite3.connect(home / "store.db") as database:  # six weeks pass
        database.execute("UPDATE patient SET notified_at = notified_at - ?", [_SIX_WEEKS_MS])
    database.close()
    step("what is due (dry run)", "open-due", "--dry-run")
    step("open-due", "open-due")
    step("open-due, nothing due", "open-due")
    step("check of every history", "verify")
    with Store.open(home) as store:
        seconds = _timed(lambda: store.read(patients.count_by_state))
        assert store.read(patients.count_by_state) == {"opened": count}
    rows.append({"step": "count by state", "profiles": count, "seconds": seconds})
    return rows


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000, help="profiles")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    print(machine(), "")
    with tempfile.TemporaryDirectory(prefix="bench-population-", dir=options.folder) as name:
        print(figures.table(run(Path(name), options.count)))


if __name__ == "__main__":
    main()
