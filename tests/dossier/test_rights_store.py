"""Changing the rights on a real store: what is written, refused, followed, remembered and forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

import activity
import dossier
import patients
from activity import Actor
from activity.tables import activity as journal
from dossier import rights
from dossier.access import _listing
from dossier.right_events import right_event
from dossier.rights import RightsError
from dossier.rights.changes import change_rights
from dossier.rights.decisions import note_judged, note_listed, question
from gateway.message import Indexer, MessageMeta, encode_meta
from store import InvalidInputError, NotFoundError, PasserelleError, mail, now_ms
from tests.dossier.rights_support import (
    BIOLOGY,
    MOTHER,
    PATIENT,
    PRESCRIPTION,
    RESIDENCE,
    STRANGER,
    SUPPORT,
    Record,
    doctor,
    physiotherapist,
)
from tests.patients.patients_support import person

AUTHOR, OTHER, PHYSIO = doctor(1), doctor(2), physiotherapist(3)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    made = Record(tmp_path / "home")
    yield made
    made.store.close()


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Record]:
    made = Record(tmp_path / "child", age=10)
    yield made
    made.store.close()


def rule_of(call: Callable[[], object]) -> str:
    with pytest.raises(PasserelleError) as caught:
        call()
    return caught.value.rule


def test_a_professional_is_let_in_and_shut_out(record: Record) -> None:
    number = record.file(AUTHOR)
    store, box = record.store, record.box_id
    assert record.seen(AUTHOR) == {number}
    assert record.seen(OTHER) == set()
    assert rule_of(lambda: dossier.list_documents(store, box, OTHER)) == "dossier.not_authorised"
    assert rights.authorise(store, box, record.patient, OTHER.ident)
    assert not rights.authorise(store, box, record.patient, OTHER.ident)
    assert [one.document_id for one in dossier.list_documents(store, box, OTHER)] == [number]
    assert record.read(OTHER, number) == b"<document>1</document>"
    assert rights.block(store, box, record.patient, OTHER.ident)
    assert rule_of(lambda: record.read(OTHER, number)) == "dossier.blocked"
    assert rule_of(lambda: rights.declare_consent(store, box, OTHER)) == "dossier.blocked"
    assert rights.unblock(store, box, record.patient, OTHER.ident)
    assert rule_of(lambda: record.read(OTHER, number)) == "dossier.not_authorised"
    assert rights.declare_consent(store, box, OTHER)
    assert record.read(OTHER, number)
    assert record.told() == [
        ("documents_listed", "", "dossier.not_authorised"),
        ("professional_authorised", OTHER.ident, ""),
        ("documents_listed", "", ""),
        ("document_read", str(number), ""),
        ("professional_blocked", OTHER.ident, ""),
        ("document_read", str(number), "dossier.blocked"),
        ("consent_declared", OTHER.ident, "dossier.blocked"),
        ("professional_unblocked", OTHER.ident, ""),
        ("document_read", str(number), "dossier.not_authorised"),
        ("consent_declared", OTHER.ident, ""),
        ("document_read", str(number), ""),
    ]


def test_a_blocked_author_still_feeds_and_corrects(record: Record) -> None:
    number = record.file(AUTHOR)
    rights.block(record.store, record.box_id, record.patient, AUTHOR.ident)
    assert rule_of(lambda: record.read(AUTHOR, number)) == "dossier.blocked"
    assert record.store.read(rights.may, record.store, record.box_id, AUTHOR, "deposit").allowed
    newer = record.file(AUTHOR, replaces=number)
    assert rights.withhold(record.store, record.box_id, AUTHOR, newer)
    assert record.seen(record.patient) == set()


def test_masks(record: Record) -> None:
    store, box = record.store, record.box_id
    first, coded = record.file(AUTHOR), record.file(AUTHOR, ("N", "MASQUE_PS"))
    for who in (OTHER, PHYSIO):
        rights.authorise(store, box, record.patient, who.ident)
    assert record.seen(OTHER) == {first}
    assert rule_of(lambda: record.read(OTHER, coded)) == "dossier.unknown"
    assert rights.unmask(store, box, record.patient, coded)
    assert record.seen(OTHER) == {first, coded}
    assert rights.mask(store, box, record.patient, first)
    assert not rights.mask(store, box, record.patient, first)
    assert record.seen(OTHER) == {coded}
    assert record.seen(AUTHOR) == {first, coded}
    # all at once, those to come too; one is taken out again
    assert rights.mask_all(store, box, record.patient)
    later = record.file(AUTHOR)
    assert record.seen(OTHER) == set()
    assert rights.unmask(store, box, record.patient, later)
    assert record.seen(OTHER) == {later}
    assert rights.mask_all(store, box, record.patient)
    assert record.seen(OTHER) == set()
    assert rights.unmask_all(store, box, record.patient)
    assert not rights.unmask_all(store, box, record.patient)
    assert record.seen(OTHER) == {coded, later}, "what was masked by itself stays masked"
    # the treating physician reads all of it
    assert rights.appoint(store, box, record.patient, OTHER.ident)
    assert record.seen(OTHER) == {first, coded, later}
    assert record.seen(doctor(2, profession="60")) == {coded, later}, "who is no physician is not treating"
    assert rights.dismiss(store, box, record.patient)
    assert not rights.dismiss(store, box, record.patient)
    assert record.seen(OTHER) == {coded, later}


def test_the_treating_physician(record: Record) -> None:
    store, box = record.store, record.box_id
    number = record.file(AUTHOR)
    rights.appoint(store, box, record.patient, OTHER.ident)
    assert rights.mask(store, box, OTHER, number)
    assert rights.block(store, box, OTHER, PHYSIO.ident)
    assert store.read(rights.may, store, box, OTHER, "read_history").allowed
    for refused in (
        lambda: rights.unblock(store, box, OTHER, PHYSIO.ident),
        lambda: rights.mask_all(store, box, OTHER),
        lambda: rights.appoint(store, box, OTHER, AUTHOR.ident),
    ):
        assert rule_of(refused) == "dossier.reserved"
    assert rule_of(lambda: rights.hide(store, box, OTHER, number)) == "dossier.author"
    assert rule_of(lambda: rights.unmask(store, box, OTHER, number)) == "dossier.author"
    assert rule_of(lambda: rights.unmask(store, box, AUTHOR, number)) == "dossier.reserved"
    rights.appoint(store, box, record.patient, AUTHOR.ident)
    assert store.read(rights.rights_of, box).treating == AUTHOR.ident
    assert record.seen(OTHER) == set()
    rights.block(store, box, record.patient, AUTHOR.ident)
    assert rule_of(lambda: dossier.list_documents(store, box, AUTHOR)) == "dossier.blocked"


def test_withheld_until_announced_for_good(record: Record) -> None:
    store, box = record.store, record.box_id
    number = record.file(AUTHOR, ("N", "INVISIBLE_PATIENT"))
    rights.authorise(store, box, record.patient, OTHER.ident)
    assert record.seen(record.patient) == set()
    assert record.seen(OTHER) == {number}
    with pytest.raises(NotFoundError) as caught:
        record.read(record.patient, number)
    assert caught.value.rule == "dossier.unknown"
    never = rule_of(lambda: record.read(record.patient, 5))
    assert never == "dossier.unknown"
    patients_own = [one for one in record.told() if one[0] == "document_read"]
    assert [rule for _, _, rule in patients_own] == ["dossier.unknown"] * 2, (
        "his journal does not tell either"
    )
    assert rule_of(lambda: rights.announce(store, box, record.patient, number)) == "dossier.unknown"
    assert rule_of(lambda: rights.mask(store, box, AUTHOR, number)) == "dossier.together"
    assert rule_of(lambda: rights.announce(store, box, OTHER, number)) == "dossier.author"
    assert rights.announce(store, box, AUTHOR, number)
    assert record.seen(record.patient) == {number}
    assert rule_of(lambda: rights.withhold(store, box, AUTHOR, number)) == "dossier.announced"
    rights.mask(store, box, record.patient, number)
    other = record.file(AUTHOR)
    rights.mask(store, box, AUTHOR, other)
    assert rule_of(lambda: rights.withhold(store, box, AUTHOR, other)) == "dossier.together"


def test_marks_follow_to_the_new_version_and_guard_the_old(record: Record) -> None:
    store, box = record.store, record.box_id
    rights.authorise(store, box, record.patient, OTHER.ident)
    masked, open_ = record.file(AUTHOR), record.file(AUTHOR)
    rights.mask(store, box, record.patient, masked)
    second = record.file(AUTHOR, replaces=masked)
    assert record.seen(OTHER, history=True) == {open_}
    rights.unmask(store, box, record.patient, second)
    assert record.seen(OTHER, history=True) == {open_, second}, "the old version was masked by itself"
    newest = record.file(AUTHOR, replaces=open_)
    assert record.seen(OTHER, history=True) == {open_, second, newest}
    rights.mask(store, box, record.patient, newest)
    assert record.seen(OTHER, history=True) == {second}, "an old version is seen no more widely than the new"
    withheld = record.file(AUTHOR)
    rights.withhold(store, box, AUTHOR, withheld)
    after = record.file(AUTHOR, replaces=withheld)
    assert not {withheld, after} & record.seen(record.patient, history=True)
    rights.announce(store, box, AUTHOR, after)
    assert after in record.seen(record.patient)
    again = record.file(AUTHOR, ("N", "INVISIBLE_PATIENT"), replaces=after)
    assert again not in record.seen(record.patient), "what was announced was the old content"


def test_an_old_version_is_not_bared_by_itself(record: Record) -> None:
    store, box = record.store, record.box_id
    rights.authorise(store, box, record.patient, OTHER.ident)
    old = record.file(AUTHOR)
    rights.mask_all(store, box, record.patient)
    rights.unmask(store, box, record.patient, old)
    assert record.seen(OTHER) == {old}
    record.file(AUTHOR, replaces=old)
    assert record.seen(OTHER, history=True) == set(), "all masked: the new version is, so the old one is"


def test_what_a_patient_deposits_is_his_whatever_author_he_names(record: Record) -> None:
    number = record.file(record.patient, author=OTHER.ident)
    assert record.seen(OTHER) == set()
    assert rule_of(lambda: rights.mask(record.store, record.box_id, OTHER, number)) == (
        "dossier.not_authorised"
    )
    rights.authorise(record.store, record.box_id, record.patient, OTHER.ident)
    assert record.seen(OTHER) == {number}
    rights.mask(record.store, record.box_id, record.patient, number)
    assert record.seen(OTHER) == set()
    may = {who.ident: record.store.read(rights.may, record.store, record.box_id, who, "delete", number)
           for who in (record.patient, OTHER)}  # fmt: skip
    assert (may[PATIENT].allowed, may[OTHER.ident].allowed) == (True, False)


def test_habilitation(record: Record) -> None:
    numbers = {kind: record.file(AUTHOR, kind=kind) for kind in (BIOLOGY, PRESCRIPTION, RESIDENCE)}
    store, box = record.store, record.box_id
    for who in (OTHER, PHYSIO):
        rights.authorise(store, box, record.patient, who.ident)
    assert record.seen(OTHER) == {numbers[BIOLOGY], numbers[PRESCRIPTION]}
    assert record.seen(PHYSIO) == {numbers[PRESCRIPTION]}
    assert rule_of(lambda: record.read(PHYSIO, numbers[BIOLOGY])) == "dossier.habilitation"
    nobody = doctor(3, profession="")
    assert record.seen(nobody) == set()
    assert record.seen(record.patient) == set(numbers.values())


def test_emergencies(record: Record) -> None:
    store, box = record.store, record.box_id
    number, masked = record.file(AUTHOR), record.file(AUTHOR, ("N", "MASQUE_PS"))
    samu, glass = doctor(2, purpose="regulation"), doctor(2, purpose="break_glass", reason="inconscient")
    for who in (samu, glass):
        assert record.seen(who) == {number}
        assert record.read(who, number)
        assert rule_of(lambda who=who: record.read(who, masked)) == "dossier.unknown"  # type: ignore[misc]
    assert record.journal()[-2].details.reason == "inconscient"
    silent = doctor(2, purpose="break_glass", reason=" ")
    assert rule_of(lambda: record.read(silent, number)) == "dossier.reason"
    rights.block(store, box, record.patient, OTHER.ident)
    assert rule_of(lambda: record.read(glass, number)) == "dossier.blocked"
    assert record.read(samu, number)
    rights.unblock(store, box, record.patient, OTHER.ident)
    assert rights.set_emergency(store, box, record.patient, regulation=False)
    assert not rights.set_emergency(store, box, record.patient, regulation=False, break_glass=True)
    assert rule_of(lambda: record.read(samu, number)) == "dossier.emergency_refused"
    assert record.read(glass, number)
    assert rights.set_emergency(store, box, record.patient, regulation=True, break_glass=False)
    assert rule_of(lambda: record.read(glass, number)) == "dossier.emergency_refused"
    assert record.read(samu, number)


def test_structures_and_support(record: Record) -> None:
    number, foreign = record.file(AUTHOR), record.file(OTHER)
    store, box = record.store, record.box_id
    house = Actor(by="structure", ident=AUTHOR.structure, structure=AUTHOR.structure)
    assert record.seen(house) == {number}
    assert record.read(house, number)
    assert rule_of(lambda: record.read(house, foreign)) == "dossier.unknown"
    assert rule_of(lambda: rights.mask(store, box, house, number)) == "dossier.reserved"
    assert record.seen(SUPPORT) == {number, foreign}
    assert rule_of(lambda: record.read(SUPPORT, number)) == "dossier.content"
    assert rights.mask(store, box, SUPPORT, number)
    assert record.journal()[-1].details.reason == SUPPORT.reason
    hasty = Actor(by="operator", ident="cli:test")
    assert rule_of(lambda: rights.block(store, box, hasty, OTHER.ident)) == "dossier.reason"
    assert record.seen(Actor(by="gateway", ident="gateway")) == set()
    assert record.seen(Actor(by="service", ident="s1")) == set()


def test_a_deleted_document_is_nobodys(record: Record) -> None:
    number = record.file(AUTHOR)
    record.store.write(
        dossier.delete_document,
        box_id=record.box_id,
        unique_id="1.2.1",
        by=dossier.Depositor(address=AUTHOR.address),
    )
    rights.authorise(record.store, record.box_id, record.patient, OTHER.ident)
    for who in (record.patient, AUTHOR, OTHER, SUPPORT):
        assert record.seen(who, history=True) == set()
        assert rule_of(lambda who=who: record.read(who, number)) in ("dossier.unknown", "dossier.content")  # type: ignore[misc]


def test_who_is_nobody_to_the_patient(record: Record) -> None:
    number = record.file(AUTHOR)
    for who in (Actor(by="patient", ident=STRANGER), Actor(by="representative", ident=MOTHER)):
        assert record.seen(who) == set()
        assert rule_of(lambda who=who: record.read(who, number)) == "dossier.stranger"  # type: ignore[misc]
        assert rule_of(lambda who=who: rights.mask(record.store, record.box_id, who, number)) == (  # type: ignore[misc]
            "dossier.stranger"
        )
    assert [one.rule for one in record.journal()] == ["dossier.stranger"] * 4
    assert record.store.read(rights.rights_of, record.box_id) == rights.Standing()


def test_another_patients_document(record: Record) -> None:
    other = record.store.read(patients.profile, MOTHER)
    assert other is not None and other.box_id is not None
    number = record.file(AUTHOR)
    mother = record.store.read(activity.person, other.box_id, MOTHER)
    with pytest.raises(NotFoundError):
        dossier.read_document(record.store, other.box_id, number, mother)
    with pytest.raises(NotFoundError):
        record.store.read(dossier.document_for, record.store, other.box_id, number, mother)


def test_bad_identifiers(record: Record) -> None:
    for bad in ("", "  ", "a b", "x" * 65, "8' OR 1=1"):
        with pytest.raises(InvalidInputError):
            rights.block(record.store, record.box_id, record.patient, bad)
    assert record.journal() == []


# -- minors ---------------------------------------------------------------------------------------


def test_hidden_from_who_represents_him(child: Record) -> None:
    store, box = child.store, child.box_id
    mother = child.person(MOTHER)
    assert (child.patient.by, mother.by) == ("patient", "representative")
    plain, secret = child.file(AUTHOR), child.file(AUTHOR)
    assert rule_of(lambda: rights.hide(store, box, mother, plain)) == "dossier.reserved"
    assert rights.hide(store, box, AUTHOR, secret)
    assert not rights.hide(store, box, AUTHOR, secret)
    for who in (mother, child.patient):  # a parent may have set that sign-in up
        assert child.seen(who) == {plain}
        assert rule_of(lambda who=who: child.read(who, secret)) == "dossier.unknown"  # type: ignore[misc]
        assert rule_of(lambda who=who: rights.show(store, box, who, secret)) == "dossier.unknown"  # type: ignore[misc]
    assert child.store.read(dossier.kept_from, store, box, mother) == {secret}
    assert rule_of(lambda: rights.show(store, box, SUPPORT, secret)) == "dossier.reserved"
    assert rights.show(store, box, AUTHOR, secret)
    assert not rights.show(store, box, AUTHOR, secret)
    assert child.seen(mother) == {plain, secret}
    assert rights.hide(store, box, child.patient, plain)
    assert child.seen(mother) == {secret}
    coded = child.file(AUTHOR, ("N", "INVISIBLE_REPRESENTANTS_LEGAUX"))
    assert coded not in child.seen(mother)
    assert rights.show(store, box, AUTHOR, coded)
    assert coded in child.seen(mother)


def test_a_message_shown_with_the_last_secret_it_brought(child: Record) -> None:
    store, box = child.store, child.box_id
    spool, indexer = store.spool(), Indexer()
    raw = b"From: a@pro.test\r\nTo: b@pro.test\r\nSubject: x\r\n\r\nhello\r\n"
    spool.write(raw)
    indexer.feed(raw)
    message = store.new_message(box, spool, encode_meta(MessageMeta(prefix=b"", index=indexer.close())))
    store.write(mail.append, box_id=box, folder_id=mail.INBOX_ID, message=message)
    kept = ("N", "INVISIBLE_REPRESENTANTS_LEGAUX")
    one, two = (child.file(AUTHOR, kept, message_id=message.message_id) for _ in range(2))
    asked = [message.message_id]
    assert rights.show(store, box, AUTHOR, one)
    assert store.read(patients.hidden_messages, box, asked) == {message.message_id}
    assert child.seen(child.person(MOTHER)) == set(), "the message that holds it is hidden still"
    assert rights.show(store, box, AUTHOR, two)
    assert store.read(patients.hidden_messages, box, asked) == set()
    assert child.seen(child.person(MOTHER)) == {one, two}


def test_of_age_he_shows_it_himself(child: Record) -> None:
    secret = child.file(AUTHOR)
    rights.hide(child.store, child.box_id, AUTHOR, secret)
    child.store.write(patients.add_persons, persons=[person(0, birth_date="1988-05-01")], actor="test")
    assert child.seen(child.patient) == {secret}
    assert rights.show(child.store, child.box_id, child.patient, secret)


# -- moments, races, the end ----------------------------------------------------------------------


def test_a_right_that_goes_between_the_question_and_the_answer(record: Record) -> None:
    store, box = record.store, record.box_id
    number = record.file(AUTHOR)
    rights.authorise(store, box, record.patient, OTHER.ident)
    asked = store.read(question, store, box, OTHER, "read", number)
    listing = store.read(_listing, store, box, OTHER, history=False)
    entry = activity.entry(store, box, OTHER, "document_read", kind="document", subject=str(number))
    before = record.told()
    rights.block(store, box, record.patient, OTHER.ident)
    assert store.write(note_judged, asked=asked, entry=entry).rule == "dossier.blocked"
    assert not store.write(note_listed, box_id=box, actor=OTHER, stamp=listing.stamp, entry=entry)
    assert record.told() == [*before, ("professional_blocked", OTHER.ident, "")]


def test_a_change_is_judged_again_where_it_is_written(record: Record) -> None:
    store, box = record.store, record.box_id
    number = record.file(AUTHOR)
    rights.appoint(store, box, record.patient, OTHER.ident)
    asked = store.read(question, store, box, OTHER, "mask", number)
    entry = activity.entry(store, box, OTHER, "document_masked", kind="document", subject=str(number))
    rights.dismiss(store, box, record.patient)
    before = store.read(rights.rights_of, box)
    done = store.write(change_rights, asked=asked, events=["mask"], entry=entry)
    assert (done.decision.allowed, done.changed) == (False, False)
    assert store.read(rights.rights_of, box) == before
    assert record.told()[-1][0] == "physician_dismissed"


def test_readers_race_with_a_block(record: Record) -> None:
    store, box = record.store, record.box_id
    number = record.file(AUTHOR)
    rights.authorise(store, box, record.patient, OTHER.ident)
    reading, stop = threading.Event(), threading.Event()

    def reads() -> None:
        while not stop.is_set():
            try:
                record.read(OTHER, number)
                dossier.list_documents(store, box, OTHER)
            except RightsError:
                pass
            reading.set()

    threads = [threading.Thread(target=reads) for _ in range(3)]
    for one in threads:
        one.start()
    assert reading.wait(10)
    rights.block(store, box, record.patient, OTHER.ident)
    reading.clear()
    assert reading.wait(10)
    stop.set()
    for one in threads:
        one.join()
    query = select(journal.c.what, journal.c.rule).order_by(journal.c.evidence_seq)
    told = store.read(lambda conn: [tuple(row) for row in conn.execute(query)])
    after = told[told.index(("professional_blocked", "")) + 1 :]
    assert {rule for _, rule in after} == {"dossier.blocked"}


def test_deletion_forgets(record: Record) -> None:
    store, box = record.store, record.box_id
    number = record.file(AUTHOR)
    rights.mask(store, box, record.patient, number)
    rights.block(store, box, record.patient, OTHER.ident)
    count = select(func.count()).select_from(right_event)
    assert store.read(lambda conn: conn.scalar(count)) == 2
    patients.close(store, PATIENT, actor="test")
    assert rule_of(lambda: record.read(record.patient, number)) == "dossier.closed"
    assert record.seen(SUPPORT) == {number}, "kept for its patient, who may ask for it"
    patients.ask_deletion(store, PATIENT, actor="test", reason="asked")
    assert store.read(lambda conn: conn.scalar(count)) == 0


def test_a_past_moment(record: Record) -> None:
    store, box = record.store, record.box_id
    start = now_ms()
    first = record.file(AUTHOR)
    rights.authorise(store, box, record.patient, OTHER.ident)
    pause = threading.Event()
    pause.wait(0.005)
    let_in = now_ms()
    pause.wait(0.005)
    second = record.file(AUTHOR, replaces=first)
    rights.mask(store, box, record.patient, second)
    assert record.seen(OTHER) == set()
    assert record.seen(OTHER, at=let_in) == {first}
    assert record.seen(OTHER, history=True, at=let_in) == {first}
    assert record.seen(OTHER, at=start - 1) == set()
    then = store.read(rights.explain, store, box, OTHER, first, let_in)
    assert (then.answers["read"].rule, then.record.authorised) == ("dossier.authorised", True)
    now = store.read(rights.explain, store, box, OTHER, first)
    assert now.answers["read"].rule == "dossier.masked"
    with pytest.raises(NotFoundError):
        store.read(rights.explain, store, box, OTHER, second, let_in)
