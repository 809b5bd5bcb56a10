"""NIST PKITS through our own trust store: no wrong acceptance, and at most the two DSA refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from pkits_cases import DATA, Case, Material, cases

from certs import CertVerdict, TrustSettings, TrustStore

NOW = 1_400_000_000_000  # May 2014: every date of the suite that is to be good is
# DSA is not among the algorithms that are believed here (nor in the référentiels).
DSA = {"4.1.4", "4.1.5"}


@pytest.fixture(scope="module")
def material() -> Material:
    return Material()


def _settings(case: Case) -> TrustSettings:
    return TrustSettings.model_validate(
        {
            "policies": {
                "accepted": case.policies,
                "explicit": "e" in case.given,
                "inhibit_mapping": "m" in case.given,
                "inhibit_any": "a" in case.given,
            },
        }
    )


def _folder(folder: Path, material: Material, holder: bytes) -> Path:
    """A trust folder with the suite's root and what the path may need, in no helpful order."""
    authorities, lists = material.around(holder)
    for name in ("roots", "intermediates", "crls"):
        (folder / name).mkdir(parents=True)
    (folder / "roots" / "root.crt").write_bytes(material.root)
    for at, der in enumerate(authorities):
        (folder / "intermediates" / f"{at}.crt").write_bytes(der)
    for name, der in lists:
        (folder / "crls" / name).write_bytes(der)
    return folder


def _verdict(folder: Path, case: Case, holder: bytes) -> CertVerdict:
    store = TrustStore.load(folder, settings=_settings(case), clock=lambda: NOW)
    return store.check_sync([holder], "any")


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.test}-{case.given}")
def test_case(material: Material, tmp_path: Path, case: Case) -> None:
    holder = material.holder(case.holder)
    verdict = _verdict(_folder(tmp_path / "trust", material, holder), case, holder)
    if case.test in DSA:
        # The path is whole; what DSA signed is not believed, the lists first.
        assert verdict.rule in ("sender.certificate", "sender.revocation_unknown")
        return
    assert verdict.ok is case.accepted, verdict.checks
    assert bool(verdict.rule) is not case.accepted
    assert all(check.ok for check in verdict.checks) is case.accepted


def test_every_holder_of_the_suite_has_a_case() -> None:
    named = {case.holder for case in cases()}
    there = {path.stem for path in (DATA / "certs").glob("*EE.crt")}
    assert there - named == set()
    assert len(cases()) > 240


def test_all_at_once(material: Material, tmp_path: Path) -> None:
    """One folder with all the authorities and all the lists: nobody's list or key helps another."""
    trust = tmp_path / "trust"
    for name in ("roots", "intermediates", "crls"):
        (trust / name).mkdir(parents=True)
    (trust / "roots" / "root.crt").write_bytes(material.root)
    held = [der for named in material.authorities.values() for _, der in named]
    for at, der in enumerate(held):
        (trust / "intermediates" / f"{at}.crt").write_bytes(der)
    for named in material.lists.values():
        for name, der in named:
            (trust / "crls" / name).write_bytes(der)
    store = TrustStore.load(trust, clock=lambda: NOW)
    wrong = []
    for case in cases():
        if case.given == "0" and case.test not in DSA:
            verdict = store.check_sync([material.holder(case.holder)], "any")
            if verdict.ok is not case.accepted:
                wrong.append((case.test, verdict.reason))
    assert wrong == []
