"""What resources say of mailboxes: the same rows as the extraction gives."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annuaire.demo import write_mssante
from annuaire.extraction import open_extraction
from annuaire.fhir.mapping import Holder, Seen, holder_of, moment, read_resource, see
from annuaire.rows import MailboxReader, MailboxRow, RowFaultError
from tests.annuaire.fhir_server import (
    Json,
    deleted,
    mailbox,
    organization,
    plain_email,
    practitioner,
    role,
)

ANNE = practitioner(
    "003-1-1", "10009999991", "EXEMPLE", "ANNE", mailbox("a.exemple@medecin.mssante.fr", "PER")
)
PHARMACY = organization(
    "4816",
    "1180099999",
    "PHARMACIE EXEMPLE",
    mailbox("Pharma@Exemple.mssante.fr", "ORG"),
    plain_email("info@x.fr"),
)
ROLE = role("5015", "003-1-1", "4816", mailbox("anne@cabinet.mssante.fr", "CAB", service="Cabinet"))


def seen(resource: Json, *known: Json) -> Seen:
    holders: dict[str, Holder] = {}
    for one in known:
        holders[f"{one['resourceType']}/{one['id']}"] = holder_of(read_resource(json.dumps(one).encode()))
    return see(read_resource(json.dumps(resource).encode()), holders)


def fault(resource: Json, *known: Json) -> str:
    with pytest.raises(RowFaultError) as caught:
        seen(resource, *known)
    return str(caught.value)


def extracted(folder: Path, cells: dict[str, str]) -> MailboxRow:
    """The row of the extraction with these cells."""
    with open_extraction(write_mssante(folder / "m.txt", [cells])) as extraction:
        line = next(iter(extraction.blocks()))[0].strip()
        made = MailboxReader(extraction.mapping, "mailboxes")(extraction.cells(line))
        return MailboxRow(*made[1:])


def test_the_same_rows_as_the_extraction(tmp_path: Path) -> None:
    person = {
        "national": "810009999991", "civility": "MME", "family": "EXEMPLE", "given": "ANNE",
        "profession": "10", "profession_label": "Médecin",
    }  # fmt: skip
    place = {
        "structure": "1180099999", "legal_name": "PHARMACIE EXEMPLE", "delivery_line": "18000 BOURGES",
        "postcode": "18000", "department": "18",
    }  # fmt: skip
    assert seen(ANNE).rows == [
        extracted(tmp_path, {"kind": "PER", "address": "a.exemple@medecin.mssante.fr", **person})
    ]
    assert seen(PHARMACY).rows == [
        extracted(tmp_path, {"kind": "ORG", "address": "pharma@exemple.mssante.fr", **place})
    ]
    cabinet = {"kind": "CAB", "address": "anne@cabinet.mssante.fr", "service": "Cabinet"}
    assert seen(ROLE, ANNE, PHARMACY).rows == [extracted(tmp_path, {**cabinet, **place, **person})]


def test_who_holds_it() -> None:
    assert (seen(ANNE).holder.id_nat, seen(ANNE).holder.struct_id) == ("810009999991", "")
    assert (seen(PHARMACY).holder.id_nat, seen(PHARMACY).holder.struct_id) == ("", "1180099999")
    both = seen(ROLE, ANNE, PHARMACY).holder
    assert (both.id_nat, both.struct_id) == ("810009999991", "1180099999")
    assert seen(ANNE).updated_at == 1_787_732_190_021
    rpps = copy.deepcopy(ANNE)
    del rpps["identifier"][0]
    assert seen(rpps).holder.id_nat == "810009999991"
    finess = copy.deepcopy(PHARMACY)
    del finess["identifier"][0]
    assert seen(finess).holder.struct_id == "1180099999"
    siret = copy.deepcopy(PHARMACY)
    siret["identifier"] = [{"system": "https://sirene.fr", "value": "99999999900011"}]
    assert seen(siret).holder.struct_id == "399999999900011"


def test_kinds() -> None:
    assert [
        row.kind for row in seen(organization("1", "1180099999", "CH", mailbox("x@y.fr", "APP"))).rows
    ] == ["APP"]
    assert [row.kind for row in seen(organization("1", "1180099999", "CH", mailbox("x@y.fr"))).rows] == [
        "ORG"
    ]
    bare = practitioner("1", "10009999991", "E", "A", mailbox("x@y.fr"))
    del bare["telecom"][0]["extension"][1]  # as the API's own examples: no metadata at all
    assert [row.kind for row in seen(bare).rows] == ["PER"]
    odd = seen(organization("1", "1180099999", "CH", mailbox("x@y.fr", "XYZ"), mailbox("z@y.fr", "ORG")))
    assert [row.address for row in odd.rows] == ["z@y.fr"]
    assert "unknown type" in odd.faults[0]


def test_what_is_no_mailbox() -> None:
    other = copy.deepcopy(PHARMACY)
    other["telecom"][0]["extension"][0]["valueCoding"]["code"] = "APICRYPT"
    assert seen(other).rows == []
    other = copy.deepcopy(PHARMACY)
    other["telecom"][0]["extension"][0]["valueCoding"]["system"] = "https://evil.test/TRE-R256"
    assert seen(other).rows == []
    other = copy.deepcopy(PHARMACY)
    other["telecom"][0]["system"] = "phone"
    assert seen(other).rows == []
    wrong = seen(organization("1", "1180099999", "CH", mailbox("not an address", "ORG")))
    assert (wrong.rows, wrong.faults) == ([], ["not a mail address"])


def test_the_red_list_is_marked() -> None:
    red, public = mailbox("r@y.fr", "ORG", red=True), mailbox("p@y.fr", "ORG", red=False)
    found = seen(organization("1", "1180099999", "CH", red, public))
    assert [(row.address, row.red_list) for row in found.rows] == [("r@y.fr", True), ("p@y.fr", False)]


def test_gone() -> None:
    found = seen(deleted("Practitioner", "003-1-1"))
    assert (found.gone, found.rows, found.holder) == (True, [], Holder())
    inactive = {**copy.deepcopy(ANNE), "active": False}
    assert (seen(inactive).gone, seen(inactive).rows) == (True, [])
    assert seen({**ROLE, "active": False}).gone  # nobody asks whose it was


def test_a_role_needs_those_it_refers_to() -> None:
    assert "professional who is not known" in fault(ROLE, PHARMACY)
    assert "structure that is not known" in fault(ROLE, ANNE)
    alone = copy.deepcopy(ROLE)
    del alone["organization"]
    assert seen(alone, ANNE).holder.id_nat == "810009999991"
    nobody = practitioner("1", "", "E", "A", mailbox("x@y.fr"))
    nobody["identifier"] = []
    assert "no national identifier" in fault(nobody)


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("id", ""),
        ("id", "x" * 65),
        ("id", 5),
        ("active", "yes"),
        ("telecom", {}),
        ("telecom", [5]),
        ("identifier", None),
        ("name", "EXEMPLE"),
        ("name", [{"family": 5}]),
        ("meta", []),
        ("qualification", [{"code": []}]),
        ("resourceType", "Patient"),
        ("resourceType", 1),
    ],
)
def test_wrong_types(change: str, value: object) -> None:
    assert fault({**ANNE, change: value})


def test_instants() -> None:
    assert moment("2019-08-31T01:00:00.000+01:00") == 1_567_209_600_000
    assert moment("2019-08-31T00:00:00Z") == 1_567_209_600_000
    assert moment("2019-08-31T00:00:00") == 1_567_209_600_000
    assert [moment(text) for text in ("", "yesterday", "2019-13-01")] == [0, 0, 0]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(["telecom", "identifier", "name", "meta", "qualification", "active", "id", "language"]),
    st.sampled_from([ANNE, PHARMACY, ROLE]),
)
@settings(max_examples=120, deadline=None)
def test_whatever_stands_in_a_member(value: object, member: str, resource: Json) -> None:
    try:
        found = seen({**resource, member: value}, ANNE, PHARMACY)
    except RowFaultError:
        return
    assert all(row.address and (row.id_nat or row.struct_id) for row in found.rows)
