"""Consents over time, and the door of every exchange: what stands, who may say it, races, the journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

import activity
import catalogue
import dossier
import evidence
import patients
from activity import Actor
from catalogue import CatalogueError
from catalogue.tables import consent_event
from store import Store, StoreError, now_ms
from tests.catalogue.catalogue_support import (
    AGENDA,
    OPERATOR,
    PAIN,
    WEIGHT,
    activated,
    as_person,
    journal,
    put,
    service,
)
from tests.patients.patients_support import DAY, DOMAIN, Clock, ins_of, paris, person, set_clock


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home") as opened:
        put(opened, tmp_path, service("poids"), service("muet", scopes=[]))
        yield opened


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = set_clock(monkeypatch)
    for place in ("catalogue.consenting", "catalogue.exchanges", "patients.guardians"):
        monkeypatch.setattr(f"{place}.now_ms", clock)
    return clock


def refused(store: Store, box_id: int, service_id: str = "poids", scope: str = WEIGHT) -> str:
    with pytest.raises(CatalogueError) as caught:
        catalogue.exchange(store, box_id, service_id, scope, purpose="essai")
    return caught.value.rule


def allowed(store: Store, box_id: int, scope: str = WEIGHT) -> bool:
    return catalogue.exchange(store, box_id, "poids", scope, purpose="essai").scope == scope


def test_a_consent_opens_its_scopes_only_and_its_end_closes_them(store: Store) -> None:
    box = activated(store)
    me = as_person(store, box)
    assert refused(store, box) == "catalogue.no_consent"
    assert catalogue.consent(store, box, me, "poids", [WEIGHT]) == [WEIGHT]
    assert allowed(store, box)
    assert refused(store, box, scope=PAIN) == "catalogue.no_consent"
    assert refused(store, box, scope=AGENDA) == "catalogue.scope"
    assert refused(store, box, "inconnu") == "catalogue.unknown"
    assert refused(store, box, "no such\0id") == "catalogue.unknown"
    assert refused(store, box, "muet") == "catalogue.no_exchange"
    assert catalogue.revoke(store, box, me, "poids") == [WEIGHT]
    assert refused(store, box) == "catalogue.revoked"
    catalogue.consent(store, box, me, "poids", [WEIGHT])
    assert allowed(store, box)


def test_the_journal_and_the_evidence_tell_all_of_it(store: Store) -> None:
    box = activated(store)
    me = as_person(store, box)
    catalogue.consent(store, box, me, "poids", [WEIGHT, PAIN])
    made = catalogue.exchange(store, box, "poids", PAIN, purpose="Suivi de la douleur")
    catalogue.revoke(store, box, me, "poids", [PAIN])
    refused(store, box, scope=PAIN)
    with pytest.raises(CatalogueError):
        catalogue.consent(store, box, me, "muet", [WEIGHT])
    told = [(one.what, one.by, one.subject, one.rule) for one in journal(store, box)]
    assert told == [
        ("consent_given", "patient", "poids", ""),
        ("data_exchanged", "service", "poids", ""),
        ("consent_revoked", "patient", "poids", ""),
        ("data_exchanged", "service", "poids", "catalogue.revoked"),
        ("consent_given", "patient", "muet", "catalogue.no_exchange"),
    ]
    entry = journal(store, box)[1]
    assert entry.activity_id == made.activity_id
    assert entry.details.more == {"scope": PAIN, "purpose": "Suivi de la douleur", "version": "1"}
    assert store.read(evidence.counts)["activity"] == 5
    assert store.read(evidence.verify, evidence.public_key(store.home)).ok


def test_nothing_in_the_clear_tells_which_service(store: Store) -> None:
    box = activated(store)
    catalogue.consent(store, box, as_person(store, box), "poids", [WEIGHT])
    row = store.read(lambda conn: conn.execute(select(consent_event)).one())
    assert b"poids" not in bytes(row.sealed) and set(row._mapping) == {"box_id", "event_id", "at", "sealed"}


def test_a_service_that_leaves_the_list_exchanges_nothing_more(store: Store, tmp_path: Path) -> None:
    box = activated(store)
    me = as_person(store, box)
    catalogue.consent(store, box, me, "poids", [WEIGHT])
    put(store, tmp_path, service("muet", scopes=[]))
    assert refused(store, box) == "catalogue.not_referenced"
    with pytest.raises(CatalogueError) as caught:
        catalogue.consent(store, box, me, "poids", [WEIGHT])
    assert caught.value.rule == "catalogue.not_referenced"
    assert catalogue.CatalogueError and "référencé" in caught.value.french
    put(store, tmp_path, service("poids"), service("muet", scopes=[]))
    assert refused(store, box) == "catalogue.changed"  # it was away: the patient says it again
    catalogue.consent(store, box, me, "poids", [WEIGHT])
    assert allowed(store, box)


def test_other_hands_and_new_scopes_need_a_new_consent(store: Store, tmp_path: Path) -> None:
    box = activated(store)
    me = as_person(store, box)
    catalogue.consent(store, box, me, "poids", [WEIGHT, PAIN])
    put(store, tmp_path, service("poids", name="Autre nom", scopes=[WEIGHT, AGENDA]))
    assert allowed(store, box)
    assert refused(store, box, scope=PAIN) == "catalogue.scope"  # no longer offered
    assert refused(store, box, scope=AGENDA) == "catalogue.no_consent"  # offered since
    (kept,) = [one.what for one in store.read(catalogue.consent_events, store, box)]
    assert (kept.version, kept.offered) == (1, sorted([WEIGHT, PAIN]))
    put(store, tmp_path, service("poids", publisher="Repreneur"))
    assert refused(store, box) == "catalogue.changed"


def test_days_of_referencing_are_those_of_paris(store: Store, tmp_path: Path, clock: Clock) -> None:
    clock.now = paris("2026-03-01 12:00")
    put(store, tmp_path, service("poids", since="2026-03-02", until="2026-03-10"))
    box = activated(store)
    me = as_person(store, box)
    with pytest.raises(CatalogueError) as caught:
        catalogue.consent(store, box, me, "poids", [WEIGHT])
    assert caught.value.rule == "catalogue.not_referenced"
    clock.now = paris("2026-03-02 00:00")
    catalogue.consent(store, box, me, "poids", [WEIGHT])
    clock.now = paris("2026-03-10 23:59")
    assert allowed(store, box)
    clock.now = paris("2026-03-11 00:00")
    assert refused(store, box) == "catalogue.not_referenced"


def test_a_consent_ends_on_its_moment(store: Store, clock: Clock) -> None:
    box = activated(store)
    me = as_person(store, box)
    end = clock.now + DAY
    catalogue.consent(store, box, me, "poids", [WEIGHT], expires_at=end)
    clock.now = end - 1
    assert allowed(store, box)
    clock.now = end
    assert refused(store, box) == "catalogue.expired"
    with pytest.raises(CatalogueError) as caught:
        catalogue.consent(store, box, me, "poids", [WEIGHT], expires_at=end)
    assert caught.value.rule == "catalogue.expiry"
    (standing,) = store.read(catalogue.consents, store, box)
    assert standing.standing == "expired"
    assert catalogue.sentence(standing) == (
        "Le poids : lire – mesures : poids – accord donné, qui a pris fin, le 15/01/2026 ; fin le 16/01/2026."
    )


def family(store: Store) -> int:
    """A child of seventeen, its mother; the child's box."""
    box = activated(store, 0, birth_date="2008-06-01")
    store.write(patients.add_persons, persons=[person(1)], actor="test")
    patients.activate(store, ins_of(1), DOMAIN, actor="test")
    store.write(
        patients.attach_representative, ins=ins_of(0), representative=ins_of(1), capacity="parent",
        actor="desk", reason="",
    )  # fmt: skip
    return box


