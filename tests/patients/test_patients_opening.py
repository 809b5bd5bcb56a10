"""Opening six weeks after the notice: never early, twice or never, whatever happens to the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import patients
from patients import ClockError, TransitionError, opening
from store import Store, StoreError, mail
from tests.patients.patients_support import (
    DAY,
    DOMAIN,
    HOUR,
    Clock,
    add,
    ins_of,
    paris,
    seven_weeks_pass,
    state,
    states,
)

SIX_WEEKS = 42 * DAY


def notify_all(store: Store, wanted: list[str]) -> None:
    for ins in wanted:
        patients.notify(store, ins, actor="campaign")


def run(store: Store, *, limit: int = 0, force: bool = False) -> int:
    return patients.open_due(store, DOMAIN, actor="test", limit=limit, force=force).opened


def test_to_the_millisecond_across_summer_time(store: Store, clock: Clock) -> None:
    clock.now = paris("2026-02-20 10:00")
    notify_all(store, add(store, 2))
    due = paris("2026-04-03 10:00")
    assert due - clock.now == SIX_WEEKS - HOUR
    for now in (clock.now, due - 2 * HOUR, due - 1):
        clock.now = now
        assert store.read(patients.count_due, now) == 0
        assert run(store, force=True) == 0
    clock.now = due
    assert store.read(patients.count_due, due) == 2
    assert run(store, force=True) == 2
    assert run(store) == 0


def test_when_the_hour_goes_back_it_is_an_hour_later(store: Store, clock: Clock) -> None:
    clock.now = paris("2026-09-20 10:00")
    notify_all(store, add(store, 1))
    clock.now += SIX_WEEKS
    assert run(store, force=True) == 0
    clock.now += HOUR
    assert run(store) == 1


def test_only_who_is_notified(store: Store, clock: Clock) -> None:
    known, notified, opposed, activated, closed = add(store, 5)
    notify_all(store, [notified, opposed, activated, closed])
    patients.oppose(store, opposed, actor="x")
    patients.activate(store, activated, DOMAIN, actor="x")
    patients.activate(store, closed, DOMAIN, actor="x")
    patients.close(store, closed, actor="x")
    clock.now += SIX_WEEKS
    assert run(store) == 1
    assert [state(store, ins) for ins in (known, notified, opposed, activated, closed)] == [
        "known", "opened", "opposed", "activated", "closed",
    ]  # fmt: skip
    opened = store.read(patients.profile, notified)
    assert opened is not None
    assert (opened.address, opened.opened_at) == (f"{notified}@{DOMAIN}", clock.now)
    last = store.read(patients.history, notified)[-1]
    assert (last.event, last.from_state, last.to_state, last.actor) == ("open", "notified", "opened", "test")
    assert store.read(patients.check_history).broken == []


def test_a_second_notice_begins_the_six_weeks_again(store: Store, clock: Clock) -> None:
    [ins] = add(store, 1)
    notify_all(store, [ins])
    clock.now += SIX_WEEKS - DAY
    notify_all(store, [ins])
    clock.now += 2 * DAY
    assert run(store) == 0
    clock.now += SIX_WEEKS
    assert run(store, force=True) == 1


def test_slices_and_limit(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "SLICE", 7)
    notify_all(store, add(store, 40))
    clock.now += SIX_WEEKS
    assert run(store, limit=10) == 10
    told: list[tuple[int, int]] = []
    patients.open_due(store, DOMAIN, actor="t", progress=lambda done, total: told.append((done, total)))
    assert told[:2] == [(7, 30), (14, 30)]
    assert states(store) == {"opened": 40}


def test_an_address_that_is_taken_stops_nobody_else(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "SLICE", 2)
    wanted = add(store, 5)
    notify_all(store, wanted)
    for ins in wanted[:3]:
        store.create_box(address=f"{ins}@{DOMAIN}", kind="patient", owner="another")
    clock.now += SIX_WEEKS
    report = patients.open_due(store, DOMAIN, actor="t")
    assert (report.opened, report.taken) == (2, 3)
    assert [state(store, ins) for ins in wanted] == ["notified"] * 3 + ["opened"] * 2


def test_no_domain_no_opening(store: Store) -> None:
    with pytest.raises(TransitionError) as caught:
        patients.open_due(store, "", actor="t")
    assert caught.value.rule == "patient.box"


# -- the box of one who has not come yet ------------------------------------------------------------


def test_the_box_receives_and_is_whole_at_activation(store: Store, clock: Clock) -> None:
    [ins] = add(store, 1)
    notify_all(store, [ins])
    clock.now += SIX_WEEKS
    patients.open_due(store, DOMAIN, actor="t", quota=10**6)
    opened = store.read(patients.profile, ins)
    assert opened is not None and opened.box_id is not None
    assert [one.name for one in store.read(mail.folders, opened.box_id)] == ["INBOX"]
    spool = store.spool()
    spool.write(b"Bonjour")
    message = store.new_message(opened.box_id, spool, b"meta")
    appended = store.write(mail.append, box_id=opened.box_id, folder_id=mail.INBOX_ID, message=message)
    activated = patients.activate(store, ins, DOMAIN, actor="marie")
    assert activated.box_id == opened.box_id
    folders = store.read(mail.folders, opened.box_id)
    assert {one.name for one in folders} == {name for name, _ in mail.STANDARD_FOLDERS}
    [inbox] = [one for one in folders if one.name == "INBOX"]
    assert inbox.uidvalidity == appended.uidvalidity
    found = store.read(lambda conn: store.messages(conn, opened.box_id or 0, [message.message_id]))
    assert b"".join(store.open_body(found[message.message_id]).chunks()) == b"Bonjour"
    outbox = store.read(mail.folder_by_id, opened.box_id, mail.OUTBOX_ID)
    assert outbox is not None and outbox.hidden
    box = store.read(mail.box_by_id, opened.box_id)
    assert box is not None and box.quota == 10**6


def test_folders_that_the_patient_changed_stay_so(store: Store) -> None:
    [ins] = add(store, 1)
    box_id = patients.activate(store, ins, DOMAIN, actor="x").box_id
    assert box_id is not None
    [drafts] = [one for one in store.read(mail.folders, box_id) if one.name == "Brouillons"]
    store.write(mail.delete_folder, box_id=box_id, folder_id=drafts.folder_id)
    patients.close(store, ins, actor="x")
    patients.reopen(store, ins, actor="x")
    assert "Brouillons" not in {one.name for one in store.read(mail.folders, box_id)}


# -- the clock ----------------------------------------------------------------------------------------


def test_a_clock_that_leapt_opens_nothing(store: Store, clock: Clock) -> None:
    notify_all(store, add(store, 1))
    right = clock.now
    assert run(store) == 0  # the night before
    clock.now = right + SIX_WEEKS + DAY
    with pytest.raises(ClockError) as caught:
        run(store)
    assert caught.value.rule == "patient.clock"
    with pytest.raises(ClockError):
        patients.expire_archives(store, actor="t")
    assert states(store) == {"notified": 1}
    clock.now = right + DAY  # it was corrected
    assert run(store) == 0
    for _ in range(20):  # the nights go on
        clock.now += 2 * DAY
        assert run(store) == 0
    clock.now = right + SIX_WEEKS
    assert run(store) == 1


def test_forced_where_the_gateway_was_stopped(store: Store, clock: Clock) -> None:
    notify_all(store, add(store, 1))
    run(store)
    clock.now += SIX_WEEKS
    assert run(store, force=True) == 1


def test_a_clock_that_went_back_opens_later(store: Store, clock: Clock) -> None:
    notify_all(store, add(store, 2))
    clock.now += SIX_WEEKS - DAY
    assert run(store) == 0
    clock.now -= 400 * DAY
    assert run(store) == 0
    clock.now += 401 * DAY
    assert run(store) == 2


# -- interrupted, or twice at once -----------------------------------------------------------------


def test_two_runs_at_once_open_each_once(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "SLICE", 5)
    wanted = add(store, 60)
    notify_all(store, wanted)
    clock.now += SIX_WEEKS
    opened: list[int] = []
    threads = [threading.Thread(target=lambda: opened.append(run(store))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(opened) == 60
    for ins in wanted:
        assert [one.event for one in store.read(patients.history, ins)] == ["import", "notify", "open"]


def test_stopped_between_slices(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "SLICE", 5)
    notify_all(store, add(store, 12))
    clock.now += SIX_WEEKS

    def stop(_done: int, _total: int) -> None:
        raise StoreError("test", "stop")

    with pytest.raises(StoreError):
        patients.open_due(store, DOMAIN, actor="t", progress=stop)
    assert states(store) == {"notified": 7, "opened": 5}
    assert run(store) == 7


KILLED = """
import sys
from pathlib import Path
import patients
from patients import opening
from store import Store
opening.SLICE = 5
with Store.open(Path(sys.argv[1])) as store:
    patients.open_due(store, "patient.exemple.fr", actor="test", force=True)
