"""Files of measures: taken twice they add nothing, bad rows are told, nothing is lost out and back."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import activity
from activity import Actor
from cli import app
from dossier import measures, rights
from dossier.measures import BadMeasure, Imported, MeasureError, importing
from store import Store
from tests.dossier.measures_support import DOCTOR, OPERATOR, journal, note, patient
from tests.patients.patients_support import ins_of

FILE = """\ufeffDate;Heure;Mesure;Valeur;Unité;Contexte;Note
01/03/2025;8h00;Poids;72,5;;;au réveil
01/03/2025;8h05;Tension artérielle;12/8;;;
01/03/2025;8h05;blood_pressure;128/85;mmHg;;
2025-03-02;;glycaemia;1,05;g/L;à jeun;
2025-03-02;12:30;Glycémie;140;mg/dL;après un repas;
2025-03-02;;Température;98.6;[degF];;
"""
SETTINGS = '[gateway]\nhostname = "a.passerelle.test"\npatient_domain = "patient.passerelle.test"\n'


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home") as opened:
        yield opened


def take(store: Store, box: int, actor: Actor, text: str, **more: object) -> Imported:
    return measures.import_measures(store, box, actor, io.BytesIO(text.encode()), **more)  # type: ignore[arg-type]  # options


def csv_of(store: Store, box: int) -> str:
    return measures.to_csv(store.read(measures.everything, store, box))


def test_a_file_of_a_patient(store: Store) -> None:
    box, me = patient(store)
    assert take(store, box, me, FILE) == Imported(added=6)
    assert csv_of(store, box).splitlines() == [
        "kind;taken_at;value;unit;context;note",
        "weight;2025-03-01T08:00:00+01:00;72.5;kg;;au réveil",
        "temperature;2025-03-02;98.6;[degF];;",
        "blood_pressure;2025-03-01T08:05:00+01:00;12/8;cm[Hg];;",
        "blood_pressure;2025-03-01T08:05:00+01:00;128/85;mm[Hg];;",
        "glycaemia;2025-03-02;1.05;g/L;fasting;",
        "glycaemia;2025-03-02T12:30:00+01:00;140;mg/dL;after_meal;",
    ]
    assert journal(store, box) == [("measures_imported", "patient", "")]
    assert take(store, box, me, FILE) == Imported(known=6)
    assert len(journal(store, box)) == 1  # nothing was added: nothing is told


def test_what_was_removed_does_not_come_back(store: Store) -> None:
    box, me = patient(store)
    take(store, box, me, FILE)
    (weight,) = store.read(measures.series, store, box, me, "weight")
    measures.remove(store, box, me, weight.measure_id)
    assert take(store, box, me, FILE) == Imported(known=6)
    assert store.read(measures.series, store, box, me, "weight") == []


def test_the_same_in_another_unit_or_zone_is_the_same(store: Store) -> None:
    box, me = patient(store)
    text = (
        'kind,taken_at,value,unit\nweight,2025-03-01T08:00+04:00,"72,5",kg\nweight,2025-03-01 05:00,72500,g\n'
    )
    assert take(store, box, me, text) == Imported(added=1, known=1)
    again = "kind;taken_at;value;unit\nweight;2025-03-01 08:00;72.500;\n"
    assert take(store, box, me, again, zone="Indian/Reunion") == Imported(known=1)
    assert take(store, box, me, again) == Imported(added=1)  # eight in Paris is another moment


def test_bad_rows_are_told_by_line(store: Store) -> None:
    box, me = patient(store)
    rows = [
        ("weight;2025-03-01;72,5;", ""),
        ("weight;2025-03-01;1.234,5;", "measure.number"),
        ("weight;2025-03-01;72;mmHg", "measure.unit"),
        ("weight;2025-03-01;720;", "measure.impossible"),
        ("weight;2099-03-01;72;", "measure.future"),
        ("weight;1988-04-30;72;", "measure.before_birth"),
        ("weight;2025-03-30 02:30;72;", "measure.moment"),
        ("weight;;72;", "measure.moment"),
        ("steps;2025-03-01;10000;", "measure.shape"),
        ("glycaemia;2025-03-01;1,05;", "measure.unit"),
        ("height;2025-03-01;1,75;cm", "measure.impossible"),
        ("blood_pressure;2025-03-01;80/120;", "measure.pressure"),
        ("weight;2025-03-01", "measure.file"),
        ('weight;2025-03-01;"72;', "measure.file"),
        ("bmi;2025-03-01;22;", "measure.shape"),
        ("weight;2025-03-02;250;", ""),
    ]
    text = "kind;taken_at;value;unit\n" + "\n".join(row for row, _ in rows) + "\n\n"
    found = take(store, box, me, text)
    assert (found.added, found.unusual, found.bad_count) == (2, 1, 14)
    told = {one.line: one.rule for one in found.bad}
    assert told == {line: rule for line, (_, rule) in enumerate(rows, 2) if rule}
    assert all(isinstance(one, BadMeasure) and one.french and one.english for one in found.bad)
    octets = io.BytesIO(b"kind;taken_at;value;unit\nweight;2025-03-01;72;\xff\n" + b"x" * 9_000)
    assert [one.line for one in measures.import_measures(store, box, me, octets).bad] == [2, 3]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "value;unit\n70;kg\n",
        "kind;value\nweight;70\n",
        "kind;kind;date;value\n",
        "kind;date;unit\n",
        "\x00",
    ],
)
def test_what_is_no_file_of_measures(store: Store, text: str) -> None:
    box, me = patient(store)
    with pytest.raises(MeasureError) as caught:
        take(store, box, me, text)
    assert caught.value.rule == "measure.file"
    assert journal(store, box) == []


def test_too_long_a_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "MOST_ROWS", 3)
    box, me = patient(store)
    with pytest.raises(MeasureError):
        take(store, box, me, FILE)


def test_many_rows_go_in_by_slices(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "CHUNK", 10)
    box, me = patient(store)
    rows = [f"heart_rate;2025-03-01T{n // 60:02d}:{n % 60:02d};{60 + n % 40};" for n in range(95)]
    text = "kind;taken_at;value;unit\n" + "\n".join(rows)
    assert take(store, box, me, text, dry_run=True) == Imported(added=95)
    assert journal(store, box) == []
    assert take(store, box, me, text).added == 95
    entries = store.read(activity.entries, store, box)
    assert [one.details.more["count"] for one in reversed(entries)] == ["10"] * 9 + ["5"]


def test_two_who_import_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "CHUNK", 7)
    box, me = patient(store)
    rows = [f"heart_rate;2025-03-01T{n // 60:02d}:{n % 60:02d};70;" for n in range(60)]
    text = "kind;taken_at;value;unit\n" + "\n".join(rows)
    found: list[Imported] = []
    threads = [threading.Thread(target=lambda: found.append(take(store, box, me, text))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.added + one.known for one in found] == [60, 60]
    assert sum(one.added for one in found) == 60 == store.read(measures.held, box).current


def test_who_may_import(store: Store) -> None:
    box, me = patient(store)
    assert take(store, box, OPERATOR, FILE).added == 6
    for actor in (DOCTOR, Actor(by="operator", ident="cli:x"), Actor(by="patient", ident=ins_of(5))):
        with pytest.raises(rights.RightsError):
            take(store, box, actor, FILE)
    assert [(by, bool(rule)) for _, by, rule in journal(store, box)] == [
        ("operator", False), ("professional", True), ("operator", True), ("patient", True),
    ]  # fmt: skip
    note(store, box, me, "weight", "72")


@pytest.fixture(scope="module")
def box_of_many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, int, Actor]]:
    with Store.open(tmp_path_factory.mktemp("measures") / "home") as opened:
        yield (opened, *patient(opened))


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), max_size=40)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.decimals(min_value="35", max_value="200", places=2),
    st.datetimes(datetime.fromisoformat("2007-01-01"), datetime.fromisoformat("2024-01-01")),
    TEXT,
    st.sampled_from(["Europe/Paris", "Indian/Reunion", "America/St_Johns"]),
)
def test_out_and_back(
    box_of_many: tuple[Store, int, Actor], number: object, local: datetime, text: str, zone: str
) -> None:
    store, box, me = box_of_many
    local = local.replace(microsecond=0)
    try:
        moment = measures.moments.at_clock(local, zone)
    except MeasureError:
        return
    kept = measures.add(store, box, me, measures.parse("weight", str(number)), moment, note=text)
    rows = list(importing._rows(io.BytesIO(measures.to_csv([kept]).encode())))
    ((_, cells),) = rows
    assert isinstance(cells, dict)
    back = importing._draft(cells, "Asia/Tokyo", "1988-05-01", 1 << 50)
    assert (back.quantity, back.moment, back.note) == (kept.quantity, kept.moment, kept.note)


def test_the_verbs(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "measures.csv"
    home.mkdir()
    (home / "passerelle.toml").write_text(SETTINGS, encoding="utf-8")
    file.write_text(FILE + "01/03/2025;8h00;Poids;725;;;\n", encoding="utf-8")
    with Store.open(home) as store:
        box, _ = patient(store)

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["dossier", "measure", *words, "--home", str(home)])
        return done.exit_code, done.output

    assert run("import", ins_of(0), str(file))[0] == 2  # no reason
    status, out = run("import", ins_of(0), str(file), "--reason", "letter of 3 March")
    assert status == 0 and "measure.impossible" in out and "line 8" in out
    status, out = run("count", ins_of(0), "--reason", "letter of 3 March", "--json")
    assert status == 0 and '"current": 6' in out
    assert run("count", ins_of(0), "--reason", " ")[0] == 1
    assert run("count", ins_of(9), "--reason", "x")[0] == 1
    with Store.open(home) as store:
        assert journal(store, box) == [
            ("measures_imported", "operator", ""),
            ("measures_counted", "operator", ""),
        ]
    done = CliRunner().invoke(app, ["dossier", "measure", "understand", "glycaemia", "1 g 05"])
    assert done.exit_code == 0 and "1,05" in done.output
    done = CliRunner().invoke(app, ["dossier", "measure", "understand", "poids", "72kg5"])
    assert done.exit_code == 1 and "unités possibles" in done.output
    done = CliRunner().invoke(app, ["dossier", "measure", "kinds", "--json"])
    assert done.exit_code == 0 and "85354-9" in done.output


def test_a_day_of_another_zone_comes_back_once(store: Store) -> None:
    """The file names the day, not the zone: taken back it is not a second measure."""
    box, me = patient(store)
    day = measures.moments.on_day(date(2025, 2, 1), "Indian/Reunion")
    measures.add(store, box, me, measures.parse("weight", "70"), day)
    assert take(store, box, me, csv_of(store, box)) == Imported(known=1)
