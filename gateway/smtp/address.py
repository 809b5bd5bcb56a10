"""Addresses in SMTP commands (RFC 5321 §4.1.2, RFC 6531 §3.3): parsed once, strictly.

A mailbox comes out in one spelling: a quoted local part that needs no quotes loses them
(RFC 5321 §4.1.2: both forms are equivalent), so that the rules compare plain strings.
"""

from __future__ import annotations

import re
import unicodedata

from store.errors import PasserelleError

_ATEXT = r"A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\u0080-\U0010ffff"
_LET_DIG = r"A-Za-z0-9\u0080-\U0010ffff"
_DOT_STRING = re.compile(rf"[{_ATEXT}]+(?:\.[{_ATEXT}]+)*")
_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e\u0080-\U0010ffff]|\\[\x20-\x7e])*)"')
_SUB_DOMAIN = rf"[{_LET_DIG}](?:[{_LET_DIG}\-]*[{_LET_DIG}])?"
_DOMAIN = re.compile(rf"{_SUB_DOMAIN}(?:\.{_SUB_DOMAIN})*")
_ROUTE = re.compile(r"@[A-Za-z0-9.\-]+(?:,@[A-Za-z0-9.\-]+)*:")

MAX_LOCAL = 64  # RFC 5321 §4.5.3.1.1
MAX_DOMAIN = 255  # RFC 5321 §4.5.3.1.2
MAX_PATH = 256  # RFC 5321 §4.5.3.1.3, with the angle brackets


class AddressError(PasserelleError):
    """An address that cannot be used; ``enhanced`` is completed by the command that holds it."""

    code = 553
    enhanced = "5.1.3"

    def __init__(self, peer: str, *, rule: str = "address.syntax", enhanced: str | None = None) -> None:
        super().__init__(rule, peer, enhanced=enhanced)


def parse_path(text: str, *, utf8: bool) -> tuple[str, str]:
    """Split ``<path> rest`` into the mailbox (``""`` for ``<>``) and what follows it.

    :param text: what stands after ``FROM:`` or ``TO:``.
    :param utf8: whether this transaction asked for SMTPUTF8.
    :raises AddressError: malformed, too long, an address literal, or not ASCII without SMTPUTF8.
    """
    if not text.startswith("<"):
        raise AddressError("address must be in angle brackets")
    position = 1
    if text.startswith("@", 1):
        # RFC 5321 App. C: a source route must be accepted, and should be ignored.
        route = _ROUTE.match(text, 1)
        if route is None:
            raise AddressError("malformed source route")
        position = route.end()
    if text.startswith(">", position):
        if position > 1:
            raise AddressError("malformed source route")
        return "", text[2:]
    local, position = _local_part(text, position)
    if text.startswith(">", position):
        # RFC 5321 §4.5.1: "Postmaster" without a domain must be accepted.
        if local.casefold() == "postmaster":
            return "postmaster", text[position + 1 :]
        raise AddressError("address without a domain")
    if not text.startswith("@", position):
        raise AddressError("malformed local part")
    position += 1
    if text.startswith("[", position):
        raise AddressError("address literals are not served here")
    domain = _DOMAIN.match(text, position)
    if domain is None or not text.startswith(">", domain.end()):
        raise AddressError("malformed domain")
    mailbox = f"{local}@{domain[0]}"
    _check(mailbox, local, domain[0], utf8)
    return mailbox, text[domain.end() + 1 :]


def _local_part(text: str, position: int) -> tuple[str, int]:
    plain = _DOT_STRING.match(text, position)
    if plain is not None:
        return plain[0], plain.end()
    quoted = _QUOTED.match(text, position)
    if quoted is None:
        raise AddressError("malformed local part")
    content = re.sub(r"\\(.)", r"\1", quoted[1])
    if _DOT_STRING.fullmatch(content):
        return content, quoted.end()
    escaped = content.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"', quoted.end()


def _check(mailbox: str, local: str, domain: str, utf8: bool) -> None:
    if not mailbox.isascii():
        if not utf8:
            # RFC 6531 §3.4: such an address needs SMTPUTF8 on MAIL.
            raise AddressError("address needs SMTPUTF8", rule="address.utf8", enhanced="5.6.7")
        if any(unicodedata.category(char)[0] in "CZ" for char in mailbox if char > "\x7f"):
            raise AddressError("address holds control or blank characters")
    if len(local.encode()) > MAX_LOCAL:
        raise AddressError("local part too long")
    if len(domain.encode()) > MAX_DOMAIN or len(mailbox.encode()) + 2 > MAX_PATH:
        raise AddressError("address too long")


def domain_of(address: str) -> str:
    """The domain of a mailbox, casefolded; ``""`` when it has none."""
    return address.rpartition("@")[2].casefold() if "@" in address else ""


def needs_utf8(*addresses: str) -> bool:
    """Whether one of these addresses can only travel with SMTPUTF8."""
    return not all(address.isascii() for address in addresses)
