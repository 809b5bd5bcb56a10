"""The directory over time: every past moment can be asked, whatever was imported, refused or killed."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import annuaire
from annuaire import importer, worker
from annuaire.demo import write_activities, write_mssante
from store import Store, now_ms
from tests.annuaire.test_annuaire_import import DOCTOR, PHARMACIST, PHARMACY, held

ADDRESSES = [f"dr{number}@medecin.mssante.fr" for number in range(4)]
PEOPLE = [f"81000999999{number}" for number in range(3)]


def tick() -> int:
    """The present; the next ms is another moment."""
    moment = now_ms()
    while now_ms() <= moment + 1:
        time.sleep(0.0005)
    return moment


def words_in_index(store: Store) -> int:
    """How many rows the index of words finds; raises when it contradicts the table."""
    with contextlib.closing(_raw(store)) as raw:
        raw.execute("INSERT INTO annuaire_text (annuaire_text, rank) VALUES ('integrity-check', 1)")
        found = raw.execute(
            "SELECT count(*) FROM annuaire_text WHERE annuaire_text MATCH 'mssante'"
        ).fetchone()
        return int(found[0])


def _raw(store: Store) -> Any:
    import sqlite3

    connection = sqlite3.connect(":memory:")
    source = sqlite3.connect(f"file:{store.home / 'store.db'}?mode=ro", uri=True)
    source.backup(connection)
    source.close()
    return connection


box = st.fixed_dictionaries(
    {
        "kind": st.just("PER"),
        "address": st.sampled_from(ADDRESSES),
        "national": st.sampled_from(PEOPLE),
        "family": st.sampled_from(["EXEMPLE", "MODÈLE"]),
        "given": st.just("MARIE"),
        "profession": st.sampled_from(["10", "60"]),
        "service": st.sampled_from(["", "Urgences"]),
    }
)
practice = st.fixed_dictionaries(
    {
        "national": st.sampled_from(PEOPLE),
        "family": st.just("EXEMPLE"),
        "given": st.just("MARIE"),
        "profession": st.sampled_from(["10", "21"]),
        "finess": st.sampled_from(["", "750099999", "750088888"]),
        "sector": st.sampled_from(["SA07", "SA33"]),
    }
)
step = st.one_of(
    st.tuples(st.just("boxes"), st.lists(box, min_size=1, max_size=6)),
    st.tuples(st.just("practices"), st.lists(practice, min_size=1, max_size=6)),
    st.tuples(st.just("broken"), st.lists(box, min_size=1, max_size=3)),
    st.tuples(st.just("stopped"), st.lists(box, min_size=1, max_size=3)),
    st.tuples(st.just("dry"), st.lists(box, min_size=1, max_size=3)),
)


def boxes_as_told(store: Store, at: int | None) -> set[tuple[str, ...]]:
    return {
        (one.address, one.id_nat, one.name, one.profession, one.service)
        for address in ADDRESSES
        for one in store.read(annuaire.mailbox, address, at)
    }


def practices_as_told(store: Store, at: int | None) -> set[tuple[str, ...]]:
    return {
        (person, one.profession, one.finess, one.sector)
        for person in PEOPLE
        for one in store.read(annuaire.activities, person, at)
    }


@functools.cache
def _new_home() -> Path:
    """A home with its tables, made once: each example begins with a copy."""
    home = Path(tempfile.mkdtemp(prefix="annuaire-home-"))
    atexit.register(shutil.rmtree, home)
    Store.open(home).close()
    return home


def _copy(home: Path) -> Path:
    return Path(shutil.copytree(_new_home(), home, ignore=shutil.ignore_patterns("*.sock")))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(step, min_size=1, max_size=7))
def test_every_past_moment_is_as_a_plain_model_says(steps: list[tuple[str, list[dict[str, str]]]]) -> None:
    with tempfile.TemporaryDirectory() as name, Store.open(_copy(Path(name) / "home")) as store:
        boxes: set[tuple[str, ...]] = set()
        practices: set[tuple[str, ...]] = set()
        moments = [(tick(), boxes, practices)]
        for what, rows in steps:
            path = Path(name) / "m.txt"
            if what == "practices":
                annuaire.import_extraction(store, write_activities(path, rows))
                practices = {
                    (r["national"], r["profession"], f"1{r['finess']}" if r["finess"] else "", r["sector"])
                    for r in rows
                }
            else:
                write_mssante(path, rows)
                if what == "boxes":
                    annuaire.import_extraction(store, path)
                    boxes = {
                        (r["address"], r["national"], f"Marie {r['family']}", r["profession"], r["service"])
                        for r in rows
                    }
                elif what == "dry":
                    annuaire.import_extraction(store, path, dry_run=True)
                else:
                    _fail(store, path, what)
            moments.append((tick(), boxes, practices))
        for at, then_boxes, then_practices in moments:
            assert boxes_as_told(store, at) == then_boxes
            assert practices_as_told(store, at) == then_practices
        assert boxes_as_told(store, None) == boxes
        found = {one.address for one in store.read(annuaire.search, "marie")}
        assert found == {one[0] for one in boxes}
        for person in PEOPLE:
            known = store.read(annuaire.person_known, person)
            assert known.listed == any(one[0] == person for one in practices)
            assert (known.since is not None) == any(
                one[0] == person for _, _, all_ in moments for one in all_
            )
        words_in_index(store)


def _fail(store: Store, path: Path, how: str) -> None:
    """An import that does not come to its end."""

    def stop(_read: int, _size: int) -> None:
        raise KeyboardInterrupt

    if how == "broken":
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(annuaire.ExtractionError):
            annuaire.import_extraction(store, path)
    else:
        with pytest.raises(KeyboardInterrupt):
            annuaire.import_extraction(store, path, progress=stop)


def test_history_tells_what_changed(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "Extraction_Correspondance_MSSante_202608260530.txt"
    annuaire.import_extraction(store, write_mssante(path, [DOCTOR, PHARMACY]))
    tick()
    annuaire.import_extraction(store, write_mssante(path, [{**DOCTOR, "family": "AUTRE"}, PHARMACY]))
    tick()
    annuaire.import_extraction(store, write_mssante(path, [PHARMACY]))
    told = store.read(annuaire.history, DOCTOR["address"])
    assert [one.what.split(":")[0] for one in told] == ["appeared", "changed", "gone"]
    assert "Dr Marie EXEMPLE -> Dr Marie AUTRE" in told[1].what
    assert {one.file_name for one in told} == {path.name}
    assert [one.what for one in store.read(annuaire.history, "10009999991")] == [one.what for one in told]
    assert store.read(annuaire.history, "nobody@medecin.mssante.fr") == []
    known = store.read(annuaire.address_known, DOCTOR["address"])
    assert (known.listed, known.since, known.gone_at) == (False, told[0].applied_at, told[2].applied_at)
    then = store.read(annuaire.address_known, DOCTOR["address"], told[1].applied_at)
    assert (then.listed, then.gone_at) == (True, None)
    assert not store.read(annuaire.address_known, DOCTOR["address"], told[0].applied_at - 1).listed


def test_history_of_a_person(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    annuaire.import_extraction(store, write_activities(path, [PHARMACIST]))
    tick()
    annuaire.import_extraction(
        store, write_activities(path, [{**PHARMACIST, "legal_name": "PHARMACIE NEUVE"}])
    )
    told = store.read(annuaire.history, PHARMACIST["national"])
    assert [one.what.split(":")[0] for one in told] == ["appeared", "changed"]
    assert "structure name PHARMACIE EXEMPLE -> PHARMACIE NEUVE" in told[1].what
    [activity] = store.read(annuaire.activities, PHARMACIST["national"])
    assert (activity.sector, activity.structures) == (
        "SA33",
        ["1750099999", "399999999900011", "C99999999900011"],
    )


def test_a_dry_run_says_and_changes_nothing(store: Store, tmp_path: Path) -> None:
    path = write_mssante(tmp_path / "m.txt", [DOCTOR, PHARMACY])
    annuaire.import_extraction(store, path)
    before = store.read(annuaire.generations)
    other = {**DOCTOR, "address": "autre@medecin.mssante.fr"}
    write_mssante(path, [{**DOCTOR, "family": "AUTRE"}, other])
    report = annuaire.import_extraction(store, path, dry_run=True)
    assert (report.rows, report.added, report.changed, report.gone) == (2, 1, 1, 1)
    assert sorted(example[0] for example in report.examples) == ["+", "-", "~"]
    assert store.read(annuaire.generations) == before
    assert held(store) == 2


def test_an_older_file_is_refused_until_accepted(store: Store, tmp_path: Path) -> None:
    new = write_mssante(tmp_path / "Extraction_Correspondance_MSSante_202608270530.txt", [DOCTOR, PHARMACY])
    old = write_mssante(tmp_path / "Extraction_Correspondance_MSSante_202608260530.txt", [DOCTOR])
    report = annuaire.import_extraction(store, new)
    assert report.file_date == 1_787_808_600_000
    with pytest.raises(annuaire.ExtractionError) as caught:
        annuaire.import_extraction(store, old)
    assert caught.value.rule == "annuaire.older"
    assert store.read(annuaire.mailbox, PHARMACY["address"])
    assert annuaire.import_extraction(store, old, accept_older=True).gone == 1


@pytest.mark.parametrize("name", ["x_202613260530.txt", "x_20260826.txt", "x_1202608260530.txt", "m.txt"])
def test_a_name_without_a_date_states_none(store: Store, tmp_path: Path, name: str) -> None:
    assert annuaire.import_extraction(store, write_mssante(tmp_path / name, [DOCTOR])).file_date is None


def test_columns_that_we_do_not_keep_change_nothing(store: Store, tmp_path: Path) -> None:
    path = write_activities(tmp_path / "a.txt", [PHARMACIST])
    annuaire.import_extraction(store, path)
    text = path.read_text(encoding="utf-8")
    lines = [line.split("|") for line in text.splitlines()]
    lines[1][lines[0].index("Téléphone (coord. structure)")] = "0102030405"
    moved = "\n".join("|".join(reversed(line[:-1])) for line in lines) + "\n"
    path.write_text(moved, encoding="utf-8")
    for _ in range(2):
        report = annuaire.import_extraction(store, path)
        assert (report.rows, report.added, report.changed, report.gone) == (1, 0, 0, 0)
    assert held(store, "annuaire_exercice") == held(store, "annuaire_site") == 1


def test_a_local_list_stands_beside_the_national_one(store: Store, tmp_path: Path) -> None:
    national = write_mssante(tmp_path / "m.txt", [DOCTOR, PHARMACY])
    annuaire.import_extraction(store, national)
    application = {
        "kind": "APP",
        "address": "logiciel@ch.mssante.fr",
        "structure_kind": "1",
        "structure": "750088888",
    }
    local = write_mssante(tmp_path / "l.txt", [application, {**DOCTOR, "red_list": "O"}])
    report = annuaire.import_extraction(store, local, local=True)
    assert (report.source, report.rows) == ("local", 2)
    annuaire.import_extraction(store, national)
    [app] = store.read(annuaire.mailbox, "logiciel@ch.mssante.fr")
    assert (app.kind, app.source) == ("APP", "local")
    assert store.read(annuaire.owns, app.address, struct_id="1750088888")
    # Routing sees a box of the red list, whoever searches does not, not even by the national row.
    assert {one.red_list for one in store.read(annuaire.mailbox, DOCTOR["address"])} == {True, False}
    assert {one.address for one in store.read(annuaire.search, "mssante")} == {
        "logiciel@ch.mssante.fr",
        PHARMACY["address"],
    }
    annuaire.import_extraction(store, write_mssante(local, [application]), local=True)
    assert DOCTOR["address"].lower() in {one.address for one in store.read(annuaire.search, "mssante")}
    with pytest.raises(annuaire.ExtractionError, match="local list"):
        annuaire.import_extraction(store, write_activities(tmp_path / "a.txt", [PHARMACIST]), local=True)


def test_duplicate_addresses_are_reported(store: Store, tmp_path: Path) -> None:
    second = {**DOCTOR, "structure_kind": "1", "structure": "750099999"}
    path = write_mssante(tmp_path / "m.txt", [DOCTOR, second, PHARMACY])
    for _ in range(2):
        report = annuaire.import_extraction(store, path)
        assert report.duplicates == 1
        assert report.examples_of_duplicates == ["marie.exemple@medecin.mssante.fr"]


def many(count: int, family: str = "EXEMPLE") -> list[dict[str, str]]:
    return [
        {
            **DOCTOR,
            "address": f"dr{number}@medecin.mssante.fr",
            "family": family,
            "national": f"81{number:010}",
        }
        for number in range(count)
    ]


_KILLED = """
import os, signal, sys
from pathlib import Path
import annuaire
from annuaire import ops
from store import Store

