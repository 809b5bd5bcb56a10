"""Struck off, opposed, of another profession: what the directory holds against a sender, at every door."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from routing_support import ALICE, COLLEAGUE, DOCTOR, HOSPITAL, PATIENTS, Post, message, operator, settle

import annuaire
from annuaire.demo import write_activities, write_cards, write_mssante
from certs import CertVerdict, Identity
from gateway.demo import cast
from gateway.routing import Origin, Policy, Router, explain
from gateway.smtp.auth import AuthRefusedError, Mechanisms
from store import Store, mail, now_ms

ME = cast.DOCTOR.id_nat


def activities(store: Store, folder: Path, people: Iterable[cast.Professional]) -> None:
    rows = [
        {
            "national": one.id_nat,
            "family": one.family,
            "given": one.given,
            "profession": one.profession,
            "finess": one.finess,
            "sector": one.sector,
        }
        for one in people
    ]
    annuaire.import_extraction(store, write_activities(folder / "activities.txt", rows))


def strike_off(store: Store, folder: Path) -> None:
    activities(store, folder, [one for one in cast.PROFESSIONALS if one.id_nat != ME])


def shown(**change: object) -> CertVerdict:
    """The verdict on the doctor's card, which holds."""
    who = Identity(
        kind="person",
        subject_dn="CN=x",
        issuer_dn="CN=y",
        serial=1,
        id_nat=ME,
        profession="10",
        bearer="card",
    )
    return CertVerdict(
        ok=True,
        rule="",
        reason="",
        identity=msgspec.structs.replace(who, **change),
        purpose="client",
        path=[],
        valid_until=0,
        checks=[],
    )


@pytest.fixture
def router(hospital: Store) -> Router:
    return Router(hospital, HOSPITAL)


def session(store: Store, address: str) -> Origin:
    """Signed in to a mailbox by password."""
    box = store.read(mail.box_by_address, address)
    assert box is not None
    return Origin(kind="professional", box_id=box.box_id, address=address, tls="TLSv1.3")


async def test_a_password_does_not_outlive_the_register(router: Router, tmp_path: Path) -> None:
    store = router.store
    assert (await router.sender(session(store, DOCTOR), DOCTOR)).accepted
    before = now_ms()
    strike_off(store, tmp_path)
    router._senders.clear()  # five seconds pass
    refused = await router.sender(session(store, DOCTOR), DOCTOR)
    assert (refused.rule, refused.code) == ("sender.annuaire", 550)
    assert "struck off" in refused.peer
    assert (await router.sender(session(store, DOCTOR), "")).rule == "sender.annuaire"
    assert (await router.sender(session(store, COLLEAGUE), COLLEAGUE)).accepted
    told = store.read(explain, HOSPITAL, DOCTOR, COLLEAGUE)
    then = store.read(explain, HOSPITAL, DOCTOR, COLLEAGUE, before)
    assert (told.verdict.rule, then.verdict.action) == ("sender.annuaire", "accept")
    await settle(router)


