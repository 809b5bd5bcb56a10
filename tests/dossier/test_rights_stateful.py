"""A record lived through at random, on the real store, beside a naive one; then every past moment again."""

from __future__ import annotations

import threading
from pathlib import Path
from random import Random
from typing import Any

import pytest

import dossier
from activity import Actor
from dossier import rights
from store import PasserelleError, Store, now_ms
from tests.dossier.rights_support import (
    BIOLOGY,
    PRESCRIPTION,
    Record,
    depositor,
    doctor,
    physiotherapist,
)
from tests.store.postgres import new_database, postgres_server

DOCTORS = [doctor(1), doctor(2), physiotherapist(3)]
OPEN_TO = {"10": {BIOLOGY, PRESCRIPTION}, "70": {PRESCRIPTION}}
STEPS = 60


class Naive:
    """What the rights come to, told plainly: flags that are set, no events."""

    def __init__(self) -> None:
        self.documents: dict[int, dict[str, Any]] = {}
        self.blocked: set[str] = set()
        self.let_in: set[str] = set()
        self.treating = ""
        self.all_masked = False

    def sees(self, who: Actor) -> set[int]:
        return {number for number, one in self.documents.items() if self._sees(who, one)}

    def _sees(self, who: Actor, one: dict[str, Any]) -> bool:
        if one["gone"]:
            return False
        if who.by == "patient":
            return not one["withheld"]
        if who.ident in self.blocked:
            return False
        if one["author"] == who.ident:
            return True
        if self.treating == who.ident and who.profession == "10":
            return one["kind"] in OPEN_TO[who.profession]
        if who.ident not in self.let_in:
            # the appointed one who is no physician has no more than he was given
            return False
        masked = one["masked"] or (self.all_masked and not one["bared"])
        return not masked and one["kind"] in OPEN_TO[who.profession]


class Life:
    """Does something at random to a record and to the naive one, alike."""

    def __init__(self, record: Record, seed: int) -> None:
        self.record, self.naive, self.chance = record, Naive(), Random(seed)
        self.everybody = [record.patient, *DOCTORS]
        self.refused = self.changed = 0

    def step(self) -> None:
        done = getattr(self, self.chance.choice([name for name in dir(self) if name.startswith("do_")]))
        done()

    def tried(self, action: str, *words: object, allowed: bool) -> bool:
        """Do it on the store; whether it was to be allowed, which it must be then."""
        before = self.record.store.read(rights.rights_of, self.record.box_id)
        try:
            getattr(rights, action)(self.record.store, self.record.box_id, *words)
        except PasserelleError as error:
            assert not allowed, (action, words, error)
            assert self.record.store.read(rights.rights_of, self.record.box_id) == before
            self.refused += 1
            return False
        assert allowed, (action, words)
        self.changed += 1
        return True

    def one(self) -> tuple[int, dict[str, Any]] | None:
        held = [item for item in self.naive.documents.items() if not item[1]["gone"]]
        return self.chance.choice(held) if held else None

    def do_file(self) -> None:
        who, kind = self.chance.choice(DOCTORS), self.chance.choice([BIOLOGY, PRESCRIPTION])
        code = self.chance.choice(["N", "N", "MASQUE_PS", "INVISIBLE_PATIENT"])
        number = self.record.file(who, ("N", code), kind=kind)
        self.naive.documents[number] = {
            "author": who.ident, "kind": kind, "masked": code == "MASQUE_PS", "bared": False,
            "withheld": code == "INVISIBLE_PATIENT", "announced": False, "said": set(), "gone": False,
        }  # fmt: skip

    def do_replace(self) -> None:
        if (held := self.one()) is None:
            return
        number, old = held
        author = next(one for one in DOCTORS if one.ident == old["author"])
        newer = self.record.file(author, replaces=number, kind=old["kind"])
        old["gone"] = True
        kept = {name: name in old["said"] and old[name] for name in ("masked", "withheld")}
        said = {name for name in kept if kept[name]}
        self.naive.documents[newer] = old | kept | {
            "gone": False, "bared": False, "announced": False, "said": said,
        }  # fmt: skip

    def do_delete(self) -> None:
        if (held := self.one()) is None or self.chance.random() < 0.6:
            return
        number, one = held
        author = next(who for who in DOCTORS if who.ident == one["author"])
        self.record.store.write(
            dossier.delete_document,
            box_id=self.record.box_id,
            unique_id=self.record.unique_id(number),
            by=depositor(author),
        )
        one["gone"] = True

    def do_mark(self) -> None:
        if (held := self.one()) is None:
            return
        number, one = held
        who = self.chance.choice(self.everybody)
        action = self.chance.choice(["mask", "unmask", "withhold", "announce"])
        own, treats = one["author"] == who.ident, self.naive.treating == who.ident and who.profession == "10"
        sees = self.naive._sees(who, one)
        if who.by == "patient":
            allowed = action in ("mask", "unmask") and sees
        else:
            allowed = action != "unmask" and (own or (treats and sees and action != "withhold"))
            allowed &= not (action == "mask" and one["withheld"])
            allowed &= not (action == "withhold" and (one["masked"] or one["announced"]))
        if self.tried(action, who, number, allowed=allowed):
            if action in ("mask", "unmask"):
                one["masked"], one["bared"] = action == "mask", action == "unmask"
                one["said"].add("masked")
            else:
                one["withheld"], one["announced"] = action == "withhold", action == "announce"
                one["said"].add("withheld")

    def do_all(self) -> None:
        who = self.chance.choice(self.everybody)
        action = self.chance.choice(["mask_all", "unmask_all"])
        if self.tried(action, who, allowed=who.by == "patient"):
            self.naive.all_masked = action == "mask_all"
            for one in self.naive.documents.values():
                one["bared"] &= action != "mask_all"

    def do_professional(self) -> None:
        who, about = self.chance.choice(self.everybody), self.chance.choice(DOCTORS).ident
        action = self.chance.choice(["block", "unblock", "authorise", "appoint"])
        naive = self.naive
        treats = who.ident == naive.treating and who.profession == "10" and who.ident not in naive.blocked
        allowed = who.by == "patient" or (action == "block" and treats)
        if self.tried(action, who, about, allowed=allowed):
            if action == "block":
                naive.blocked.add(about)
                naive.let_in.discard(about)
            elif action == "unblock":
                naive.blocked.discard(about)
            elif action == "authorise":
                naive.let_in.add(about)
            else:
                naive.treating = about

    def do_consent(self) -> None:
        who = self.chance.choice(DOCTORS)
        if self.tried("declare_consent", who, allowed=who.ident not in self.naive.blocked):
            self.naive.let_in.add(who.ident)

    def do_dismiss(self) -> None:
        if self.chance.random() < 0.5 and self.tried("dismiss", self.record.patient, allowed=True):
            self.naive.treating = ""


