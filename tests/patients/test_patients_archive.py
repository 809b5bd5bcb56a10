"""The end of what a closed profile held: after ten years, or as the person asked; never before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, update

import patients
from patients import TransitionError, archive, calendar
from patients.tables import credential, patient, provisional_code
from store import Store, StoreError, Tx, mail, operation
from tests.patients.patients_support import DAY, DOMAIN, Clock, add, paris, person, state, states


def closed(store: Store, count: int = 1) -> list[str]:
    """Profiles with something in their boxes, closed now."""
    wanted = add(store, count)
    for ins in wanted:
        profile = patients.activate(store, ins, DOMAIN, actor="marie")
        assert profile.box_id is not None
        spool = store.spool()
        spool.write(b"Bonjour " + ins.encode())
        message = store.new_message(profile.box_id, spool, b"meta")
        store.write(mail.append, box_id=profile.box_id, folder_id=mail.INBOX_ID, message=message)
        patients.close(store, ins, actor="marie")
    return wanted


def body(store: Store, ins: str) -> bytes:
    """What the box of a profile holds; raises :class:`StoreError` when it cannot be read."""
    profile = store.read(patients.profile, ins)
    assert profile is not None and profile.box_id is not None
    box_id = profile.box_id
    [entry] = store.read(mail.entries, box_id, mail.INBOX_ID)
    found = store.read(lambda conn: store.messages(conn, box_id, [entry.message_id]))
    return b"".join(store.open_body(found[entry.message_id]).chunks())


def run(store: Store) -> tuple[int, int]:
    done = patients.expire_archives(store, actor="test", force=True)
    return done.expired, done.deleted


@pytest.mark.parametrize(
    ("closed_at", "until"),
    [("2026-03-01 08:00", "2036-03-01 08:00"), ("2028-02-29 08:00", "2038-03-01 08:00")],
)
def test_ten_years_to_the_millisecond(store: Store, clock: Clock, closed_at: str, until: str) -> None:
    clock.now = paris(closed_at)
    [ins] = closed(store)
    clock.now = paris(until) - 1
    assert store.read(patients.count_ended, clock.now) == 0
    assert run(store) == (0, 0)
    assert body(store, ins) == b"Bonjour " + ins.encode()
    clock.now += 1
    assert store.read(patients.count_ended, clock.now) == 1
    assert run(store) == (1, 0)
    assert run(store) == (0, 0)
    assert state(store, ins) == "deleted"
    with pytest.raises(StoreError, match="content destroyed"):
        body(store, ins)
    last = store.read(patients.history, ins)[-1]
    assert (last.event, last.from_state, last.to_state) == ("expire", "closed", "deleted")
    assert store.read(patients.check_history).broken == []


def test_reopened_in_time_with_everything(store: Store, clock: Clock) -> None:
    [ins] = closed(store)
    clock.now = paris("2036-01-14 10:00")
    reopened = patients.reopen(store, ins, actor="marie")
    assert (reopened.state, reopened.erase_at) == ("activated", None)
    assert body(store, ins) == b"Bonjour " + ins.encode()
    clock.now += 400 * DAY
    assert run(store) == (0, 0)
    patients.close(store, ins, actor="marie")
    clock.now += 400 * DAY
    assert run(store) == (0, 0)  # ten years since the second closing


def test_deleted_at_once(store: Store, tmp_path: Path) -> None:
    [ins] = closed(store)
    patients.reopen(store, ins, actor="marie")
    before = store.read(patients.profile, ins)
    assert before is not None and before.box_id is not None
    patients.add_app_password(store, before.box_id, "téléphone")
    patients.close(store, ins, actor="marie")
    gone = patients.ask_deletion(store, ins, actor="marie", reason="asked by letter")
    assert (gone.state, gone.box_id, gone.address) == ("deleted", before.box_id, f"{ins}@{DOMAIN}")
    assert (gone.birth_name, gone.given_names, gone.birth_date, gone.sex, gone.name) == ("", [], "", "", "")
    assert gone.deleted_at is not None and gone.erase_at is None
    with pytest.raises(StoreError, match="content destroyed"):
        body(store, ins)
    assert store.read(lambda conn: conn.scalar(select(credential.c.box_id))) is None
    assert store.read(mail.wrapped_key, before.box_id) is None
    assert [one.event for one in store.read(patients.history, ins)][-2:] == ["close", "delete"]


def test_a_deletion_to_come(store: Store, clock: Clock) -> None:
    one, other = closed(store, 2)
    at = calendar.latest_deletion(clock.now)
    with pytest.raises(TransitionError) as caught:
        patients.ask_deletion(store, one, actor="marie", at=at + 1)
    assert caught.value.rule == "patient.deletion"
    for ins in (one, other):
        asked = patients.ask_deletion(store, ins, actor="marie", at=at)
        assert (asked.state, asked.erase_at, asked.closed_at) == ("closed", at, clock.now)
    patients.reopen(store, other, actor="marie")  # he thought better of it
    clock.now = at - 1
    assert run(store) == (0, 0)
    clock.now = at
    assert run(store) == (0, 1)
    assert (state(store, one), state(store, other)) == ("deleted", "activated")
    assert store.read(patients.history, one)[-1].event == "delete"


@pytest.mark.parametrize("verb", ["activate", "notify", "oppose", "reopen", "close", "suspend", "resume"])
def test_nothing_comes_after(store: Store, verb: str) -> None:
    [ins] = closed(store)
    patients.ask_deletion(store, ins, actor="marie")
    with pytest.raises(TransitionError, match="deleted for good, and its address is never given again"):
        store.write(patients.change, ins=ins, event=verb, actor="x", domain=DOMAIN, wrapped_key=b"k")


@pytest.mark.parametrize("first", ["known", "opposed", "activated"])
def test_only_of_closed_profiles(store: Store, first: str) -> None:
    [ins] = add(store, 1)
    if first == "opposed":
        patients.oppose(store, ins, actor="x")
    if first == "activated":
        patients.activate(store, ins, DOMAIN, actor="x")
    with pytest.raises(TransitionError, match="close it first" if first == "activated" else "never open"):
        patients.ask_deletion(store, ins, actor="x")


def test_the_address_is_never_given_again(store: Store) -> None:
    [ins] = closed(store)
    patients.ask_deletion(store, ins, actor="marie")
    counted = store.write(patients.add_persons, persons=[person(0)], actor="import")
    assert (counted.added, counted.changed, counted.deleted) == (0, 0, [ins])
    profile = store.read(patients.profile, ins)
    assert profile is not None and profile.birth_name == ""
    with pytest.raises(StoreError, match="has a box already"):
        store.create_box(address=f"{ins}@{DOMAIN}", kind="patient", owner="another")


def test_profiles_closed_by_an_older_version_get_their_date(store: Store, clock: Clock) -> None:
    wanted = closed(store, 3)

    store.write(forget_dates)
    assert run(store) == (0, 0)
    for ins in wanted:
        profile = store.read(patients.profile, ins)
        assert profile is not None and profile.erase_at == calendar.archived_until(clock.now)


@operation("test.forget_dates")
def forget_dates(tx: Tx) -> None:
    tx.conn.execute(update(patient).values(erase_at=None))


@operation("test.eleven_years_pass")
def eleven_years_pass(tx: Tx) -> None:
    tx.conn.execute(update(patient).values(erase_at=calendar.archived_until(1), closed_at=1))


KILLED = """
import sys
from pathlib import Path
import patients
from patients import archive
from store import Store
archive.SLICE = 2
with Store.open(Path(sys.argv[1])) as store:
    patients.expire_archives(store, actor="test", force=True)
