"""Campaigns: who is told, the mailing file; an interruption notifies nobody twice and loses no code."""

from __future__ import annotations

import csv
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import patients
from patients import CampaignError, ClockError, PersonsFileError, campaign, run_campaign
from patients.codes import ALPHABET, MOST_FAILURES
from patients.mailing import COLUMNS
from store import Store, Tx, operation
from tests.patients.patients_support import DAY, DOMAIN, Clock, add, ins_of, state, states


@operation("test.check_code")
def check_code(tx: Tx, *, ins: str, code: str) -> bool:
    return patients.check_provisional_code(tx, ins, code)


@operation("test.new_code")
def new_code(tx: Tx, *, ins: str, lifetime_ms: int) -> str:
    return patients.new_provisional_code(tx, ins, purpose="entry", lifetime_ms=lifetime_ms)


@operation("test.check_entry_code")
def check_entry_code(tx: Tx, *, ins: str, code: str) -> bool:
    return patients.check_provisional_code(tx, ins, code, purpose="entry")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def good(store: Store, row: dict[str, str]) -> bool:
    return store.write(check_code, ins=row["ins"], code=row["code"])


def everyone(store: Store, out: Path, **options: bool) -> patients.CampaignReport:
    return run_campaign(store, out, channel="letter", file=None, actor="test", **options)


def test_all_known(store: Store, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "SLICE", 4)
    wanted = add(store, 11)
    patients.oppose(store, wanted[3], actor="x")
    out = tmp_path / "letters.csv"
    told: list[tuple[int, int]] = []
    report = run_campaign(
        store,
        out,
        channel="letter",
        file=None,
        actor="test",
        progress=lambda done, total: told.append((done, total)),
    )
    assert (report.notified, report.skipped, told[-1]) == (10, {}, (10, 10))
    assert states(store) == {"notified": 10, "opposed": 1}
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert not out.with_name("letters.csv.part").exists()
    found = rows(out)
    assert list(found[0]) == list(COLUMNS)
    assert sorted(row["ins"] for row in found) == sorted(set(wanted) - {wanted[3]})
    assert len({row["code"] for row in found}) == 10
    assert all(good(store, row) for row in found)
    assert (found[0]["birth_name"], found[0]["given_names"]) == ("EXEMPLE", "MARIE ANNE")
    assert (found[0]["opens_on"], found[0]["code_until"]) == ("2026-02-26", "2026-04-15")
    assert {len(row["code"].replace("-", "")) for row in found} == {12}
    last = store.read(patients.history, wanted[0])[-1]
    assert (last.event, last.reason) == ("notify", f"campaign {report.campaign_id} by letter")
    [kept] = store.read(patients.campaigns)
    assert (kept.notified, kept.channel, kept.size) == (10, "letter", out.stat().st_size)
    assert kept.finished_at is not None
    assert store.read(patients.check_history).broken == []


def test_only_hashes_are_kept(store: Store, tmp_path: Path) -> None:
    add(store, 3)
    everyone(store, tmp_path / "o.csv")
    kept = repr(store.read(lambda conn: conn.exec_driver_sql("SELECT * FROM provisional_code").all()))
    for row in rows(tmp_path / "o.csv"):
        assert row["ins"] in kept
        assert row["code"] not in kept
        assert row["code"].replace("-", "") not in kept


