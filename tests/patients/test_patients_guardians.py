"""Representatives and minors in the store: operations, history, hand-over, secrets; a plain model beside."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from typer.testing import CliRunner

import evidence
import patients
from commands.patient_guardian import app
from patients import GuardianError, UnknownPatientError, calendar
from store import Store, mail, new_id, now_ms
from tests.patients.patients_support import DAY, DOMAIN, Clock, ins_of, paris, person, set_clock
from tests.store.postgres import new_database, postgres_server

CHILD, MOTHER, FATHER, AUNT = (ins_of(number) for number in range(4))
BORN = "2009-03-29"
MAJORITY = calendar.of_age_at(BORN)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return set_clock(monkeypatch)


@pytest.fixture
def family(store: Store, clock: Clock) -> Store:
    persons = [person(0, birth_date=BORN), *(person(number) for number in (1, 2, 3))]
    store.write(patients.add_persons, persons=persons, actor="test")
    for ins in (CHILD, MOTHER, FATHER, AUNT):
        patients.activate(store, ins, DOMAIN, actor="test")
    return store


def attach(store: Store, who: str, child: str = CHILD) -> None:
    store.write(
        patients.attach_representative,
        ins=child,
        representative=who,
        capacity="parent",
        actor="desk",
        reason="r",
    )


def remove(store: Store, who: str, reason: str = "court, 12 May") -> None:
    store.write(patients.remove_representative, ins=CHILD, representative=who, actor="desk", reason=reason)


def rule_of(store: Store, who: str, at: int, child: str = CHILD) -> str:
    return store.read(patients.may_act_for, who, child, at).rule


def box(store: Store) -> int:
    found = store.read(patients.profile, CHILD)
    assert found is not None and found.box_id is not None
    return found.box_id


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(GuardianError) as caught:
        call()
    return caught.value.rule


def test_two_parents_a_court_and_a_guardian(family: Store, clock: Clock) -> None:
    attach(family, MOTHER)
    began = clock.now
    clock.now += DAY
    attach(family, FATHER)
    assert [one.ins for one in family.read(patients.representatives, CHILD, clock.now)] == [MOTHER, FATHER]
    assert refused(lambda: attach(family, AUNT)) == "guardian.attach"
    assert refused(lambda: attach(family, MOTHER)) == "guardian.attach"
    assert refused(lambda: attach(family, CHILD)) == "guardian.attach"
    assert refused(lambda: attach(family, MOTHER, child=FATHER)) == "guardian.attach"  # of age
    assert refused(lambda: remove(family, MOTHER, reason=" ")) == "guardian.reason"
    assert refused(lambda: remove(family, AUNT)) == "guardian.remove"
    clock.now += DAY
    family.write(
        patients.replace_representative, ins=CHILD, former=FATHER, representative=AUNT, capacity="guardian",
        actor="desk", reason="court, 12 May",
    )  # fmt: skip
    held = family.read(patients.representatives, CHILD, clock.now)
    assert [(one.ins, one.capacity, one.since) for one in held] == [
        (MOTHER, "parent", began), (AUNT, "guardian", clock.now),
    ]  # fmt: skip
    assert rule_of(family, FATHER, clock.now) == "guardian.ended"
    assert rule_of(family, FATHER, clock.now - 1) == "guardian.acts"  # as it was then
    assert rule_of(family, AUNT, clock.now - 1) == "guardian.none"
    assert rule_of(family, MOTHER, began - 1) == "guardian.none"
    assert rule_of(family, CHILD, clock.now) == "guardian.self"
    minors = family.read(patients.minors_of, AUNT, clock.now)
    assert [(one.ins, one.capacity, one.until) for one in minors] == [(CHILD, "guardian", MAJORITY)]
    assert family.read(patients.minors_of, FATHER, clock.now) == []
    events = family.read(patients.guardian_events, CHILD)
    assert [(one.event, one.actor, one.reason) for one in events] == [
        ("attach", "desk", "r"), ("attach", "desk", "r"), ("remove", "desk", "court, 12 May"),
        ("attach", "desk", "court, 12 May"),
    ]  # fmt: skip


def test_events_are_in_the_chain_of_evidence(family: Store) -> None:
    attach(family, MOTHER)
    remove(family, MOTHER)
    assert family.read(patients.check_guardians, CHILD)
    assert family.read(evidence.verify, evidence.public_key(family.home)).ok
    records = [one for one in family.read(lambda conn: list(evidence.walk(conn))) if one.event == "guardian"]
    assert [json.loads(one.detail)["event"] for one in records] == ["attach", "remove"]
    assert all(MOTHER not in one.detail and "court" not in one.detail for one in records)


def test_unknown_persons(family: Store) -> None:
    for child, other in ((ins_of(9), MOTHER), (CHILD, ins_of(9))):
        with pytest.raises(UnknownPatientError):
            attach(family, other, child)
    assert rule_of(family, ins_of(9), 0) == "guardian.none"
    assert rule_of(family, MOTHER, 0, ins_of(9)) == "guardian.none"


def test_the_states_of_both_profiles(family: Store, clock: Clock) -> None:
    attach(family, MOTHER)
    for ins, closed, suspended in (
        (CHILD, "guardian.child_closed", "guardian.child_suspended"),
        (MOTHER, "guardian.not_active", "guardian.not_active"),
    ):
        for step, back, told in (
            (patients.suspend, patients.resume, suspended),
            (patients.close, patients.reopen, closed),
        ):
            clock.now += DAY
            step(family, ins, actor="test")
            assert rule_of(family, MOTHER, clock.now) == told
            assert family.read(patients.may_act_for, MOTHER, CHILD, clock.now - 1).ok
            clock.now += DAY
            back(family, ins, actor="test")
            assert rule_of(family, MOTHER, clock.now) == "guardian.acts"


def test_majority_needs_nothing_to_run_and_hand_over_withdraws_what_others_set(
    family: Store, clock: Clock
) -> None:
    attach(family, MOTHER)
    by_mother = patients.add_app_password(family, box(family), "mother's phone")
    assert refused(lambda: family.write(patients.hand_over, ins=CHILD, actor="x")) == "guardian.hand_over"
    assert not family.read(patients.awaits_hand_over, CHILD, MAJORITY - 1)
    assert family.read(patients.representatives, CHILD, MAJORITY) == []
    assert family.read(patients.minors_of, MOTHER, MAJORITY) == []
    assert rule_of(family, MOTHER, MAJORITY - 1) == "guardian.acts"
    assert rule_of(family, MOTHER, MAJORITY) == "guardian.of_age"
    clock.now = MAJORITY
    assert family.read(patients.awaits_hand_over, CHILD, clock.now)
    assert refused(lambda: attach(family, FATHER)) == "guardian.attach"
    code = family.write(patients.hand_over, ins=CHILD, actor="desk")
    assert len(code.replace("-", "")) == 12
    assert not family.read(patients.awaits_hand_over, CHILD, clock.now)
    held = family.read(patients.app_passwords, box(family))
    assert [one.revoked_at for one in held] == [clock.now] and by_mother
    own = patients.add_app_password(family, box(family), "my phone")
    assert family.write(patients.hand_over, ins=CHILD, actor="desk") != code  # a new code; what is his stays
    assert [one.revoked_at is None for one in family.read(patients.app_passwords, box(family))] == [
        False,
        True,
    ]
    assert own
    assert refused(lambda: family.write(patients.hand_over, ins=MOTHER, actor="x")) == "guardian.hand_over"


async def test_ways_in_end_with_the_right(
    family: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patients.credentials.now_ms", clock)
    address = f"{CHILD}@{DOMAIN}"
    attach(family, MOTHER)
    attach(family, FATHER)
    shared = patients.add_app_password(family, box(family), "the family's tablet")
    assert await patients.check_app_password(family, address, shared) == box(family)
    clock.now += DAY
    remove(family, FATHER)  # he knows it: nothing was withdrawn, and it opens no more
    assert await patients.check_app_password(family, address, shared) is None
    clock.now += DAY
    hers = patients.add_app_password(family, box(family), "mother's phone")
    assert await patients.check_app_password(family, address, hers) == box(family)
    hide(family, "message", b"\1" * 32)  # a password does not say who reads
    assert await patients.check_app_password(family, address, hers) is None
    clock.now = MAJORITY
    assert await patients.check_app_password(family, address, hers) is None
    own = patients.add_app_password(family, box(family), "my phone")
    assert await patients.check_app_password(family, address, own) == box(family)


def test_emancipation(family: Store, clock: Clock) -> None:
    def free(reason: str = "court, 3 June") -> None:
        family.write(patients.emancipate, ins=CHILD, actor="desk", reason=reason)

    late = paris("2028-03-29 00:00")
    family.write(patients.add_persons, persons=[person(0, birth_date="2012-03-29")], actor="test")
    attach(family, MOTHER)
    clock.now = late - 1
    assert refused(free) == "guardian.emancipate"  # not sixteen
    clock.now = late
    assert refused(lambda: free("")) == "guardian.reason"
    free()
    assert rule_of(family, MOTHER, clock.now) == "guardian.emancipated"
    assert rule_of(family, MOTHER, clock.now - 1) == "guardian.acts"
    assert family.read(patients.awaits_hand_over, CHILD, clock.now)
    assert refused(free) == "guardian.emancipate"
    assert refused(lambda: attach(family, FATHER)) == "guardian.attach"


def test_a_minor_parent_acts_once_of_age(family: Store, clock: Clock) -> None:
    baby = ins_of(5)
    family.write(patients.add_persons, persons=[person(5, birth_date="2026-01-01")], actor="test")
    attach(family, CHILD, baby)  # the mother is not yet of age
    assert rule_of(family, CHILD, clock.now, baby) == "guardian.minor"
    assert rule_of(family, CHILD, MAJORITY, baby) == "guardian.acts"
    assert refused(lambda: attach(family, baby)) == "guardian.attach"  # not both ways


def hide(
    store: Store, kind: patients.ItemKind, item: bytes, event: str = "hide", by: str = "professional"
) -> None:
    store.write(
        patients.set_secret,
        box_id=box(store),
        kind=kind,
        item=item,
        event=event,
        by=by,
        actor="a",
        reason="r",
    )


def test_a_secret_outlives_every_change_of_guardian(family: Store, clock: Clock) -> None:
    attach(family, MOTHER)
    attach(family, FATHER)
    item = patients.document_item("1.2.3")
    hide(family, "document", item)
    for _ in range(2):
        assert family.read(patients.reader, CHILD, box(family), clock.now).viewer == "representative"
        for who in (MOTHER, FATHER, AUNT):
            reader = family.read(patients.reader, who, box(family), clock.now)
            expected = "representative" if rule_of(family, who, clock.now) == "guardian.acts" else "stranger"
            assert reader.viewer == expected
            assert item in reader.secrets.documents
        clock.now += DAY
        if rule_of(family, FATHER, clock.now) == "guardian.acts":
            family.write(
                patients.replace_representative, ins=CHILD, former=FATHER, representative=AUNT,
                capacity="guardian", actor="desk", reason="court",
            )  # fmt: skip
    assert refused(lambda: hide(family, "document", item, "show", "operator")) == "guardian.secret"
    assert refused(lambda: hide(family, "document", item, "show", "patient")) == "guardian.secret"
    before = clock.now
    clock.now = MAJORITY
    assert family.read(patients.reader, CHILD, box(family), clock.now).viewer == "self"
    hide(family, "document", item, "show", "patient")
    assert family.read(patients.secrets_of, box(family)).documents == frozenset()
    assert family.read(patients.secrets_of, box(family), before).documents == {item}
    hide(family, "document", item)
    hide(family, "document", item, "show", "professional")
    assert family.read(patients.secrets_of, box(family)).documents == frozenset()


def test_messages_are_hidden_by_content(family: Store) -> None:
    placed = []
    for content in (
        b"Subject: a\r\n\r\nsecret\r\n",
        b"Subject: b\r\n\r\nplain\r\n",
        b"Subject: a\r\n\r\nsecret\r\n",
    ):
        spool = family.spool()
        spool.write(content)
        message = family.new_message(box(family), spool, b"meta")
        family.write(mail.append, box_id=box(family), folder_id=mail.INBOX_ID, message=message)
        placed.append((message.message_id, message.ref.sha256))
    assert family.read(patients.hidden_messages, box(family), [one for one, _ in placed]) == set()
    hide(family, "message", placed[0][1])
    hidden = family.read(patients.hidden_messages, box(family), [one for one, _ in placed])
    assert hidden == {placed[0][0], placed[2][0]}  # the copy too


def test_no_box_no_secret(family: Store) -> None:
    with pytest.raises(GuardianError):
        family.write(
            patients.set_secret,
            box_id=new_id(),
            kind="message",
            item=b"1",
            event="hide",
            by="patient",
            actor="a",
        )


@pytest.mark.package("postgres")
def test_on_postgresql(tmp_path: Path, clock: Clock) -> None:
    with (
        postgres_server() as url,
        Store.open(tmp_path / "home", url=new_database(url, "guardians")) as store,
    ):
        persons = [person(0, birth_date=BORN), person(1), person(2)]
        store.write(patients.add_persons, persons=persons, actor="test")
        for ins in (CHILD, MOTHER):
            patients.activate(store, ins, DOMAIN, actor="test")
        attach(store, MOTHER)
        assert [one.ins for one in store.read(patients.minors_of, MOTHER, clock.now)] == [CHILD]
        for event in ("hide", "show", "hide"):
            hide(store, "document", b"\2" * 32, event)
        hide(store, "message", b"\3" * 32)
        hide(store, "message", b"\3" * 32, "show")
        kept = store.read(patients.secrets_of, box(store))
        assert (kept.documents, kept.messages) == ({b"\2" * 32}, set())
        assert store.read(patients.check_guardians, CHILD)
        clock.now = MAJORITY
        assert store.write(patients.hand_over, ins=CHILD, actor="desk")


# -- a plain model ----------------------------------------------------------------------------------

PEOPLE = st.sampled_from([MOTHER, FATHER, AUNT])
BIRTHS = ["2008-02-29", BORN, "2009-10-25"]


class Guardianship(RuleBasedStateMachine):
    """Any sequence of steps and of time; the model keeps a set of people and three moments."""

    store: Store
    clock: Clock
    number = 100

    def __init__(self) -> None:
        super().__init__()
        Guardianship.number += 1
        self.child = ins_of(Guardianship.number)
        self.born = BIRTHS[Guardianship.number % 3]
        self.clock.now = paris("2024-06-01 12:00")
        one = person(Guardianship.number, birth_date=self.born)
        self.store.write(patients.add_persons, persons=[one], actor="test")
        patients.activate(self.store, self.child, DOMAIN, actor="test")
        year, month, day = (int(part) for part in self.born.split("-"))
        leap = (month, day) == (2, 29)
        self.majority = paris(f"{year + 18}-{3 if leap else month:02d}-{1 if leap else day:02d} 00:00")
        self.sixteen = paris(f"{year + 16}-{month:02d}-{day:02d} 00:00")
        self.held: list[str] = []
        self.former: set[str] = set()
        self.free = False
        self.closed = False

    def tried(self, allowed: bool, call: Callable[..., object], **kwargs: object) -> bool:
        try:
            self.store.write(call, ins=self.child, actor="t", **kwargs)
        except GuardianError:
            assert not allowed
            return False
        assert allowed
        return True

    @property
    def minor(self) -> bool:
        return self.clock.now < self.majority and not self.free

    @rule(who=PEOPLE)
    def attach(self, who: str) -> None:
        allowed = self.minor and who not in self.held and len(self.held) < 2
        if self.tried(
            allowed, patients.attach_representative, representative=who, capacity="parent", reason=""
        ):
            self.held.append(who)

    @rule(who=PEOPLE)
    def remove(self, who: str) -> None:
        if self.tried(who in self.held, patients.remove_representative, representative=who, reason="court"):
            self.held.remove(who)
            self.former.add(who)

    @rule(old=PEOPLE, who=PEOPLE)
    def replace(self, old: str, who: str) -> None:
        rest = [one for one in self.held if one != old]
        allowed = old in self.held and self.minor and who not in rest
        if self.tried(
            allowed, patients.replace_representative, former=old, representative=who, capacity="guardian",
            reason="court",
        ):  # fmt: skip
            self.held = [*rest, who]
            self.former.add(old)

    @rule()
    def emancipate(self) -> None:
        allowed = self.minor and self.clock.now >= self.sixteen
        self.free = self.tried(allowed, patients.emancipate, reason="court") or self.free

    @rule()
    def hand_over(self) -> None:
        allowed = bool(self.held or self.former) and not self.minor and not self.closed
        self.tried(allowed, patients.hand_over)

    @rule()
    def close_or_reopen(self) -> None:
        (patients.reopen if self.closed else patients.close)(self.store, self.child, actor="t")
        self.closed = not self.closed

    @rule(days=st.integers(0, 400))
    def wait(self, days: int) -> None:
        self.clock.now += days * DAY

    @rule(off=st.sampled_from([-1, 0]))
    def birthday(self, off: int) -> None:
        self.clock.now = max(self.clock.now, self.majority + off)

    @invariant()
    def the_model_agrees(self) -> None:
        now = self.clock.now
        held = self.held if self.minor else []
        assert [one.ins for one in self.store.read(patients.representatives, self.child, now)] == held
        for who in (MOTHER, FATHER, AUNT, ins_of(99)):
            may = self.store.read(patients.may_act_for, who, self.child, now).ok
            assert may == (who in held and not self.closed)
            mine = [one.ins for one in self.store.read(patients.minors_of, who, now)]
            assert (self.child in mine) == (who in held)
        assert self.store.read(patients.check_guardians, self.child)


def test_any_sequence_of_steps_against_a_plain_model(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "home") as opened:
        Guardianship.store, Guardianship.clock = opened, set_clock(monkeypatch)
        Guardianship.clock.now = paris("2020-01-01 12:00")
        opened.write(patients.add_persons, persons=[person(number) for number in (1, 2, 3)], actor="test")
        for who in (MOTHER, FATHER, AUNT):
            patients.activate(opened, who, DOMAIN, actor="test")
        run_state_machine_as_test(
            Guardianship,
            settings=settings(
                max_examples=15,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


# -- the command ------------------------------------------------------------------------------------


def test_the_command(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "passerelle.toml").write_text(
        f'[gateway]\nhostname = "smtps.passerelle.test"\npatient_domain = "{DOMAIN}"\n', encoding="utf-8"
    )
    with Store.open(home) as opened:
        opened.write(
            patients.add_persons,
            persons=[person(0, birth_date=_years_ago(8)), person(1), person(2)],
            actor="t",
        )
        for ins in (CHILD, MOTHER, FATHER):
            patients.activate(opened, ins, DOMAIN, actor="t")

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, [*words, "--home", str(home)])
        return result.exit_code, result.output

    assert "guardian.acts" in run("add", CHILD, MOTHER)[1]
    code, text = run("add", CHILD, FATHER, "--replaces", MOTHER, "--reason", "court", "--json")
    rows = json.loads(text[text.index("[") :])
    assert code == 0
    assert [(row["representative"], row["may act"]) for row in rows] == [(FATHER, True)]
    assert "[guardian.hand_over]" in run("hand-over", CHILD)[1]
    assert "[guardian.emancipate]" in run("emancipate", CHILD, "--reason", "court")[1]
    assert "[guardian.capacity]" in run("add", CHILD, MOTHER, "--as", "friend")[1]
    assert "[guardian.item]" in run("hide", CHILD, "--message", "7")[1]
    assert "[guardian.reason]" in run("remove", CHILD, FATHER)[1]
    assert "nobody" in run("remove", CHILD, FATHER, "--reason", "court")[1]
    code, text = run("list", CHILD, "--history", "--json")
    assert [row["event"] for row in json.loads(text[text.index("[") :])] == [
        "attach",
        "remove",
        "attach",
        "remove",
    ]


def _years_ago(years: int) -> str:
    return f"{calendar.today(now_ms()).year - years}-01-01"
