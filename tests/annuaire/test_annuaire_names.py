"""Canonical forms: addresses, domains, identifiers, names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annuaire.names import (
    fold_address,
    fold_domain,
    national_id,
    person_name,
    structure_id,
    structure_name,
    valid_address,
    valid_domain,
    words,
)


@pytest.mark.parametrize(
    ("kind", "identifier", "expected"),
    [
        ("1", "750099999", "1750099999"),
        ("FINESS", "750099999", "1750099999"),
        ("", "750099999", "1750099999"),
        ("1", "1750099999", "1750099999"),
        ("1", "2A0099999", "12A0099999"),
        ("3", "99999999900011", "399999999900011"),
        ("siret", "999 999 999 00011", "399999999900011"),
        ("", "99999999900011", "399999999900011"),
        ("3", "399999999900011", "399999999900011"),
        ("4", "99900063480001", "499900063480001"),
        ("", "C99999999900011", "C99999999900011"),
        ("", "10B0012345", "10B0012345"),
        ("1", "", ""),
    ],
)
def test_structure_id(kind: str, identifier: str, expected: str) -> None:
    assert structure_id(kind, identifier) == expected


@given(st.sampled_from(["", "1", "3", "4", "FINESS"]), st.text(alphabet="0123456789ABC", max_size=16))
def test_structure_id_is_stable(kind: str, identifier: str) -> None:
    once = structure_id(kind, identifier)
    assert structure_id("", once) in (once, f"1{once}", f"3{once}")
    assert structure_id(kind, identifier.lower()) == once


@pytest.mark.parametrize(
    ("kind", "identifier", "national", "expected"),
    [
        ("8", "10009999991", "810009999991", "810009999991"),
        ("8", "10009999991", "", "810009999991"),
        ("RPPS", "10009999991", "", "810009999991"),
        ("0", "759999999", "", "0759999999"),
        ("", "", "", ""),
        ("?", "10009999991", "", ""),
    ],
)
def test_national_id(kind: str, identifier: str, national: str, expected: str) -> None:
    assert national_id(kind, identifier, national) == expected


def test_addresses_fold_both_sides() -> None:
    assert fold_address(" Marie.EXEMPLE@UC-CMP.mssante.FR. ") == "marie.exemple@uc-cmp.mssante.fr"
    assert fold_domain("hôpital.exemple.fr") == "xn--hpital-ixa.exemple.fr"
    assert fold_domain("HÔPITAL.exemple.fr") == fold_domain("xn--hpital-ixa.exemple.fr")


@given(st.text(max_size=80))
def test_folding_is_idempotent(text: str) -> None:
    assert fold_domain(fold_domain(text)) == fold_domain(text)
    assert words(" ".join(words(text))) == words(text)


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("a@b.fr", True),
        ("279035121518989@patient.exemple.fr", True),
        ("a" * 64 + "@b.fr", True),
        ("a" * 65 + "@b.fr", False),
        ("a b@c.fr", False),
        ("a@b@c.fr", False),
        ("@b.fr", False),
        ("a@b", False),
        ("a@-b.fr", False),
        ("a\r\n@b.fr", False),
        ("a@b..fr", False),
    ],
)
def test_valid_address(address: str, good: bool) -> None:
    assert valid_address(address) is good


def test_valid_domain_lengths() -> None:
    assert not valid_domain("a" * 64 + ".fr")
    assert not valid_domain(".".join(["a" * 60] * 5))


@pytest.mark.parametrize(
    ("civility", "first", "last", "expected"),
    [
        ("DR", "MARIE", "EXEMPLE", "Dr Marie EXEMPLE"),
        ("PR", "jean-pierre", "d'exemple", "Pr Jean-Pierre D'EXEMPLE"),
        ("MME", "ZOÉ ANNE", "MODÈLE", "Mme Zoé Anne MODÈLE"),
        ("", "", "EXEMPLE", "EXEMPLE"),
        ("?", "MARIE", "EXEMPLE", "Marie EXEMPLE"),
    ],
)
def test_person_name(civility: str, first: str, last: str, expected: str) -> None:
    assert person_name(civility, first, last) == expected


def test_structure_name() -> None:
    assert structure_name("", "CH DE L'EXEMPLE", "Cardiologie") == "CH DE L'EXEMPLE - Cardiologie"
    assert structure_name("PHARMACIE DU PORT", "SELARL X", "pharmacie") == "PHARMACIE DU PORT"
    assert structure_name("", "", "Accueil") == "Accueil"
