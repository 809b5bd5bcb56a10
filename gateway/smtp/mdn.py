"""Receipts for filing (MDN, RFC 8098), in the shape that MSSanté integration uses.

Success says ``processed``; failure says ``processed/Error`` with the code and its label, and a subject
that a person sees (codes 900 to 906). The third part holds the original; its IHE_XDM.ZIP and PDF are
attached again. Pure: the message comes out in pieces, so that no large original is ever whole in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from gateway.smtp.reports import base64_lines, encoded, new_boundary, one_line, rfc_date, seven_bit
from store.errors import InvalidInputError


class MdnFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the original to attach again; ``chunks`` gives its decoded content anew at each call."""

    name: str
    media: str
    chunks: Callable[[], Iterable[bytes]]


def build_mdn(
    *,
    hostname: str,
    sender: str,
    to: str,
    report_id: str,
    now: int,
    subject: str,
    message_id: str,
    original_recipient: str = "",
    code: int = 0,
    label: str = "",
    detail: str = "",
    original: Callable[[], Iterable[bytes]] | None = None,
    files: Iterable[MdnFile] = (),
) -> Iterator[bytes]:
    """The pieces of one receipt, to be written to a spool or a wire in this order.

    :param sender: the mailbox that processed the message (Final-Recipient, From).
    :param to: the address of Disposition-Notification-To.
    :param report_id: unique; becomes the Message-ID. :param now: ms.
    :param subject: the original's subject, decoded; the receipt's begins with it or is it.
    :param message_id: the original's, with angle brackets.
    :param code: 0 for success, else 900 to 906, with its French ``label``.
    :param detail: one more sentence for the reader.
    :param original: gives the raw original in pieces; without it there is no third part.
    :raises InvalidInputError: unknown code, or nobody to write to.
    """
    if not to:
        raise InvalidInputError("mdn.recipient", "a receipt needs a recipient")
    if code and not (900 <= code <= 906 and label):
        raise InvalidInputError("mdn.code", f"{code} is not an integration code")
    return _pieces(
        _top(hostname, sender, to, report_id, now, _subject(subject, code), message_id),
        _text(code, label, detail),
        _disposition(hostname, sender, message_id, original_recipient, code, label),
        original,
        files,
    )


def _subject(subject: str, code: int) -> str:
    clean = " ".join(subject.split())
    return f"[KO Intégration système !][{code}] {clean}" if code else clean


def _top(
    hostname: str, sender: str, to: str, report_id: str, now: int, subject: str, message_id: str
) -> list[str]:
    return [
        f"From: <{sender}>",
        f"To: <{to}>",
        f"Subject: {encoded(subject)}",
        f"Date: {rfc_date(now)}",
        f"Message-ID: <{report_id}@{hostname}>",
        f"In-Reply-To: {one_line(message_id)}",
        f"References: {one_line(message_id)}",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
    ]


def _text(code: int, label: str, detail: str) -> bytes:
    if code:
        text = f"Le document n'a pas pu être intégré.\r\nErreur {code} : {label}.\r\n"
    else:
        text = "Le document a été intégré.\r\n"
    if detail:
        text += f"{' '.join(detail.split())}\r\n"
    english = f"The document was not filed (error {code})." if code else "The document was filed."
    return f"{text}\r\n{english}\r\n".encode()


def _disposition(
    hostname: str, sender: str, message_id: str, original_recipient: str, code: int, label: str
) -> bytes:
    # RFC 8098 §3.2; the error's label is UTF-8, so it goes without accents here.
    lines = [f"Reporting-UA: {hostname}; Passerelle"]
    if original_recipient:
        lines.append(f"Original-Recipient: rfc822;{original_recipient}")
    lines.append(f"Final-Recipient: rfc822;{sender}")
    if message_id:
        lines.append(f"Original-Message-ID: {one_line(message_id)}")
    outcome = "processed/Error" if code else "processed"
    lines.append(f"Disposition: automatic-action/MDN-sent-automatically; {outcome}")
    if code:
        lines[-1] += f": {code}^{_plain(label)}"
        lines.append(f"Error: {code}^{_plain(label)}")  # RFC 8098 §3.2.7
    return ("\r\n".join(lines) + "\r\n").encode()


def _plain(text: str) -> str:
    return text.translate(str.maketrans("éèêàç", "eeeac"))


def _pieces(
    top: list[str],
    text: bytes,
    disposition: bytes,
    original: Callable[[], Iterable[bytes]] | None,
    files: Iterable[MdnFile],
) -> Iterator[bytes]:
    boundary, attached = new_boundary(), list(files)
    outer = new_boundary() if attached else ""
    report = f'multipart/report; report-type=disposition-notification;\r\n\tboundary="{boundary}"'
    # RFC 6522 §3: a report has at most three parts, so files stand beside it.
    whole = f'multipart/mixed;\r\n\tboundary="{outer}"' if outer else report
    yield "\r\n".join([*top, f"Content-Type: {whole}", "", ""]).encode()
    if outer:
        yield f"--{outer}\r\nContent-Type: {report}\r\n\r\n".encode()
    yield _head(boundary, "text/plain; charset=utf-8", "quoted-printable") + seven_bit(text) + b"\r\n"
    yield _head(boundary, "message/disposition-notification", "7bit") + disposition + b"\r\n"
    if original is not None:
        yield _head(boundary, "message/rfc822", "8bit")
        yield from original()
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()
    for item in attached:
        yield f"--{outer}\r\n".encode() + _file_head(item)
        yield from base64_lines(item.chunks())
    if outer:
        yield f"--{outer}--\r\n".encode()


def _head(boundary: str, media: str, encoding: str) -> bytes:
    return f"--{boundary}\r\nContent-Type: {media}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode()


def _file_head(item: MdnFile) -> bytes:
    name = encoded(item.name.replace('"', "").replace("\\", ""))
    return (
        f'Content-Type: {item.media}; name="{name}"\r\n'
        f'Content-Disposition: attachment; filename="{name}"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n"
    ).encode()
