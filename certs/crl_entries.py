"""The entries of a revocation list, found by issuer and serial number without an object for each.

One walk over the DER notes where each entry begins and refuses what may not be used; an entry is decoded
when it is asked for. 100 000 entries take a tenth of a second and some 15 MB; decoding each takes two
seconds. RFC 5280 §5.1.2.6 and §5.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec
from asn1crypto import core, crl

from certs.errors import CrlRefused
from certs.identity import DECODE_ERRORS

_SEQUENCE, _INTEGER, _UTC_TIME, _GENERALIZED = 0x30, 0x02, 0x17, 0x18
_LONG: Final = 0x80
_SIX: Final = ord("6")
_UNDERSTOOD: Final = frozenset({"crl_reason", "invalidity_date", "certificate_issuer"})
_KEPT: Final = 4096  # kinds of extensions remembered; a list has a dozen, unless it gives invalidity dates
#: As RFC 5280 §5.3.1 writes them, from the names that asn1crypto gives them.
REASONS: Final = {
    "unspecified": "unspecified",
    "key_compromise": "keyCompromise",
    "ca_compromise": "cACompromise",
    "affiliation_changed": "affiliationChanged",
    "superseded": "superseded",
    "cessation_of_operation": "cessationOfOperation",
    "certificate_hold": "certificateHold",
    "remove_from_crl": "removeFromCRL",
    "privilege_withdrawn": "privilegeWithdrawn",
    "aa_compromise": "aACompromise",
}
REMOVED: Final = "removeFromCRL"
HOLD: Final = "certificateHold"


class Revocation(msgspec.Struct, frozen=True):
    """Since when (ms) and why (RFC 5280 §5.3.1 reason, "unspecified" when absent)."""

    at: int
    reason: str


class Entries(Mapping[int, Revocation]):
    """The entries of one list. As a mapping: those of the list's own issuer, by serial number."""

    __slots__ = ("_data", "_own", "_tables")

    def __init__(self, data: bytes, issuer: str, *, indirect: bool) -> None:
        """Walk over the content of ``revokedCertificates``.

        :param issuer: the list's issuer (``Name.hashable``), whose certificates the entries are about until
            one names another issuer.
        :raises CrlRefused: malformed, or with a critical extension that is not understood.
        """
        self._data: Final = data
        self._own: Final = issuer
        self._tables: Final[dict[str, dict[bytes, int]]] = {issuer: {}}
        try:
            self._walk(indirect)
        except (*DECODE_ERRORS, OverflowError) as error:
            raise CrlRefused(f"an entry cannot be read ({type(error).__name__})") from error

    def _walk(self, indirect: bool) -> None:
        data, end, at = self._data, len(self._data), 0
        days: set[bytes] = set()
        kinds: dict[bytes, tuple[str, ...]] = {b"": ()}
        tables = [self._tables[self._own]]
        while at < end:
            body, size = at + 2, data[at + 1]
            if size < _LONG and data[at] == _SEQUENCE:  # as nearly always; a call for each costs a third
                stop = body + size
            else:
                body, stop = _value(data, at, _SEQUENCE)
            when = body + 2 + data[body + 1]
            serial = data[body + 2 : when]
            if stop > end or data[body] != _INTEGER or not serial or data[body + 1] >= _LONG:
                raise ValueError("entry")
            tag, size = data[when], data[when + 1]
            after = when + 2 + size
            if after > stop or (size != 13 if tag == _UTC_TIME else tag != _GENERALIZED or size != 15):
                raise ValueError("revocation date")
            day, clock = data[when + 2 : after - 7], data[after - 7 : after - 1]
            if day not in days:
                _midnight(day)
                days.add(day)
            if not (
                data[after - 1] == 0x5A  # Z
                and clock.isdigit()
                and clock < b"24"
                and clock[2] < _SIX
                and clock[4] < _SIX
            ):
                raise ValueError("revocation date")
            more = data[after:stop]
            issuers = kinds.get(more)
            if issuers is None:
                issuers = _checked(more, indirect)
                if len(kinds) < _KEPT:
                    kinds[more] = issuers
            if issuers:
                # RFC 5280 §5.3.3: it holds for the entries that follow too.
                tables = [self._tables.setdefault(issuer, {}) for issuer in issuers]
            if len(serial) > 1 and (serial[0] in (0, 0xFF)):
                serial = _serial(int.from_bytes(serial, "big", signed=True))
            for table in tables:
                held = table.get(serial)
                table[serial] = when if held is None else self._worse(held, when)
            at = stop
        if at != end:
            raise ValueError("entries")

    def _worse(self, one: int, other: int) -> int:
        """Of two entries for one certificate, the one that revokes, and earlier."""

        def rank(when: int) -> tuple[bool, int]:
            entry = self._entry(when)
            return entry.reason == REMOVED, entry.at

        return min(one, other, key=rank)

    def _entry(self, when: int) -> Revocation:
        data = self._data
        after = when + 2 + data[when + 1]
        moment = _midnight(data[when + 2 : after - 7])
        clock = data[after - 7 : after - 1]
        seconds = int(clock[:2]) * 3600 + int(clock[2:4]) * 60 + int(clock[4:])
        reason = "unspecified"
        # What follows is this entry's extensions, or the next entry, or nothing: its begin was not kept.
        if after < len(data) and _extensions_follow(data, after):
            _, stop = _value(data, after, _SEQUENCE)
            for extension in crl.CRLEntryExtensions.load(data[after:stop]):
                if extension["extn_id"].native == "crl_reason":
                    reason = REASONS[extension["extn_value"].parsed.native]
        return Revocation(moment + seconds * 1000, reason)

    def find(self, issuer: str, serial: int) -> Revocation | None:
        """The entry for a certificate of ``issuer``; None when there is none."""
        table = self._tables.get(issuer)
        when = None if table is None else table.get(_serial(serial))
        return None if when is None else self._entry(when)

    def __getitem__(self, serial: int) -> Revocation:
        found = self.find(self._own, serial)
        if found is None:
            raise KeyError(serial)
        return found

    def __iter__(self) -> Iterator[int]:
        return (int.from_bytes(serial, "big", signed=True) for serial in self._tables[self._own])

    def __len__(self) -> int:
        return len(self._tables[self._own])

    @property
    def total(self) -> int:
        """How many entries, whoever issued the certificates."""
        return sum(map(len, self._tables.values()))