@pytest.mark.parametrize("speaker", [0, 1], ids=["the child", "its mother"])
def test_what_was_said_for_a_minor_is_confirmed_by_the_adult(
    store: Store, clock: Clock, speaker: int
) -> None:
    box = family(store)
    catalogue.consent(store, box, as_person(store, box, speaker), "poids", [WEIGHT])
    clock.now = paris("2026-05-31 23:59")
    assert allowed(store, box)
    clock.now = paris("2026-06-01 00:00")
    assert refused(store, box) == "catalogue.unconfirmed"
    with pytest.raises(activity.ActivityError):
        as_person(store, box, 1)
    catalogue.consent(store, box, as_person(store, box, 0), "poids", [WEIGHT])
    assert allowed(store, box)


def test_who_lost_his_right_says_nothing_more(store: Store, clock: Clock) -> None:
    box = family(store)
    mother = as_person(store, box, 1)
    catalogue.consent(store, box, mother, "poids", [WEIGHT])
    clock.now += DAY
    store.write(
        patients.remove_representative, ins=ins_of(0), representative=ins_of(1), actor="desk", reason="court"
    )
    for say in (catalogue.consent, catalogue.revoke):
        with pytest.raises(CatalogueError) as caught:
            say(store, box, mother, "poids", [WEIGHT])
        assert caught.value.rule == "catalogue.actor"
    assert refused(store, box) == "catalogue.unconfirmed"


@pytest.mark.parametrize("by", ["professional", "structure", "service", "gateway"])
def test_nobody_else_consents(store: Store, by: Any) -> None:
    box = activated(store)
    with pytest.raises(CatalogueError) as caught:
        catalogue.consent(store, box, Actor(by=by, ident="8"), "poids", [WEIGHT])
    assert caught.value.rule == "catalogue.actor"
    assert journal(store, box) == []


def test_an_operator_says_why(store: Store) -> None:
    box = activated(store)
    with pytest.raises(CatalogueError) as caught:
        catalogue.consent(store, box, Actor(by="operator", ident="cli:x"), "poids", [WEIGHT])
    assert caught.value.rule == "catalogue.actor"
    catalogue.consent(store, box, OPERATOR, "poids", [WEIGHT])
    assert journal(store, box)[0].details.reason == OPERATOR.reason


