"""INS: form, key, Corsica, and the address made of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patients import (
    INS_OIDS,
    address_of_ins,
    in_patient_domain,
    ins_key,
    ins_of_address,
    normalise,
    shaped_ins,
    split,
    valid_ins,
)

DOMAIN = "patient.exemple.fr"
bodies = st.builds(
    "{}{:02}{:02}{}{:03}{:03}".format,
    st.integers(1, 9),
    st.integers(0, 99),
    st.integers(1, 99),
    st.one_of(st.integers(1, 99).map("{:02}".format), st.sampled_from(["2A", "2B"])),
    st.integers(0, 999),
    st.integers(0, 999),
)  # fmt: skip


@pytest.mark.parametrize("ins", ["279035121518989", "207058575627097", "277076322082910", "146026322000196"])
def test_known_matricules(ins: str) -> None:
    assert valid_ins(ins)
    assert ins_key(ins[:13]) == ins[13:]


@pytest.mark.parametrize(
    "ins",
    [
        "288091234567823",  # published sample with a wrong key
        "27903512151898",
        "2790351215189890",
        "079035121518989",
        "27903512151898a",
        "2790351215189 89",
        "279035121518９89",
        "279032C21518989",
        "",
    ],
)
def test_invalid_matricules(ins: str) -> None:
    assert not valid_ins(ins)


@pytest.mark.parametrize(("letters", "digits"), [("2A", "19"), ("2B", "18")])
def test_corsica(letters: str, digits: str) -> None:
    body = f"18805{letters}004017"
    number = int(f"18805{digits}004017")
    assert ins_key(body) == f"{97 - number % 97:02d}"
    assert valid_ins(body + ins_key(body))
    assert not valid_ins(body.lower() + ins_key(body))
    assert split(body + ins_key(body)).department == letters


def test_letters_are_corsican_only() -> None:
    for place in range(13):
        body = list("1880520004017")
        body[place] = "A"
        if place == 6:
            assert shaped_ins("".join(body) + "00")  # 2A
        else:
            with pytest.raises(ValueError, match="13 first"):
                ins_key("".join(body))


@given(bodies)
def test_the_key_has_two_digits_and_no_other_passes(body: str) -> None:
    key = ins_key(body)
    assert len(key) == 2
    assert 1 <= int(key) <= 97
    assert [n for n in range(100) if valid_ins(f"{body}{n:02d}")] == [int(key)]


@given(bodies, st.integers(0, 12), st.integers(1, 9))
def test_one_wrong_digit_is_seen(body: str, place: int, step: int) -> None:
    ins = body + ins_key(body)
    if not ins[place].isdigit() or ins[5:7] in ("2A", "2B"):
        return
    wrong = ins[:place] + str((int(ins[place]) + step) % 10) + ins[place + 1 :]
    assert not valid_ins(wrong)


@given(bodies)
def test_split_and_address_round_trip(body: str) -> None:
    ins = body + ins_key(body)
    parts = split(ins)
    assert "".join((parts.sex, parts.year, parts.month, parts.department, parts.commune, parts.order)) == body
    for written in (
        address_of_ins(ins, DOMAIN),
        address_of_ins(ins, DOMAIN).lower(),
        f"{ins}@{DOMAIN.upper()}.",
    ):
        assert ins_of_address(written, DOMAIN) == ins
    assert normalise(f" {body} {ins_key(body)}\u00a0".lower()) == ins


@given(st.text(max_size=60))
def test_any_text_as_an_address(text: str) -> None:
    for address in (text, f"{text}@{DOMAIN}"):
        found = ins_of_address(address, DOMAIN)
        assert found is None or shaped_ins(found)


@pytest.mark.parametrize(
    ("address", "ins", "inside"),
    [
        ("279035121518989@patient.exemple.fr", "279035121518989", True),
        ("188052b00401726@patient.exemple.fr", "188052B00401726", True),
        ("279035121518989+x@patient.exemple.fr", None, True),
        ("jean@patient.exemple.fr", None, True),
        ("279035121518989@autre.exemple.fr", None, False),
        ("279035121518989@x@patient.exemple.fr", None, True),
        ("279035121518989", None, False),
        ("", None, False),
    ],
)
def test_ins_of_address(address: str, ins: str | None, inside: bool) -> None:
    assert ins_of_address(address, DOMAIN) == ins
    assert in_patient_domain(address, DOMAIN) is inside


def test_test_authorities_are_told_apart() -> None:
    assert [oid for oid, real in INS_OIDS.items() if not real] == [
        "1.2.250.1.213.1.4.10",
        "1.2.250.1.213.1.4.11",
    ]
    with pytest.raises(ValueError, match="not an INS"):
        split("x")
