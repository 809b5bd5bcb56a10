from __future__ import annotations

from typing import Any

import msgspec
import pytest
from bridge_support import INS, OID, OTHER_INS, TRAITS, patient
from hypothesis import given
from hypothesis import strategies as st

from gateway.dmp_bridge import Identifier, Traits, check_identity
from gateway.dmp_bridge.guess import guess_type, title_from
from gateway.dmp_bridge.identity import fold
from gateway.dmp_bridge.senders import split_name

RIGHT = Identifier(INS, OID)


def outcome(ins: Identifier = RIGHT, traits: Traits = TRAITS, **profile: Any) -> tuple[int, str]:
    found = check_identity(ins, traits, patient(**profile))
    assert found.ok == (found.code == 0)
    return found.code, found.rule


def traits(**changes: Any) -> Traits:
    return msgspec.structs.replace(TRAITS, **changes)


def test_the_patient_himself() -> None:
    assert outcome() == (0, "")


@pytest.mark.parametrize("state", ["known", "notified", "opposed", "closed", "suspended"])
def test_no_open_record(state: str) -> None:
    assert outcome(state=state) == (902, "identity.patient")


def test_no_profile() -> None:
    assert check_identity(RIGHT, TRAITS, None).code == 902


@pytest.mark.parametrize(
    ("ins", "expected"),
    [
        (Identifier(), (903, "identity.ins_absent")),
        (Identifier("", OID), (903, "identity.ins_absent")),
        (Identifier(INS, "1.2.250.1.213.1.4.2"), (903, "identity.ins_absent")),
        (Identifier(INS, ""), (903, "identity.ins_absent")),
        (Identifier("279035121518988", OID), (904, "identity.key")),
        (Identifier("2790351215189", OID), (904, "identity.key")),
        (Identifier("27903512151898９", OID), (904, "identity.key")),
        (Identifier(OTHER_INS, OID), (904, "identity.ins")),
        (Identifier(INS, "1.2.250.1.213.1.4.8"), (904, "identity.oid")),
    ],
)
def test_ins(ins: Identifier, expected: tuple[int, str]) -> None:
    assert outcome(ins) == expected


@pytest.mark.parametrize(
    "missing",
    [
        {"birth_name": ""},
        {"birth_name": " - "},
        {"first_given": "", "given_names": []},
        {"sex": ""},
        {"birth_date": ""},
        {"birth_date": "197903"},
        {"birth_place": ""},
    ],
)
def test_missing_traits(missing: dict[str, Any]) -> None:
    assert outcome(traits=traits(**missing)) == (905, "identity.traits")


def test_birthplace_is_not_asked_of_source_patient_info() -> None:
    assert check_identity(RIGHT, traits(birth_place=""), patient(), place_required=False).ok


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"birth_name": "PAT-QUATRE"}, "identity.birth_name"),
        ({"first_given": "MARIE"}, "identity.given"),
        ({"given_names": ["DOMINIQUE", "PAULE"]}, "identity.given_names"),
        ({"sex": "M"}, "identity.sex"),
        ({"sex": "UN"}, "identity.sex"),
        ({"birth_date": "19790329"}, "identity.birth_date"),
        ({"birth_place": "75056"}, "identity.birth_place"),
    ],
)
def test_other_traits(changed: dict[str, Any], rule: str) -> None:
    assert outcome(traits=traits(**changed)) == (904, rule)


@pytest.mark.parametrize(
    ("changed", "profile"),
    [
        ({"birth_name": "Pat Trois"}, {}),
        ({"birth_name": "pât-trois"}, {}),
        ({"birth_name": "D'OEUVRE"}, {"birth_name": "d’Œuvre"}),
        ({"first_given": "Dominique", "given_names": ["Dominique"]}, {}),
        ({"given_names": ["DOMINIQUE", "MARIE", "LOUISE"]}, {}),
        ({}, {"given_names": ["Dominique"]}),
        ({"sex": "UN"}, {"sex": "U"}),
        ({"birth_date": "1979-03-28"}, {}),
        ({"birth_place": "2a004"}, {"birth_place": "2A004"}),
        ({}, {"birth_place": ""}),
    ],
)
def test_the_same_written_otherwise(changed: dict[str, Any], profile: dict[str, Any]) -> None:
    assert outcome(traits=traits(**changed), **profile) == (0, "")


@given(st.text(max_size=30))
def test_folding_is_stable(name: str) -> None:
    once = fold(name)
    assert fold(once) == once
    assert fold(name.replace(" ", "-")) == once


@given(st.text(max_size=20), st.text(max_size=30), st.text(max_size=20))
def test_a_wrong_ins_never_passes(value: str, oid: str, name: str) -> None:
    found = check_identity(Identifier(value, oid), traits(birth_name=name), patient())
    assert found.ok == (value == INS and oid == OID and fold(name) == "PAT TROIS")


@pytest.mark.parametrize(
    ("filename", "subject", "speciality", "expected"),
    [
        ("ordonnance.pdf", "", "", "57833-6"),
        ("Ordonnance_kinésithérapie.pdf", "", "", "PRESC-KINE"),
        ("20220531_CR_d_imagerie_medicale.pdf", "", "", "18748-4"),
        ("résultats d'analyses.pdf", "", "", "11502-2"),
        ("scan.pdf", "Compte rendu opératoire", "", "34874-8"),
        ("scan.pdf", "Votre document", "SM44", "18748-4"),
        ("scan.pdf", "Votre document", "SM26", "11488-4"),
        ("lettre de liaison.pdf", "consultation", "", "11490-0"),
        ("certificat.pdf", "", "", "89601-9"),
    ],
)
def test_types_of_plain_attachments(filename: str, subject: str, speciality: str, expected: str) -> None:
    assert guess_type(filename, subject, speciality, "11488-4") == expected


def test_titles() -> None:
    assert title_from("CR_de_consultation.pdf", "x") == "CR de consultation"
    assert title_from(".pdf", "Compte rendu") == "Compte rendu"
    assert len(title_from("a" * 400 + ".pdf", "x")) == 128


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Dr Marie EXEMPLE", ("EXEMPLE", "Marie")),
        ("Marie-Anne DE LA TOUR", ("DE LA TOUR", "Marie-Anne")),
        ("Pr. Jean D'AVRIL", ("D'AVRIL", "Jean")),
        ("Marie Exemple", ("Exemple", "Marie")),
        ("", ("", "")),
    ],
)
def test_names_of_the_directory(name: str, expected: tuple[str, str]) -> None:
    assert split_name(name) == expected
