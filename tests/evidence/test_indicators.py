"""The published figures against a second count in plain Python, over months, regions and lanes."""

from __future__ import annotations

import io
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import activity
import annuaire
import dossier
import evidence
import gateway.rooms
import patients
from annuaire.demo import write_activities, write_mssante
from gateway import places, suppression
from gateway.indicators import (
    ENROLMENT,
    FILED,
    MEASURED,
    MEASURES,
    MEASURING,
    RECEIVED,
    SENT,
    USE,
    WITH_DOCUMENT,
    WROTE,
    By,
    Kept,
    indicators,
)
from store import InvalidInputError, Store, Tx, operation
from tests.patients.patients_support import DAY, DOMAIN, Clock, ins_of, paris, person, set_clock
from tests.store.postgres import new_database, postgres_server

assert gateway.rooms.__all__  # every operation and table
PEOPLE = 90
DEPARTMENTS = ["75", "75", "92", "35", "2A", "974", "978", ""]
REGION_OF = {
    "75": "Île-de-France", "92": "Île-de-France", "35": "Bretagne", "2A": "Corse", "974": "La Réunion",
    "978": "other overseas", "": "unknown",
}  # fmt: skip
LANE_OF = {
    "cardio@ch.mssante.fr": "hospital", "labo@bio.mssante.fr": "biology", "pharma@off.mssante.fr": "pharmacy",
    "dr.ville@med.mssante.fr": "town", "dr.radio@med.mssante.fr": "radiology",
    "app@editeur.mssante.fr": "unlisted",
    "ehpad@age.mssante.fr": "care home", "sport@autre.mssante.fr": "other",
}  # fmt: skip
BOXES = [
    {"kind": "ORG", "address": address, "structure_kind": "1", "structure": finess, "legal_name": "X"}
    for address, finess in (
        ("cardio@ch.mssante.fr", "750000001"), ("labo@bio.mssante.fr", "750000002"),
        ("pharma@off.mssante.fr", "750000003"), ("ehpad@age.mssante.fr", "750000004"),
        ("sport@autre.mssante.fr", "750000005"),
    )
] + [
    {"kind": "PER", "address": "dr.ville@med.mssante.fr", "national": "810000000011", "family": "A",
     "given": "B", "profession": "10", "speciality": "SM54"},
    {"kind": "PER", "address": "dr.radio@med.mssante.fr", "national": "810000000012", "family": "C",
     "given": "D", "profession": "10", "speciality": "SM44"},
]  # fmt: skip
SECTORS = {
    "750000001": "SA01",
    "750000002": "SA25",
    "750000003": "SA33",
    "750000004": "SA17",
    "750000005": "SA22",
}


def activities(ville: str) -> list[dict[str, str]]:
    at_structures = [
        {"national": f"81000000002{number}", "family": "E", "given": "F", "profession": "10",
         "finess": finess, "sector": sector}
        for number, (finess, sector) in enumerate(SECTORS.items())
    ]  # fmt: skip
    return [
        *at_structures,
        {"national": "810000000011", "family": "A", "given": "B", "profession": "10", "sector": ville},
        {"national": "810000000012", "family": "C", "given": "D", "profession": "10", "sector": "SA08"},
    ]


@operation("test.indicators_message")
def _message(tx: Tx, *, event: str, sender: str, recipients: list[str], trace_id: str) -> None:
    for recipient in recipients:
        evidence.record(tx, event, trace_id=trace_id, sender=sender, recipient=recipient)  # type: ignore[arg-type]  # a literal