"""


@pytest.mark.parametrize(
    "point", ["writer.before_commit:3", "writer.after_commit:4", "writer.before_commit:6"]
)
def test_killed_at_any_moment(tmp_path: Path, point: str) -> None:
    home = tmp_path / "home"
    with Store.open(home) as store:
        wanted = add(store, 23)
        notify_all(store, wanted)
        store.write(seven_weeks_pass)
    run_ = subprocess.run(
        [sys.executable, "-c", KILLED, str(home)],
        env=os.environ | {"PASSERELLE_KILL_AT": point},
        check=False,
    )
    assert run_.returncode == -signal.SIGKILL
    with Store.open(home) as store:
        assert set(states(store)) <= {"notified", "opened"}
        assert states(store).get("notified", 0) > 0
        patients.open_due(store, DOMAIN, actor="again")
        for ins in wanted:
            assert [one.event for one in store.read(patients.history, ins)] == ["import", "notify", "open"]
        boxes = store.read(mail.boxes, "patient")
        assert sorted(box.owner for box in boxes) == sorted(wanted)
        assert store.read(patients.check_history).broken == []
    assert ins_of(0) in wanted


def test_the_history_of_a_killed_run_is_whole_sqlite(tmp_path: Path) -> None:
    """A slice is there with its evidence, or not at all."""
    home = tmp_path / "home"
    with Store.open(home) as store:
        notify_all(store, add(store, 6))
        store.write(seven_weeks_pass)
    env = os.environ | {"PASSERELLE_KILL_AT": "writer.before_commit:3"}
    subprocess.run([sys.executable, "-c", KILLED, str(home)], env=env, check=False)
    with Store.open(home) as store:
        assert states(store) == {"notified": 6}
        report = store.read(patients.check_history)
        assert (report.steps, report.unproven, report.broken) == (12, 0, [])
