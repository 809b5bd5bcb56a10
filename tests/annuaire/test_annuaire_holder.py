"""Holders: the judgement against a second wording of it, then the directory's own history."""

from __future__ import annotations

import time
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import annuaire
from annuaire.demo import write_activities, write_cards, write_mssante, write_skills
from annuaire.holder import Claim, HolderMatch, claim_of, former, holder_match, professional, same_site
from annuaire.judgement import (
    CardFacts,
    HolderFacts,
    Holding,
    judge_holder,
)
from certs import demo_pki, identity
from store import Store, now_ms

ME, OTHER = "899900000101", "899900000119"
SITE, TWIN, ELSEWHERE = "1690000007", "399999999900011", "1750099999"
BOTH = (False, True)
DAY = 1_790_000_000_000


def every(**values: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [dict(zip(values, one, strict=True)) for one in product(*values.values())]


def reason(facts: HolderFacts) -> str:
    checks = judge_holder(facts)
    for check in checks:
        assert check.text.isascii()
        assert check.text.isprintable()
        assert check.ok == (check.reason == "match")
    return next((check.reason for check in checks if not check.ok), "match")


def person_model(f: dict[str, Any]) -> str:
    if f["standing"] in ("struck_off", "no_activity", "unknown"):
        return str(f["standing"])
    if f["professions"] and "10" not in f["professions"] and not f["professions"] <= {"35", "39"}:
        return "other_profession"
    if f["cards"] is not None and f["cards"].opposed_at:
        return "card_opposed"
    if not f["holdings"]:
        return "box_gone" if f["listed"] and f["box_gone_at"] else "unlisted_box"
    if any(one.id_nat == ME and one.kind in ("PER", "CAB") for one in f["holdings"]):
        return "match"
    return "organisation_box" if {one.kind for one in f["holdings"]} <= {"ORG", "APP"} else "other_holder"


PERSON = every(
    standing=("practises", "no_activity", "struck_off", "unknown", "unchecked"),
    professions=(frozenset(), frozenset({"10", "21"}), frozenset({"21"}), frozenset({"39"})),
    cards=(None, CardFacts(found=1), CardFacts(found=1, opposed_at=DAY)),
    listed=BOTH,
    box_gone_at=(0, DAY),
    holdings=(
        (),
        (Holding("PER", ME, ""),),
        (Holding("PER", OTHER, SITE),),
        (Holding("CAB", ME, "4100000000101001"),),
        (Holding("ORG", "", SITE),),
        (Holding("ORG", ME, SITE),),  # named as its head, he does not own it
        (Holding("PER", OTHER, ""), Holding("PER", ME, "")),
        (Holding("APP", "", SITE), Holding("PER", OTHER, "")),
    ),
)


def test_person_in_every_case() -> None:
    for facts in PERSON:
        told = HolderFacts(
            person=True, id_nat=ME, profession="10", address="a@x.test", loaded=True, gone_at=DAY, **facts
        )
        assert reason(told) == person_model(facts), facts


def structure_model(f: dict[str, Any]) -> str:
    if not f["structure_known"] and f["loaded"]:
        return "unknown_structure"
    if not f["holdings"]:
        return "box_gone" if f["listed"] and f["box_gone_at"] else "unlisted_box"
    kinds = {one.kind for one in f["holdings"]}
    owned = {one.struct_id for one in f["holdings"] if one.kind in ("ORG", "APP", "CAB")}
    if owned & f["structures"]:
        return "match"
    return "personal_box" if kinds == {"PER"} else "other_structure"


STRUCTURE = every(
    loaded=BOTH,
    structure_known=BOTH,
    structures=(frozenset({SITE}), frozenset({SITE, TWIN})),
    listed=BOTH,
    box_gone_at=(0, DAY),
    holdings=(
        (),
        (Holding("ORG", "", SITE),),
        (Holding("APP", "", TWIN),),
        (Holding("CAB", OTHER, ELSEWHERE),),
        (Holding("PER", OTHER, SITE),),  # a person's box within the structure is that person's
        (Holding("PER", OTHER, SITE), Holding("ORG", "", ELSEWHERE)),
    ),
)


def test_structure_in_every_case() -> None:
    for facts in STRUCTURE:
        told = HolderFacts(person=False, struct_id=SITE, address="a@x.test", **facts)
        assert reason(told) == structure_model(facts), facts


def test_a_certificate_that_names_nobody_is_no_holder() -> None:
    everything = Holding("PER", "", ""), Holding("ORG", "", "")
    for person in BOTH:
        facts = HolderFacts(person=person, address="a@x.test", loaded=True, listed=True, holdings=everything)
        assert reason(facts) == "no_identity"


def test_without_an_address_only_the_holder_is_judged() -> None:
    facts = HolderFacts(person=True, id_nat=ME, standing="practises", loaded=True, listed=True)
    assert [check.name for check in judge_holder(facts)] == [
        "holder.active", "holder.profession", "holder.card",
    ]  # fmt: skip
    assert reason(facts) == "match"


def test_what_is_not_loaded_accuses_nobody() -> None:
    facts = HolderFacts(person=True, id_nat=ME, profession="10")
    assert reason(facts) == "match"
    assert all(check.text.startswith("not checked") for check in judge_holder(facts))


@given(st.text(max_size=20), st.frozensets(st.text(max_size=9), max_size=3), st.text(max_size=30))
def test_texts_stay_printable_whatever_the_files_hold(
    profession: str, professions: frozenset[str], struct_id: str
) -> None:
    reason(HolderFacts(person=True, id_nat=ME, profession=profession, professions=professions))
    reason(
        HolderFacts(
            person=False,
            struct_id=struct_id,
            structures=frozenset({struct_id}) | professions,
            structure_known=True,
        )
    )


# -- the directory's own history ------------------------------------------------------------------

DOCTOR = {
    "kind": "PER", "address": "camille.exemple@ch.mssante.fr", "national": ME, "family": "EXEMPLE",
    "given": "CAMILLE", "profession": "10",
}  # fmt: skip
ACTIVE = {"national": ME, "family": "EXEMPLE", "given": "CAMILLE", "profession": "10", "sector": "SA01",
          "finess": "690000007", "siret": "99999999900011"}  # fmt: skip
WITNESS = {"national": OTHER, "family": "MODELE", "given": "DOMINIQUE", "profession": "21", "sector": "SA33",
           "finess": "750099999"}  # fmt: skip
BOXES = [
    DOCTOR,
    {"kind": "ORG", "address": "cardio@ch.mssante.fr", "structure_kind": "1", "structure": "690000007",
     "legal_name": "HOPITAL EXEMPLE"},
    {"kind": "ORG", "address": "pharma@x.mssante.fr", "structure_kind": "1", "structure": "750099999",
     "legal_name": "PHARMACIE EXEMPLE"},
    {"kind": "PER", "address": "sans@ch.mssante.fr", "national": "899900000135", "family": "SANS",
     "given": "ANNE", "profession": "60"},
]  # fmt: skip
DOCTORS = Claim(person=True, id_nat=ME, profession="10", on_card=True)
HOSPITALS = Claim(person=False, struct_id=SITE)


class Loader:
    """Imports lists of rows as the files they would be."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self._folder = store, folder

    def boxes(self, rows: list[dict[str, str]]) -> None:
        annuaire.import_extraction(self.store, write_mssante(self._folder / "m.txt", rows))

    def activities(self, rows: list[dict[str, str]]) -> None:
        annuaire.import_extraction(self.store, write_activities(self._folder / "a.txt", rows))

    def cards(self, rows: list[dict[str, str]]) -> None:
        annuaire.import_extraction(self.store, write_cards(self._folder / "c.txt", rows))

    def match(self, claim: Claim, address: str = "", at: int | None = None) -> HolderMatch:
        return self.store.read(holder_match, claim, address, at)


@pytest.fixture
def load(store: Store, tmp_path: Path) -> Loader:
    loader = Loader(store, tmp_path)
    loader.boxes(BOXES)
    loader.activities([ACTIVE, WITNESS])
    return loader


def test_an_empty_directory_accuses_nobody_and_owns_nothing(store: Store) -> None:
    match = store.read(holder_match, DOCTORS, "")
    assert match.reason == "match"
    assert store.read(holder_match, DOCTORS, DOCTOR["address"]).reason == "unlisted_box"
    assert store.read(professional, ME) == ("unchecked", 0)


@pytest.mark.parametrize(
    ("claim", "address", "reason"),
    [
        (DOCTORS, "Camille.Exemple@CH.mssante.fr", "match"),
        (DOCTORS, "cardio@ch.mssante.fr", "organisation_box"),
        (DOCTORS, "sans@ch.mssante.fr", "other_holder"),
        (DOCTORS, "nobody@ch.mssante.fr", "unlisted_box"),
        (Claim(person=True, id_nat=ME, profession="21"), "camille.exemple@ch.mssante.fr", "other_profession"),
        (Claim(person=True, id_nat="899900000135"), "sans@ch.mssante.fr", "no_activity"),
        (Claim(person=True, id_nat="899900000143"), "", "unknown"),
        (Claim(person=True), "sans@ch.mssante.fr", "no_identity"),
        (HOSPITALS, "cardio@ch.mssante.fr", "match"),
        (HOSPITALS, "pharma@x.mssante.fr", "other_structure"),
        (HOSPITALS, "camille.exemple@ch.mssante.fr", "personal_box"),
        (Claim(person=False, struct_id=TWIN), "cardio@ch.mssante.fr", "match"),
        (Claim(person=False, struct_id="1130000003"), "cardio@ch.mssante.fr", "unknown_structure"),
    ],
)
def test_who_it_is(load: Loader, claim: Claim, address: str, reason: str) -> None:
    assert load.match(claim, address).reason == reason


def test_struck_off_is_told_from_unknown_by_the_history(load: Loader) -> None:
    address = DOCTOR["address"]
    before = now_ms()
    time.sleep(0.002)
    load.activities([WITNESS])
    match = load.match(DOCTORS, address)
    assert match.reason == "struck_off"
    assert annuaire.day(now_ms()) in match.text
    assert load.match(DOCTORS, address, before).reason == "match"  # as it stood then
    load.boxes(BOXES[1:])
    gone = load.store.read(former, address)
    assert (gone.id_nat, gone.gone_at >= before) == (ME, True)
    assert load.store.read(former, "nobody@ch.mssante.fr").gone_at == 0
    load.activities([ACTIVE, WITNESS])  # an error of theirs, mended
    assert load.match(DOCTORS, address).reason == "box_gone"
    load.boxes(BOXES)
    assert load.match(DOCTORS, address).reason == "match"


def test_before_the_first_import_nothing_was_known(load: Loader) -> None:
    assert load.store.read(professional, ME, 1_000) == ("unchecked", 0)
    assert load.match(DOCTORS, DOCTOR["address"], 1_000).reason == "unlisted_box"


def test_one_site_has_two_identifiers_only_when_nothing_contradicts(load: Loader) -> None:
    assert load.store.read(same_site, SITE) == {SITE, TWIN}
    assert load.store.read(same_site, TWIN) == {SITE, TWIN}
    assert load.store.read(same_site, ELSEWHERE) == {ELSEWHERE}
    second = {**WITNESS, "finess": "130000003", "siret": "99999999900011"}
    load.activities([ACTIVE, second])
    for struct_id in (SITE, TWIN, "1130000003"):  # one SIRET, two FINESS: which one is meant?
        assert load.store.read(same_site, struct_id) == {struct_id}
    assert load.match(Claim(person=False, struct_id=TWIN), "cardio@ch.mssante.fr").reason == "other_structure"


CARD = {"national": ME, "kind": "CPS", "number": "2500000017", "begins": "20250101", "ends": "20280101"}
ENDS = 1_830_297_600_000  # 2028-01-01


@pytest.mark.parametrize(
    ("cards", "claim", "reason"),
    [
        ([CARD], {}, "match"),
        ([{**CARD, "opposed": "20260401"}], {}, "card_opposed"),
        ([{**CARD, "opposed": "20990401"}], {}, "match"),
        ([{**CARD, "opposed": "20260401"}], {"on_card": False}, "match"),
        ([{**CARD, "opposed": "20260401"}], {"card": "2500000017"}, "card_opposed"),
        ([{**CARD, "opposed": "20260401"}], {"card": "2500000099"}, "match"),
        # two cards, one opposed: which of them signed in? by its number, or by its term
        ([{**CARD, "opposed": "20260401"}, {**CARD, "number": "2500000025"}], {}, "match"),
        (
            [{**CARD, "opposed": "20260401"}, {**CARD, "number": "2500000025"}],
            {"card": "2500000017"},
            "card_opposed",
        ),
        (
            [{**CARD, "opposed": "20260401"}, {**CARD, "number": "2500000025", "ends": "20290601"}],
            {"ends": ENDS},
            "card_opposed",
        ),
        ([{**CARD, "national": OTHER, "opposed": "20260401"}], {"card": "2500000017"}, "match"),
    ],
)
def test_opposed_cards(load: Loader, cards: list[dict[str, str]], claim: dict[str, Any], reason: str) -> None:
    load.cards(cards)
    match = load.match(msgspec.structs.replace(DOCTORS, **claim), DOCTOR["address"])
    assert match.reason == reason
    assert [check.ok for check in match.checks if check.name == "holder.card"] == [reason == "match"]


def test_specialities_are_told_and_accuse_nobody(load: Loader, tmp_path: Path) -> None:
    path = write_skills(tmp_path / "s.txt", [{"national": ME, "profession": "10", "code": "SM54"}])
    report = annuaire.import_extraction(load.store, path)
    assert (report.source, report.rows) == ("skills", 1)
    match = load.match(msgspec.structs.replace(DOCTORS, specialities=("SM26",)))
    assert match.ok
    assert match.details == ["specialities: the certificate states SM26, the annuaire SM54"]


def test_what_a_certificate_claims(tmp_path: Path) -> None:
    pki = demo_pki(tmp_path / "pki")
    doctor, hospital = (claim_of(identity(pki.issued(name).der)) for name in ("doctor", "hospital-auth"))
    assert (doctor.person, doctor.id_nat, doctor.profession, doctor.struct_id) == (True, ME, "10", "")
    assert (hospital.person, hospital.id_nat, hospital.struct_id) == (False, "", SITE)
    assert not doctor.on_card  # a software certificate: no card was ever opposed for it
