"""What the tests of the bridge share: a patient, a sender, small documents and archives."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from gateway.dmp_bridge import (
    ArchiveDocument,
    ArchiveSubmission,
    Attachment,
    Identifier,
    Level1,
    Organisation,
    Person,
    Sender,
    Traits,
    cda_level1,
    codes,
    professional,
    xdm_archive,
)
from patients import Profile, ins_key

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data folder is not there")

OID = "1.2.250.1.213.1.4.10"
INS = "279035121518989"
OTHER_INS = "158067312345" + "6" + ins_key("1580673123456")
T0 = 1_700_000_000_000
TRAITS = Traits("PAT-TROIS", "DOMINIQUE", ["DOMINIQUE", "MARIE-LOUISE"], "F", "19790328", "51215")
AUTHOR = professional("899700000001", "EXEMPLE", "Marie", "1750803447", "Hôpital Exemple")
SENDER = Sender(
    address="marie.exemple@hopital.mssante.fr",
    id_nat="899700000001",
    struct_id="1750803447",
    name="EXEMPLE",
    given="Marie",
    structure="Hôpital Exemple",
    profession="10",
    speciality="SM26",
)


def patient(**changes: Any) -> Profile:
    values: dict[str, Any] = {
        "ins": INS,
        "oid": OID,
        "birth_name": "PAT-TROIS",
        "given_names": ["DOMINIQUE", "MARIE-LOUISE"],
        "used_name": "",
        "sex": "F",
        "birth_date": "1979-03-28",
        "birth_place": "51215",
        "state": "activated",
        "box_id": 1,
        "address": f"{INS}@patient.mssante.fr",
    }
    times = ("notified_at", "opened_at", "activated_at", "opposed_at", "closed_at", "suspended_at")
    return Profile(**(values | dict.fromkeys(times) | changes))


def pdf(text: str = "bonjour") -> bytes:
    return b"%PDF-1.4\n% " + text.encode() + b"\n%%EOF\n"


def cda(
    number: int = 1,
    *,
    content: bytes | None = None,
    ins: str = INS,
    oid: str = OID,
    traits: Traits = TRAITS,
    set_number: int | None = None,
    version: int = 1,
    replaces: str = "",
    type_code: str = "11488-4",
    author: Person | None = None,
    organisation: Organisation | None = None,
) -> bytes:
    return cda_level1(
        Level1(
            unique_id=f"1.2.250.1.999.1.{number}",
            set_id=f"1.2.250.1.999.2.{set_number or number}",
            version=version,
            type=codes.document_type(type_code),
            title="Compte rendu de consultation",
            created_at=T0,
            service_at=T0,
            patient=Identifier(ins, oid),
            traits=traits,
            author=author or AUTHOR.person,
            organisation=organisation or AUTHOR.organisation,
            replaces=replaces,
            mime="application/pdf",
            content=content or pdf(f"document {number}"),
        )
    )


def structured(number: int = 1) -> bytes:
    """A level 3 CDA with the header of :func:`cda`."""
    text = cda(number).decode()
    head, _, tail = text.partition("<nonXMLBody>")
    body = "<structuredBody><component><section><title>Conclusion</title><text>Rien.</text></section>"
    return f"{head}{body}</component></structuredBody>{tail.partition('</nonXMLBody>')[2]}".encode()


def archive(*documents: bytes | ArchiveDocument, ins: str = INS, oid: str = OID) -> bytes:
    listed = [one if isinstance(one, ArchiveDocument) else ArchiveDocument(one) for one in documents]
    return xdm_archive(
        listed, Identifier(ins, oid), AUTHOR, ArchiveSubmission("1.2.250.1.999.3.1", "1.2.250.1.999.4", T0)
    )


def rezip(
    raw: bytes, rename: Any = None, replace: Any = None, extra: dict[str, bytes] | None = None
) -> bytes:
    """The archive with other names, other content, or more files."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            data = old.read(info)
            name = rename(info.filename) if rename else info.filename
            new.writestr(name, replace(info.filename, data) if replace else data)
        for name, data in (extra or {}).items():
            new.writestr(name, data)
    return out.getvalue()


def attachment(
    filename: str, content: bytes, media: str = "application/octet-stream", **more: Any
) -> Attachment:
    return Attachment(media=media, filename=filename, load=lambda: content, **more)


def zip_attachment(content: bytes, filename: str = "IHE_XDM.ZIP") -> Attachment:
    return attachment(filename, content, "application/zip")
