"""Finding documents: headings of every type, what is wanted, and in which order."""

from __future__ import annotations

import unicodedata
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dossier
from dossier import CATEGORIES, PATIENT_TYPES, Document, DocumentInfo, Order, Wanted, category, ordered
from store import BodyRef

HEADINGS = (
    "Ma santé en résumé",
    "Ordonnances et soins",
    "Comptes rendus",
    "Radio, écho, scanner, IRM",
    "Résultats de biologie",
    "Prévention et dépistages",
    "Certificats",
    "Pièces administratives",
    "Volontés et directives anticipées",
    "Autres",
)


def document(number: int = 1, **changes: Any) -> Document:
    info = {
        "title": "Bilan sanguin de contrôle",
        "type_code": "11502-2",
        "type_label": "CR d'examens biologiques",
        "class_code": "10",
        "class_label": "Compte rendu",
        "format_code": "f",
        "author": "Béatrice LEBŒUF",
        "organisation": "Laboratoire des Églantines",
    }
    named = {name: changes.pop(name) for name in list(changes) if name in info}
    values: dict[str, Any] = {
        "box_id": 1, "document_id": number, "unique_id": f"1.2.{number}", "set_id": "", "version": 1,
        "status": "approved", "created_at": 1000 + number, "filed_at": 5000 - number, "ended_at": None,
        "replaced_by": None, "depositor": "", "depositor_id": "", "depositor_struct": "",
        "deposited_by": "professional", "author_id": "", "author_struct": "", "content_sha256": b"",
        "trace_id": "", "message_id": 0, "ref": BodyRef(1, 0, 1, 1, b""), "wrapped_key": b"",
        "info": DocumentInfo(**(info | named)),
    }  # fmt: skip
    return Document(**(values | changes))


# -- headings -------------------------------------------------------------------------------------


def test_the_headings_are_those_that_patients_know() -> None:
    assert CATEGORIES == HEADINGS


def test_every_type_of_the_dmp_has_its_heading() -> None:
    """Each code of JDV_J66 with its class; only what is told here is under "Autres"."""
    found: dict[str, set[str]] = {}
    for code in dossier.code_set("type"):
        found.setdefault(category(code.code, code.class_code), set()).add(code.code)
    assert set(found) == set(CATEGORIES)
    assert found["Autres"] == {"EXPPAT_2", "REMB", "74465-6", "101881-1"}
    assert found["Volontés et directives anticipées"] == {"EXPPAT_1", "EXPPAT_3"}
    assert found["Résultats de biologie"] == {"11502-2", "51969-4", "DOCPAT05"}
    assert found["Radio, écho, scanner, IRM"] == {"18748-4", "52040-3", "IMG-KOS", "DOCPAT04"}
    assert found["Certificats"] == {"CERT_DECL", "89601-9", "96173-0", "DOCPAT07"}
    assert found["Prévention et dépistages"] == {
        "11369-6", "68817-6", "75482-0", "75492-9", "83869-8", "87273-9", "96874-3", "DOCPAT06",
    }  # fmt: skip
    assert sum(map(len, found.values())) == len(dossier.code_set("type"))


@pytest.mark.parametrize(
    ("class_code", "heading"),
    [("10", "Comptes rendus"), ("11", "Ma santé en résumé"), ("31", "Radio, écho, scanner, IRM"),
     ("42", "Ordonnances et soins"), ("43", "Ordonnances et soins"), ("44", "Ordonnances et soins"),
     ("45", "Ordonnances et soins"), ("52", "Certificats"), ("60", "Autres"), ("90", "Autres"),
     ("95", "Pièces administratives")],
)  # fmt: skip
def test_every_class_has_its_heading(class_code: str, heading: str) -> None:
    assert category("a type that is not known", class_code) == heading


def test_the_classes_above_are_all_there_are() -> None:
    known = {code.code for code in dossier.code_set("class")}
    assert known == {"10", "11", "31", "42", "43", "44", "45", "52", "60", "90", "95"}
    for code in dossier.code_set("type"):
        for class_code in known:  # whatever class a depositor claims, a heading is found
            assert category(code.code, class_code) in CATEGORIES


def test_each_heading_has_a_type_for_patients() -> None:
    assert set(PATIENT_TYPES) == set(CATEGORIES)
    for heading, code in PATIENT_TYPES.items():
        found = dossier.find_code("type", code)
        assert found is not None and category(code, found.class_code) == heading


