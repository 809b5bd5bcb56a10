"""ITI-105: a DocumentReference with its document inside, read and checked before anything is filed.

A document filed in the wrong record is the worst that can happen here: the INS, its OID and every trait that
is sent must be those of one open profile, else nothing is filed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any, Final

import msgspec

from activity import Actor
from annuaire import words
from dossier import Said
from gateway.fhir.codes import (
    ID_NAT_PS,
    MASKS,
    STRUCT_ID_NAT,
    in_set,
    ins_of,
    unique_id_of,
)
from gateway.fhir.dates import span
from gateway.fhir.errors import DoorError
from patients import Profile

_SEX: Final = {"male": "M", "female": "F"}
_XML: Final = ("application/xml", "text/xml", "application/hl7-v3+xml")


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be filed, and for whom. ``patients`` are the Patient resources sent with it."""

    ins: str
    oid: str
    patients: list[dict[str, Any]]
    content: bytes
    said: Said
    replaces: str = ""  # id of the resource, or unique id as "=…"


def read_publication(resource: object, actor: Actor) -> Publication:
    """Read a DocumentReference of the simplified publish profile.

    Raises :class:`DoorError` ``door.resource``, ``door.identity``, ``door.integrity``.
    """
    if not isinstance(resource, dict) or resource.get("resourceType") != "DocumentReference":
        raise DoorError("door.resource", "the resource is no DocumentReference")
    for name in ("modifierExtension", "implicitRules"):
        if resource.get(name):
            raise DoorError(
                "door.resource", f"{name} is not understood here", where=f"DocumentReference.{name}"
            )
    if resource.get("status") != "current":
        raise _wrong("status", "status must be current")
    if resource.get("docStatus", "final") not in ("final", "amended"):
        raise _wrong("docStatus", "only final documents are taken")
    contained = _contained(resource)
    ins, oid, people = _subject(resource, contained)
    unique_id = unique_id_of(resource.get("masterIdentifier"))
    if not unique_id:
        raise _wrong("masterIdentifier", "masterIdentifier must be an OID or a UUID")
    type_code = _one_code(resource.get("type"), "type", "type")
    class_code = _one_code(_first(resource.get("category")), "class", "category")
    attachment, format_code, content = _attachment(resource)
    said = Said(
        title=_text(attachment, "title"),
        mime=_text(attachment, "contentType"),
        type_code=type_code,
        class_code=class_code,
        format_code=format_code,
        confidentiality=_masks(resource.get("securityLabel")),
        created_at=_moment(attachment.get("creation"), "content.attachment.creation"),
        unique_id=unique_id,
        set_id=_set_id(resource),
        **_context(resource.get("context")),
        **_author(resource, contained, actor),
    )
    return Publication(
        ins=ins, oid=oid, patients=people, content=content, said=said, replaces=_replaces(resource)
    )


def _wrong(element: str, why: str) -> DoorError:
    return DoorError("door.resource", why, where=f"DocumentReference.{element}")


def _first(value: object) -> object:
    if isinstance(value, list):
        if len(value) > 1:
            raise _wrong("category", "one category at most")
        return value[0] if value else None
    return value


def _text(of: dict[str, Any], name: str) -> str:
    value = of.get(name, "")
    return value if isinstance(value, str) else ""


def _contained(resource: dict[str, Any]) -> dict[str, dict[str, Any]]:
    rows = resource.get("contained", [])
    if not isinstance(rows, list) or len(rows) > 32:
        raise _wrong("contained", "contained is no list of resources")
    found = {}
    for one in rows:
        if not isinstance(one, dict) or not isinstance(one.get("id"), str) or one["id"] in found:
            raise _wrong("contained", "a contained resource has no id of its own")
        found[one["id"]] = one
    return found


