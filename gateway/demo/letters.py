"""The messages that the people of the demonstration send. All of them are made up."""

from __future__ import annotations

import base64
import io
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime

from PIL import Image

from gateway.demo.cast import DOCTOR, Patient
from gateway.dmp_bridge import (
    ArchiveDocument,
    ArchiveSubmission,
    Identifier,
    Level1,
    Traits,
    cda_level1,
    professional,
    xdm_archive,
)
from gateway.dmp_bridge.codes import document_type
from patients import OID_NIR_DEMO
from store import now_ms


@dataclass(frozen=True)
class Letter:
    """A message with its envelope; ``raw`` is what goes over the wire."""

    mail_from: str
    to: str
    subject: str
    text: str
    attachments: tuple[tuple[str, str, bytes], ...] = ()  # (file name, media type, content)
    fields: tuple[tuple[str, str], ...] = ()
    message_id: str = field(default_factory=lambda: f"<{uuid.uuid4()}@demo.test>")

    @property
    def raw(self) -> bytes:
        head = [
            f"From: <{self.mail_from}>",
            f"To: <{self.to}>",
            f"Subject: {self.subject}",
            f"Date: {format_datetime(datetime(2026, 11, 21, 9, 0, tzinfo=UTC))}",
            f"Message-ID: {self.message_id}",
            *(f"{name}: {value}" for name, value in self.fields),
            "MIME-Version: 1.0",
        ]
        body = [
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: 8bit",
            "",
            self.text,
        ]
        if not self.attachments:
            return ("\r\n".join([*head, *body]) + "\r\n").encode()
        boundary = f"=_{uuid.uuid5(uuid.NAMESPACE_URL, self.message_id).hex}"
        parts = [*head, f'Content-Type: multipart/mixed; boundary="{boundary}"', "", f"--{boundary}", *body]
        for name, media, content in self.attachments:
            encoded = base64.encodebytes(content).decode().replace("\n", "\r\n")
            parts += [
                f"--{boundary}",
                f'Content-Type: {media}; name="{name}"',
                "Content-Transfer-Encoding: base64",
                f'Content-Disposition: attachment; filename="{name}"',
                "",
                encoded.removesuffix("\r\n"),
            ]
        return ("\r\n".join([*parts, f"--{boundary}--"]) + "\r\n").encode()


def pdf(title: str) -> bytes:
    """A small valid PDF of one page that shows ``title`` (ASCII)."""
    stream = b"BT /F1 24 Tf 72 720 Td (%s) Tj ET" % title.encode("ascii")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)


def photograph() -> bytes:
    """A small picture of nothing."""
    out = io.BytesIO()
    Image.linear_gradient("L").resize((96, 96)).save(out, "PNG")
    return out.getvalue()


def oid() -> str:
    """A new OID of the UUID arc (ITU-T X.667)."""
    return f"2.25.{uuid.uuid4().int}"


def archive(patient: Patient, title: str) -> bytes:
    """An IHE_XDM.ZIP with one CDA level 1 document about ``patient``, written by the doctor."""
    author = professional(DOCTOR.id_nat, DOCTOR.family, DOCTOR.given, "1690000007", DOCTOR.legal_name)
    who = Identifier(patient.ins, OID_NIR_DEMO)
    unique_id = oid()
    moment = now_ms() // 1000 * 1000
    document = cda_level1(
        Level1(
            unique_id=unique_id,
            set_id=unique_id,
            type=document_type("11488-4"),
            title=title,
            created_at=moment,
            service_at=moment,
            patient=who,
            traits=Traits(
                birth_name=patient.birth_name,
                first_given=patient.given,
                given_names=[patient.given],
                sex=patient.sex,
                birth_date=patient.birth_date.replace("-", ""),
                birth_place=patient.birth_place,
            ),
            author=author.person,
            organisation=author.organisation,
            sector="SA01",
            mime="application/pdf",
            content=pdf(title),
        )
    )
    return xdm_archive([ArchiveDocument(document)], who, author, ArchiveSubmission(oid(), oid(), moment))
