"""NIST's Public Key Interoperability Test Suite (PKITS 1.0.1), its cases as one table.

The certificates and lists come from the wheel `cryptography_vectors`; the expectations are written here
from the descriptions of the suite.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import cryptography_vectors
from asn1crypto import crl, x509

DATA = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data"

# Cases with the suite's default settings: section -> stem of the holder's certificate, then its tests, "+"
# where the path is to be accepted and "-" where it is to be refused.
DEFAULTS = {
    "4.1": """
        CertificatePath 1+, CASignature 2-, EESignature 3-, DSASignatures 4+, DSAParameterInheritance 5+,
        DSASignature 6-
    """,
    "4.2": """
        CAnotBeforeDate 1-, EEnotBeforeDate 2-, pre2000UTCnotBeforeDate 3+, GeneralizedTimenotBeforeDate 4+,
        CAnotAfterDate 5-, EEnotAfterDate 6-, pre2000UTCEEnotAfterDate 7-, GeneralizedTimenotAfterDate 8+
    """,
    "4.3": """
        NameChaining 1-, NameChainingOrder 2-, NameChainingWhitespace 3+ 4+, NameChainingCapitalization 5+,
        NameUIDs 6+, RFC3280MandatoryAttributeTypes 7+, RFC3280OptionalAttributeTypes 8+,
        UTF8StringEncodedNames 9+, RolloverfromPrintableStringtoUTF8String 10+,
        UTF8StringCaseInsensitiveMatch 11+
    """,
    "4.4": """
        MissingCRL 1-, RevokedCA 2-, RevokedEE 3-, BadCRLSignature 4-, BadCRLIssuerName 5-, WrongCRL 6-,
        TwoCRLs 7+, UnknownCRLEntryExtension 8-, UnknownCRLExtension 9- 10-, OldCRLnextUpdate 11-,
        pre2000CRLnextUpdate 12-, GeneralizedTimeCRLnextUpdate 13+, NegativeSerialNumber 14+ 15-,
        LongSerialNumber 16+ 17+ 18-, SeparateCertificateandCRLKeys 19+ 20- 21-
    """,
    "4.5": """
        BasicSelfIssuedOldWithNew 1+ 2-, BasicSelfIssuedNewWithOld 3+ 4+ 5-, BasicSelfIssuedCRLSigningKey 6+
        7- 8-
    """,
    "4.6": """
        MissingbasicConstraints 1-, cAFalse 2- 3-, basicConstraintsNotCritical 4+, pathLenConstraint 5- 6-
        7+ 8+ 9- 10- 11- 12- 13+ 14+, SelfIssuedpathLenConstraint 15+ 16- 17+
    """,
    "4.7": """
        keyUsageCriticalkeyCertSignFalse 1-, keyUsageNotCriticalkeyCertSignFalse 2-, keyUsageNotCritical 3+,
        keyUsageCriticalcRLSignFalse 4-, keyUsageNotCriticalcRLSignFalse 5-
    """,
    "4.9": """
        requireExplicitPolicy 1+ 2+ 3- 4+ 5-, SelfIssuedrequireExplicitPolicy 6+ 7- 8-
    """,
    "4.10": """
        PolicyMapping 2- 4- 9+ 10- 11+ 13+ 14+, MappingFromanyPolicy 7-, MappingToanyPolicy 8-
    """,
    "4.11": """
        inhibitPolicyMapping 1- 2+ 3- 4+ 5- 6-, SelfIssuedinhibitPolicyMapping 7+ 8- 9- 10- 11-
    """,
    "4.12": """
        inhibitAnyPolicy 1- 2+ 4- 5- 6-, SelfIssuedinhibitAnyPolicy 7+ 8- 9+ 10-
    """,
    "4.13": """
        DNnameConstraints 1+ 2- 3- 4+ 5+ 6+ 7- 8- 9- 10- 11+ 12- 13- 14+ 15- 16- 17- 18+ 19+ 20-,
        RFC822nameConstraints 21+ 22- 23+ 24- 25+ 26-, DNandRFC822nameConstraints 27+ 28- 29-,
        DNSnameConstraints 30+ 31- 32+ 33- 38-, URInameConstraints 34+ 35- 36+ 37-
    """,
    "4.14": """
        distributionPoint 1+ 2- 3- 4+ 5+ 6- 7+ 8- 9-, NoissuingDistributionPoint 10+, onlyContainsUserCerts
        11-, onlyContainsCACerts 12- 13+, onlyContainsAttributeCerts 14-, onlySomeReasons 15- 16- 17- 18+
        19+ 20- 21-, IDPwithindirectCRL 22+ 23- 24+ 25+ 26-, cRLIssuer 27- 28+ 29+ 30+ 31- 32- 33+ 34- 35-
    """,
    "4.15": """
        deltaCRLIndicatorNoBase 1-, deltaCRL 2+ 3- 4- 5+ 6- 7+ 8+ 9- 10-
    """,
    "4.16": """
        UnknownNotCriticalCertificateExtension 1+, UnknownCriticalCertificateExtension 2-
    """,
}

# Cases of certificate policies: test, holder's certificate, then for each run what is set, and "+" or "-".
# Digits are the acceptable policies (NIST-test-policy-N), e: initial explicit policy, m: mapping inhibited,
# a: anyPolicy inhibited, 0: nothing.
SET = """
4.8.1   ValidCertificatePathTest1EE           e+ 1e+ 2e- 12e+
4.8.2   AllCertificatesNoPoliciesTest2EE      0+ e-
4.8.3   DifferentPoliciesTest3EE              0+ e- 12e-
4.8.4   DifferentPoliciesTest4EE              0-
4.8.5   DifferentPoliciesTest5EE              0-
4.8.6   OverlappingPoliciesTest6EE            0+ 1+ 2-
4.8.7   DifferentPoliciesTest7EE              0-
4.8.8   DifferentPoliciesTest8EE              0-
4.8.9   DifferentPoliciesTest9EE              0-
4.8.10  AllCertificatesSamePoliciesTest10EE   0+ 1+ 2+
4.8.11  AllCertificatesanyPolicyTest11EE      0+ 1+
4.8.12  DifferentPoliciesTest12EE             0-
4.8.13  AllCertificatesSamePoliciesTest13EE   1+ 2+ 3+
4.8.14  AnyPolicyTest14EE                     1+ 2-
4.8.15  UserNoticeQualifierTest15EE           0+
4.8.16  UserNoticeQualifierTest16EE           0+
4.8.17  UserNoticeQualifierTest17EE           0+
4.8.18  UserNoticeQualifierTest18EE           1+ 2+
4.8.19  UserNoticeQualifierTest19EE           0+
4.8.20  CPSPointerQualifierTest20EE           0+
4.10.1  ValidPolicyMappingTest1EE             1+ 2- m-
4.10.2  InvalidPolicyMappingTest2EE           m-
4.10.3  ValidPolicyMappingTest3EE             1- 2+
4.10.5  ValidPolicyMappingTest5EE             1+ 6-
4.10.6  ValidPolicyMappingTest6EE             1+ 6-
4.10.12 ValidPolicyMappingTest12EE            1+ 2+
4.12.3  inhibitAnyPolicyTest3EE               0+ a-
"""


class Case(NamedTuple):
    """One run: the certificate's file, what is set, and whether it is to be accepted."""

    test: str
    holder: str
    given: str
    accepted: bool

    @property
    def policies(self) -> list[str]:
        """The acceptable policies."""
        return [f"2.16.840.1.101.3.2.1.48.{digit}" for digit in self.given if digit in "123456789"]