"""


@pytest.mark.parametrize("point", ["writer.before_commit:4", "writer.after_commit:4"])
def test_killed_at_any_moment(tmp_path: Path, point: str) -> None:
    home = tmp_path / "home"
    with Store.open(home) as store:
        wanted = closed(store, 7)
        store.write(eleven_years_pass)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(home)], env=os.environ | {"PASSERELLE_KILL_AT": point}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    with Store.open(home) as store:
        assert 0 < states(store)["closed"] < 7 or point.startswith("writer.before")
        run(store)
        assert states(store) == {"deleted": 7}
        for ins in wanted:
            assert [one.event for one in store.read(patients.history, ins)].count("expire") == 1
        assert store.read(patients.check_history).broken == []


def test_what_other_rooms_keep_goes_in_the_same_transaction(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped: list[int] = []
    monkeypatch.setattr("patients.erasure._erasers", [lambda tx, box_id: dropped.append(box_id)])
    [ins] = closed(store)
    gone = patients.ask_deletion(store, ins, actor="marie")
    assert dropped == [gone.box_id]


def test_codes_go_too(store: Store, tmp_path: Path) -> None:
    [ins] = add(store, 1)
    patients.run_campaign(store, tmp_path / "o.csv", channel="letter", file=None, actor="t")
    patients.open_profile(store, ins, DOMAIN, actor="t")
    patients.close(store, ins, actor="t")
    assert store.read(lambda conn: conn.scalar(select(provisional_code.c.ins))) == ins
    patients.ask_deletion(store, ins, actor="t")
    assert store.read(lambda conn: conn.scalar(select(provisional_code.c.ins))) is None
    assert archive.SLICE > 1
