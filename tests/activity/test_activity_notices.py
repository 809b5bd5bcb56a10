"""Who is told when: the wishes, the mark, the leases; on both databases."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import activity
from activity import WISHES, Cadence, News, Notice, Wish
from activity.wishes import due, retry_in
from patients import calendar
from store import Store, writer
from tests.activity.activity_support import Patient
from tests.patients.patients_support import Clock, paris

MINUTE, HOUR = 60_000, 3_600_000
CADENCE = Cadence(quiet_ms=10 * MINUTE, between_ms=4 * HOUR, hour=8)
moments = st.integers(paris("2024-01-01 00:00"), paris("2030-01-01 00:00"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("store.writer.now_ms", found)
    return found


# -- when -----------------------------------------------------------------------------------------


def _local(moment: int | None) -> datetime:
    assert moment is not None
    return datetime.fromtimestamp(moment / 1000, calendar.PARIS)


@given(st.sampled_from(WISHES), moments, st.none() | moments, st.booleans())
def test_nobody_is_told_before_or_too_often(wish: Wish, since: int, last: int | None, urgent: bool) -> None:
    moment = due(wish, since, last, urgent, CADENCE)
    if urgent:
        assert moment == since
        return
    if wish == "none":
        assert moment is None
        return
    assert moment is not None and moment > since
    if wish == "at_once":
        assert moment >= since + CADENCE.quiet_ms
        assert last is None or moment - last >= CADENCE.between_ms
        return
    assert last is None or moment > last
    local = _local(moment)
    assert (local.hour, local.minute) == (8, 0)
    days = 1 if wish == "daily" else 7
    assert moment - max(since, last or 0) <= days * 24 * HOUR + HOUR  # a day of 25 hours, once a year
    assert wish == "daily" or local.weekday() == 0


def test_failures_are_tried_again_later_each_time() -> None:
    waits = [retry_in(failures) for failures in range(1, 60)]
    assert waits[:4] == [MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE]
    assert waits == sorted(waits)
    assert waits[-1] == 6 * HOUR


# -- rows -----------------------------------------------------------------------------------------


def take(store: Store, patient: Patient, **more: bool) -> int:
    """News of one more record of evidence; its number."""
    mark = store.write(activity.begin_notices)
    one = News(box_id=patient.box_id, ins=patient.ins, seq=mark + 1, at=writer.now_ms(), **more)
    assert store.write(activity.take_news, after=mark, upto=mark + 1, news=[one], cadence=CADENCE)
    return one.seq


def claim(store: Store, owner: str = "one", lease_ms: int = HOUR) -> list[Notice]:
    return store.write(activity.claim_notices, owner=owner, lease_ms=lease_ms, limit=10, cadence=CADENCE)


def end(store: Store, taken: Notice, outcome: activity.Outcome = "sent") -> bool:
    return store.write(activity.end_notice, taken=taken, outcome=outcome, quota_level=0, cadence=CADENCE)


def test_a_mark_moves_once(either: Store, clock: Clock) -> None:
    patient = Patient(either)
    mark = either.write(activity.begin_notices)
    assert either.write(activity.begin_notices) == mark
    news = [News(box_id=patient.box_id, ins=patient.ins, seq=mark + 3, at=clock.now)]
    assert either.write(activity.take_news, after=mark, upto=mark + 3, news=news, cadence=CADENCE)
    assert not either.write(activity.take_news, after=mark, upto=mark + 3, news=news, cadence=CADENCE)
    held = either.read(activity.notice_of, patient.box_id, patient.ins)
    assert (held.news_seq, held.told_seq, held.since) == (mark + 3, 0, clock.now)
    assert held.due_at == clock.now + CADENCE.quiet_ms


def test_many_news_are_one_notice_and_the_next_one_waits(either: Store, clock: Clock) -> None:
    patient = Patient(either)
    first = clock.now
    for _ in range(50):
        last = take(either, patient)
        clock.now += 1000
    assert claim(either) == []
    clock.now = first + CADENCE.quiet_ms
    [taken] = claim(either)
    assert (taken.news_seq, taken.since) == (last, first)
    assert claim(either, "two") == []
    assert end(either, taken)
    take(either, patient)
    clock.now += CADENCE.quiet_ms
    assert claim(either) == []
    clock.now = first + CADENCE.quiet_ms + CADENCE.between_ms
    [again] = claim(either)
    assert again.told_seq == last
    assert either.read(activity.notice_counts)["sent"] == 1


def test_a_lease_is_one_process_s_until_it_runs_out(either: Store, clock: Clock) -> None:
    patient = Patient(either)
    take(either, patient, urgent=True)
    [dead] = claim(either, "dead", lease_ms=10 * MINUTE)
    assert claim(either, "alive") == []
    clock.now += 10 * MINUTE + 1
    [taken] = claim(either, "alive")
    assert not end(either, dead)  # it comes back after all: it has nothing to say any more
    either.write(activity.fail_notice, taken=dead, rule="signin.relay")
    assert end(either, taken)
    assert either.read(activity.notice_counts) == {
        "sent": 1,
        "failed": 0,
        "nothing": 0,
        "unreachable": 0,
        "wait": 0,
    }
    take(either, patient, urgent=True)
    assert len(claim(either, "killed")) == 1
    assert either.write(activity.release_notices, owner="killed") == 1
    assert len(claim(either, "killed")) == 1


def test_what_comes_while_a_notice_is_sent_is_told_next_time(either: Store, clock: Clock) -> None:
    patient = Patient(either)
    take(either, patient)
    clock.now += CADENCE.quiet_ms
    [taken] = claim(either)
    later = take(either, patient)
    assert end(either, taken)
    held = either.read(activity.notice_of, patient.box_id, patient.ins)
    assert held.waits
    assert held.due_at == clock.now + CADENCE.between_ms
    clock.now += CADENCE.between_ms
    [again] = claim(either)
    assert (again.told_seq, again.news_seq) == (taken.news_seq, later)
    assert end(either, again, "nothing")
    assert not either.read(activity.notice_of, patient.box_id, patient.ins).waits


def test_failures_back_off_and_keep_what_there_is_to_tell(either: Store, clock: Clock) -> None:
    patient = Patient(either)
    take(either, patient)
    clock.now += CADENCE.quiet_ms
    for failures in range(1, 5):
        [taken] = claim(either)
        assert taken.failures == failures - 1
        either.write(activity.fail_notice, taken=taken, rule="signin.relay")
        clock.now += retry_in(failures) - 1
        take(either, patient)  # more of it does not shorten the pause
        assert claim(either) == []
        clock.now += 1
    [taken] = claim(either)
    assert (taken.told_seq, taken.error) == (0, "signin.relay")
    assert end(either, taken)
    assert either.read(activity.notice_of, patient.box_id, patient.ins).failures == 0


def test_broken_glass_waits_for_nothing_whatever_is_wished(either: Store, clock: Clock) -> None:
    patient = Patient(either)
    activity.set_wish(either, patient.box_id, patient.actor, "none")
    take(either, patient)
    assert claim(either) == []
    clock.now += 30 * 24 * HOUR
    assert claim(either) == []
    take(either, patient, urgent=True)
    [taken] = claim(either)
    assert taken.urgent
    end(either, taken)
    take(either, patient)
    clock.now += 30 * 24 * HOUR
    assert claim(either) == []


@pytest.mark.parametrize(("wish", "wait"), [("daily", "2026-01-16 08:00"), ("weekly", "2026-01-19 08:00")])
def test_daily_and_weekly_come_in_the_morning(either: Store, clock: Clock, wish: Wish, wait: str) -> None:
    patient = Patient(either)
    take(either, patient)
    activity.set_wish(either, patient.box_id, patient.actor, wish)
    clock.now += CADENCE.quiet_ms
    assert claim(either) == []  # the wish was changed while it waited
    assert either.read(activity.notice_of, patient.box_id, patient.ins).due_at == paris(wait)
    clock.now = paris(wait)
    assert len(claim(either)) == 1


def test_a_wish_is_in_the_journal_and_strangers_have_none(either: Store, clock: Clock) -> None:
    patient, other = Patient(either), Patient(either, 2)
    activity.set_wish(either, patient.box_id, patient.actor, "weekly")
    [told] = either.read(activity.entries, either, patient.box_id)
    assert (told.what, told.by, told.details.more) == ("notices_changed", "patient", {"wish": "weekly"})
    with pytest.raises(activity.ActivityError) as caught:
        activity.set_wish(either, patient.box_id, other.actor, "none")
    assert caught.value.rule == "actor.stranger"
    assert either.read(activity.notice_of, patient.box_id, patient.ins).wish == "weekly"