async def test_a_directory_without_activities_refuses_nobody(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home") as store:
        store.create_box(address=DOCTOR, kind="pro", owner=ME)
        router = Router(store, HOSPITAL)
        assert (await router.sender(session(store, DOCTOR), DOCTOR)).accepted
        activities(store, tmp_path, [cast.COLLEAGUE])  # never listed him: it knows nothing against him
        router._senders.clear()
        assert (await router.sender(session(store, DOCTOR), DOCTOR)).accepted
        await settle(router)


async def test_signing_in_by_certificate(router: Router, tmp_path: Path) -> None:
    origin = await router.external(shown())
    assert origin is not None
    assert (origin.kind, origin.id_nat) == ("professional", ME)
    assert (await router.sender(origin, DOCTOR)).accepted
    other = await router.sender(origin, COLLEAGUE)
    assert (other.rule, "gives the address to another professional" in other.peer) == (
        "sender.identity",
        True,
    )
    missing = await router.sender(origin, f"nobody@{cast.HOSPITAL_DOMAIN}")
    assert (missing.rule, "no such mailbox" in missing.peer) == ("sender.identity", True)
    strike_off(router.store, tmp_path)
    assert (await router.sender(origin, COLLEAGUE)).rule == "sender.annuaire"  # in a session that goes on
    mechanisms = Mechanisms(external=router.external, certificate=shown())
    with pytest.raises(AuthRefusedError) as caught:
        await mechanisms._external(b"")
    assert (caught.value.rule, caught.value.code) == ("sender.annuaire", 535)
    assert "struck off" in caught.value.peer
    await settle(router)


async def test_a_certificate_of_another_profession(router: Router) -> None:
    origin = await router.external(shown(profession="21"))
    assert origin is not None
    assert (origin.kind, origin.refusal_rule) == ("none", "sender.identity")
    assert "states the profession 21, the annuaire 10" in origin.refusal_reason
    closed = await router.external(shown(profession="39"))
    assert closed is not None
    assert closed.kind == "professional"


async def test_an_opposed_card_signs_in_no_more(router: Router, tmp_path: Path) -> None:
    card = {"national": ME, "kind": "CPS", "number": "2500000017", "ends": "20991231", "opposed": "20260401"}
    annuaire.import_extraction(router.store, write_cards(tmp_path / "c.txt", [card]))
    for verdict in (shown(), shown(card="8025000001/2500000017")):
        origin = await router.external(verdict)
        assert origin is not None
        assert (origin.kind, origin.refusal_rule) == ("none", "sender.card")
    for verdict in (shown(card="8025000001/2500000025"), shown(bearer="software")):
        origin = await router.external(verdict)
        assert origin is not None
        assert origin.kind == "professional"


async def test_a_structure_under_its_other_identifier(router: Router, tmp_path: Path) -> None:
    address = f"service@{cast.HOSPITAL_DOMAIN}"
    box = {"kind": "ORG", "address": address, "structure_kind": "1", "structure": cast.DOCTOR.finess}
    annuaire.import_extraction(router.store, write_mssante(tmp_path / "m.txt", [box]))
    router.store.create_box(address=address, kind="pro", owner="")
    siret = shown(kind="organisation", id_nat="", profession="", struct_id="399999999900011")
    for proven in (False, True):
        row = {"national": ME, "family": "X", "given": "Y", "profession": "10", "finess": cast.DOCTOR.finess}
        row |= {"siret": "99999999900011"} if proven else {}
        annuaire.import_extraction(router.store, write_activities(tmp_path / "a.txt", [row]))
        origin = await router.external(siret)
        assert origin is not None
        router._senders.clear()
        assert (await router.sender(origin, address)).accepted == proven
    await settle(router)


async def test_another_operators_sender(post: Post, tmp_path: Path) -> None:
    router, store = post.router, post.store
    origin = operator(store, cast.HOSPITAL_DOMAIN)
    assert (await router.sender(origin, DOCTOR)).accepted
    before = now_ms()
    strike_off(store, tmp_path)
    router._senders.clear()
    refused = await router.sender(origin, DOCTOR)
    assert (refused.rule, "struck off" in refused.peer) == ("sender.annuaire", True)
    # his mailbox leaves the directory with him: "unlisted" is no way around
    boxes = [{"kind": "PER", "address": COLLEAGUE, "national": cast.COLLEAGUE.id_nat}]
    annuaire.import_extraction(store, write_mssante(tmp_path / "m.txt", boxes))
    refused = await router.sender(origin, DOCTOR)
    assert (refused.rule, "struck off" in refused.peer) == ("sender.annuaire", True)
    # who moved away and still practises is an unlisted sender like any other
    activities(store, tmp_path, cast.PROFESSIONALS)
    assert (await router.sender(origin, DOCTOR)).accepted
    strict: Policy = msgspec.structs.replace(PATIENTS, unlisted="refuse")
    refused = await Router(store, strict).sender(origin, DOCTOR)
    assert (refused.rule, "no longer publishes the sender since" in refused.peer) == ("sender.annuaire", True)
    assert (await post.from_doctor(message(DOCTOR))).accepted
    then = store.read(explain, PATIENTS, DOCTOR, ALICE.address, before)
    assert "is published in the annuaire and practises" in [check.text for check in then.checks][4]
    await settle(router)
