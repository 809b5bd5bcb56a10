"""Any sequence of events, runs and clock moves, beside a plain model that knows nothing of the store.

What must hold: nobody is opened early, twice, or left out when due; a box and its address belong to one
person for ever; a key is there exactly until the deletion; the history is what the model saw.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import patients
from patients import EVENTS, calendar
from patients.states import Event
from store import PasserelleError, Store, mail
from tests.patients.patients_support import DAY, DOMAIN, HOUR, ins_of, paris, person, set_clock

PEOPLE = 4
NEXT: dict[str, dict[str, str]] = {
    "known": {"notify": "notified", "activate": "activated", "oppose": "opposed"},
    "notified": {"notify": "notified", "open": "opened", "activate": "activated", "oppose": "opposed"},
    "opened": {"activate": "activated", "close": "closed"},
    "activated": {"close": "closed", "suspend": "suspended"},
    "opposed": {"activate": "activated"},
    "closed": {"reopen": "activated", "ask_delete": "closed", "delete": "deleted", "expire": "deleted"},
    "suspended": {"resume": "activated", "close": "closed"},
    "deleted": {},
}


def wall(moment: int) -> datetime:
    """The clock in Paris; the machine never stops it in the hours that come twice or not at all."""
    return datetime.fromtimestamp(moment / 1000, calendar.PARIS).replace(tzinfo=None)


def ten_years_later(moment: int) -> datetime:
    then = wall(moment)
    try:
        return then.replace(year=then.year + 10)
    except ValueError:
        return then.replace(year=then.year + 10, month=3, day=1)


@dataclass
class Model:
    """One person as the model sees him."""

    state: str = "known"
    notified_at: int = 0
    closed_at: int = 0
    delete_at: int | None = None
    box_id: int | None = None
    events: list[str] = field(default_factory=lambda: ["import"])

    def happens(self, event: str, now: int) -> None:
        self.state = NEXT[self.state][event]
        self.events.append(event)
        if event == "notify":
            self.notified_at = now
        if event == "close":
            self.closed_at, self.delete_at = now, None
        if event == "ask_delete":
            self.delete_at = now + 30 * DAY

    def due(self, now: int) -> bool:
        return self.state == "notified" and wall(now) >= wall(self.notified_at) + timedelta(days=42)

    def over(self, now: int) -> str:
        """The event that ends the archive now, or ""."""
        if self.state != "closed":
            return ""
        end = ten_years_later(self.closed_at)
        if self.delete_at is not None and wall(self.delete_at) < end:
            return "delete" if now >= self.delete_at else ""
        return "expire" if wall(now) >= end else ""


class Population(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.clock = set_clock(self.patch)
        self.clock.now = paris("2026-02-10 10:17")
        self.folder = tempfile.TemporaryDirectory(prefix="population-")
        self.store = Store.open(Path(self.folder.name) / "home")
        self.people = {ins_of(number): Model() for number in range(PEOPLE)}
        self.import_()
        self.campaigns = 0

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()
        self.patch.undo()

    @rule()
    def import_(self) -> None:
        persons = [person(number) for number in range(PEOPLE)]
        counted = self.store.write(patients.add_persons, persons=persons, actor="test")
        gone = [ins for ins, model in self.people.items() if model.state == "deleted"]
        assert sorted(counted.deleted) == sorted(gone)

    @rule(who=st.integers(0, PEOPLE - 1), event=st.sampled_from(EVENTS))
    def event(self, who: int, event: Event) -> None:
        ins = ins_of(who)
        model = self.people[ins]
        call = {"ins": ins, "event": event, "actor": "test", "domain": DOMAIN}
        extra = {"wrapped_key": self.store.new_box_key(), "erase_at": self.clock.now + 30 * DAY}
        if event in NEXT[model.state]:
            self.store.write(patients.change, **call, **extra)
            model.happens(event, self.clock.now)
        else:
            with pytest.raises(PasserelleError):
                self.store.write(patients.change, **call, **extra)

    @rule(days=st.sampled_from([1, 7, 30, 41, 42, 43, 365, 3652, 3653]), more=st.sampled_from([-1, 0, 1]))
    def time_passes(self, days: int, more: int) -> None:
        if self.clock.now < paris("2070-01-01 00:00"):
            self.clock.now += days * DAY + more

    @rule(who=st.integers(0, PEOPLE - 1))
    def somebody_closes(self, who: int) -> None:
        for event in ("activate", "close"):
            if event in NEXT[self.people[ins_of(who)].state]:
                self.event(who, event)

    @rule(who=st.integers(0, PEOPLE - 1), more=st.sampled_from([-1, 0, 1]))
    def an_edge_is_reached(self, who: int, more: int) -> None:
        """The very moment at which something falls due for somebody, a millisecond before, or one after."""
        model = self.people[ins_of(who)]
        if model.state == "notified":
            edge = wall(model.notified_at) + timedelta(days=42)
        elif model.state == "closed":
            edge = ten_years_later(model.closed_at)
        else:
            return
        moment = round(edge.replace(tzinfo=calendar.PARIS).timestamp() * 1000) + more
        if self.clock.now < moment < paris("2070-01-01 00:00"):
            self.clock.now = moment
            self.open_due()
            self.end_archives()

    @rule(back=st.sampled_from([1, 1000, HOUR, DAY, 50 * DAY]))
    def the_clock_goes_back(self, back: int) -> None:
        self.clock.now -= back
        if wall(self.clock.now).hour < 4:
            self.clock.now += 6 * HOUR

    @rule()
    def open_due(self) -> None:
        due = [model for model in self.people.values() if model.due(self.clock.now)]
        report = patients.open_due(self.store, DOMAIN, actor="test", force=True)
        assert report.opened == len(due)
        for model in due:
            model.happens("open", self.clock.now)

    @rule()
    def end_archives(self) -> None:
        patients.expire_archives(self.store, actor="test", force=True)
        for model in self.people.values():
            event = model.over(self.clock.now)
            if event:
                model.happens(event, self.clock.now)

    @rule(again=st.booleans())
    def campaign(self, again: bool) -> None:
        self.campaigns += 1
        out = Path(self.folder.name) / f"{self.campaigns}.csv"
        now = self.clock.now
        patients.run_campaign(
            self.store, out, channel="email", file=None, actor="test", again=again, force=True
        )
        for model in self.people.values():
            if model.state == "known" or (again and model.state == "notified" and model.notified_at < now):
                model.happens("notify", now)

    @invariant()
    def the_same(self) -> None:
        boxes = set()
        for ins, model in self.people.items():
            profile = self.store.read(patients.profile, ins)
            assert profile is not None
            assert profile.state == model.state
            assert [one.event for one in self.store.read(patients.history, ins)] == model.events
            if profile.box_id is None:
                assert profile.address == "" and model.state in ("known", "notified", "opposed")
                continue
            assert model.box_id in (None, profile.box_id)
            model.box_id = profile.box_id
            boxes.add(profile.box_id)
            assert profile.address == f"{ins}@{DOMAIN}"
            box = self.store.read(mail.box_by_address, profile.address)
            assert box is not None and (box.box_id, box.owner) == (profile.box_id, ins)
            assert box.state == ("closed" if model.state in ("closed", "deleted") else "open")
            key = self.store.read(mail.wrapped_key, profile.box_id)
            assert (key is None) == (model.state == "deleted")
        assert len(self.store.read(mail.boxes, "patient")) == len(boxes)

    @invariant()
    def proven(self) -> None:
        report = self.store.read(patients.check_history)
        assert (report.unproven, report.broken) == (0, [])


Population.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestPopulation = Population.TestCase
