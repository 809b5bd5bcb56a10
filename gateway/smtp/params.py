"""Parameters of MAIL and RCPT: SIZE, BODY, SMTPUTF8, AUTH, and DSN's RET, ENVID, NOTIFY, ORCPT.

Keywords are compared without case, values keep theirs: an ENVID or ORCPT goes back to its sender in
a report exactly as given (RFC 3461 §4.4, §4.2).
"""

from __future__ import annotations

import re

import msgspec

from gateway.smtp.address import AddressError, needs_utf8, parse_path
from store.errors import PasserelleError

_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_VALUE = re.compile(r"[\x21-\x3c\x3e-\x7e\u0080-\U0010ffff]+")
_XTEXT = re.compile(r"(?:[\x21-\x2a\x2c-\x3c\x3e-\x7e]|\+[0-9A-F]{2})*")
_UNITEXT = re.compile(r"(?:[\x21-\x3c\x3e-\x7e\u0080-\U0010ffff])+")
_ADDR_TYPE = re.compile(r"[A-Za-z0-9-]+")
_HEX = re.compile(r"\+([0-9A-F]{2})")
_SIZE = re.compile(r"[0-9]{1,20}")
NOTIFY_WORDS = ("SUCCESS", "FAILURE", "DELAY")


class ParameterError(PasserelleError):
    """A parameter that is unknown (555) or whose value is wrong (501)."""

    code = 501
    enhanced = "5.5.4"

    def __init__(self, peer: str, *, code: int | None = None, enhanced: str | None = None) -> None:
        super().__init__("command.parameter", peer, code=code, enhanced=enhanced)


class MailCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed MAIL. ``size`` is what the client announced (0: nothing), ``auth`` is xtext as given."""

    address: str
    size: int = 0
    body: str = "7BIT"
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    auth: str = ""


class RcptCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed RCPT. ``notify`` is in upper case and RFC order; ``orcpt`` as given."""

    address: str
    notify: str = ""
    orcpt: str = ""


def xtext_decode(text: str) -> str:
    """The characters that xtext stands for (RFC 3461 §4). Raises :class:`ParameterError`."""
    if _XTEXT.fullmatch(text) is None:
        raise ParameterError("malformed xtext")
    octets = _HEX.sub(lambda match: chr(int(match[1], 16)), text).encode("latin-1")
    return octets.decode("utf-8", "replace")


def xtext_encode(text: str) -> str:
    """``text`` as xtext (RFC 3461 §4)."""
    return "".join(
        chr(octet) if 0x21 <= octet <= 0x7E and octet not in b"+=" else f"+{octet:02X}"
        for octet in text.encode()
    )


def parse_mail(argument: str, *, extended: bool = True) -> MailCommand:
    """Parse what follows ``MAIL ``.

    :param argument: e.g. ``FROM:<a@b.example> SIZE=12 RET=HDRS``.
    :param extended: whether the client said EHLO; parameters are refused after HELO (RFC 5321 §4.1.1.2).
    :raises ParameterError: syntax, unknown parameter (555), wrong value (501).
    :raises AddressError: the reverse-path cannot be used (553).
    """
    text = _after_keyword(argument, "FROM:", "MAIL FROM:<address>")
    # Whether non-ASCII is allowed depends on a parameter that follows the address: look ahead.
    utf8 = re.search(r"> (?:.* )?SMTPUTF8(?: |$)", text, re.IGNORECASE) is not None
    try:
        address, rest = parse_path(text, utf8=utf8)
    except AddressError as error:
        if error.enhanced == "5.1.3":
            error.enhanced = "5.1.7"  # RFC 3463 §3.2: bad sender's mailbox address syntax
        raise
    if address == "postmaster":
        raise AddressError("address without a domain", enhanced="5.1.7")
    values: dict[str, str] = _parameters(rest, extended)
    unknown = values.keys() - {"SIZE", "BODY", "SMTPUTF8", "RET", "ENVID", "AUTH"}
    if unknown:
        raise ParameterError("MAIL parameter not implemented", code=555)  # RFC 5321 §4.1.1.11
    smtputf8 = _flag(values, "SMTPUTF8")  # RFC 6531 §3.4
    if not smtputf8 and needs_utf8(address):
        raise AddressError("address needs SMTPUTF8", rule="address.utf8", enhanced="5.6.7")
    return MailCommand(
        address=address,
        size=_size(values),
        body=_choice(values, "BODY", ("7BIT", "8BITMIME"), "7BIT"),  # RFC 6152 §2
        smtputf8=smtputf8,
        ret=_choice(values, "RET", ("FULL", "HDRS"), ""),  # RFC 3461 §4.3
        envid=_envid(values),
        auth=_xtext(values, "AUTH", 500),  # RFC 4954 §5
    )