class World:
    """A store with a history, and the facts that went in."""

    def __init__(self, store: Store, clock: Clock, folder: Path) -> None:
        self.store, self.clock, self.folder = store, clock, folder
        self.random = random.Random(4)
        self.steps: list[tuple[str, int, str]] = []  # figure, moment, ins
        self.received: list[tuple[str, int, str]] = []  # sender, moment, ins
        self.sent: list[tuple[int, str, list[str]]] = []
        self.filed: list[tuple[str, int, str]] = []
        self.measured: list[tuple[dossier.measures.Kind, int, str]] = []
        self.department = {ins_of(number): self.random.choice(DEPARTMENTS) for number in range(PEOPLE)}

    def fill(self, messages: int = 500, documents: int = 60) -> None:
        self.clock.now = paris("2025-11-30 23:30")  # 22:30 UTC: still November in Paris
        self.load("SA07")
        persons = [person(n, department=self.department[ins_of(n)]) for n in range(PEOPLE)]
        self.store.write(patients.add_persons, persons=persons, actor="test")
        for ins in self.department:
            self.enrol(ins)
        for number in range(messages):
            self.write(number)
        for number in range(documents):
            self.file(number)
        for number in range(documents):
            self.measure(number)
        self.clock.now = paris("2026-03-10 12:00")
        for sender, recipient, event in (  # nothing of these counts
            ("", f"{ins_of(0)}@{DOMAIN}", "delivered"),
            ("labo@bio.mssante.fr", "cardio@ch.mssante.fr", "delivered"),
            ("labo@bio.mssante.fr", f"{ins_of(0)}@{DOMAIN}", "refused"),
            ("labo@bio.mssante.fr", f"{ins_of(0)}@{DOMAIN}", "duplicate"),
        ):
            self.store.write(_message, event=event, sender=sender, recipients=[recipient], trace_id="x")

    def load(self, ville: str) -> None:
        name = f"{len(list(self.folder.iterdir()))}"
        annuaire.import_extraction(self.store, write_mssante(self.folder / f"m{name}.txt", BOXES))
        annuaire.import_extraction(
            self.store, write_activities(self.folder / f"a{name}.txt", activities(ville))
        )

    def moment(self) -> int:
        """Some moment of the months told, often near the end of one."""
        edge = self.random.choice(["2026-01-01 00:00", "2026-02-01 00:00", "2026-03-01 00:00"])
        if self.random.random() < 0.4:
            return paris(edge) + self.random.choice([-1, 0, 1, -3_600_000, 3_600_000])
        return self.random.randrange(paris("2025-12-01 00:00"), paris("2026-03-09 00:00"))

    def step(self, figure: str, ins: str) -> None:
        self.steps.append((figure, self.clock.now, ins))

    def enrol(self, ins: str) -> None:
        fate = self.random.random()
        self.clock.now = self.moment()
        if fate < 0.9:
            patients.notify(self.store, ins, actor="test")
            self.step("notified", ins)
            patients.notify(self.store, ins, actor="test")  # a second notice counts nobody twice
        self.clock.now += self.random.randrange(5 * DAY)
        if fate < 0.2:
            patients.oppose(self.store, ins, actor="test")
            self.step("opposed", ins)
            if fate > 0.05:
                return
        elif fate < 0.6:
            patients.open_profile(self.store, ins, DOMAIN, actor="test")
            self.step("created", ins)
        if not 0.4 < fate < 0.6:
            patients.activate(self.store, ins, DOMAIN, actor="test")
            if not 0.2 <= fate < 0.6:
                self.step("created", ins)
            self.step("activated", ins)
        if self.random.random() < 0.3:
            patients.close(self.store, ins, actor="test")
            self.step("closed", ins)
            if self.random.random() < 0.5:
                patients.reopen(self.store, ins, actor="test")
                self.clock.now += 20 * DAY
                patients.close(self.store, ins, actor="test")
                self.step("closed", ins)

    def having_box(self) -> list[str]:
        return [ins for ins in self.department if self.profile(ins).box_id is not None]

    def profile(self, ins: str) -> patients.Profile:
        found = self.store.read(patients.profile, ins)
        assert found is not None
        return found

    def write(self, number: int) -> None:
        self.clock.now = self.moment()
        ins = self.random.choice(self.having[: 60 if number % 3 else 9])
        addresses = sorted(LANE_OF)
        if number % 3:
            sender = self.random.choice(addresses if number % 7 else addresses[:2])
            self.received.append((sender, self.clock.now, ins))
            recipients, author, event = [f"{ins}@{DOMAIN}"], sender, "delivered"
        else:
            recipients = self.random.sample(addresses, self.random.choice([1, 1, 2, 3]))
            self.sent.append((self.clock.now, ins, recipients))
            author, event = f"{ins}@{DOMAIN}", self.random.choice(["accepted", "delivered"])
        self.store.write(_message, event=event, sender=author, recipients=recipients, trace_id=f"t{number}")

    @property
    def having(self) -> list[str]:
        if not hasattr(self, "_having"):
            self._having = self.having_box()
        return self._having

    def file(self, number: int) -> None:
        self.clock.now = self.moment()
        ins = self.random.choice(self.having)
        profile = self.profile(ins)
        if profile.state == "closed":
            return
        depositor = self.random.choice(sorted(LANE_OF))
        spool = self.store.spool()
        spool.write(b"<x/>")
        info = dossier.DocumentInfo(title="t", type_code="1", type_label="l", class_code="1", class_label="l",
                                    format_code="f", author="a")  # fmt: skip
        new = dossier.prepare_document(
            self.store, spool, box_id=profile.box_id or 0, unique_id=f"1.2.{number}", set_id="", version=1,
            author_id="", author_struct="", depositor=dossier.Depositor(address=depositor), created_at=1,
            content_sha256=spool.sha256, replaces=[], trace_id="t", message_id=0, info=info,
        )  # fmt: skip
        self.store.write(dossier.file_document, new=new)
        self.filed.append((depositor, self.clock.now, ins))

    def measure(self, number: int) -> None:
        """A measure that its patient adds; every tenth is an operator's import, which counts nothing."""
        self.clock.now = self.moment()
        ins = self.random.choice(self.having)
        profile = self.profile(ins)
        box = profile.box_id or 0
        if profile.state == "closed":
            return
        if number % 10 == 9:
            operator = activity.Actor(by="operator", ident="cli:x", reason="asked")
            rows = io.BytesIO(f"kind;date;value\nweight;2025-01-0{1 + number % 9};70,{number} kg\n".encode())
            assert dossier.measures.import_measures(self.store, box, operator, rows).added == 1
            return
        actor = self.store.read(activity.person, box, ins)
        kind = self.random.choice(["weight", "weight", "weight", "pain", "blood_pressure"])
        typed = {"weight": "70", "pain": "3", "blood_pressure": "12/8"}[kind]
        moment = dossier.measures.moments.at_instant(paris("2025-11-30 12:00"))
        dossier.measures.add(self.store, box, actor, dossier.measures.parse(kind, typed), moment)
        self.measured.append((kind, self.clock.now, ins))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("indicators")
    (folder / "files").mkdir()
    with pytest.MonkeyPatch.context() as patch, Store.open(folder / "home") as store:
        made = World(store, set_clock(patch), folder / "files")
        made.fill()
        yield made