def lived(record: Record, seed: int) -> None:
    life = Life(record, seed)
    moments: list[tuple[int, dict[str, set[int]]]] = []
    for _ in range(STEPS):
        life.step()
        seen = {who.ident: life.naive.sees(who) for who in life.everybody}
        for who in life.everybody:
            assert record.seen(who) == seen[who.ident], who
        moments.append((now_ms(), seen))
        while now_ms() == moments[-1][0]:
            threading.Event().wait(0.0005)
    for moment, then in moments:
        for who in life.everybody:
            assert record.seen(who, at=moment) == then[who.ident], who
    assert life.refused > 3
    assert life.changed > 6
    refusals = [one for one in record.journal() if one.refused]
    assert len(refusals) == life.refused, "each refusal is in the journal, once"


@pytest.mark.parametrize("seed", [1, 2])
def test_a_life(tmp_path: Path, seed: int) -> None:
    record = Record(tmp_path / "home")
    with record.store:
        lived(record, seed)


@pytest.mark.package("postgres")
def test_a_life_on_postgresql(tmp_path: Path) -> None:
    with postgres_server() as url:
        record = Record(tmp_path / "home", url=new_database(url, "rights"))
        with record.store:
            lived(record, 4)
            races(record)


def races(record: Record) -> None:
    """Four say things of one record at once: each is written once, in one order, and none is lost."""
    before = len(record.journal())

    def says(number: int) -> None:
        for turn in range(5):
            rights.authorise(record.store, record.box_id, record.patient, f"8{number}{turn}")

    threads = [threading.Thread(target=says, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    held = record.store.read(rights.rights_of, record.box_id)
    assert {f"8{number}{turn}" for number in range(4) for turn in range(5)} <= held.authorised
    assert len(record.journal()) == before + 20


def test_many_at_once(tmp_path: Path) -> None:
    record = Record(tmp_path / "home")
    with record.store:
        races(record)


def test_it_survives_a_restart(tmp_path: Path) -> None:
    record = Record(tmp_path / "home")
    rights.block(record.store, record.box_id, record.patient, DOCTORS[0].ident)
    held = record.store.read(rights.rights_of, record.box_id)
    record.store.close()
    with Store.open(record.home) as again:
        assert again.read(rights.rights_of, record.box_id) == held