def test_from_a_file(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "SLICE", 3)
    wanted = add(store, 4)
    patients.activate(store, wanted[2], DOMAIN, actor="x")
    file = tmp_path / "who.csv"
    lines = [
        "street;INS;email",
        f"1 rue du Lac;{wanted[0]};a@exemple.fr",
        f'"2; rue, du Lac";{wanted[1]};b@exemple.fr',
        f"x;{wanted[0]};twice@exemple.fr",
        f"x;{wanted[2]};c@exemple.fr",
        f"x;{ins_of(99)};d@exemple.fr",
        "x;12;e@exemple.fr",
        "x;y",
        'x;"y',
    ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    report = run_campaign(store, tmp_path / "o.csv", channel="email", file=file, actor="test")
    assert report.notified == 2
    assert report.skipped == {"twice in the source": 1, "activated": 1, "unknown": 1}
    assert [bad.line for bad in report.bad] == [7, 8, 9]
    found = rows(tmp_path / "o.csv")
    assert [(row["ins"], row["street"], row["email"]) for row in found] == [
        (wanted[0], "1 rue du Lac", "a@exemple.fr"),
        (wanted[1], "2; rue, du Lac", "b@exemple.fr"),
    ]
    assert states(store) == {"activated": 1, "known": 1, "notified": 2}


@pytest.mark.parametrize(
    ("header", "rule"),
    [("name;x", "patients.header"), ("ins;code", "patients.header"), ("ins;INS", "patients.header")],
)
def test_unusable_sources(store: Store, tmp_path: Path, header: str, rule: str) -> None:
    file = tmp_path / "who.csv"
    file.write_text(header + "\n")
    with pytest.raises(PersonsFileError) as caught:
        run_campaign(store, tmp_path / "o.csv", channel="email", file=file, actor="test")
    assert caught.value.rule == rule
    assert list(tmp_path.glob("o.csv*")) == []
    with pytest.raises(PersonsFileError):
        run_campaign(store, tmp_path / "o.csv", channel="email", file=tmp_path / "none.csv", actor="test")


def test_a_file_that_is_there_is_left_alone(store: Store, tmp_path: Path) -> None:
    add(store, 1)
    out = tmp_path / "o.csv"
    out.write_text("mine")
    with pytest.raises(CampaignError, match="exists already"):
        everyone(store, out)
    assert out.read_text() == "mine"
    assert states(store) == {"known": 1}
    with pytest.raises(CampaignError, match="cannot be written"):
        everyone(store, tmp_path / "nowhere" / "o.csv")


def test_again(store: Store, tmp_path: Path, clock: Clock) -> None:
    wanted = add(store, 3)
    everyone(store, tmp_path / "1.csv")
    clock.now += DAY
    assert everyone(store, tmp_path / "2.csv").notified == 0
    assert everyone(store, tmp_path / "3.csv", again=True).notified == 3
    for ins in wanted:
        found = store.read(patients.profile, ins)
        assert found is not None and found.notified_at == clock.now
    first, last = rows(tmp_path / "1.csv"), rows(tmp_path / "3.csv")
    assert not any(good(store, row) for row in first)
    assert all(good(store, row) for row in last)


def test_nothing_is_dated_by_a_clock_that_went_back(store: Store, tmp_path: Path, clock: Clock) -> None:
    add(store, 2)
    patients.open_due(store, DOMAIN, actor="t")
    clock.now -= 400 * DAY
    with pytest.raises(ClockError) as caught:
        everyone(store, tmp_path / "o.csv")
    assert caught.value.rule == "patient.clock"
    assert states(store) == {"known": 2}
    assert everyone(store, tmp_path / "o.csv", force=True).notified == 2


def test_someone_objects_while_the_slice_is_printed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = add(store, 5)
    add_ = campaign.MailingFile.add
    once = iter([True])

    def add_and_object(self: campaign.MailingFile, data: bytes) -> int:
        size = add_(self, data)
        if data.startswith(wanted[0].encode()) and next(once, False):
            patients.oppose(store, wanted[2], actor="x")
        return size

    monkeypatch.setattr(campaign.MailingFile, "add", add_and_object)
    report = everyone(store, tmp_path / "o.csv")
    assert report.notified == 4
    found = rows(tmp_path / "o.csv")
    assert sorted(row["ins"] for row in found) == sorted(set(wanted) - {wanted[2]})
    assert all(good(store, row) for row in found)


# -- interrupted ---------------------------------------------------------------------------------------

KILLED = """
import sys
from pathlib import Path
import patients
from patients import campaign
from store import Store
campaign.SLICE = 4
home, out, file = map(Path, sys.argv[1:])
with Store.open(home) as store:
    patients.run_campaign(
        store, out, channel="letter", file=file if file.name != "all" else None, actor="test"
    )
"""
POINTS = [
    "writer.before_commit:1",
    "writer.after_commit:1",
    "campaign.written:1",
    "campaign.written:3",
    "campaign.committed:2",
    "writer.before_commit:3",
    "campaign.renamed:1",
]


@pytest.mark.parametrize("source", ["all", "file"])
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_moment(
    tmp_path: Path, point: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, out, file = tmp_path / "home", tmp_path / "o.csv", tmp_path / source
    with Store.open(home) as store:
        wanted = add(store, 14)
    if source == "file":
        file.write_text("ins;to\n" + "".join(f"{ins};n° {ins}\n" for ins in wanted), encoding="utf-8")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(home), str(out), str(file)],
        env=os.environ | {"PASSERELLE_KILL_AT": point},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    with Store.open(home) as store:
        before = states(store).get("notified", 0)
        monkeypatch.setattr(campaign, "SLICE", 3)
        report = run_campaign(
            store, out, channel="letter", file=file if source == "file" else None, actor="again"
        )
        assert (report.before, report.notified) == (before, 14 - before)
        found = rows(out)
        assert [row["ins"] for row in found] == sorted(wanted)
        assert all(good(store, row) for row in found)
        for ins in wanted:
            assert [one.event for one in store.read(patients.history, ins)] == ["import", "notify"]
        assert store.read(patients.check_history).broken == []
        assert [one.finished_at is not None for one in store.read(patients.campaigns)] == [True]
    assert not out.with_name("o.csv.part").exists()


@pytest.fixture
def interrupted(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A campaign of ten persons that stopped after four; its mailing file."""
    monkeypatch.setattr(campaign, "SLICE", 4)
    add(store, 10)

    class StopError(Exception):
        pass

    def stop(_done: int, _total: int) -> None:
        raise StopError

    with pytest.raises(StopError):
        run_campaign(store, tmp_path / "o.csv", channel="letter", file=None, actor="test", progress=stop)
    assert states(store) == {"known": 6, "notified": 4}
    return tmp_path / "o.csv"


def test_it_goes_on_with_the_same_options_only(store: Store, interrupted: Path) -> None:
    with pytest.raises(CampaignError, match="another source"):
        run_campaign(store, interrupted, channel="email", file=None, actor="test")
    with pytest.raises(CampaignError, match="another source"):
        everyone(store, interrupted, again=True)
    assert everyone(store, interrupted).notified == 6
    assert len(rows(interrupted)) == 10


def test_a_mailing_file_that_was_lost_is_told(store: Store, interrupted: Path) -> None:
    part = interrupted.with_name("o.csv.part")
    kept = part.read_bytes()
    for data in (b"", kept[:-3], b"x" * len(kept)):
        part.write_bytes(data)
        with pytest.raises(CampaignError, match="its codes are lost"):
            everyone(store, interrupted)
    part.write_bytes(kept + b"half a row")
    assert everyone(store, interrupted).notified == 6
    assert len(rows(interrupted)) == 10


def test_one_process_at_a_time(store: Store, tmp_path: Path) -> None:
    add(store, 2)
    holder = campaign.MailingFile(tmp_path / "o.csv", ["x"])
    with pytest.raises(CampaignError, match="another process"):
        everyone(store, tmp_path / "o.csv")
    holder.close()
    assert everyone(store, tmp_path / "o.csv").notified == 2


# -- codes ---------------------------------------------------------------------------------------------


def test_codes_of_other_purposes_and_persons(store: Store, tmp_path: Path, clock: Clock) -> None:
    one, other = add(store, 2)
    code = store.write(new_code, ins=one, lifetime_ms=DAY)
    assert set(code) <= set(ALPHABET) | {"-"}
    assert store.write(check_entry_code, ins=one, code=code.lower().replace("-", " "))
    assert not store.write(check_code, ins=one, code=code)
    assert not store.write(check_entry_code, ins=other, code=code)
    for wrong in ("", code[:-1], "\udcff", "é" * 1000, code + "A"):
        assert not store.write(check_entry_code, ins=one, code=wrong)
    newer = store.write(new_code, ins=one, lifetime_ms=DAY)
    assert not store.write(check_entry_code, ins=one, code=code)
    clock.now += DAY - 1
    assert store.write(check_entry_code, ins=one, code=newer)
    clock.now += 1
    assert not store.write(check_entry_code, ins=one, code=newer)


def test_guessing_ends_a_code(store: Store) -> None:
    [ins] = add(store, 1)
    code = store.write(new_code, ins=ins, lifetime_ms=DAY)
    for _ in range(MOST_FAILURES):
        assert not store.write(check_entry_code, ins=ins, code="AAAA-AAAA-AAAA")
    assert not store.write(check_entry_code, ins=ins, code=code)


@pytest.mark.parametrize("event", ["activate", "oppose"])
def test_a_code_has_served(store: Store, tmp_path: Path, event: str) -> None:
    [ins] = add(store, 1)
    everyone(store, tmp_path / "o.csv")
    [row] = rows(tmp_path / "o.csv")
    assert good(store, row)
    if event == "activate":
        patients.activate(store, ins, DOMAIN, actor="marie")
    else:
        patients.oppose(store, ins, actor="marie")
    assert not good(store, row)
    assert state(store, ins) in ("activated", "opposed")
