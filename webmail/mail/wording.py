"""Text that strangers wrote, made fit to be shown: what hides or reverses is replaced so that it is seen."""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import quote, urlsplit

_LONGEST_NAME: Final = 120
#: Shown in place of a character that would turn round or hide what stands beside it.
MARK: Final = "\ufffd"
#: UAX #9 §2: embeddings, overrides, isolates and the marks that set a direction.
_TURNS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
#: What only asks for a break or joins letters; it is left out, for it tells nothing.
_SILENT: Final = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff")
_UNSAFE: Final = re.compile(r'[/\\:*?"<>|]')
_HOST: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-)){0,20}\.?")


#: The subject token that has software integrate a letter (IHE ITI TF-2 §3.32.4.1.2, ECO.2.1.3).
_TOKEN: Final = re.compile(r"XDM/1\.0/DDM\+?\s*")


def subject_of(subject: str) -> str:
    """A subject as people read it: without the token that is for software (ECO.3.1: it is hidden)."""
    return _TOKEN.sub("", subject) if "XDM/1.0/DDM" in subject else subject


def shown(text: str, length: int = 300) -> str:
    """One line of a stranger's (a subject, a name): no control character, nothing that turns it round."""
    made = []
    for char in unicodedata.normalize("NFC", text[: 4 * length]):
        if char.isspace():
            made.append(" ")
        elif char in _SILENT:
            continue
        elif char in _TURNS or unicodedata.category(char)[0] == "C":
            made.append(MARK)
        else:
            made.append(char)
    line = " ".join("".join(made).split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def shown_name(name: str) -> str:
    """The name of a file, fit for a page and for any file system; "" when nothing is left of it.

    Its end is kept when it is too long: that is what tells of its kind.
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    if len(last) > 600:
        last = last[:500] + last[-60:]
    clean = _UNSAFE.sub("_", shown(last, 1000)).lstrip(". ").rstrip(". ")
    if len(clean) > _LONGEST_NAME:
        stem, dot, end = clean.rpartition(".")
        tail = f"{dot}{end}" if stem and len(end) <= 12 else ""
        clean = clean[: _LONGEST_NAME - len(tail) - 1].rstrip() + "…" + tail
    return clean


def lines(text: str) -> str:
    """The text of a letter: line ends as LF, overrides seen, control characters gone."""
    return _ODD.sub(_line_char, text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n"))


#: Control characters, what turns lines round, and what no page may hold (XML 1.0 §2.2, Unicode §23.7, §23.9).
_ODD: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufdd0-\ufdef\ufff9-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e0fff]"
)


def _line_char(found: re.Match[str]) -> str:
    return MARK if found[0] in _TURNS else ""


def web_address(address: str) -> tuple[str, str]:
    """A link as it may be followed, and the host that it leads to; ("", "") when it may not.

    Only ``http`` and ``https`` with a host. A host in other letters than ASCII is given in punycode
    (RFC 3492), so that one letter cannot pass for another; a name before the host (``user@``) is refused.
    """
    clean = "".join(char for char in address.strip() if char not in "\t\n\r")  # as browsers do
    try:
        parts = urlsplit(clean)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "", ""
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or "\\" in clean or not host:
        return "", ""
    try:
        named = host.encode("ascii").decode() if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return "", ""
    if not _HOST.fullmatch(named) or len(named) > 253:
        return "", ""
    rest = quote(
        f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}", safe="/%:?&=+,;@~!$*'()[]-._"
    )
    tail = "#" + quote(parts.fragment, safe="/%:?&=+,;@~!$*'()-._") if parts.fragment else ""
    where = f"{parts.scheme}://{named}{f':{port}' if port else ''}{rest}{tail}"
    return (where, named) if len(where) <= 4000 else ("", "")


def phone(address: str) -> str:
    """A ``tel:`` link (RFC 3966) of digits, "" for anything else."""
    scheme, _, number = address.strip().partition(":")
    digits = re.sub(r"[ .()\-]", "", number)
    return f"tel:{digits}" if scheme.lower() == "tel" and re.fullmatch(r"\+?[0-9]{3,15}", digits) else ""
