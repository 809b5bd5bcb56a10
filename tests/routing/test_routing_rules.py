"""The rules against a second, independent wording of them, over every combination of their facts.

Each model below is written from the design's list of rules, as a table of "first thing that is wrong"; it
shares nothing with the rules but their ids.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing import Check, rules

Refusal = tuple[str, int] | None  # (rule, SMTP code); None: accepted


def outcome(checks: list[Check]) -> Refusal:
    verdict = rules.verdict(checks)
    if verdict.accepted:
        assert verdict.code == 250
        return None
    assert verdict.action == ("defer" if verdict.code < 500 else "refuse")
    assert verdict.enhanced[0] == str(verdict.code)[0], "class of the enhanced code (RFC 3463 §2)"
    assert verdict.reply.endswith(f"[{verdict.rule}]")
    assert verdict.peer.isascii()
    assert "\n" not in verdict.peer
    return verdict.rule, verdict.code


def first(*wrong: tuple[bool, str, int]) -> Refusal:
    return next(((rule, code) for is_wrong, rule, code in wrong if is_wrong), None)


def every(**values: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [dict(zip(values, one, strict=True)) for one in product(*values.values())]


BOTH = (False, True)
DAY = 1_790_000_000_000


# -- who sends ------------------------------------------------------------------------------------


def operator_model(f: dict[str, Any]) -> Refusal:
    known_domain = f["domain"] != ""
    return first(
        (not f["encrypted"], "sender.tls", 530),
        (f["certificate_rule"] == "sender.revocation_unknown", "sender.revocation_unknown", 451),
        (f["certificate_rule"] != "", f["certificate_rule"], 550),
        (not f["shown"], "sender.certificate", 550),
        (not f["list_usable"], "sender.whitelist", 451),
        # a domain belongs to the certificates that the list names for it; the patients' to nobody outside
        (not f["dn_allowed"], "sender.whitelist", 550),
        (known_domain and f["from_patients"], "sender.whitelist", 550),
        # who was struck off may not write, his box still published or gone with him
        (known_domain and not practising(f) and f["standing"] == "struck_off", "sender.annuaire", 550),
        # APP boxes are not published, so the operator decides; who no longer practises may not write
        (known_domain and not f["listed"] and f["unlisted"] == "refuse", "sender.annuaire", 550),
        (known_domain and f["listed"] and not f["active"], "sender.annuaire", 550),
    )


def practising(f: dict[str, Any]) -> bool:
    return bool(f["listed"] and f["active"])


OPERATOR = every(
    encrypted=BOTH,
    certificate_rule=("", "sender.certificate", "sender.revoked"),
    shown=BOTH,
    domain=("", "hopital.example.test"),
    domain_listed=BOTH,
    dn_allowed=BOTH,
    list_usable=BOTH,
    listed=BOTH,
    active=BOTH,
    standing=("unchecked", "struck_off", "no_activity"),
    hidden=BOTH,
    unlisted=("accept", "refuse"),
    from_patients=BOTH,
)


def test_operator_sender_in_every_case() -> None:
    for facts in OPERATOR:
        assert outcome(rules.operator_sender(rules.OperatorSender(**facts))) == operator_model(facts), facts


def test_an_unknown_revocation_state_is_ours_to_mend() -> None:
    facts = OPERATOR[-1] | {
        "encrypted": True,
        "certificate_rule": "sender.revocation_unknown",
    }
    assert outcome(rules.operator_sender(rules.OperatorSender(**facts))) == operator_model(facts)


def test_the_refused_certificate_is_explained_in_its_own_words() -> None:
    facts = rules.OperatorSender(
        encrypted=True,
        certificate_rule="sender.revoked",
        certificate_reason="The certificate was revoked on 2026-01-01",
        domain="a.test",
        domain_listed=True,
        dn_allowed=False,
    )
    assert "revoked on 2026-01-01" in rules.verdict(rules.operator_sender(facts)).reply


@pytest.mark.parametrize(
    ("listed", "patients", "words"),
    [(True, False, "another operator"), (False, False, "not in the whitelist"), (True, True, "served here")],
)
def test_the_whitelist_refusal_says_why(listed: bool, patients: bool, words: str) -> None:
    facts = rules.OperatorSender(
        encrypted=True, domain="a.test", domain_listed=listed, dn_allowed=False, from_patients=patients
    )
    assert words in rules.verdict(rules.operator_sender(facts)).peer


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"listed": False}, "is not published in the annuaire"),
        ({"listed": False, "box_gone_at": DAY}, "no longer publishes the sender since 2026-09-21"),
        ({"listed": True, "active": False, "standing": "no_activity"}, "lists no activity"),
        ({"listed": True, "active": False, "standing": "struck_off", "gone_at": DAY}, "since 2026-09-21"),
        ({"listed": False, "standing": "struck_off", "gone_at": DAY}, "struck off"),
    ],
)
def test_the_annuaire_refusal_says_why(facts: dict[str, Any], words: str) -> None:
    told = rules.OperatorSender(
        encrypted=True, domain="a.test", domain_listed=True, dn_allowed=True, unlisted="refuse", **facts
    )
    refused = rules.verdict(rules.operator_sender(told))
    assert (refused.rule, words in refused.peer) == ("sender.annuaire", True), refused.peer


def test_the_liste_rouge_is_told_and_refuses_nobody() -> None:
    facts = rules.OperatorSender(
        encrypted=True, domain="a.test", domain_listed=True, dn_allowed=True, listed=True, hidden=True
    )
    accepted = rules.verdict(rules.operator_sender(facts))
    assert (accepted.accepted, "liste rouge" in accepted.log) == (True, True)


def test_submitting_sender_in_every_case() -> None:
    cases = every(
        signed_in=BOTH,
        owned=BOTH,
        open=BOTH,
        mismatch=("", "the certificate states the profession 10, the annuaire 21"),
        standing=(None, "practises", "unchecked", "unknown", "no_activity", "struck_off"),
        card=("", "good", "opposed"),
        suspended=BOTH,
    )
    for facts in cases:
        expected = first(
            (not facts["signed_in"], "sender.signed_in", 530),
            (facts["card"] == "opposed", "sender.card", 550),
            # never because the directory is empty, or does not know him: because he was there and has gone
            (facts["standing"] == "struck_off", "sender.annuaire", 550),
            (not facts["owned"] or facts["mismatch"] != "", "sender.identity", 550),
            (not facts["open"], "sender.closed", 550),
            (facts["suspended"], "sender.suspended", 450),
        )
        assert outcome(rules.submitting_sender(rules.SubmittingSender(**facts))) == expected, facts


def test_the_identity_refusal_says_why() -> None:
    facts = rules.SubmittingSender(signed_in=True, owned=False, why_not="the address is an organisation's")
    assert "own the sender address: the address is an" in rules.verdict(rules.submitting_sender(facts)).peer
    facts = rules.SubmittingSender(signed_in=True, owned=True, mismatch="the professions differ")
    assert rules.verdict(rules.submitting_sender(facts)).peer == "the professions differ"


def test_authorship_in_every_case() -> None:
    a, b = "a@x.test", "b@x.test"
    cases = every(
        mail_from=("", a, b),
        from_=((), ("",), (a,), (b,), (a, b), (a, a)),
        sender=("", a, b),
        report=BOTH,
        from_allowed=BOTH,
    )
    for facts in cases:
        authors = facts["from_"]
        one = len(authors) == 1 and authors[0] != ""
        agrees = one and facts["mail_from"] in (authors[0], facts["sender"])
        good = one and facts["from_allowed"] and (agrees if facts["mail_from"] else facts["report"])
        expected = None if good else ("sender.identity", 550)
        assert outcome(rules.authorship(rules.Authorship(**facts))) == expected, facts


# -- who receives ---------------------------------------------------------------------------------

STATES = ("", "known", "notified", "opened", "activated", "opposed", "closed", "suspended", "deleted")


def test_patient_recipient_in_every_case() -> None:
    for facts in every(valid=BOTH, state=STATES, full=BOTH):
        state = facts["state"]
        expected = first(
            (not facts["valid"], "recipient.invalid", 550),
            (state in ("", "known", "notified"), "recipient.unknown", 550),
            (state == "opposed", "recipient.opposed", 550),
            (state in ("closed", "deleted"), "recipient.closed", 550),
            (state == "suspended", "recipient.suspended", 450),
            (facts["full"], "recipient.quota", 452),
        )
        # opened automatically and not yet activated: the box fills until activation
        assert outcome(rules.patient_recipient(rules.PatientRecipient(**facts))) == expected, facts


def test_hosted_recipient_in_every_case() -> None:
    for facts in every(exists=BOTH, is_open=BOTH, full=BOTH):
        expected = first(
            (not facts["exists"], "recipient.unknown", 550),
            (not facts["is_open"], "recipient.closed", 550),
            (facts["full"], "recipient.quota", 452),
        )
        assert outcome(rules.hosted_recipient(**facts)) == expected, facts


def test_other_recipients() -> None:
    assert outcome(rules.trusted_domain(listed=True)) is None
    assert outcome(rules.trusted_domain(listed=False)) == ("recipient.domain", 550)
    assert outcome(rules.no_relay()) == ("recipient.relay", 550)


# -- a patient writes -----------------------------------------------------------------------------


def patient_model(f: dict[str, Any]) -> Refusal:
    may_answer = f["opened_at"] > f["ended_at"]
    standing = may_answer and not f["other_holder"] and not f["left_at"]
    may_begin = f["officine"] and f["dispensed"] is not False
    silent = not (standing or may_begin)
    return first(
        (f["acting"] == "stranger", "patient.acting", 550),
        (f["to_patient"], "patient.to_patient", 550),
        (not f["trusted"] and f["contacted"], "reply.domain_gone", 550),
        (not f["trusted"], "patient.outside", 550),
        (silent and may_answer and f["other_holder"], "reply.holder_changed", 550),
        (silent and may_answer and f["left_at"] > 0, "reply.not_practising", 550),
        (silent and f["contacted"], "reply.ended", 550),
        (silent and f["officine"], "reply.pharmacy", 550),
        (silent and f["other_mailbox"], "reply.other_mailbox", 550),
        (silent, "reply.never_contacted", 550),
    )


PATIENT = every(
    acting=("self", "representative", "stranger"),
    to_patient=BOTH,
    trusted=BOTH,
    contacted=BOTH,
    opened_at=(0, 1, 2),
    ended_at=(0, 1, 2),
    other_holder=BOTH,
    left_at=(0, DAY),
    gone_at=(0, DAY),
    other_mailbox=BOTH,
    officine=BOTH,
    dispensed=(None, False, True),
)


def test_patient_writes_in_every_case() -> None:
    for facts in PATIENT:
        assert outcome(rules.patient_writes(rules.PatientWrites(**facts))) == patient_model(facts), facts


def test_a_patient_reaches_only_who_wrote_or_a_pharmacy() -> None:
    """The promise itself, in one sentence, over all facts."""
    for facts in PATIENT:
        if outcome(rules.patient_writes(rules.PatientWrites(**facts))) is None:
            assert not facts["to_patient"]
            assert facts["trusted"]
            assert facts["opened_at"] or facts["officine"]


def test_a_mailbox_that_is_published_no_more_is_told_before_sending() -> None:
    for facts in PATIENT:
        checks = rules.patient_writes(rules.PatientWrites(**facts))
        accepted = rules.verdict(checks)
        warned = [check for check in checks if check.warning]
        assert bool(warned) == (accepted.rule == "reply.contacted" and facts["gone_at"] > 0), facts
        assert all(check.ok and "since 2026-09-21" in check.text for check in warned)


# -- the message ----------------------------------------------------------------------------------


@given(size=st.integers(0, 2**40), limit=st.integers(1, 2**40))
def test_message_size(size: int, limit: int) -> None:
    expected = ("message.size", 552) if size > limit else None
    assert outcome(rules.message_size(size=size, limit=limit)) == expected


VARIANTS = ("[fin]", " [FIN]", "[FIN] ", "[FIN].", "Re: [FIN]", "RE:[FIN]", "Tr: [FIN]", "[ FIN ]", "FIN")
VARIANTS += (
    "[FIN][FIN]",
    "[FIN] merci",
    "[\N{FULLWIDTH LATIN CAPITAL LETTER F}IN]",
    "[FIN]\n",
    "\N{ZERO WIDTH SPACE}[FIN]",
)


@given(subject=st.one_of(st.sampled_from(["[FIN]", *VARIANTS]), st.text(max_size=10)))
def test_effect_on_correspondence(subject: str) -> None:
    """A table of eight cells for each subject: three kinds of message, two headers, one exact word."""
    ends = "ends" if subject == "[FIN]" else ""
    expected = {
        ("answer", False): "nothing",
        ("answer", True): "nothing",
        ("generated", False): ends or "silent",
        ("generated", True): ends or "silent",
        ("no", False): ends or "opens",
        ("no", True): ends or "silent",
    }
    for (automatic, end_header), effect in expected.items():
        told = rules.effect_on_correspondence(subject=subject, end_header=end_header, automatic=automatic)  # type: ignore[arg-type]  # the literals above
        assert told == effect, (subject, automatic, end_header)


@pytest.mark.parametrize(
    ("auto", "null_path", "expected"),
    [
        ("", False, "no"),
        ("", True, "answer"),
        ("dsn", False, "answer"),
        ("mdn", False, "answer"),
        ("auto-replied", False, "answer"),
        ("auto-generated", False, "generated"),
        ("auto-notified", False, "generated"),
        ("auto-generated", True, "answer"),
    ],
)
def test_how_automatic_a_message_is(auto: str, null_path: bool, expected: str) -> None:
    assert rules.automatic(auto, null_path=null_path) == expected


# -- verdicts -------------------------------------------------------------------------------------

CHECKS = st.lists(
    st.builds(
        Check,
        rule=st.sampled_from(["a.a", "b.b", "c.c"]),
        ok=st.booleans(),
        text=st.sampled_from(["one", "two"]),
        code=st.sampled_from([450, 451, 550, 554]),
        enhanced=st.just("5.0.0"),
    ),
    min_size=1,
    max_size=6,
)


@given(CHECKS)
def test_the_first_failed_check_is_the_verdict(checks: list[Check]) -> None:
    verdict = rules.verdict(checks)
    failed = [check for check in checks if not check.ok]
    assert verdict.accepted == (not failed)
    decisive = failed[0] if failed else checks[-1]
    assert verdict.rule == decisive.rule
    assert (f"[{decisive.rule}]" in verdict.reply) == bool(failed)
