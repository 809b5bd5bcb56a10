"""One person's record grown large: ``python -m bench.dossier [--documents 1000] [--years 10]``.

A patient with a thousand documents from seven professionals and ten years of measures: weight and pulse each
day, blood pressure twice, glycaemia four times; the same for the same arguments. Each question is asked as
the patient's pages and the professionals' door ask it: rights decided for every document, everything opened
from under its seal, the journal's entry committed before the answer. Beside them the same rows as a plain
table would give them: read by one SELECT and made into structs, without seal, rights or journal; the ratio is
what these cost.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import msgspec
import structlog
from sqlalchemy import Column, Connection, LargeBinary, MetaData, Table, select

import dossier
import gateway.rooms  # noqa: F401  # every table and operation
import patients
from activity import Actor
from bench import figures
from bench.system import machine
from dossier import Depositor, DocumentInfo, Wanted, measures, rights, summary
from store import Store, Tx, now_ms, operation

_INS = "2690675056001" + patients.ins_key("2690675056001")
_PATIENT = Actor(by="patient", ident=_INS)
_DOCTOR = Actor(by="professional", ident="899900000101", profession="10")
_DAY_MS = 86_400_000
_TYPES = (("11488-4", "10"), ("11502-2", "10"), ("18748-4", "31"), ("57833-6", "42"), ("34112-3", "10"))
_plain = Table("bench_plain", MetaData(), Column("row", LargeBinary))


class _Row(msgspec.Struct):
    info: DocumentInfo
    unique_id: str
    created_at: int


_decoder = msgspec.msgpack.Decoder(_Row)


@operation("bench.plain")
def _keep_plain(tx: Tx, *, rows: list[bytes]) -> None:
    _plain.create(tx.conn, checkfirst=True)
    tx.conn.execute(_plain.insert(), [{"row": row} for row in rows])


def _plain_rows(conn: Connection) -> list[_Row]:
    return [_decoder.decode(row.row) for row in conn.execute(select(_plain))]


def _person(store: Store) -> int:
    person = patients.Person(
        _INS, patients.OID_NIR_DEMO, "DUPONT-EXEMPLE", "ALICE", "", "F", "1969-06-12", "75056"
    )
    store.write(patients.add_persons, persons=[person], actor="bench")
    profile = patients.activate(store, _INS, "patient.mssante.test", actor="bench")
    assert profile.box_id is not None
    return profile.box_id


def _documents(store: Store, box_id: int, count: int) -> None:
    chosen = random.Random(20)
    plain: list[bytes] = []
    for number in range(count):
        type_code, class_code = _TYPES[number % len(_TYPES)]
        info = DocumentInfo(
            title=f"Compte rendu n° {number} de consultation",
            type_code=type_code,
            type_label="CR ou fiche de consultation ou de visite",
            class_code=class_code,
            class_label="Compte rendu",
            format_code="urn:ihe:iti:xds-sd:pdf:2008",
            author=f"Camille EXEMPLE {number % 7}",
            organisation="HOPITAL EXEMPLE",
        )
        spool = store.spool()
        spool.write(chosen.randbytes(20_000))
        created_at = 1_500_000_000_000 + number * _DAY_MS
        new = dossier.prepare_document(
            store,
            spool,
            box_id=box_id,
            unique_id=f"1.2.250.1.999.{number}",
            set_id=f"1.2.250.1.998.{number}",
            version=1,
            author_id=f"89990000{number % 7:04}",
            author_struct="1690000007",
            depositor=Depositor(address=f"medecin{number % 7}@hopital.mssante.test"),
            created_at=created_at,
            content_sha256=spool.sha256,
            replaces=[],
            trace_id="bench",
            message_id=0,
            info=info,
        )
        store.write(dossier.file_document, new=new)
        plain.append(msgspec.msgpack.encode(_Row(info, new.unique_id, created_at)))
    store.write(_keep_plain, rows=plain)


def _measures(store: Store, box_id: int, years: int, folder: Path) -> int:
    """What a device's file brings; how many measures."""
    chosen = random.Random(21)
    path = folder / "measures.csv"
    today = patients.calendar.today(now_ms())
    count = 0
    with path.open("w", encoding="utf-8") as file:
        file.write("kind;taken_at;value;unit\n")
        for back in range(years * 365, 0, -1):
            day = date.fromordinal(today.toordinal() - back).isoformat()
            lines = [
                f"weight;{day} 07:30;{65 + chosen.randrange(6)},{chosen.randrange(10)};kg",
                f"heart_rate;{day} 07:31;{60 + chosen.randrange(30)};/min",
            ]
            for hour in ("08", "20"):
                pressure = f"{110 + chosen.randrange(40)}/{65 + chosen.randrange(25)}"
                lines.append(f"blood_pressure;{day} {hour}:00;{pressure};mmHg")
            lines += [
                f"glycaemia;{day} {hour}:05;0,{80 + chosen.randrange(19)};g/L"
                for hour in ("07", "12", "16", "22")
            ]
            file.write("\n".join([*lines, ""]))
            count += len(lines)
    with path.open("rb") as rows:
        report = measures.import_measures(store, box_id, _PATIENT, rows)
    assert report.added == count, report
    return count


