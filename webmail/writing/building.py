"""What is being written, and the one message made of it. Pure functions.

The header is made by the standard library out of cleaned values: no value brings a line of its own.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

import msgspec

import dossier

#: Characters of a subject, and of a text.
SUBJECT: Final = 200
TEXT: Final = 60_000
_TOKEN: Final = re.compile(r"[0-9a-f]{32}")
_MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]{1,250}>")
_FIELD: Final = re.compile(rb"^([!-9;-~]+):", re.MULTILINE)
_REFERENCES: Final = 20
_REPLY: Final = re.compile(r"\s*(re|ré|rép|aw)\s*(\[\d+\])?\s*:\s*", re.IGNORECASE)
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufeff]")
_WIDE: Final = 72
#: What a draft keeps for ourselves; never in what is sent.
PRIVATE: Final = "X-Passerelle-Brouillon"


class File(msgspec.Struct, frozen=True):
    """An attachment. ``media`` is its type, as its content was found to be."""

    name: str
    media: str
    content: bytes


class Writing(msgspec.Struct, kw_only=True):
    """A letter that is being written.

    ``token`` names it from the first form on: its Message-ID is made of it, so that it is sent once.
    ``original`` is the message that it answers (0: none); ``quote``: it is added to the text when sent.
    """

    token: str
    to: list[str]
    subject: str = ""
    text: str = ""
    quote: bool = False
    original: int = 0
    in_reply_to: str = ""
    references: list[str] = msgspec.field(default_factory=list)
    files: list[File] = msgspec.field(default_factory=list)


def new_token() -> str:
    """The name of a new letter."""
    return secrets.token_hex(16)


def token_of(text: str) -> str:
    """A token that a form or a Message-ID gave, "" when it is none."""
    bare = text.strip().removeprefix("<").partition("@")[0]
    return bare if _TOKEN.fullmatch(bare) else ""


def message_id_of(token: str, hostname: str) -> str:
    """RFC 5322 §3.6.4: unique by its 128 random bits, at a name of ours."""
    return f"<{token}@{hostname}>"


def answering(subject: str) -> str:
    """The subject of an answer: one ``Re:`` (RFC 5322 §3.6.5)."""
    bare = dossier.clean(subject, SUBJECT)
    while found := _REPLY.match(bare):
        bare = bare[found.end() :]
    return f"Re: {bare}".strip()[:SUBJECT]


def thread_of(message_id: str, references: Iterable[str], in_reply_to: str = "") -> tuple[str, list[str]]:
    """In-Reply-To and References of an answer (RFC 5322 §3.6.4), from those of the original."""
    if not known_ids([message_id]):
        return "", []
    before = [one for one in known_ids(references) if one != message_id] or known_ids([in_reply_to])
    if len(before) >= _REFERENCES:
        before = [before[0], *before[-_REFERENCES + 2 :]]
    return message_id, [*before, message_id]


def cleaned(text: str) -> str:
    """A text with line ends of one kind, and without what no reader shows."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))[:TEXT]


def quoted(text: str, line: str) -> str:
    """An original as it stands under an answer; ``line`` says who wrote it, and when."""
    rows = [f">{row}" if row.startswith(">") else f"> {row}".rstrip() for row in text.strip().split("\n")]
    return "\n".join([line, *rows])


def flowed(text: str, *, quotation: bool = False) -> str:
    """A text as format=flowed wants it: paragraphs broken at blanks that stay (RFC 3676 §4.2).

    :param quotation: a ``>`` at the begin of a line quotes; else somebody typed it, and means it.
    """
    lines: list[str] = []
    for row in text.split("\n"):
        bare = row.rstrip(" ")
        mark = re.match(r">*", bare) if quotation else None
        depth = mark.end() if mark else 0
        prefix, words = bare[:depth], bare[depth:]
        if depth:
            words = words.removeprefix(" ")
        lines += [_stuffed(prefix, piece) for piece in _pieces(words)]
    return "\n".join(lines)


def _stuffed(prefix: str, piece: str) -> str:
    """RFC 3676 §4.4: a blank before what would be read as something else."""
    if prefix:
        return f"{prefix} {piece}" if piece else prefix
    return f" {piece}" if piece.startswith((" ", ">", "From ")) else piece


def _pieces(words: str) -> list[str]:
    """A paragraph in lines; each but the last ends with the blank at which it was broken."""
    pieces: list[str] = []
    while len(words) > _WIDE:
        cut = words.rfind(" ", 1, _WIDE)
        if cut < 1:
            cut = words.find(" ", _WIDE)
        # Blanks at the break stay at the end of the line; a line of blanks would say nothing.
        while 0 < cut < len(words) - 1 and words[cut + 1] == " ":
            cut += 1
        if cut < 1 or not words[:cut].strip() or cut >= len(words) - 1:
            break
        pieces.append(words[: cut + 1])
        words = words[cut + 1 :]
    return [*pieces, words]


