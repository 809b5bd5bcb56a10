"""Every combination of every fact of every rule, against decision tables that share nothing with the rules.

The tables (`decision_tables.py`) are proven complete and free of contradiction by the same run: each
combination meets exactly one row. The facts are enumerated from the types themselves, so that a state that is
added without a decision fails here.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from itertools import product
from typing import Any

import msgspec
import pytest
from decision_tables import (
    AUTHORSHIP,
    HOSTED_RECIPIENT,
    OPERATOR_SENDER,
    PATIENT_RECIPIENT,
    PATIENT_WRITES,
    SUBMITTING_SENDER,
    Table,
)

import annuaire
import patients
from gateway.routing import Check, rules

DAY = 1_790_000_000_000
BOTH = (False, True)
YES = {False: "no", True: "yes"}


def told(checks: list[Check]) -> str:
    verdict = rules.verdict(checks)
    return f"accept {verdict.rule}" if verdict.accepted else f"{verdict.code} {verdict.rule}"


def every(**values: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    return (dict(zip(values, one, strict=True)) for one in product(*values.values()))


def covers(facts: type[msgspec.Struct], *names: str) -> None:
    """No fact of a rule is left out of its enumeration."""
    assert set(facts.__struct_fields__) == set(names)


def compare(model: Table, cases: Iterator[tuple[dict[str, str], list[Check]]]) -> int:
    number, met = 0, set()
    for facts, checks in cases:
        expected = model.outcome(facts)
        assert told(checks) == expected, facts
        met.add(expected)
        number += 1
    assert met == {outcome for _, outcome in model.rows}, "a row of the table is never met"
    return number


def test_a_patient_writes() -> None:
    values: dict[str, tuple[Any, ...]] = {
        "acting": typing.get_args(rules.Acting),
        "to_patient": BOTH,
        "trusted": BOTH,
        "contacted": BOTH,
        "opened_at": (0, 1, 2),
        "ended_at": (0, 1, 2),
        "other_holder": BOTH,
        "left_at": (0, DAY),
        "gone_at": (0, DAY),
        "other_mailbox": BOTH,
        "officine": BOTH,
        "dispensed": (None, False, True),
    }
    covers(rules.PatientWrites, *values)

    def cases() -> Iterator[tuple[dict[str, str], list[Check]]]:
        for f in every(**values):
            yield (
                {
                    "acts": YES[f["acting"] != "stranger"],
                    "patient": YES[f["to_patient"]],
                    "trusted": YES[f["trusted"]],
                    "wrote": YES[f["contacted"]],
                    "right": "open" if f["opened_at"] > f["ended_at"] else "closed",
                    "holder": [["same", "left"], ["other", "both"]][f["other_holder"]][f["left_at"] > 0],
                    "mailbox": "another" if f["other_mailbox"] else "this",
                    "officine": YES[f["officine"]],
                    "feed": {None: "none", False: "nothing", True: "within"}[f["dispensed"]],
                },
                rules.patient_writes(rules.PatientWrites(**f)),
            )

    assert compare(PATIENT_WRITES, cases()) == 3 * 8 * 9 * 8 * 4 * 3


def test_an_operator_sends() -> None:
    certificates = {
        "good": ("", True),
        "none": ("", False),
        "bad": ("sender.certificate", True),
        "revoked": ("sender.revoked", True),
        "unsure": ("sender.revocation_unknown", True),
    }
    values: dict[str, tuple[Any, ...]] = {
        "encrypted": BOTH,
        "certificate": tuple(certificates),
        "domain": ("", "a.example.test"),
        "domain_listed": BOTH,
        "dn_allowed": BOTH,
        "list_usable": BOTH,
        "listed": BOTH,
        "active": BOTH,
        "hidden": BOTH,
        "box_gone_at": (0, DAY),
        "standing": typing.get_args(annuaire.Standing),
        "unlisted": typing.get_args(rules.Unlisted),
        "from_patients": BOTH,
    }
    covers(
        rules.OperatorSender,
        *(values.keys() - {"certificate"}),
        *("certificate_rule", "certificate_reason", "shown", "gone_at"),
    )

    def cases() -> Iterator[tuple[dict[str, str], list[Check]]]:
        for f in every(**values):
            given = {name: value for name, value in f.items() if name != "certificate"}
            rule, shown = certificates[f["certificate"]]
            listed = "listed" if f["active"] else "off"
            yield (
                {
                    "tls": YES[f["encrypted"]],
                    "certificate": f["certificate"],
                    "path": "some" if f["domain"] else "null",
                    "list": "usable" if f["list_usable"] else "absent",
                    "allowed": YES[f["dn_allowed"]],
                    "domain": "us" if f["from_patients"] else "theirs",
                    "annuaire": listed if f["listed"] else "nowhere",
                    "standing": "left" if f["standing"] == "struck_off" else "other",
                    "unlisted": f["unlisted"],
                },
                rules.operator_sender(rules.OperatorSender(**given, certificate_rule=rule, shown=shown)),
            )

    assert compare(OPERATOR_SENDER, cases()) == 5 * 5 * 2**11


def test_somebody_here_sends() -> None:
    values: dict[str, tuple[Any, ...]] = {
        "signed_in": BOTH,
        "owned": BOTH,
        "open": BOTH,
        "why_not": ("", "there is no such mailbox here"),
        "mismatch": ("", "the professions differ"),
        "standing": (None, *typing.get_args(annuaire.Standing)),
        "gone_at": (0, DAY),
        "card": ("", "good", "opposed"),
        "suspended": BOTH,
    }
    covers(rules.SubmittingSender, *values)

    def cases() -> Iterator[tuple[dict[str, str], list[Check]]]:
        for f in every(**values):
            yield (
                {
                    "signed": YES[f["signed_in"]],
                    "card": f["card"] or "none",
                    "standing": "left" if f["standing"] == "struck_off" else "other",
                    "owns": YES[f["owned"]],
                    "mismatch": YES[bool(f["mismatch"])],
                    "box": "open" if f["open"] else "closed",
                    "space": "suspended" if f["suspended"] else "in_use",
                },
                rules.submitting_sender(rules.SubmittingSender(**f)),
            )

    assert compare(SUBMITTING_SENDER, cases()) == 2**7 * 6 * 3


def test_a_patient_receives() -> None:
    states = typing.get_args(rules.ProfileState)
    assert set(states) == {"", *patients.STATES}, "a state of profiles that the rules do not know"
    values: dict[str, tuple[Any, ...]] = {"valid": BOTH, "state": states, "full": BOTH}
    covers(rules.PatientRecipient, *values)
    cases = (
        (
            {"valid": YES[f["valid"]], "state": f["state"] or "none", "room": YES[not f["full"]]},
            rules.patient_recipient(rules.PatientRecipient(**f)),
        )
        for f in every(**values)
    )
    assert compare(PATIENT_RECIPIENT, cases) == 4 * len(states)


def test_the_states_that_receive_are_those_of_the_life_of_a_profile() -> None:
    taken = {
        state
        for state in patients.STATES
        if rules.verdict(rules.patient_recipient(rules.PatientRecipient(valid=True, state=state))).accepted
    }
    assert taken == patients.RECEIVING


def test_a_mailbox_here_receives() -> None:
    cases = (
        (
            {"exists": YES[f["exists"]], "open": YES[f["is_open"]], "room": YES[not f["full"]]},
            rules.hosted_recipient(**f),
        )
        for f in every(exists=BOTH, is_open=BOTH, full=BOTH)
    )
    assert compare(HOSTED_RECIPIENT, cases) == 8


def test_who_wrote() -> None:
    a, b = "a@x.test", "b@x.test"
    values: dict[str, tuple[Any, ...]] = {
        "mail_from": ("", a, b),
        "from_": ((), ("",), (a,), (b,), (a, b), (a, a), (a, "")),
        "sender": ("", a, b),
        "report": BOTH,
        "from_allowed": BOTH,
    }
    covers(rules.Authorship, *values)

    def cases() -> Iterator[tuple[dict[str, str], list[Check]]]:
        for f in every(**values):
            by = "by" if f["sender"] == f["mail_from"] else "no"
            yield (
                {
                    "authors": "one" if f["from_"] in ((a,), (b,)) else "wrong",
                    "from_allowed": YES[f["from_allowed"]],
                    "path": "address" if f["mail_from"] else "null",
                    "agrees": "from" if f["from_"][:1] == (f["mail_from"],) else by,
                    "report": YES[f["report"]],
                },
                rules.authorship(rules.Authorship(**f)),
            )

    assert compare(AUTHORSHIP, cases()) == 3 * 7 * 3 * 4


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        (rules.trusted_domain(listed=True), "accept recipient.domain"),
        (rules.trusted_domain(listed=False), "550 recipient.domain"),
        (rules.no_relay(), "550 recipient.relay"),
        (rules.acts_for("representative"), "accept patient.acting"),
        (rules.acts_for("stranger"), "550 patient.acting"),
    ],
)
def test_rules_with_nothing_to_combine(checks: list[Check], expected: str) -> None:
    assert told(checks) == expected
