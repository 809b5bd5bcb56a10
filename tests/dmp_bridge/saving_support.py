"""Messages in a patient's mailbox, and archives about him."""

from __future__ import annotations

import base64
from typing import Any

import patients
from gateway.dmp_bridge import ArchiveDocument, Traits
from gateway.message import Indexer, MessageMeta, encode_meta
from store import mail
from tests.dmp_bridge.bridge_support import archive, cda
from tests.dossier.deposit_support import PATIENT, Desk

SENDER = "marie.exemple@hopital.mssante.fr"
TRAITS = Traits("EXEMPLE", "MARIE", ["MARIE", "ANNE"], "F", "19880501", "75056")
WHO: dict[str, Any] = {"ins": PATIENT, "oid": patients.OID_NIR_TEST, "traits": TRAITS}


def his_cda(number: int = 1, **changes: Any) -> bytes:
    """A CDA document about the patient of :class:`Desk`."""
    return cda(number, **(WHO | changes))


def his_archive(*documents: bytes | ArchiveDocument) -> bytes:
    return archive(*documents, ins=PATIENT, oid=patients.OID_NIR_TEST)


def message(*files: tuple[str, str, bytes], inline: bool = False, subject: str = "Vos documents") -> bytes:
    """A multipart/mixed message: a text, then (filename, media type, content) in base64."""
    parts = ["Content-Type: text/plain; charset=utf-8\r\n\r\nBonjour.\r\n"]
    for name, kind, content in files:
        place = (
            f'inline; filename="{name}"\r\nContent-ID: <1@x>' if inline else f'attachment; filename="{name}"'
        )
        parts.append(
            f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n"
            f"Content-Disposition: {place}\r\n\r\n"
            + base64.encodebytes(content).decode().replace("\n", "\r\n")
        )
    body = "".join(f"--sep\r\n{part}\r\n" for part in parts)
    return (
        f"From: Dr Marie EXEMPLE <{SENDER}>\r\nTo: x@patient.exemple.fr\r\nMessage-ID: <1@pro.mssante.fr>\r\n"
        f"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/mixed; boundary="sep"\r\n\r\n{body}--sep--\r\n'
    ).encode()


def receive(desk: Desk, raw: bytes, box_id: int = 0) -> int:
    """Put a message into a mailbox; its number."""
    spool, indexer = desk.store.spool(), Indexer()
    spool.write(raw)
    indexer.feed(raw)
    meta = encode_meta(MessageMeta(prefix=b"", index=indexer.close()))
    box_id = box_id or desk.box_id
    new = desk.store.new_message(box_id, spool, meta)
    desk.store.write(mail.append, box_id=box_id, folder_id=mail.INBOX_ID, message=new)
    return new.message_id
