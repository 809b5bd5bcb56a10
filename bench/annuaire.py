"""The directory at national size: imports, look-ups, look-ups meanwhile: ``python -m bench.annuaire``.

Two extractions are made in the published shape, the same for the same arguments: about 536,000 mailboxes
(169 addresses on two lines, a few bad rows) and 2.2 million activities. They are imported into an empty
home by the verb itself, while another process looks up addresses; then again as on the next day, with one
line in a hundred changed; then the same file once more. With ``--serving`` a process that holds the
writer stands in for the gateway, and what a small write waits for it meanwhile is measured.

``python -m bench.annuaire [--share 1.0] [--serving] [--folder DIR] [--keep]``
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import annuaire
from annuaire.layouts import ACTIVITIES, MAILBOXES, Layout
from bench import figures
from bench.system import machine
from store import Store, tasks

MAILBOXES_IN_FRANCE = 535_928
ACTIVITIES_IN_FRANCE = 2_200_000
DUPLICATES = 169
_GIVEN = (  # noqa: SIM905
    "MARIE JEAN PIERRE ANNE-SOPHIE CÉLINE FRANÇOIS ÉLODIE HÉLÈNE NICOLAS JULIEN CAMILLE THÉO LÉA CHLOÉ "
    "JEAN-PIERRE MATHIEU INÈS ZOÉ NOËL RAPHAËL GAËLLE BENOÎT LUCAS EMMA LOUISE HUGO JADE ADAM LINA "
    "MOHAMED FATOUMATA YANN LOÏC MAËLYS ARTHUR JULES ALICE ROSE GABRIEL PAUL VICTOR AGATHE CLÉMENT"
).split()
_STARTS = (  # noqa: SIM905
    "BER MAR DU LE DE LA ROU MO GI FOU PE RI GAU CHE VI SI LAM BON FER GUE MEU BOU CAR COL DA FA GAR "
    "HEN JO LEM MAL NO OLI PRÉ RO SAU TES VER BLAN CHA CLÉ DES ÉVRA"
).split()
_ENDS = (  # noqa: SIM905
    "NARD TIN BOIS ROY FÈVRE RENT SSEAU REAU RARD CHER RAULT VIER LIER LARD BERT NET MAND RIN NIER LET "
    "CHON DIN GNON LLOT MIER NOT PIN QUET RAND SON TEAU VAL VIN ZIER LOUX"
).split()
_TOWNS = tuple(
    (f"{prefix}{name}", f"{department:02}{number:03}", f"{department:02}")
    for department in range(1, 96)
    for number, (prefix, name) in enumerate(
        (p, n)
        for p in ("", "SAINT-", "LE ", "VILLENEUVE-")
        for n in ("ÉTIENNE", "MARTIN", "HILAIRE", "BREUIL", "MONT", "CLAIRVAUX", "CHÂTEAU", "PORT")
    )
)
_PROFESSIONS = (
    ("10", "Médecin", "SM54", "Médecine générale", "SA07", 22),
    ("10", "Médecin", "SM04", "Cardiologie et maladies vasculaires", "SA01", 8),
    ("21", "Pharmacien", "", "", "SA33", 8),
    ("40", "Chirurgien-Dentiste", "SCD01", "Orthopédie dento-faciale", "SA07", 6),
    ("50", "Sage-Femme", "", "", "SA01", 4),
    ("60", "Infirmier", "", "", "SA05", 38),
    ("70", "Masseur-Kinésithérapeute", "", "", "SA07", 10),
    ("91", "Orthophoniste", "", "", "SA07", 4),
)
_WEIGHTS = tuple(one[-1] for one in _PROFESSIONS)


class France:
    """Deterministic people, structures and rows. ``day`` 1 changes one row in a hundred of day 0."""

    def __init__(self, share: float, day: int = 0) -> None:
        self.people = int(1_350_000 * share)
        self.sites = int(620_000 * share)
        self.mailboxes = int(MAILBOXES_IN_FRANCE * share)
        self.activities = int(ACTIVITIES_IN_FRANCE * share)
        self.day = day
        self._random = random.Random(2026)

    def family(self, number: int) -> str:
        first, second = divmod(number * 7_919, len(_ENDS))
        third = first // len(_STARTS)
        middle = _ENDS[third % len(_ENDS)] if number % 3 == 0 else ""
        return _STARTS[first % len(_STARTS)] + middle + _ENDS[second]

    def given(self, number: int) -> str:
        return _GIVEN[number * 31 % len(_GIVEN)]

    def rpps(self, number: int) -> str:
        return f"{10_000_000_000 + number * 37:011}"

    def address(self, number: int) -> str:
        plain = annuaire.fold_address(
            f"{self.given(number)}.{self.family(number)}.{number:x}@medecin{number % 700}.mssante.fr"
        )
        return plain.replace("é", "e").replace("è", "e").replace("ç", "c")

    def write_mailboxes(self, path: Path) -> Path:
        """``Extraction_Correspondance_MSSante``: 85 % PER, 15 % ORG, in no order."""
        people = int(self.mailboxes * 0.85)
        order = list(range(self.mailboxes - DUPLICATES))
        self._random.shuffle(order)
        with _Rows(path, MAILBOXES, "") as rows:
            for number in order:
                if number < people:
                    rows.add(self._person_box(number))
                else:
                    rows.add(self._structure_box(number - people))
            for number in range(DUPLICATES):
                rows.add({**self._person_box(number), "structure_kind": "1", "structure": f"{number:09}"})
            for number in range(5):
                rows.add({**self._person_box(number), "address": "sans adresse"})
        return path

    def _person_box(self, number: int) -> dict[str, str]:
        profession = _PROFESSIONS[number % len(_PROFESSIONS)]
        changed = self.day and number % 100 == 7
        return {
            "kind": "PER", "address": self.address(number), "id_kind": "8", "identifier": self.rpps(number),
            "national": f"8{self.rpps(number)}", "civility": "DR" if profession[0] == "10" else "MME",
            "family": self.family(number) + (" EPOUSE" if changed else ""), "given": self.given(number),
            "profession": profession[0], "profession_label": profession[1], "speciality": profession[2],
            "speciality_label": profession[3],
        }  # fmt: skip

    def _structure_box(self, number: int) -> dict[str, str]:
        town, postcode, department = _TOWNS[number % len(_TOWNS)]
        finess = number % 2 == 0
        name = f"{'PHARMACIE' if finess else 'CABINET'} {self.family(number)}"
        changed = self.day and number % 100 == 7
        return {
            "kind": "ORG",
            "address": f"contact{number}.{name.split()[0].lower()}@structure{number % 300}.mssante.fr",
            "structure_kind": "1" if finess else "3",
            "structure": self.finess(number) if finess else self.siret(number),
            "service": "Accueil" if changed else "Secrétariat", "legal_name": name,
            "delivery_line": f"{postcode} {town}", "postcode": postcode, "department": department,
        }  # fmt: skip

    def finess(self, number: int) -> str:
        return f"{_TOWNS[number % len(_TOWNS)][2]}{number:07}"

    def siret(self, number: int) -> str:
        return f"{30_000_000_000_000 + number * 1_009:014}"

    def write_activities(self, path: Path) -> Path:
        """``PS_LibreAcces_Personne_activite``, by identifier; four in ten at 4,000 large structures."""
        chance = random.Random(7)
        with _Rows(path, ACTIVITIES, "|") as rows:
            for number in range(self.activities):
                person = number * self.people // self.activities
                large = chance.random() < 0.4
                place = chance.randrange(4_000 if large else self.sites)
                profession = chance.choices(_PROFESSIONS, _WEIGHTS)[0] if large else _PROFESSIONS[place % 8]
                rows.add(self._activity(number, person, profession, place))
            for _ in range(5):
                rows.add({"family": "SANS", "given": "IDENTIFIANT"})
        return path

    def _activity(self, number: int, person: int, profession: Any, place: int) -> dict[str, str]:
        town, postcode, department = _TOWNS[place % len(_TOWNS)]
        siret = self.siret(place)
        changed = self.day and number % 100 == 7
        return {
            "id_kind": "8", "identifier": self.rpps(person), "national": f"8{self.rpps(person)}",
            "civility": "DR" if profession[0] == "10" else "", "civil_title": "MME" if person % 2 else "M",
            "family": self.family(person) + (" EPOUSE" if changed else ""),
            "given": self.given(person), "profession": profession[0],
            "category": "C", "speciality": profession[2], "mode": "S" if place < 4_000 else "L",
            "siret": siret, "finess": self.finess(place) if place % 5 == 0 else "", "technical": f"C{siret}",
            "legal_name": f"{'CENTRE HOSPITALIER' if place < 4_000 else 'CABINET'} {self.family(place)}",
            "town": town.title(), "postcode": postcode, "department": department,
            "sector": "SA01" if place < 4_000 else profession[4],
            "sector_label": "Cabinet", "role": "", "genre": "GENR01",
        }  # fmt: skip


class _Rows:
    """Writes rows of a layout, at some speed; unread columns get the filling that real ones have."""

    def __init__(self, path: Path, layout: Layout, tail: str) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")
        places = {label: place for place, label in enumerate(layout.columns)}
        self._places = {field: places[label] for field, label in layout.fields.items() if label in places}
        self._empty = [""] * len(layout.columns)
        if layout is ACTIVITIES:
            for label, text in (
                ("Libellé profession", "Médecin"), ("Libellé catégorie professionnelle", "Civil"),
                ("Numéro Voie (coord. structure)", "12"), ("Libellé type de voie (coord. structure)", "Rue"),
                ("Libellé Voie (coord. structure)", "DU GENERAL LECLERC"),
                ("Téléphone (coord. structure)", "0102030405"), ("Libellé pays (coord. structure)", "France"),
                ("Libellé Département (structure)", "Département exemple"),
                ("Autorité d'enregistrement", "CNOM/CNOM/ARS"), ("Libellé mode exercice", "Libéral"),
                ("Adresse e-mail (coord. structure)", "secretariat@exemple.fr"),
            ):  # fmt: skip
                self._empty[places[label]] = text
        self._tail = tail + "\n"
        self._file.write("|".join(layout.columns) + self._tail)

    def __enter__(self) -> _Rows:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, row: dict[str, str]) -> None:
        cells = self._empty.copy()
        for field, value in row.items():
            cells[self._places[field]] = value
        self._file.write("|".join(cells) + self._tail)


def peak_of(pids: list[int]) -> int:
    """Peak resident memory (KiB) of processes, one by one added up: the shared part is counted twice."""
    total = 0
    for pid in pids:
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
    return total


def _children(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [
                one for child in task.read_text(encoding="ascii").split() for one in _children(int(child))
            ]
        except OSError:
            continue
    return found


def _look_up(home: Path, share: float, stop: Event, told: Any) -> None:
    """Another process that looks up addresses, 200 a second, until told to stop; answers latencies in ms."""
    france, took, failed = France(share), [], 0
    chance = random.Random(1)
    with Store.open(home, may_lead=False) as store:
        while not stop.is_set():
            address = france.address(chance.randrange(france.mailboxes))
            begin = time.perf_counter()
            try:
                store.read(annuaire.mailbox, address)
            except Exception:  # noqa: BLE001  # counted, and shown in the table
                failed += 1
            took.append((time.perf_counter() - begin) * 1000)
            time.sleep(0.005)
    told.put((took, failed))


def _serve(home: Path, ready: Event, stop: Event, told: Any) -> None:
    """A process that holds the writer as a gateway does, and itself writes 50 times a second."""
    took: list[float] = []
    with Store.open(home) as store:
        ready.set()
        while not stop.is_set():
            begin = time.perf_counter()
            store.write(tasks.take_back, owner="nobody")
            took.append((time.perf_counter() - begin) * 1000)
            time.sleep(0.02)
    told.put((took, 0))


class Scene:
    """A home, and what goes on beside an import."""

    def __init__(self, home: Path, share: float, serving: bool) -> None:
        self.home = home
        self.share = share
        self.serving = serving

    def run(self, name: str, files: list[Path]) -> dict[str, object]:
        """Import ``files`` by the verb while another process looks up; a row for the table."""
        load = round(os.getloadavg()[0], 1)
        context = multiprocessing.get_context("spawn")
        stop, told = context.Event(), context.Queue()
        server_told, ready = context.Queue(), context.Event()
        server = context.Process(target=_serve, args=(self.home, ready, stop, server_told))
        if self.serving:
            server.start()
            ready.wait()
        # Without a gateway the verb itself holds the writer.
        verb = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "cli",
                "annuaire",
                "import",
                *map(str, files),
                "--home",
                str(self.home),
                "--json",
            ],
            stdout=subprocess.DEVNULL,
        )
        peak, watching = [0], threading.Event()

        def watch() -> None:
            while not watching.wait(0.2):
                pids = _children(verb.pid) + ([server.pid] if self.serving and server.pid else [])
                peak[0] = max(peak[0], peak_of(pids))

        watcher = threading.Thread(target=watch)
        watcher.start()
        begin = time.perf_counter()
        usage = os.times()
        reader = context.Process(target=_look_up, args=(self.home, self.share, stop, told))
        reader.start()
        status = verb.wait()
        seconds = time.perf_counter() - begin
        stop.set()
        took, failed = told.get()
        served = server_told.get()[0] if self.serving else []
        reader.join()
        if self.serving:
            server.join()
        watching.set()
        watcher.join()
        if status:
            raise SystemExit(f"the import ended with status {status}")
        ended = os.times()
        lines = sum(_lines(file) for file in files)
        row: dict[str, object] = {
            "import": name,
            "load before": load,
            "rows": lines,
            "seconds": seconds,
            "rows/s": lines / seconds,
            "CPU s": ended.children_user
            + ended.children_system
            - usage.children_user
            - usage.children_system,
            "peak MiB": peak[0] / 1024,
            "look-ups meanwhile": len(took),
            "failed": failed,
            "p50 ms": figures.percentile(took, 0.5),
            "p99 ms": figures.percentile(took, 0.99),
            "max ms": max(took, default=0.0),
        }
        if self.serving:
            row |= {
                "writes p50 ms": figures.percentile(served, 0.5),
                "writes p99 ms": figures.percentile(served, 0.99),
                "writes max ms": max(served, default=0.0),
            }
        return row


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")) - 1


def look_ups(home: Path, share: float) -> list[dict[str, object]]:
    """Look-ups by one process on one core: rates."""
    france, chance = France(share), random.Random(3)
    addresses = [france.address(chance.randrange(int(france.mailboxes * 0.8))) for _ in range(20_000)]
    ids = [f"8{france.rpps(chance.randrange(france.people))}" for _ in range(5_000)]
    pharmacies = [f"1{france.finess(2 * chance.randrange(1, 2_000))}" for _ in range(2_000)]
    rows = []
    with Store.open(home) as store:

        def timed(name: str, step: Any, asked: list[Any], found: int = 1) -> None:
            def all_of_them(conn: Any) -> tuple[float, float, int]:
                some, cpu, begin = 0, time.process_time(), time.perf_counter()
                for one in asked:
                    some += bool(step(conn, one))
                return time.perf_counter() - begin, time.process_time() - cpu, some

            seconds, cpu, some = store.read(all_of_them)
            assert some >= found, name
            rows.append(
                {
                    "look-up": name,
                    "look-ups/s": len(asked) / seconds,
                    "per CPU second": len(asked) / cpu,
                    "found": f"{100 * some // len(asked)} %",
                }
            )

        timed("address, never asked before", annuaire.mailbox, addresses)
        timed("address, asked before", annuaire.mailbox, addresses)
        timed("owns, asked before", lambda conn, one: annuaire.owns(conn, one, id_nat="8"), addresses, 0)
        timed("activities of a person", annuaire.activities, ids)
        timed("mailboxes of a person", annuaire.by_id_nat, ids)
        timed("mailboxes of a structure", annuaire.by_structure, pharmacies)
        now = time.time_ns() // 1_000_000
        timed(
            "address, as of a moment", lambda conn, one: annuaire.mailbox(conn, one, now), addresses[:5_000]
        )
        families = [france.family(chance.randrange(france.mailboxes)).lower() for _ in range(200)]
        timed("free text: a family name", annuaire.search, families)
        timed("free text: two words", lambda conn, one: annuaire.search(conn, f"{one[:4]} med"), families)
        timed(
            "free text and a département",
            lambda conn, one: annuaire.search(conn, f"pharm {one[:3]}", department="75"),
            families,
            0,
        )
        timed("free text: every box", annuaire.search, ["mssante"] * 5)
    return rows


def run(folder: Path, share: float, serving: bool) -> None:
    """All measurements, printed as tables."""
    begin = time.perf_counter()
    files: dict[int, list[Path]] = {}
    for day in (0, 1):
        france = France(share, day)
        date = f"2026082{6 + day}0530"
        files[day] = [
            france.write_mailboxes(folder / f"Extraction_Correspondance_MSSante_{date}.txt"),
            france.write_activities(folder / f"PS_LibreAcces_Personne_activite_{date}.txt"),
        ]
    size = sum(file.stat().st_size for file in files[0]) >> 20
    print(f"{size} MiB made in {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    home = folder / "home"
    home.mkdir()
    (home / "passerelle.toml").write_text(
        '[gateway]\nhostname = "gateway.passerelle.test"\npatient_domain = "patient.passerelle.test"\n',
        encoding="utf-8",
    )
    Store.open(home).close()
    scene = Scene(home, share, serving)
    rows = [
        scene.run("first, mailboxes", files[0][:1]),
        scene.run("first, activities", files[0][1:]),
        scene.run("next day, both", files[1]),
        scene.run("the same again, both", files[1]),
    ]
    print(figures.table(rows), "", figures.table(look_ups(home, share)), sep="\n")
    rest = (home / "store.db").stat().st_size >> 20
    print(f"\nstore.db afterwards: {rest} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="of the national size")
    parser.add_argument("--serving", action="store_true", help="beside a process that holds the writer")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    print(machine(), "")
    with tempfile.TemporaryDirectory(prefix="bench-annuaire-", dir=options.folder) as name:
        run(Path(name), options.share, options.serving)


if __name__ == "__main__":
    main()
