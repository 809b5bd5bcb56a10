"""The header of a CDA document in words: what it is, of whom, by whom, for whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lxml import etree

from dossier.cda.body import N
from dossier.cda.budget import Budget
from dossier.cda.nodes import Node
from dossier.cda.words import Language, absent, moment, sex, word
from patients import INS_OIDS

_MOST: Final = 20  # authors, recipients
_ACT: Final = "c:documentationOf/c:serviceEvent/c:effectiveTime"


def title_of(root: etree._Element) -> str:
    """The document's title, else what its type is called."""
    code = root.find("c:code", N)
    return _text(root.find("c:title", N))[:256] or (code.get("displayName", "") if code is not None else "")


def add_header(root: etree._Element, to: Node, budget: Budget, language: Language) -> None:
    """Add title and facts."""
    header = to.add("header")
    header.add("h1", budget.text(title_of(root)))
    facts = header.add("dl", class_="cda-facts")
    for key, value in _facts(root, language):
        if value and budget.node():
            facts.add("dt", word(key, language))
            facts.add("dd", budget.text(value[:1000]))


def _facts(root: etree._Element, language: Language) -> Iterator[tuple[str, str]]:
    yield "date", _moment(root.find("c:effectiveTime", N), language)
    act = root.find(f"{_ACT}/c:low", N)
    yield "act", _moment(act if act is not None else root.find(_ACT, N), language)
    version = root.find("c:versionNumber", N)
    yield "version", version.get("value", "") if version is not None else ""
    yield from _patient(root, language)
    for author in root.findall("c:author", N)[:_MOST]:
        yield "author", _who(author.find("c:assignedAuthor", N), language)
    signed = root.find("c:legalAuthenticator", N)
    if signed is not None:
        when = _moment(signed.find("c:time", N), language)
        yield "signed", _listed(_who(signed.find("c:assignedEntity", N), language), when)
    kept = root.find("c:custodian/c:assignedCustodian/c:representedCustodianOrganization", N)
    yield "kept", _text(kept.find("c:name", N)) if kept is not None else ""
    for recipient in root.findall("c:informationRecipient/c:intendedRecipient", N)[:_MOST]:
        yield "recipient", _who(recipient, language)


def _patient(root: etree._Element, language: Language) -> Iterator[tuple[str, str]]:
    role = root.find("c:recordTarget/c:patientRole", N)
    if role is None:
        return
    person = role.find("c:patient", N)
    if person is not None:
        name, used = _names(person)
        yield "patient", name
        yield "used", used
        gender = person.find("c:administrativeGenderCode", N)
        if gender is not None:
            yield "sex", sex(gender.get("code", ""), language) or _flavor(gender, language)
        yield "born", _moment(person.find("c:birthTime", N), language)
        yield "place", _text(person.find("c:birthplace/c:place/c:addr/c:county", N))
    number = next((one for one in role.findall("c:id", N) if one.get("root") in INS_OIDS), None)
    yield "ins", number.get("extension", "") if number is not None else ""


def _names(person: etree._Element) -> tuple[str, str]:
    """Birth name with given names, and the name in use where it is another.

    CI-SIS "Structuration minimale" §recordTarget: qualifiers BR (of birth), CL and SP (in use).
    """
    birth: list[str] = []
    given: list[str] = []
    used: list[str] = []
    for part in person.iterfind("c:name/*", N):
        text, name = _text(part), etree.QName(part).localname
        qualifiers = set((part.get("qualifier") or "").split())
        if name == "family":
            (used if qualifiers & {"CL", "SP"} else birth).append(text)
        elif name == "given" and (not qualifiers or ("BR" in qualifiers and not given)):
            given.append(text)
    names = list(dict.fromkeys(word for text in given for word in text.split()))
    family = list(dict.fromkeys(birth)) or list(dict.fromkeys(used))
    other = [text for text in dict.fromkeys(used) if text not in family]
    return " ".join([*family, *names]), " ".join(other)


def _who(entity: etree._Element | None, language: Language) -> str:
    """A person or a device, what he does, and his organisation."""
    if entity is None:
        return ""
    person = entity.find("c:assignedPerson", N)
    if person is None:
        person = entity.find("c:informationRecipient", N)
    name = _person(person.find("c:name", N)) if person is not None else ""
    name = name or _text(entity.find("c:assignedAuthoringDevice/c:softwareName", N))
    code = entity.find("c:code", N)
    does = code.get("displayName", "") if code is not None else ""
    organisation = entity.find("c:representedOrganization", N)
    if organisation is None:
        organisation = entity.find("c:receivedOrganization", N)
    where = _text(organisation.find("c:name", N)) if organisation is not None else ""
    return _listed(name, does, where) or _flavor(entity, language)


def _person(name: etree._Element | None) -> str:
    if name is None:
        return ""
    parts = {
        kind: [_text(one) for one in name.findall(f"c:{kind}", N)] for kind in ("prefix", "given", "family")
    }
    said = " ".join(part for kind in parts.values() for part in kind if part)
    return said or _text(name)


def _moment(element: etree._Element | None, language: Language) -> str:
    if element is None:
        return ""
    return moment(element.get("value", ""), language) or _flavor(element, language)


def _flavor(element: etree._Element, language: Language) -> str:
    return absent(element.get("nullFlavor", ""), language) if element.get("nullFlavor") else ""


def _listed(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _text(element: etree._Element | None) -> str:
    return " ".join(" ".join(str(one) for one in element.itertext()).split()) if element is not None else ""