def cases() -> list[Case]:
    """All of them."""
    found = []
    for section, listed in DEFAULTS.items():
        for group in " ".join(listed.split()).split(", "):
            stem, *tests = group.split()
            for test in tests:
                word = "Valid" if test[-1] == "+" else "Invalid"
                holder = f"{word}{stem}Test{test[:-1]}EE"
                found.append(Case(f"{section}.{test[:-1]}", holder, "0", test[-1] == "+"))
    for line in SET.strip().splitlines():
        test, holder, *runs = line.split()
        found += [Case(test, holder, run[:-1], run[-1] == "+") for run in runs]
    return sorted(found, key=lambda case: ([int(part) for part in case.test.split(".")], case.given))


class Material:
    """The suite's files by name: whose certificates and lists a path may need."""

    def __init__(self) -> None:
        self.root = (DATA / "certs" / "TrustAnchorRootCertificate.crt").read_bytes()
        self.authorities: dict[str, list[tuple[x509.Certificate, bytes]]] = {}
        self.lists: dict[str, list[tuple[str, bytes]]] = {}
        for path in sorted((DATA / "certs").glob("*.crt")):
            if re.search(r"Test\d+EE$", path.stem) or path.read_bytes() == self.root:
                continue
            certificate = x509.Certificate.load(path.read_bytes())
            self.authorities.setdefault(certificate.subject.hashable, []).append(
                (certificate, path.read_bytes())
            )
        for path in sorted((DATA / "crls").glob("*.crl")):
            issuer = crl.CertificateList.load(path.read_bytes()).issuer.hashable
            self.lists.setdefault(issuer, []).append((path.name, path.read_bytes()))

    def holder(self, name: str) -> bytes:
        """A holder's certificate."""
        return (DATA / "certs" / f"{name}.crt").read_bytes()

    def around(self, holder: bytes) -> tuple[list[bytes], list[tuple[str, bytes]]]:
        """Every authority above a certificate or named by it as a list's issuer, and all their lists."""
        names: set[str] = set()
        authorities: list[bytes] = []
        waiting = [x509.Certificate.load(holder)]
        while waiting:
            certificate = waiting.pop()
            wanted = {certificate.issuer.hashable}
            for point in certificate.crl_distribution_points_value or ():
                wanted |= {n.chosen.hashable for n in point["crl_issuer"] or () if n.name == "directory_name"}
            for name in wanted - names:
                names.add(name)
                authorities += [der for _, der in self.authorities.get(name, [])]
                waiting += [certificate for certificate, _ in self.authorities.get(name, [])]
        return authorities, [one for name in sorted(names) for one in self.lists.get(name, [])]