home, path, steps = sys.argv[1:]
with Store.open(Path(home)) as store:
    left = int(steps)
    write = store.write
    def counted(operation, **arguments):
        global left
        done = write(operation, **arguments)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    store.write = counted
    annuaire.import_extraction(store, Path(path))
"""


@pytest.mark.parametrize("steps", [2, 4, 6, 7])
def test_killed_at_any_step_the_old_data_stands(tmp_path: Path, steps: int) -> None:
    home = tmp_path / "home"
    path = write_mssante(tmp_path / "m.txt", many(2_000))
    with Store.open(home) as store:
        annuaire.import_extraction(store, path)
        moment = tick()
    write_mssante(path, many(2_000, "AUTRE"))
    root = Path(annuaire.__file__).parents[1]
    child = subprocess.run(
        [sys.executable, "-c", _KILLED, str(home), str(path), str(steps)], cwd=root, check=False, timeout=60
    )
    assert child.returncode == -signal.SIGKILL
    with Store.open(home) as store:
        assert store.read(annuaire.mailbox, "dr7@medecin.mssante.fr")[0].name == "Dr Marie EXEMPLE"
        assert len(store.read(annuaire.search, "exemple", 500)) == 500
        assert store.read(annuaire.search, "autre") == []
        report = annuaire.import_extraction(store, path)
        assert (report.rows, report.changed, report.added, report.gone) == (2_000, 2_000, 0, 0)
        assert store.read(annuaire.mailbox, "dr7@medecin.mssante.fr")[0].name == "Dr Marie AUTRE"
        assert store.read(annuaire.mailbox, "dr7@medecin.mssante.fr", moment)[0].name == "Dr Marie EXEMPLE"
        assert held(store) == words_in_index(store) == 4_000


def test_a_large_file_is_read_by_a_process_of_its_own(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_LARGE", 1)
    path = write_mssante(tmp_path / "m.txt", [*many(3_000), {**DOCTOR, "kind": "ZZZ"}])
    report = annuaire.import_extraction(store, path)
    assert (report.rows, report.bad_count, report.bad[0].line) == (3_000, 1, 3_002)
    assert store.read(annuaire.mailbox, "dr7@medecin.mssante.fr")[0].name == "Dr Marie EXEMPLE"
    write_mssante(path, many(500))
    with pytest.raises(annuaire.ExtractionError) as caught:
        annuaire.import_extraction(store, path)
    assert caught.value.rule == "annuaire.shrunk"
    assert held(store) == 3_000
    assert [one.state for one in store.read(annuaire.generations)] == ["dropped", "current"]


def test_beside_a_process_that_holds_the_writer(store: Store, tmp_path: Path) -> None:
    path = write_mssante(tmp_path / "m.txt", many(2_500))
    program = (
        "import sys, annuaire; from pathlib import Path; from store import Store\n"
        "with Store.open(Path(sys.argv[1])) as store:\n"
        "    assert not store.is_writer\n"
        "    print(annuaire.import_extraction(store, Path(sys.argv[2])).added)\n"
    )
    root = Path(annuaire.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program, str(store.home), str(path)],
        cwd=root,
        check=True,
        timeout=60,
        capture_output=True,
        env={**os.environ},
    )
    assert done.stdout.split()[-1] == b"2500"
    # What this process remembers of look-ups gives way to the new generation at once.
    assert store.read(annuaire.mailbox, "dr7@medecin.mssante.fr")
    assert importer.CHUNK <= 2_000


def test_a_new_generation_is_noticed_at_once(store: Store, tmp_path: Path) -> None:
    path = write_mssante(tmp_path / "m.txt", [DOCTOR])
    address = DOCTOR["address"]
    assert store.read(annuaire.mailbox, address) == []
    annuaire.import_extraction(store, path)
    [found] = store.read(annuaire.mailbox, address)
    store.read(annuaire.mailbox, address).clear()
    assert store.read(annuaire.mailbox, address) == [found]
    annuaire.import_extraction(store, write_mssante(path, [PHARMACY]))
    assert store.read(annuaire.mailbox, address) == []


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"kind": "org"}, {"p"}),
        ({"kind": "PER"}, {"d"}),
        ({"profession": "10"}, {"d"}),
        ({"profession": "médecin"}, {"d"}),
        ({"town": "saint-étienne"}, {"p"}),
        ({"town": "Saint Et"}, {"p"}),
        ({"town": "ETIENNE"}, set()),
        ({"postcode": "42000"}, {"p"}),
        ({"postcode": "4200"}, set()),
        ({"department": "42", "kind": "ORG"}, {"p"}),
        ({"department": "42", "kind": "PER"}, set()),
        ({"text": "pharm", "town": "saint"}, {"p"}),
        ({"text": "\u01c2k"}, set()),
        ({"town": "漢字"}, set()),
        ({"text": "𝔓 漢字"}, set()),
        ({}, set()),
    ],
)
def test_filters(store: Store, tmp_path: Path, filters: dict[str, str], expected: set[str]) -> None:
    pharmacy = {
        **PHARMACY,
        "address": "p@x.mssante.fr",
        "delivery_line": "42000 SAINT-ÉTIENNE CEDEX 1",
        "postcode": "42000",
        "department": "42",
    }
    doctor = {**DOCTOR, "address": "d@x.mssante.fr"}
    annuaire.import_extraction(store, write_mssante(tmp_path / "m.txt", [pharmacy, doctor]))
    wanted = dict(filters)
    text = wanted.pop("text", "")
    found = store.read(lambda conn: annuaire.search(conn, text, **wanted))  # type: ignore[arg-type]  # all texts
    assert {one.address[0] for one in found} == expected