# -- what is wanted -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), True),
        (Wanted(category="Résultats de biologie"), True),
        (Wanted(category="Comptes rendus"), False),
        (Wanted(type_code="11502-2", class_code="10"), True),
        (Wanted(type_code="11502-2", class_code="11"), False),
        (Wanted(author="lebœuf"), True),
        (Wanted(author="LEBOEUF beatrice"), True),
        (Wanted(author="eglantines"), True),
        (Wanted(author="bilan"), False),  # the title is no author
        (Wanted(text="BILAN controle"), True),
        (Wanted(text="biolog eglant"), True),
        (Wanted(text="bilan martin"), False),  # every word
        (Wanted(text="  "), True),
        (Wanted(text="!?"), True),  # no word at all
        (Wanted(text="d’examens"), True),  # a typographic apostrophe
        (Wanted(since=1001), True),
        (Wanted(since=1002), False),
        (Wanted(until=1001), False),
        (Wanted(until=1002), True),
        (Wanted(status="approved"), True),
        (Wanted(status="deprecated"), False),
    ],
)
def test_wanted(wanted: Wanted, found: bool) -> None:
    assert wanted.matches(document()) is found


_LETTERS = "abcdefghijklmnopqrstuvwxyzàâäéèêëîïôöùûüÿçœæABCÉÈÇŒ0123456789"
_WORDS = st.text(alphabet=_LETTERS, min_size=1, max_size=12)
_TITLES = st.lists(_WORDS, min_size=1, max_size=5).map(" ".join)


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFD", text.replace("œ", "oe").replace("æ", "ae").replace("Œ", "OE"))
    return "".join(char for char in text if not unicodedata.combining(char))


@given(_TITLES, st.data())
def test_words_are_found_whatever_their_accents_and_capitals(title: str, data: st.DataObject) -> None:
    words = data.draw(st.permutations(title.split()))
    spelled = [data.draw(st.sampled_from([str, str.upper, str.lower, _plain]))(word) for word in words]
    assert Wanted(text=" ".join(spelled)).matches(document(title=title))
    assert not Wanted(text=f"{title} introuvablexyz").matches(document(title=title))


_WANTED = st.builds(
    Wanted,
    category=st.sampled_from(["", *CATEGORIES]),
    type_code=st.sampled_from(["", "11502-2", "11488-4"]),
    class_code=st.sampled_from(["", "10", "11"]),
    author=st.sampled_from(["", "lebœuf", "martin"]),
    text=st.sampled_from(["", "bilan", "ordonnance", "e"]),
    since=st.none() | st.integers(0, 3000),
    until=st.none() | st.integers(0, 3000),
    status=st.sampled_from(["", "approved", "deprecated"]),
)
_DOCUMENTS = st.builds(
    document,
    number=st.integers(1, 50),
    title=st.sampled_from(["Bilan", "Ordonnance", "Écho"]),
    type_code=st.sampled_from(["11502-2", "11488-4", "x"]),
    class_code=st.sampled_from(["10", "11", "42"]),
    author=st.sampled_from(["LEBŒUF", "Martin", ""]),
    created_at=st.integers(0, 3000),
    status=st.sampled_from(["approved", "deprecated"]),
)


@given(_WANTED, _DOCUMENTS)
def test_each_condition_only_narrows(wanted: Wanted, one: Document) -> None:
    """All conditions together hold exactly when each of them holds alone."""
    empty = msgspec.structs.asdict(Wanted())
    said = msgspec.structs.asdict(wanted)
    alone = [Wanted(**(empty | {name: value})).matches(one) for name, value in said.items()]
    assert wanted.matches(one) is all(alone)


# -- order ----------------------------------------------------------------------------------------


@given(st.lists(_DOCUMENTS, max_size=12, unique_by=lambda one: one.document_id))
def test_orders_keep_every_document_and_are_total(found: list[Document]) -> None:
    for order in get_args(Order):
        once = ordered(found, order)
        assert sorted(one.document_id for one in once) == sorted(one.document_id for one in found)
        assert ordered(reversed(found), order) == once


def test_orders() -> None:
    one = document(1, title="Écho", class_code="42", type_code="x", author="Zoé")
    two = document(2, title="abdomen", author="albert")
    three = document(3, title="Zona", class_code="11", type_code="x", author="Éric")
    numbers = {
        order: [each.document_id for each in ordered([one, two, three], order)] for order in get_args(Order)
    }
    assert numbers == {
        "newest": [3, 2, 1],
        "oldest": [1, 2, 3],
        "filed": [1, 2, 3],
        "title": [2, 1, 3],
        "author": [2, 3, 1],
        "category": [3, 1, 2],
    }