def month(moment: int) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment)
    return at.astimezone(ZoneInfo("Europe/Paris")).strftime("%Y-%m")


def counted(world: World, by: By, since: int, until: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """(figure → label → things), (figure → things), each thing once: the second count."""
    rows: dict[str, Any] = defaultdict(lambda: defaultdict(set))
    total: dict[str, Any] = defaultdict(set)

    def label(moment: int, ins: str, address: str = "") -> str:
        return {
            "": "", "month": month(moment), "region": REGION_OF[world.department[ins]],
            "sector": LANE_OF.get(address, ""), "kind": "",
        }[by]  # fmt: skip

    def add(figure: str, place: str, thing: object) -> None:
        rows[figure][place].add(thing)
        total[figure].add(thing)

    within = [one for one in world.steps if since <= one[1] < until and by != "sector"]
    closings = {ins: (figure, moment) for figure, moment, ins in within if figure == "closed"}  # the last
    for figure, moment, ins in within:
        if figure != "closed" or closings[ins] == (figure, moment):
            add(figure, label(moment, ins), ins)
    for number, (sender, moment, ins) in enumerate(world.received):
        if since <= moment < until:
            add(RECEIVED, label(moment, ins, sender), number)
            add(WROTE, label(moment, ins, sender), sender)
    for number, (moment, ins, recipients) in enumerate(world.sent):
        if since <= moment < until:
            for address in recipients:
                add(SENT, label(moment, ins, address), number)
    for number, (depositor, moment, ins) in enumerate(world.filed):
        if since <= moment < until:
            add(FILED, label(moment, ins, depositor), number)
            add(WITH_DOCUMENT, label(moment, ins, depositor), ins)
    for number, (kind, moment, ins) in enumerate(world.measured):
        if since <= moment < until:
            place = dossier.measures.INFO[kind].english if by == "kind" else label(moment, ins)
            add(MEASURED, place, number)
            add(MEASURING, place, ins)
    return rows, total


BYS: tuple[By, ...] = ("", "month", "region", "sector", "kind")
PERIODS = [(0, paris("2026-04-01 00:00")), (paris("2025-12-15 00:00"), paris("2026-02-20 00:00"))]


@pytest.mark.parametrize("by", BYS)
@pytest.mark.parametrize(("since", "until"), PERIODS)
def test_every_figure_is_what_happened(
    world: World, monkeypatch: pytest.MonkeyPatch, by: By, since: int, until: int
) -> None:
    monkeypatch.setattr(suppression, "LEAST", 0)  # all is shown: the counting alone is looked at
    check(world, by, since, until)


@pytest.mark.package("postgres")
def test_figures_on_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "files").mkdir()
    with (
        postgres_server() as url,
        Store.open(tmp_path / "home", url=new_database(url, "figures")) as store,
    ):
        made = World(store, set_clock(monkeypatch), tmp_path / "files")
        made.fill(messages=60, documents=20)
        monkeypatch.setattr(suppression, "LEAST", 0)
        for by in BYS:
            check(made, by, *PERIODS[0])