def _value(data: bytes, at: int, tag: int) -> tuple[int, int]:
    """Where the value that begins at ``at`` has its content, and where it ends (DER lengths)."""
    size = data[at + 1]
    if data[at] != tag:
        raise ValueError("tag")
    if size < _LONG:
        return at + 2, at + 2 + size
    count = size - _LONG
    if not 0 < count <= 4:
        raise ValueError("length")
    body = at + 2 + count
    return body, body + int.from_bytes(data[at + 2 : body], "big")


def _extensions_follow(data: bytes, at: int) -> bool:
    """An entry begins with an INTEGER, extensions with a SEQUENCE."""
    body, _ = _value(data, at, _SEQUENCE)
    return body < len(data) and data[body] == _SEQUENCE


def _serial(number: int) -> bytes:
    """The content of a DER INTEGER (X.690 §8.3)."""
    bits = (number if number >= 0 else number + 1).bit_length()
    return number.to_bytes(bits // 8 + 1, "big", signed=True)


def _midnight(day: bytes) -> int:
    """``YYMMDD`` or ``YYYYMMDD`` in ms; RFC 5280 §4.1.2.5.1: two digits below 50 are of this century."""
    if not day.isdigit():
        raise ValueError("date")
    year = int(day[:-4])
    if len(day) == 6:
        year += 2000 if year < 50 else 1900
    return int(datetime(year, int(day[-4:-2]), int(day[-2:]), tzinfo=UTC).timestamp()) * 1000


def _checked(der: bytes, indirect: bool) -> tuple[str, ...]:
    """Check the extensions of an entry; the issuers that it names, if any."""
    issuers: tuple[str, ...] = ()
    seen: set[str] = set()
    for extension in crl.CRLEntryExtensions.load(der, strict=True):
        name, critical = extension["extn_id"].native, extension["critical"].native
        if name in seen:
            raise ValueError("extension given twice")
        seen.add(name)
        understood = name in _UNDERSTOOD and (indirect or name != "certificate_issuer")
        # RFC 5280 §5.3: with a critical extension that is not understood the list must not be used;
        # certificateIssuer has a meaning only in an indirect list (§5.3.3).
        if critical and not understood:
            raise CrlRefused(f"an entry has the critical extension {extension['extn_id'].dotted}")
        if name == "crl_reason":
            _ = REASONS[extension["extn_value"].parsed.native]
        elif name == "invalidity_date":
            _ = core.GeneralizedTime.load(extension["extn_value"].contents, strict=True).native
        elif name == "certificate_issuer" and understood:
            names = extension["extn_value"].parsed
            issuers = tuple(n.chosen.hashable for n in names if n.name == "directory_name")
            if not issuers:
                raise CrlRefused("an entry names an issuer that is not a directory name")
    return issuers
