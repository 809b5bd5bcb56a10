"""Each entry has words in both languages, whoever acted, allowed or refused; no code shows."""

from __future__ import annotations

import re
from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity import WISHES, Activity, By, Details, Known, Purpose, What, Words, sentence, who

CODE = re.compile(r"[a-z]_[a-z]|\{|\}|899900000101|dossier\.[a-z]|None|\bat_once\b|  ")
DETAILS = Details(name="Anne EXEMPLE", profession="10", organisation="CHU d'Exempleville")
KNOWN = Known(
    title="Compte rendu d'hospitalisation",
    profession=Words("médecin", "physician"),
    why=Words("Vous l'avez bloqué.", "You blocked this access."),
)


def told(
    what: What,
    by: By = "professional",
    *,
    rule: str = "",
    purpose: Purpose = "normal",
    details: Details = DETAILS,
) -> Activity:
    return Activity(
        activity_id=1,
        at=1,
        by=by,
        ident="899900000101",
        structure="",
        what=what,
        kind="document",
        subject="12",
        rule=rule,
        purpose=purpose,
        details=details,
    )


@pytest.mark.parametrize("what", get_args(What))
def test_every_entry_has_words(what: What) -> None:
    said = set()
    for by, rule, details, known, purpose in product(
        get_args(By), ("", "dossier.blocked"), (DETAILS, Details()), (KNOWN, Known()), get_args(Purpose)
    ):
        words = sentence(told(what, by, rule=rule, details=details, purpose=purpose), known)
        for text in words:
            assert not CODE.search(text), text
            assert text[0].isupper() and text.endswith("."), text
            assert 20 < len(text) < 300, text
        assert words.fr != words.en
        assert ("refusé" in words.fr, "refused" in words.en) == (bool(rule), bool(rule))
        said.add(words)
    assert len(said) > 40


def test_no_two_deeds_read_alike() -> None:
    assert len({sentence(told(what)).fr for what in get_args(What)}) == len(get_args(What))
    assert len({sentence(told(what)).en for what in get_args(What)}) == len(get_args(What))


def test_a_professional_is_named_with_his_profession() -> None:
    assert sentence(told("document_read"), KNOWN) == Words(
        "Dr Anne EXEMPLE (médecin, CHU d'Exempleville) a consulté le document "
        "« Compte rendu d'hospitalisation ».",
        "Dr Anne EXEMPLE (physician, CHU d'Exempleville) read the document “Compte rendu d'hospitalisation”.",
    )
    nurse = Details(name="Paul ESSAI", profession="60")
    assert who(told("document_read", details=nurse), Known(profession=Words("infirmier", "nurse"))).fr == (
        "Paul ESSAI (infirmier)"
    )
    assert who(told("document_read", details=Details()), Known()).fr == "Un professionnel de santé"


def test_a_refusal_says_what_was_wanted_and_why() -> None:
    said = sentence(told("document_read", rule="dossier.blocked"), KNOWN)
    assert said.fr.endswith(
        "a voulu consulter le document « Compte rendu d'hospitalisation » : refusé. Vous l'avez bloqué."
    )
    assert said.en.endswith("refused. You blocked this access.")


def test_broken_glass_is_told_with_its_reason() -> None:
    details = Details(name="Anne EXEMPLE", profession="10", reason="Patient inconscient")
    said = sentence(told("documents_listed", purpose="break_glass", details=details))
    assert said.fr == (
        "Dr Anne EXEMPLE a consulté la liste des documents en urgence (bris de glace), "
        "motif écrit : « Patient inconscient »."
    )
    assert "regulation of the SAMU" in sentence(told("documents_listed", purpose="regulation")).en


def test_who_reads_his_own_deed_is_spoken_to() -> None:
    said = sentence(told("document_masked", "patient", details=Details(name="Marie EXEMPLE")), Known(me=True))
    assert said == Words(
        "Vous avez masqué aux professionnels le document.", "You masked the document from professionals."
    )
    parent = told("document_read", "representative", details=Details(name="Paul EXEMPLE"))
    assert sentence(parent).fr.startswith("Paul EXEMPLE (représentation légale) a consulté")


def test_support_is_not_told_by_its_login() -> None:
    support = told("history_read", "operator", details=Details(name="support7", reason="appel du 12 mars"))
    assert (
        sentence(support).fr
        == "L'assistance a consulté l'historique d'activité, motif : « appel du 12 mars »."
    )


def test_what_was_deleted_is_told_so_and_a_wish_in_words() -> None:
    assert "(supprimé depuis)" in sentence(told("document_read"), Known(gone=True, title="Radio")).fr
    for wish in WISHES:
        said = sentence(told("notices_changed", "patient", details=Details(more={"wish": wish})))
        assert wish not in said.fr
        assert " : " in said.fr


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_nothing_that_somebody_wrote_breaks_a_sentence(name: str, title: str, reason: str) -> None:
    details = Details(name=name, reason=reason, organisation=title)
    for by in get_args(By):
        said = sentence(told("document_read", by, details=details, purpose="break_glass"), Known(title=title))
        assert title in said.fr
        assert "a consulté" in said.fr
