"""Whatever a patient can be told has a French sentence, and the peer reads the English of the same source."""

from __future__ import annotations

import re
import typing
from itertools import product
from pathlib import Path

import pytest

from gateway.routing import Check, rules
from gateway.routing.words import FAILED, HELD, Words, english, french, french_day

DOCS = Path(__file__).parents[2] / "docs" / "rules.md"
BOTH = (False, True)
DAY = 1_790_000_000_000


def all_that_a_patient_meets() -> list[Check]:
    """Every check of every rule that a patient's message passes, over all facts."""
    found: list[Check] = []
    for acting, (
        to_patient,
        trusted,
        contacted,
        other,
        elsewhere,
        officine,
    ), opened, left, gone, dispensed in product(
        typing.get_args(rules.Acting), product(BOTH, repeat=6), BOTH, (0, DAY), (0, DAY), (None, False, True)
    ):
        found += rules.patient_writes(
            rules.PatientWrites(
                acting=acting,
                to_patient=to_patient,
                trusted=trusted,
                contacted=contacted,
                opened_at=int(opened),
                ended_at=0,
                other_holder=other,
                left_at=left,
                gone_at=gone,
                other_mailbox=elsewhere,
                officine=officine,
                dispensed=dispensed,
            )
        )
    for one, two, three in product(BOTH, repeat=3):
        found += rules.hosted_recipient(exists=one, is_open=two, full=three)
        for signed_in in BOTH:
            found += rules.submitting_sender(
                rules.SubmittingSender(signed_in=signed_in, owned=one, open=two, suspended=three)
            )
        author = ("a@x.test",) if one else ()
        found += rules.authorship(
            rules.Authorship(mail_from="a@x.test" if two else "", from_=author, from_allowed=three)
        )
    for size in (1, 3):
        found += rules.message_size(size=size, limit=2)
    for state in ("none", "broken"):
        found += rules.message_signature(state, "why", True)
    return found


def documented(title: str) -> set[str]:
    """The rule ids of one section of docs/rules.md that can fail or be told."""
    text = DOCS.read_text(encoding="utf-8")
    section = re.search(rf"^## {re.escape(title)}.*?$(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section is not None, title
    return set(re.findall(r"^\| `([a-z_]+\.[a-z0-9_]+)`", section[1], re.MULTILINE))


def test_every_check_has_its_french() -> None:
    missing = {
        (check.rule, check.ok)
        for check in all_that_a_patient_meets()
        if check.rule not in (HELD if check.ok else FAILED)
    }
    assert missing == set()


@pytest.mark.parametrize("title", ["A patient writes", "Mail that leaves"])
def test_every_rule_of_these_pages_has_its_french(title: str) -> None:
    ids = documented(title)
    assert len(ids) > 5
    assert sorted(ids - HELD.keys() - FAILED.keys()) == []


def test_no_sentence_is_left_over() -> None:
    """Words for a rule that there is no more would be words that nobody proves."""
    text = DOCS.read_text(encoding="utf-8")
    assert [rule for rule in (*HELD, *FAILED) if f"| `{rule}` |" not in text] == []


def test_what_the_peer_reads_is_the_english_of_the_same_outcome() -> None:
    own = ("patient.", "reply.", "recipient.", "sender.signed_in", "sender.closed", "sender.suspended")
    told = [check for check in all_that_a_patient_meets() if check.rule.startswith(own)]
    assert len({(check.rule, check.ok) for check in told}) > 20
    for check in told:
        assert check.text == english(check.rule, check.ok, check.at)


@pytest.mark.parametrize(
    ("rule", "words"), [*HELD.items(), *FAILED.items()], ids=[f"+{rule}" for rule in HELD] + list(FAILED)
)
def test_the_words_are_fit_to_print(rule: str, words: Words) -> None:
    assert words.en.isascii()
    assert "\n" not in words.en
    assert not words.en.endswith(".")
    assert len(words.en) < 120, "an SMTP reply line has 512 octets, the code and the rule included"
    assert words.fr[0].isupper()
    assert words.fr.endswith(".")
    assert "  " not in words.fr
    assert words.en.count("{day}") == words.fr.count("{day}") <= 1
    assert re.sub(r"\{day\}", "", words.en + words.fr).count("{") == 0


def test_days_are_written_as_each_reader_writes_them() -> None:
    midnight = 1_772_319_600_000  # 2026-02-28T23:00Z: 1 March in France
    assert french_day(midnight) == "1er mars 2026"
    assert french_day(DAY) == "21 septembre 2026"
    assert "since 2026-09-21" in english("reply.not_practising", False, DAY)
    assert "depuis le 21 septembre 2026" in french("reply.not_practising", False, DAY)


def test_a_check_that_no_patient_meets_says_the_least() -> None:
    assert french("sender.revoked", False) == "Votre message n'a pas été envoyé. Réessayez un peu plus tard."
    assert french("sender.certificate", True)
