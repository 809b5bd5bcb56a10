"""The decision over all combinations, against a table written the other way round: by what must hold."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from catalogue import ExchangeFacts, decide
from catalogue.model import Standing

NAMES = ("known", "listed", "referenced", "exchanges", "offered", "open")
# rule -> the facts that must be so for it to be the answer; * is any. In the order of NAMES.
TABLE = {
    "catalogue.unknown": ["0*****"],
    "catalogue.not_referenced": ["10****", "110***"],
    "catalogue.closed": ["111**0"],
    "catalogue.no_exchange": ["1110*1"],
    "catalogue.scope": ["111101"],
}
CONSENT = {
    "none": "catalogue.no_consent", "given": "catalogue.allowed", "revoked": "catalogue.revoked",
    "expired": "catalogue.expired", "changed": "catalogue.changed", "unconfirmed": "catalogue.unconfirmed",
}  # fmt: skip


def expected(bits: str, consent: str) -> str:
    fitting = [
        rule
        for rule, patterns in TABLE.items()
        for pattern in patterns
        if all(wanted in ("*", bit) for wanted, bit in zip(pattern, bits, strict=True))
    ]
    assert len(fitting) <= 1, "the table has two answers"
    return fitting[0] if fitting else CONSENT[consent]


@pytest.mark.parametrize("consent", get_args(Standing))
def test_every_combination(consent: Standing) -> None:
    for values in product((False, True), repeat=len(NAMES)):
        facts = ExchangeFacts(**dict(zip(NAMES, values, strict=True)), consent=consent)
        rule = expected("".join("01"[value] for value in values), consent)
        decision = decide(facts)
        assert decision.rule == rule, facts
        assert decision.allowed == (all(values) and consent == "given")
        assert decision.french.endswith(".") and decision.english


def test_every_rule_is_reached() -> None:
    rules = {
        decide(ExchangeFacts(**dict(zip(NAMES, values, strict=True)), consent=consent)).rule
        for values in product((False, True), repeat=len(NAMES))
        for consent in get_args(Standing)
    }
    assert rules == set(TABLE) | set(CONSENT.values())