def parse_rcpt(argument: str, *, extended: bool = True, utf8: bool = False) -> RcptCommand:
    """Parse what follows ``RCPT ``. Same errors as :func:`parse_mail`; ``utf8``: MAIL had SMTPUTF8."""
    text = _after_keyword(argument, "TO:", "RCPT TO:<address>")
    address, rest = parse_path(text, utf8=utf8)
    if not address:
        raise AddressError("recipient must not be empty")
    values = _parameters(rest, extended)
    if values.keys() - {"NOTIFY", "ORCPT"}:
        raise ParameterError("RCPT parameter not implemented", code=555)
    return RcptCommand(address=address, notify=_notify(values), orcpt=_orcpt(values, utf8))


def _after_keyword(argument: str, keyword: str, syntax: str) -> str:
    if argument[: len(keyword)].upper() != keyword:
        raise ParameterError(f"syntax: {syntax}")
    return argument[len(keyword) :].strip(" ")  # "FROM: <a@b>" is not RFC syntax, but is often sent


def _parameters(rest: str, extended: bool) -> dict[str, str]:
    if rest and not rest.startswith(" "):
        raise ParameterError("a space must stand before a parameter")
    values: dict[str, str] = {}
    for word in filter(None, rest.split(" ")):
        name, equals, value = word.partition("=")
        if _KEYWORD.fullmatch(name) is None or (equals and _VALUE.fullmatch(value) is None):
            raise ParameterError("malformed parameter")
        if name.upper() in values:
            raise ParameterError("parameter given twice")
        values[name.upper()] = value
    if values and not extended:
        raise ParameterError("parameters need EHLO", code=555)
    return values


def _choice(values: dict[str, str], name: str, allowed: tuple[str, ...], absent: str) -> str:
    if name not in values:
        return absent
    value = values[name].upper()
    if value not in allowed:
        raise ParameterError(f"{name} must be one of {', '.join(allowed)}")
    return value


def _flag(values: dict[str, str], name: str) -> bool:
    if values.get(name):
        raise ParameterError(f"{name} takes no value")
    return name in values


def _size(values: dict[str, str]) -> int:
    if "SIZE" not in values:
        return 0
    if _SIZE.fullmatch(values["SIZE"]) is None:  # RFC 1870 §4
        raise ParameterError("SIZE must be a number")
    return int(values["SIZE"])


def _xtext(values: dict[str, str], name: str, limit: int) -> str:
    if name not in values:
        return ""
    value = values[name]
    if not value or len(value) > limit or _XTEXT.fullmatch(value) is None:
        raise ParameterError(f"{name} must be xtext")
    return value


def _envid(values: dict[str, str]) -> str:
    value = _xtext(values, "ENVID", 100)  # RFC 3461 §4.4: at most 100 characters
    if value and not all(" " <= char <= "~" for char in xtext_decode(value)):
        raise ParameterError("ENVID must stand for printable ASCII")
    return value


def _notify(values: dict[str, str]) -> str:
    if "NOTIFY" not in values:
        return ""
    words = values["NOTIFY"].upper().split(",")
    if words == ["NEVER"]:
        return "NEVER"
    if set(words) - set(NOTIFY_WORDS) or len(set(words)) != len(words):
        # RFC 3461 §4.1: NEVER stands alone, the others at most once each.
        raise ParameterError("NOTIFY must be NEVER or a list of SUCCESS, FAILURE, DELAY")
    return ",".join(word for word in NOTIFY_WORDS if word in words)


def _orcpt(values: dict[str, str], utf8: bool) -> str:
    if "ORCPT" not in values:
        return ""
    value = values["ORCPT"]
    kind, semicolon, address = value.partition(";")
    pattern = _UNITEXT if utf8 and kind.casefold() == "utf-8" else _XTEXT  # RFC 6533 §3
    if (
        len(value.encode()) > 500  # RFC 3461 §4.2
        or not semicolon
        or not address
        or _ADDR_TYPE.fullmatch(kind) is None
        or pattern.fullmatch(address) is None
    ):
        raise ParameterError("ORCPT must be type;xtext")
    return value