def check(world: World, by: By, since: int, until: int) -> None:
    """Every cell and total of a table against the second count."""
    table = world.store.read(indicators, since=since, until=until, by=by)
    rows, total = counted(world, by, since, until)
    figures = {"sector": USE, "kind": MEASURES}.get(by, (*ENROLMENT, *USE, *MEASURES))
    assert tuple(table.total.figures) == figures
    for figure in figures:
        assert table.total.figures[figure] == len(total[figure]), figure
        told = {row.label: row.figures[figure] for row in table.rows}
        if by:
            assert {label: count for label, count in told.items() if count} == {
                label: len(things) for label, things in rows[figure].items()
            }, figure
    assert all(table.total.figures.values())


@pytest.mark.parametrize("by", BYS[1:])
def test_what_is_published_is_the_same_less_what_is_small(world: World, by: By) -> None:
    table = world.store.read(indicators, until=PERIODS[0][1], by=by)
    rows, total = counted(world, by, *PERIODS[0])
    hidden = 0
    for figure, told in table.total.figures.items():
        assert told == (len(total[figure]) if len(total[figure]) >= 10 else None)
        cells = [row.figures[figure] for row in table.rows]
        counts = [len(rows[figure][row.label]) for row in table.rows]
        assert cells == suppression.shown(counts, len(total[figure]))
        hidden += cells.count(None)
        assert cells.count(None) != 1
    assert hidden > (2 if by == "kind" else 5)
    if by == "region":
        assert [row.label for row in table.rows] == [places.UNKNOWN, *places.REGIONS]
        for row in [*table.rows, table.total]:
            for name, told_rate in row.rates.items():
                part, whole = name.replace("with a document", WITH_DOCUMENT).split(" of ")
                assert (told_rate is None) == (row.figures[part] is None or row.figures[whole] is None)


def test_rows_do_not_depend_on_what_was_counted(world: World) -> None:
    table = world.store.read(
        indicators, since=paris("2020-01-01 00:00"), until=paris("2020-03-01 00:00"), by="month"
    )
    assert [row.label for row in table.rows] == ["2020-01", "2020-02"]
    assert {value for row in [*table.rows, table.total] for value in row.figures.values()} == {None}
    assert world.store.read(indicators, until=0, by="month").rows == []


def test_the_sector_is_that_of_the_time(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes = places.Lanes()
    world.clock.now = paris("2026-03-20 12:00")
    world.load("SA01")
    look = lambda at: world.store.read(lambda conn: lanes.lane(conn, "dr.ville@med.mssante.fr", at))  # noqa: E731
    assert look(paris("2026-03-20 11:00")) == "town"
    assert look(paris("2026-03-20 13:00")) == "hospital"
    assert look(paris("2020-01-01 00:00")) == "unlisted"  # nobody was listed
    (tmp_path / "sectors.tsv").write_text("# ours\nSA01\tother\n", encoding="utf-8")
    own = places.Lanes(tmp_path)
    assert (
        world.store.read(lambda conn: own.lane(conn, "cardio@ch.mssante.fr", paris("2026-03-21 00:00")))
        == "other"
    )
    for wrong in ("SA01\tmoon\n", "SA01\n", "a\tb\tc\td\n"):
        (tmp_path / "sectors.tsv").write_text(wrong, encoding="utf-8")
        with pytest.raises(InvalidInputError) as caught:
            places.Lanes(tmp_path)
        assert caught.value.rule == "stats.sectors"


def test_wrong_periods(world: World) -> None:
    with pytest.raises(InvalidInputError):
        world.store.read(indicators, since=10, until=9)
    with pytest.raises(InvalidInputError):
        world.store.read(indicators, since=1, until=paris("2026-01-01 00:00") * 2, by="month")


def test_gauges_are_counted_once_an_hour(world: World) -> None:
    now, asked = [1], []
    kept = Kept(lambda: now[0])

    def read() -> Any:
        asked.append(now[0])
        return world.store.read(indicators)

    first = kept.totals(read)
    now[0] += 3_599_999
    assert kept.totals(read) is first
    now[0] += 1
    assert kept.totals(read) == first
    assert asked == [1, 3_600_001]


def test_every_departement_has_a_region() -> None:
    codes = [code for codes in places.REGIONS.values() for code in codes.split()]
    assert len(codes) == len(set(codes))
    metropolitan = {f"{number:02d}" for number in range(1, 96)} - {"20"} | {"2A", "2B"}
    assert metropolitan | {"971", "972", "973", "974", "976"} <= set(codes)
    assert places.region_of("99") == places.region_of("") == places.UNKNOWN
