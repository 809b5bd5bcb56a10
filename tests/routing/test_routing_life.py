"""The life of a profile as a professional who writes to it sees it, from the campaign to the deletion."""

from __future__ import annotations

import pytest
from routing_support import DOCTOR, Post, message, operator

import patients
from gateway.demo import cast
from patients import Person, ins_key
from store import mail
from tests.patients.patients_support import seven_weeks_pass

_BODY = "1880575001777"
INS = _BODY + ins_key(_BODY)
ADDRESS = f"{INS}@{cast.PATIENT_DOMAIN}"


@pytest.fixture
def person(post: Post) -> Post:
    """A trust space where somebody more is known."""
    one = Person(INS, patients.OID_NIR_TEST, "EXEMPLE", "DIANE", "", "F", "1988-05-01", "75056")
    post.store.write(patients.add_persons, persons=[one], actor="test")
    return post


async def told(post: Post) -> tuple[int, str, str]:
    """What a hospital hears when it names this recipient: code, rule, words."""
    verdict = await post.router.recipient(operator(post.store, cast.HOSPITAL_DOMAIN), DOCTOR, ADDRESS)
    return verdict.code, verdict.rule, verdict.peer


async def send(post: Post, number: int) -> bytes:
    raw = message(DOCTOR, text=f"Message {number}", message_id=f"<life-{number}@example.test>")
    origin = operator(post.store, cast.HOSPITAL_DOMAIN)
    assert (await post.send(origin, DOCTOR, [ADDRESS], raw)).accepted
    return raw


async def test_from_known_to_deleted(person: Post) -> None:
    store, domain = person.store, cast.PATIENT_DOMAIN
    assert (await told(person))[:2] == (550, "recipient.unknown")
    patients.notify(store, INS, actor="campaign")
    assert (await told(person))[:2] == (550, "recipient.unknown")
    patients.oppose(store, INS, actor="diane")
    code, rule, words = await told(person)
    assert (code, rule) == (550, "recipient.opposed")
    assert "opposed" in words
    patients.activate(store, INS, domain, actor="diane")
    received = [await send(person, 1)]
    patients.suspend(store, INS, actor="support", reason="fraud")
    assert (await told(person))[:2] == (450, "recipient.suspended")
    patients.resume(store, INS, actor="support")
    patients.close(store, INS, actor="diane")
    assert (await told(person))[:2] == (550, "recipient.closed")
    patients.reopen(store, INS, actor="diane")
    assert person.inbox(ADDRESS) == received  # the archive is back
    received.append(await send(person, 2))
    assert person.inbox(ADDRESS) == received
    patients.close(store, INS, actor="diane")
    before = await told(person)
    patients.ask_deletion(store, INS, actor="diane")
    assert await told(person) == before  # a deletion is nobody's business
    assert before[:2] == (550, "recipient.closed")


async def test_what_came_before_activation_is_read_after_it(person: Post) -> None:
    store = person.store
    patients.notify(store, INS, actor="campaign")
    store.write(seven_weeks_pass)
    assert patients.open_due(store, cast.PATIENT_DOMAIN, actor="night").opened == 1
    received = [await send(person, 1), await send(person, 2)]
    opened = store.read(patients.profile, INS)
    assert opened is not None and opened.state == "opened" and opened.box_id is not None
    patients.activate(store, INS, cast.PATIENT_DOMAIN, actor="diane")
    assert person.inbox(ADDRESS) == received
    secret = patients.add_app_password(store, opened.box_id, "téléphone")
    assert await patients.check_app_password(store, ADDRESS, secret) == opened.box_id
    uses = {folder.special_use for folder in store.read(mail.folders, opened.box_id)}
    assert {"\\Sent", "\\Drafts", "\\Trash"} <= uses