def _resolved(reference: object, contained: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """The contained resource that a reference leads to."""
    link = reference.get("reference", "") if isinstance(reference, dict) else ""
    return contained.get(link[1:]) if isinstance(link, str) and link.startswith("#") else None


def _identifiers(*of: object) -> list[tuple[str, str]]:
    """System and value of identifiers of references and resources."""
    found = []
    for one in of:
        rows = one.get("identifier") if isinstance(one, dict) else None
        listed = rows if isinstance(rows, list) else [rows]
        found += [(_text(row, "system"), _text(row, "value")) for row in listed if isinstance(row, dict)]
    return found


# -- whose it is ----------------------------------------------------------------------------------


def _subject(
    resource: dict[str, Any], contained: dict[str, dict[str, Any]]
) -> tuple[str, str, list[dict[str, Any]]]:
    """The one INS that subject and source patient state, and the Patient resources sent with them."""
    reference = resource.get("subject")
    if not isinstance(reference, dict):
        raise _wrong("subject", "subject is missing")
    context = resource.get("context")
    source = context.get("sourcePatientInfo") if isinstance(context, dict) else None
    people = [one for one in contained.values() if one.get("resourceType") == "Patient"]
    linked = _resolved(reference, contained)
    if linked is not None and linked not in people:
        raise _wrong("subject", "subject is no Patient")
    if linked is None and _text(reference, "reference").startswith("#"):
        raise _wrong("subject", "subject leads to nothing that is contained")
    stated = [
        (system, value)
        for system, value in _identifiers(reference, source, *people)
        if "1.2.250.1.213.1.4." in f"{system}."
    ]
    read = {ins_of(system, value) for system, value in stated}
    if len(read) != 1 or ("", "") in read:
        raise DoorError(
            "door.identity", "the subject must state one INS with its OID", where="DocumentReference.subject"
        )
    ins, oid = read.pop()
    return ins, oid, people


def check_identity(publication: Publication, profile: Profile) -> None:
    """Whether everything that is said of the patient is true of a profile.

    Raises :class:`DoorError` ``door.identity``; it does not say which trait differs.
    """
    good = profile.ins == publication.ins and profile.oid == publication.oid
    for person in publication.patients:
        good = good and _agrees(person, profile)
    if not good:
        raise DoorError("door.identity", "no open record here has this identity")


def _agrees(person: dict[str, Any], profile: Profile) -> bool:
    if "birthDate" in person and person["birthDate"] != profile.birth_date:
        return False
    sex = person.get("gender", "")
    if not isinstance(sex, str):
        return False
    if sex in _SEX and profile.sex in ("M", "F") and _SEX[sex] != profile.sex:
        return False
    names = person.get("name", [])
    return isinstance(names, list) and all(_name_agrees(one, profile) for one in names)


def _name_agrees(name: object, profile: Profile) -> bool:
    if not isinstance(name, dict):
        return False
    family, use = _text(name, "family"), name.get("use", "official")
    known = {_letters(profile.birth_name)}
    if use != "official" or "use" not in name:
        known.add(_letters(profile.used_name))
    if family and _letters(family) not in known - {""}:
        return False
    given = name.get("given", [])
    if not isinstance(given, list):
        return False
    sent = [word for one in given if isinstance(one, str) for word in words(one)]
    listed = {word for one in profile.given_names for word in words(one)}
    return use != "official" or all(word in listed for word in sent)


def _letters(name: str) -> str:
    return " ".join(words(name))


# -- the document ---------------------------------------------------------------------------------


def _attachment(resource: dict[str, Any]) -> tuple[dict[str, Any], str, bytes]:
    rows = resource.get("content")
    if not isinstance(rows, list) or len(rows) != 1 or not isinstance(rows[0], dict):
        raise _wrong("content", "exactly one content is needed")
    attachment = rows[0].get("attachment")
    if not isinstance(attachment, dict) or not isinstance(attachment.get("data"), str):
        raise _wrong("content.attachment.data", "the document itself is missing")
    if attachment.get("url"):
        raise _wrong("content.attachment.url", "the document is sent inside, not by its URL")
    for name in ("contentType", "title"):
        if not _text(attachment, name).strip():
            raise _wrong(f"content.attachment.{name}", f"{name} is missing")
    try:
        content = base64.b64decode("".join(attachment["data"].split()), validate=True)
    except (binascii.Error, ValueError):
        raise _wrong("content.attachment.data", "the document is not base64") from None
    _integrity(attachment, content)
    said = rows[0].get("format")
    format_code = in_set("format", said) if said is not None else ""
    if said is not None and not format_code:
        raise _wrong("content.format", "format is not in the set JDV_J60")
    bare = _text(attachment, "contentType").partition(";")[0].strip().lower() not in _XML
    if bare and format_code.startswith(("urn:ihe:iti:xds-sd:", "urn:ihe:iti-fr:xds-sd:")):
        format_code = ""  # that of a CDA which wraps the file
    return attachment, format_code, content


def _integrity(attachment: dict[str, Any], content: bytes) -> None:
    size = attachment.get("size")
    if size is not None and (isinstance(size, bool) or size != len(content)):
        raise DoorError(
            "door.integrity",
            "the size is not that of the document",
            where="DocumentReference.content.attachment.size",
        )
    stated = attachment.get("hash")
    if stated is None:
        return
    # FHIR R4 §2.24.0.9: SHA-1; the SHA-256 that many senders write there is known by its length
    sums = {28: hashlib.sha1(content, usedforsecurity=False), 44: hashlib.sha256(content)}
    found = sums.get(len(stated)) if isinstance(stated, str) and stated.isascii() else None
    if found is None or not hmac.compare_digest(base64.b64encode(found.digest()).decode(), stated):
        raise DoorError(
            "door.integrity",
            "the hash is not that of the document",
            where="DocumentReference.content.attachment.hash",
        )


def _one_code(said: object, name: Any, element: str) -> str:
    """The code of a CodeableConcept; "" when there is none. Raises for one that is not in its set."""
    if said is None and element != "type":
        return ""
    rows = said.get("coding") if isinstance(said, dict) else None
    for row in rows if isinstance(rows, list) else []:
        code = in_set(name, row)
        if code:
            return code
    raise _wrong(element, f"{element} is not in the DMP's set of codes")


def _masks(said: object) -> list[str]:
    if said is None:
        return []
    if not isinstance(said, list):
        raise _wrong("securityLabel", "securityLabel is no list")
    codes = [_one_code(one, "confidentiality", "securityLabel") for one in said]
    if any(code not in ("N", *MASKS) for code in codes):
        raise _wrong("securityLabel", "restricted documents are not shared")
    return [code for code in MASKS if code in codes]


def _moment(value: object, element: str) -> int | None:
    if value is None:
        return None
    found = span(value) if isinstance(value, str) else None
    if found is None:
        raise _wrong(element, "this is no date")
    return found[0]


def _set_id(resource: dict[str, Any]) -> str:
    rows = resource.get("identifier")
    if rows is not None and not isinstance(rows, list):
        raise _wrong("identifier", "identifier is no list")
    for row in rows or []:
        found = unique_id_of(row)
        if found:
            return found
    return ""


def _context(context: object) -> dict[str, Any]:
    if context is None:
        return {}
    if not isinstance(context, dict):
        raise _wrong("context", "context has not its form")
    period = context.get("period")
    start = period.get("start") if isinstance(period, dict) else None
    return {
        "facility": _one_code(context.get("facilityType"), "facility", "context.facilityType"),
        "practice": _one_code(context.get("practiceSetting"), "practice", "context.practiceSetting"),
        "service_at": _moment(start, "context.period.start") or 0,
    }


# -- who wrote it ---------------------------------------------------------------------------------


def _author(resource: dict[str, Any], contained: dict[str, dict[str, Any]], actor: Actor) -> dict[str, Any]:
    """The first person and structure among the authors. One of them must be who files, or his structure."""
    rows = resource.get("author")
    if not isinstance(rows, list) or not rows:
        raise _wrong("author", "author is missing")
    people: list[str] = []
    places: list[str] = []
    name = ""
    for row in rows:
        parts = [row, _resolved(row, contained)]
        role = parts[1]
        if role is not None and role.get("resourceType") == "PractitionerRole":
            parts += [
                part
                for link in (role.get("practitioner"), role.get("organization"))
                for part in (link, _resolved(link, contained))
            ]
        for system, value in _identifiers(*parts):
            if system == ID_NAT_PS:
                people.append(value)
            elif system == STRUCT_ID_NAT:
                places.append(value)
        name = name or next((shown for part in parts if (shown := _shown(part))), "")
    if not people and not places:
        return {}
    if actor.ident not in (*people, *places) and (not actor.structure or actor.structure not in places):
        raise _wrong("author", "neither who files nor his structure is among the authors")
    return {
        "author": name if people[:1] != [actor.ident] or not actor.name else actor.name,
        "author_id": people[0] if people else "",
        "author_struct": places[0] if places else "",
    }


def _shown(part: object) -> str:
    """The name of a person in a resource, or what a reference displays."""
    if not isinstance(part, dict) or part.get("resourceType") == "Organization":
        return ""
    names = part.get("name")
    if isinstance(names, list) and names and isinstance(names[0], dict):
        given = names[0].get("given")
        words_ = [one for one in given if isinstance(one, str)] if isinstance(given, list) else []
        return _text(names[0], "text") or " ".join([*words_, _text(names[0], "family")]).strip()
    return _text(part, "display")


def _replaces(resource: dict[str, Any]) -> str:
    rows = resource.get("relatesTo")
    if not rows:
        return ""
    if not isinstance(rows, list) or len(rows) != 1 or not isinstance(rows[0], dict):
        raise _wrong("relatesTo", "one relation at most")
    target = rows[0].get("target")
    if rows[0].get("code") != "replaces" or not isinstance(target, dict):
        raise _wrong("relatesTo", "the only relation taken is that a document replaces another")
    link = _text(target, "reference").rpartition("DocumentReference/")[2]
    unique_id = unique_id_of(target.get("identifier"))
    if link.isdecimal() and link.isascii():
        return link
    if unique_id:
        return f"={unique_id}"
    raise _wrong("relatesTo.target", "the document to replace is not named")
