"""From a filter to the look-ups that find its candidates. Pure.

The directory is half a million mailboxes: nothing reads it from end to end. A filter is translated into a few
*probes*, each answered by an index; the filter itself is then judged on what they found. What a filter finds
is therefore among the candidates, with one limit that docs/ldap.md tells: inside a name, ``*mar*`` is looked
for at the start of its words.
"""

from __future__ import annotations

from itertools import product
from typing import Final

import msgspec

import annuaire
from gateway.ldap import filters
from gateway.ldap.filters import And, Equal, Filter, Or, Present, Substrings
from gateway.ldap.schema import canonical, matches_texts

MOST_PROBES: Final = 8

#: Attributes whose words stand in the search text of the annuaire.
_IN_SEARCH: Final = frozenset(
    {"name", "cn", "sn", "givenName", "displayName", "o", "ou", "title", "l", "postalCode", "mail"}
)
_KEYS: Final = frozenset({"mail", "employeeNumber", "mssStructure"})
_NEVER: Final = frozenset({"telephoneNumber", "uid", "dc", "description"})


class Probe(msgspec.Struct, frozen=True):
    """One look-up: by a key, else by words that begin words of a mailbox's search text; all must hold."""

    address: str = ""
    id_nat: str = ""
    struct_id: str = ""
    words: frozenset[str] = frozenset()

    @property
    def keyed(self) -> bool:
        """Whether it finds by a key, a handful of rows at most."""
        return bool(self.address or self.id_nat or self.struct_id)


Plan = tuple[Probe, ...] | None
"""Look-ups whose union holds what the filter finds; () for nothing at all, None for anything."""


def plan(wanted: Filter) -> Plan:
    """The look-ups for a filter."""
    found = _plan(wanted)
    return None if found is None or len(found) > MOST_PROBES else found


def _plan(wanted: Filter) -> Plan:
    if isinstance(wanted, And):
        return _and([_plan(part) for part in wanted.parts])
    if isinstance(wanted, Or):
        return _or([_plan(part) for part in wanted.parts])
    if isinstance(wanted, Equal):
        return _equal(wanted)
    if isinstance(wanted, Substrings):
        return _substrings(wanted)
    if isinstance(wanted, Present):
        return () if _never(wanted.attribute) else None
    return () if isinstance(wanted, filters.Unsupported) else None  # Not: what is not found is everything


def _never(attribute: str) -> bool:
    """Whether no mailbox has a value of it."""
    name = canonical(attribute)
    return name is None or ";" in attribute or name in _NEVER


def _equal(wanted: Equal) -> Plan:
    name, text = canonical(wanted.attribute), filters.decoded(wanted.value)
    if name is None or text is None or _never(wanted.attribute):
        return ()
    if name in _KEYS and not wanted.approx:
        key = annuaire.fold_address(text) if name == "mail" else "".join(text.split()).upper()
        return (_keyed(name, key),) if key else ()
    return _words(name, [text])


def _keyed(name: str, key: str) -> Probe:
    if name == "mail":
        return Probe(address=key)
    return Probe(id_nat=key) if name == "employeeNumber" else Probe(struct_id=key)


def _substrings(wanted: Substrings) -> Plan:
    name = canonical(wanted.attribute)
    if name is None or _never(wanted.attribute) or not matches_texts(wanted.attribute):
        return ()
    pieces = [filters.decoded(piece) for piece in (wanted.initial, *wanted.middle, wanted.final) if piece]
    known = [piece for piece in pieces if piece is not None]
    return () if len(known) < len(pieces) else _words(name, known)


def _words(name: str, texts: list[str]) -> Plan:
    if name not in _IN_SEARCH:
        return None
    words = frozenset(word for text in texts for word in annuaire.words(text))
    return (Probe(words=words),) if words else None


def _and(plans: list[Plan]) -> Plan:
    narrowing = [one for one in plans if one is not None]
    if not narrowing:
        return None
    narrowing.sort(key=len)
    found = narrowing[0]
    for other in narrowing[1:]:
        together = _spare([_both(one, two) for one, two in product(found, other)])
        if len(together) > MOST_PROBES:
            break  # what was found is enough: the filter is judged on it
        found = together
    return found


def _both(one: Probe, two: Probe) -> Probe:
    return Probe(
        one.address or two.address,
        one.id_nat or two.id_nat,
        one.struct_id or two.struct_id,
        one.words | two.words,
    )


def _or(plans: list[Plan]) -> Plan:
    probes: list[Probe] = []
    for one in plans:
        if one is None:
            return None
        probes += one
    return _spare(probes)


def _spare(probes: list[Probe]) -> tuple[Probe, ...]:
    """Without those that another one covers: whoever asks for more words finds less."""
    kept: list[Probe] = []
    for probe in sorted(
        dict.fromkeys(probes), key=lambda one: (one.keyed, len(one.words), sorted(one.words))
    ):
        if not any(_covers(other, probe) for other in kept):
            kept.append(probe)
    return tuple(kept)


def _covers(wide: Probe, narrow: Probe) -> bool:
    keys = all(getattr(wide, key) in ("", getattr(narrow, key)) for key in ("address", "id_nat", "struct_id"))
    return keys and all(any(word.startswith(start) for word in narrow.words) for start in wide.words)
