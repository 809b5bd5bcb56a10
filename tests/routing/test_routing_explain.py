"""`passerelle explain` and the router never disagree: same checks, same words."""

from __future__ import annotations

from itertools import product

import pytest
from routing_support import (
    ALICE,
    BASILE,
    CLEMENCE,
    COLLEAGUE,
    DOCTOR,
    HOSPITAL,
    PATIENTS,
    PHARMACY,
    Post,
    message,
    operator,
    patient,
    settle,
)

import annuaire
from gateway.demo import cast
from gateway.routing import Origin, Router, Verdict, domain_of, explain
from store import NotFoundError, Store, mail, now_ms

CLINIC = f"someone@{cast.CLINIC_DOMAIN}"
OUTSIDE = "someone@outside.example"
UNKNOWN_INS = cast.ins("1700175056042") + f"@{cast.PATIENT_DOMAIN}"
BAD_INS = f"123456789012345@{cast.PATIENT_DOMAIN}"
ADDRESSES = (
    DOCTOR,
    COLLEAGUE,
    PHARMACY,
    CLINIC,
    OUTSIDE,
    ALICE.address,
    ALICE.address.upper(),
    BASILE.address,
    CLEMENCE.address,
    UNKNOWN_INS,
    BAD_INS,
    f"nobody@{cast.HOSPITAL_DOMAIN}",
    f"someone@{cast.PATIENT_DOMAIN}",
)


async def asked(router: Router, origin: Origin, sender: str, recipient: str) -> Verdict:
    """What MAIL and RCPT answer."""
    verdict = await router.sender(origin, sender)
    return await router.recipient(origin, sender, recipient) if verdict.accepted else verdict


def session_of(router: Router, sender: str) -> Origin:
    """The session that explain takes as proven for a sender."""
    store, domain = router.store, domain_of(sender)
    box = store.read(mail.box_by_address, sender)
    if domain == router.policy.patient_domain:
        return patient(store, sender)
    if domain in router.policy.hosted:
        return Origin(kind="professional", box_id=box.box_id if box else 0, address=sender, tls="TLSv1.3")
    if store.read(annuaire.whitelist_entries, domain):
        return operator(store, domain)
    return Origin(kind="operator", dn="CN=somebody", tls="TLSv1.3")


@pytest.mark.parametrize("written", [False, True], ids=["nobody wrote", "the doctor wrote"])
async def test_among_patients(post: Post, written: bool) -> None:
    if written:
        await post.from_doctor(message(DOCTOR))
        await post.from_doctor(message(DOCTOR, subject="[FIN]"), CLEMENCE.address)
    await agree(post.router)


async def test_at_the_hospital(hospital: Store) -> None:
    await agree(Router(hospital, HOSPITAL))


async def agree(router: Router) -> None:
    accepted = 0
    for sender, recipient in product(ADDRESSES, ADDRESSES):
        try:
            told = router.store.read(explain, router.policy, sender, recipient)
        except NotFoundError as error:
            assert error.rule == "sender.unknown"
            assert router.store.read(mail.box_by_address, sender) is None
            continue
        verdict = await asked(router, session_of(router, sender), sender, recipient)
        assert (told.verdict.action, told.verdict.reply) == (verdict.action, verdict.reply), (
            f"{sender} to {recipient}: {told.verdict.reply} / {verdict.reply}"
        )
        assert told.verdict.rule == verdict.rule
        accepted += verdict.accepted
        failed = [check for check in told.checks if not check.ok]
        assert told.verdict.accepted == (not failed)
        assert len(failed) <= 1 or told.verdict.rule == failed[0].rule
    assert accepted > 0, "everything was refused: the scene says nothing"
    await settle(router)


async def test_the_promise_over_all_pairs(post: Post) -> None:
    """No patient reaches a patient, nor a professional who never wrote; professionals reach open boxes."""
    await post.from_doctor(message(DOCTOR))
    reached = set()
    for sender, recipient in product(ADDRESSES, ADDRESSES):
        try:
            told = post.store.read(explain, PATIENTS, sender, recipient)
        except NotFoundError:
            continue
        if told.verdict.accepted:
            reached.add((sender, recipient))
    professionals = {DOCTOR, COLLEAGUE, PHARMACY, CLINIC, f"nobody@{cast.HOSPITAL_DOMAIN}"}
    open_boxes = {ALICE.address, ALICE.address.upper(), CLEMENCE.address}
    assert reached == (
        set(product(professionals, open_boxes))
        | {(ALICE.address, DOCTOR), (ALICE.address.upper(), DOCTOR)}
        | set(product(open_boxes, {PHARMACY}))
    )


async def test_explain_remembers_how_it_stood(post: Post) -> None:
    before = now_ms() - 1
    await post.from_doctor(message(DOCTOR))
    now = post.store.read(explain, PATIENTS, ALICE.address, DOCTOR)
    then = post.store.read(explain, PATIENTS, ALICE.address, DOCTOR, before)
    assert (now.verdict.action, then.verdict.rule) == ("accept", "reply.never_contacted")