def _timed(times: int, work: Callable[[], object]) -> float:
    """The median of some runs, in ms, after one that does not count."""
    work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return figures.median(taken)


def measure(folder: Path, documents: int, years: int) -> list[dict[str, object]]:
    """Fill a record and ask; rows of (what, ms, times the plain table)."""
    folder.mkdir(exist_ok=True)
    with Store.open(folder / "home") as store:
        box_id = _person(store)
        began = time.perf_counter()
        _documents(store, box_id, documents)
        filing = (time.perf_counter() - began) * 1000 / documents
        began = time.perf_counter()
        kept = _measures(store, box_id, years, folder)
        keeping = (time.perf_counter() - began) * 1000 / kept
        rights.authorise(store, box_id, _PATIENT, professional=_DOCTOR.ident)
        one = dossier.list_documents(store, box_id, _PATIENT)[documents // 2]
        until = now_ms()
        plain = _timed(15, lambda: store.read(_plain_rows))
        mine = Wanted(text="consultation 997", category="Comptes rendus")

        def content() -> None:
            dossier.read_document(store, box_id, one.document_id, _DOCTOR)[1].read(0, 20_000)

        def plot() -> None:
            series = store.read(measures.series, store, box_id, _PATIENT, "glycaemia")
            measures.plot_svg(series, "glycaemia")

        def year() -> None:
            store.read(
                measures.series, store, box_id, _PATIENT, "blood_pressure", until - 365 * _DAY_MS, until
            )

        asked: list[tuple[str, Callable[[], object]]] = [
            (
                f"the patient lists {documents} documents",
                lambda: dossier.list_documents(store, box_id, _PATIENT),
            ),
            ("a professional lists them", lambda: dossier.list_documents(store, box_id, _DOCTOR)),
            ("the patient looks for one", lambda: dossier.list_documents(store, box_id, _PATIENT, mine)),
            ("a professional reads one of 20 kB", content),
            (
                f"the newest of each kind of {kept} measures",
                lambda: measures.read_latest(store, box_id, _PATIENT),
            ),
            ("blood pressure of a year", year),
            (f"glycaemia of {years} years, and its plot", plot),
            ("the history's newest 500 lines", lambda: dossier.history_for(store, box_id, _PATIENT)),
            ("the summary as PDF", lambda: summary.summary_pdf(store, box_id, _PATIENT)),
        ]
        rows: list[dict[str, object]] = [{"what": f"{documents} plain rows", "ms": plain, "times": 1.0}]
        for what, work in asked:
            ms = _timed(15, work)
            rows.append({"what": what, "ms": ms, "times": ms / plain})
    return [
        *rows,
        {"what": "filing a document", "ms": filing},
        {"what": "keeping a measure, of a file", "ms": keeping},
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(machine())
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.folder) as name:
        print(figures.table(measure(Path(name), options.documents, options.years)))


if __name__ == "__main__":
    main()