def unflowed(text: str) -> str:
    """The paragraphs of a format=flowed text (RFC 3676 §4.1 to §4.5)."""
    rows: list[tuple[int, str]] = []
    open_ = False
    for line in text.replace("\r\n", "\n").split("\n"):
        words = line.lstrip(">")
        depth = len(line) - len(words)
        words = words.removeprefix(" ")
        if open_ and rows[-1][0] == depth:
            rows[-1] = (depth, rows[-1][1] + words)
        else:
            rows.append((depth, words))
        open_ = words.endswith(" ") and words != "-- "
    return "\n".join(f"{'>' * depth} {words}".rstrip() if depth else words for depth, words in rows)


def letter_bytes(
    writing: Writing,
    *,
    author: str,
    author_name: str,
    names: Mapping[str, str],
    hostname: str,
    at: int,
    original: str = "",
) -> bytes:
    """The message that is sent: the same octets for the same values.

    :param names: who the recipients are, by address. :param at: ms. :param original: quoted, for the end.
    """
    made = _head(writing, author, author_name, names, hostname, at)
    text = flowed(cleaned(writing.text))
    if original:
        line, _, rest = original.partition("\n")
        text = f"{text.rstrip()}\n\n{flowed(line)}\n{flowed(rest, quotation=True)}"
    made.set_content(text, cte="quoted-printable", params={"format": "flowed"})
    return _whole(made, writing)


def draft_bytes(writing: Writing, *, author: str, author_name: str, hostname: str, at: int) -> bytes:
    """The message that is kept in the folder of drafts, with its text as it was typed."""
    made = _head(writing, author, author_name, {}, hostname, at)
    made[PRIVATE] = f"{writing.original} {'quote' if writing.quote else '-'}"
    made.set_content(cleaned(writing.text), cte="quoted-printable")
    return _whole(made, writing)


def private_of(value: str) -> tuple[int, bool]:
    """What :data:`PRIVATE` says: the original, and whether it is quoted. It may be anybody's."""
    number, _, rest = value.strip().partition(" ")
    return (int(number) if number.isdecimal() and len(number) < 19 else 0), rest == "quote"


def _head(
    writing: Writing, author: str, author_name: str, names: Mapping[str, str], hostname: str, at: int
) -> EmailMessage:
    plain = all(one.isascii() for one in (author, *writing.to))
    answers, references = known_ids([writing.in_reply_to]), known_ids(writing.references)
    made = EmailMessage(policy=SMTP if plain else SMTP.clone(utf8=True))  # RFC 6532 where an address needs it
    made["From"] = _address(author, author_name)
    if writing.to:
        made["To"] = tuple(_address(one, names.get(one, "")) for one in writing.to)
    made["Subject"] = plain_value(writing.subject, SUBJECT)
    made["Date"] = format_datetime(datetime.fromtimestamp(at // 1000, UTC))
    made["Message-ID"] = message_id_of(writing.token, hostname)
    if answers:
        made["In-Reply-To"] = answers[0]
    if references:
        made["References"] = " ".join(references)
    return made


def is_address(text: str) -> bool:
    """Whether a header can hold it as an address (RFC 5322 §3.4.1)."""
    try:
        return _harmless(text) and "@" in text and text.isprintable() and bool(_address(text, "").domain)
    except (MessageError, ValueError, IndexError):  # what the library's parser says of what is none
        return False


def plain_value(text: str, length: int) -> str:
    """A value for a field: one line, and nothing that is an encoded word already (RFC 2047 §2), which the
    library would decode, line ends and all, into the header."""
    return dossier.clean(text, length).replace("=?", "= ?")


def known_ids(found: Iterable[str]) -> list[str]:
    """Those that are message ids (RFC 5322 §3.6.4), and bring nothing else into a header."""
    return [one for one in found if _MESSAGE_ID.fullmatch(one) and _harmless(one)]


def _harmless(text: str) -> bool:
    return "=?" not in text


def _address(address: str, name: str) -> Address:
    """:raises ValueError: it is no address."""
    return Address(plain_value(name, 80), addr_spec=address)


def _whole(made: EmailMessage, writing: Writing) -> bytes:
    for one in writing.files:
        main, _, sub = one.media.partition("/")
        name = plain_value(one.name, 128)
        made.add_attachment(one.content, maintype=main, subtype=sub, filename=name)
    if writing.files:
        # "=_" stands neither in base64 nor in quoted-printable (RFC 2045 §6.7): no part holds it.
        made.set_boundary(f"=_{writing.token}")
    return octets(made)


def octets(made: EmailMessage) -> bytes:
    """The message as it is sent. :raises ValueError: its header holds a field that nobody set."""
    raw = made.as_bytes()
    names = _FIELD.findall(raw.partition(b"\r\n\r\n")[0])
    if sorted(one.decode().lower() for one in names) != sorted(one.lower() for one, _ in made.items()):
        raise ValueError("a value broke out of its field")
    return raw
