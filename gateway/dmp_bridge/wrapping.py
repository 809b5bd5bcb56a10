"""Makes a document out of a plain file: identifiers, author and header for a CDA R2 level 1."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Final

from gateway.dmp_bridge import codes
from gateway.dmp_bridge.codes import Code, TypeCode
from gateway.dmp_bridge.hl7 import PERSON_OID, STRUCTURE_OID, Identifier, Organisation, Person
from gateway.dmp_bridge.identity import Patient
from gateway.dmp_bridge.level1 import UNKNOWN_SECTOR, Level1, cda_level1
from gateway.dmp_bridge.metadata import Author, Traits
from gateway.dmp_bridge.model import Filing, Sender

# Struct_IdNat type → IdNat_PS type for someone that this structure alone identifies
_INTERNAL: Final = {"0": "1", "1": "3", "2": "4", "3": "5", "4": "6"}
_NAMESPACE: Final = uuid.UUID("5f0c1f64-6d0b-5f3e-9d64-2b0f7a1f3c11")


def derived_oid(*parts: str) -> str:
    """An OID under 2.25 (ITU-T X.667) that always is the same for the same ``parts``."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, '|'.join(parts)).int}"


def wrap(
    load: Callable[[], bytes],
    *,
    place: str,
    filename: str,
    mime: str,
    sha256: bytes,
    type_code: TypeCode,
    title: str,
    charset: str,
    patient: Patient,
    sender: Sender,
    received_at: int,
) -> Filing:
    """A filing that wraps the file ``load`` gives, whose bytes have this ``sha256``.

    Its id comes from the patient and these bytes alone: the same file sent again, or found again by a
    retry, is the same document.
    """
    unique_id = derived_oid("document", patient.ins, sha256.hex())
    set_id = derived_oid("set", patient.ins, sha256.hex())
    author = author_of(sender)
    sector = sender.sector or UNKNOWN_SECTOR

    def build() -> bytes:
        content = load()
        return cda_level1(
            Level1(
                unique_id=unique_id,
                set_id=set_id,
                type=type_code,
                title=title,
                created_at=received_at,
                service_at=received_at,
                patient=Identifier(patient.ins, patient.oid),
                traits=traits_of(patient),
                author=author.person,
                author_speciality=speciality_of(sender),
                organisation=author.organisation,
                sector=sector,
                practice=practice_of(sector),
                mime=mime,
                content=as_utf8(content, charset) if mime == "text/plain" else content,
            )
        )

    return Filing(
        place=place,
        unique_id=unique_id,
        set_id=set_id,
        version=1,
        replaces=[],
        created_at=received_at,
        service_at=received_at,
        content_sha256=sha256,
        type=type_code,
        class_=codes.document_class(type_code),
        format=codes.known("format", codes.LEVEL1_FORMATS[mime], default=codes.UNKNOWN_MODEL),
        title=title,
        author=author,
        confidentiality=["N"],
        facility=sector,
        practice=practice_of(sector),
        body_mime=mime,
        filename=filename,
        load=build,
    )


def traits_of(patient: Patient) -> Traits:
    """A profile's traits as a CDA header writes them."""
    sex = patient.sex.upper()
    return Traits(
        birth_name=patient.birth_name,
        first_given=patient.given_names[0] if patient.given_names else "",
        given_names=list(patient.given_names),
        sex=sex if sex in ("M", "F") else "UN",
        birth_date=patient.birth_date.replace("-", ""),
        birth_place=patient.birth_place,
    )


def author_of(sender: Sender) -> Author:
    """The sender as the author of a wrapped attachment; an organisation's box signs with its name."""
    identifier = person_id(sender)
    name = sender.name or sender.structure or sender.address
    person = Person(identifier.value, identifier.oid, name, sender.given)
    organisation = Organisation(sender.struct_id, STRUCTURE_OID if sender.struct_id else "", sender.structure)
    speciality = speciality_of(sender)
    return Author(person, organisation, speciality.display if speciality else "")


def person_id(sender: Sender) -> Identifier:
    """IdNat_PS; without one, the mailbox as the structure's internal identifier (IdNat_PS types 1, 3 to 6);
    without a structure, the mail address under an authority of our own."""
    if sender.id_nat:
        return Identifier(sender.id_nat, PERSON_OID)
    kind = _INTERNAL.get(sender.struct_id[:1])
    if kind:
        return Identifier(f"{kind}{sender.struct_id[1:]}/{sender.address.partition('@')[0]}", PERSON_OID)
    return Identifier(sender.address, derived_oid("mail addresses"))


def speciality_of(sender: Sender) -> Code | None:
    """The author's code of JDV_J01: ``G15_10/SM26``, or ``G15_60`` for a profession without speciality."""
    profession = f"G15_{sender.profession}"
    return codes.find("specialty", f"{profession}/{sender.speciality}") or codes.find("specialty", profession)


def practice_of(sector: str) -> str:
    """Hospitals (sectors SA01 to SA04) are an establishment, the others ambulatory care (JDV_J04)."""
    return "ETABLISSEMENT" if sector in ("SA01", "SA02", "SA03", "SA04") else "AMBULATOIRE"


def as_utf8(content: bytes, charset: str) -> bytes:
    """Text as the CDA carries it: UTF-8, whatever the attachment's charset was."""
    for name in (charset or "utf-8", "utf-8", "iso-8859-15"):
        try:
            return content.decode(name).encode()
        except (LookupError, UnicodeError, ValueError):
            continue
    return content