def test_a_profile_that_is_not_activated_exchanges_nothing(store: Store) -> None:
    box = activated(store)
    me = as_person(store, box)
    catalogue.consent(store, box, me, "poids", [WEIGHT])
    patients.suspend(store, ins_of(0), actor="desk", reason="asked")
    assert refused(store, box) == "catalogue.closed"
    with pytest.raises(CatalogueError):
        catalogue.consent(store, box, OPERATOR, "poids", [PAIN])
    assert catalogue.revoke(store, box, OPERATOR, "poids") == [WEIGHT]  # always possible


def test_what_never_stood_is_not_revoked(store: Store) -> None:
    box = activated(store)
    me = as_person(store, box)
    for scopes in ([], [WEIGHT]):
        with pytest.raises(CatalogueError) as caught:
            catalogue.revoke(store, box, me, "poids", scopes)
        assert caught.value.rule == "catalogue.no_consent"
    catalogue.consent(store, box, me, "poids", [WEIGHT])
    with pytest.raises(CatalogueError):
        catalogue.revoke(store, box, me, "poids", [WEIGHT, PAIN])
    assert allowed(store, box)


@pytest.mark.parametrize("scopes", [[], ["read:all"], ["read:measures"], ["read:agenda/"], [" "]])
def test_a_consent_names_scopes_that_exist(store: Store, scopes: list[str]) -> None:
    box = activated(store)
    with pytest.raises(CatalogueError) as caught:
        catalogue.consent(store, box, OPERATOR, "poids", scopes)
    assert caught.value.rule == "catalogue.scope"


def test_an_exchange_says_what_for(store: Store) -> None:
    with pytest.raises(CatalogueError) as caught:
        catalogue.exchange(store, activated(store), "poids", WEIGHT, purpose=" ")
    assert caught.value.rule == "catalogue.purpose"


class Between:
    """Does something between the decision and its record, once."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch, what: Any) -> None:
        write = store.write

        def late(operation: Any, **given: Any) -> Any:
            monkeypatch.setattr(store, "write", write)
            what()
            return write(operation, **given)

        monkeypatch.setattr(store, "write", late)


@pytest.mark.parametrize("change", ["revoked", "list", "suspended", "expired", "majority"])
def test_what_changes_between_decision_and_record_is_seen(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock, change: str
) -> None:
    box = family(store)
    mother, end = as_person(store, box, 1), clock.now + DAY
    catalogue.consent(store, box, mother, "poids", [WEIGHT], expires_at=end if change == "expired" else 0)

    def happen() -> None:
        if change == "revoked":
            catalogue.revoke(store, box, mother, "poids")
        elif change == "list":
            put(store, tmp_path, service("muet", scopes=[]))
        elif change == "suspended":
            patients.suspend(store, ins_of(0), actor="desk", reason="asked")
        else:
            clock.now = end if change == "expired" else paris("2026-06-01 00:00")

    Between(store, monkeypatch, happen)
    rule = {"list": "not_referenced", "suspended": "closed", "majority": "unconfirmed"}.get(change, change)
    assert refused(store, box) == f"catalogue.{rule}"
    exchanges = [one.rule for one in journal(store, box) if one.what == "data_exchanged"]
    assert exchanges == [f"catalogue.{rule}"]


def test_a_consent_given_while_the_list_changes_is_judged_anew(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = activated(store)
    Between(store, monkeypatch, lambda: put(store, tmp_path, service("poids", scopes=[PAIN])))
    with pytest.raises(CatalogueError) as caught:
        catalogue.consent(store, box, OPERATOR, "poids", [WEIGHT])
    assert caught.value.rule == "catalogue.scope"
    assert store.read(catalogue.consents, store, box) == []


def test_a_deleted_profile_leaves_no_consent(store: Store) -> None:
    box = activated(store)
    catalogue.consent(store, box, OPERATOR, "poids", [WEIGHT])
    patients.close(store, ins_of(0), actor="test", reason="")
    patients.ask_deletion(store, ins_of(0), actor="test", reason="")
    assert store.read(lambda conn: conn.scalar(select(func.count()).select_from(consent_event))) == 0
    with pytest.raises(StoreError):
        catalogue.exchange(store, box, "poids", WEIGHT, purpose="essai")


def test_two_consents_in_one_millisecond_keep_their_order(store: Store, clock: Clock) -> None:
    box = activated(store)
    for _ in range(5):
        catalogue.consent(store, box, OPERATOR, "poids", [WEIGHT])
        catalogue.revoke(store, box, OPERATOR, "poids")
    assert refused(store, box) == "catalogue.revoked"
    assert now_ms() != clock.now


def test_the_history_names_the_service(store: Store, tmp_path: Path) -> None:
    box = activated(store)
    me = as_person(store, box)
    catalogue.consent(store, box, me, "poids", [WEIGHT])
    assert catalogue.exchange(store, box, "poids", WEIGHT, purpose="essai").version == 1
    lines = dossier.history_for(store, box, me)
    assert {one.title for one in lines if one.kind == "service"} == {"Le poids"}
    with pytest.raises(CatalogueError) as caught:
        catalogue.consent(store, box, me, "no such\0id", [WEIGHT])
    assert caught.value.rule == "catalogue.unknown" and journal(store, box)[-1].subject == "?"
