"""A parent writes in the child's name: from the child's box, and the evidence tells who it was."""

from __future__ import annotations

import json

import msgspec
from routing_support import ALICE, DOCTOR, PATIENTS, Post, message, operator, patient, settle

import evidence
import patients
from gateway.demo import cast
from store import Store

assert PATIENTS.patient_domain == cast.PATIENT_DOMAIN


def by(store: Store, ident: str) -> list[tuple[str, str, str]]:
    links = store.read(evidence.trace, ident)
    return [(link.event, link.sender, json.loads(link.detail)["by"]) for link in links]


async def test_the_evidence_names_who_acted(post: Post) -> None:
    ins = cast.ins("1190675056001")
    child = patients.Person(ins, patients.OID_NIR_DEMO, "EXEMPLE", "LEO", "", "M", "2019-06-01", "75056")
    post.store.write(patients.add_persons, persons=[child], actor="test")
    profile = patients.activate(post.store, ins, cast.PATIENT_DOMAIN, actor="test")
    post.store.write(
        patients.attach_representative,
        ins=ins,
        representative=ALICE.ins,
        capacity="parent",
        actor="t",
        reason="",
    )
    first = message(DOCTOR, message_id="<first@example.test>")
    sent = await post.send(operator(post.store, cast.HOSPITAL_DOMAIN), DOCTOR, [profile.address], first)
    assert sent.accepted
    parent = msgspec.structs.replace(patient(post.store, profile.address), actor_ins=ALICE.ins)
    for number, origin in enumerate((parent, patient(post.store, profile.address))):
        raw = message(profile.address, message_id=f"<{number}@example.test>")
        answered = await post.send(origin, profile.address, [DOCTOR], raw)
        assert answered.accepted, answered.reply
    [(_, sender, actor)] = by(post.store, "0@example.test")
    assert (sender, actor) == (profile.address, f"patient:{ALICE.ins}")
    assert [one[2] for one in by(post.store, "1@example.test")] == ["app-password"]
    assert post.sent(ALICE.address) == []  # nothing of it comes into the parent's own box
    await settle(post.router)
