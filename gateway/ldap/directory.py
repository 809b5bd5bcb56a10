"""One search of the view: where in the tree, which candidates, which of them the filter finds.

Runs in a thread with a read connection; gives entries ready for the wire.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

import annuaire
from annuaire import Mailbox
from gateway.ldap import entries, messages
from gateway.ldap.errors import (
    ADMIN_LIMIT_EXCEEDED,
    NO_SUCH_OBJECT,
    SIZE_LIMIT_EXCEEDED,
    SUCCESS,
    LdapError,
)
from gateway.ldap.filters import matches
from gateway.ldap.messages import Search
from gateway.ldap.names import Name, parse_dn
from gateway.ldap.plan import Probe, plan
from gateway.ldap.schema import Entry
from gateway.ldap.settings import Limits

BASE_OBJECT, ONE_LEVEL, SUBTREE = 0, 1, 2


class Found(msgspec.Struct):
    """What a search found, as SearchResultEntry operations, and how it ended."""

    entries: list[bytes]
    code: int = SUCCESS
    diagnostic: str = ""

    def ends_with(self, limit: LdapError) -> None:
        """What was found is given, and then which limit it met."""
        self.code, self.diagnostic = limit.result, limit.diagnostic


class Tree:
    """The view under one base name. :raises LdapError: ``base`` is no distinguished name."""

    def __init__(self, base: str, limits: Limits) -> None:
        self.base = base
        self.limits = limits
        self._name: Name = parse_dn(base)
        if not self._name:
            raise LdapError("ldap.name", "the base is empty", NO_SUCH_OBJECT)

    def address_of(self, name: Name) -> str | None:
        """The address in ``mail=…,<base>`` or ``mail=…,ou=comptes,<base>``; None for other names."""
        if not name or name[0][0] != "mail":
            return None
        rest = name[1:]
        if rest and rest[0] == ("ou", "comptes"):
            rest = rest[1:]
        return name[0][1] if rest == self._name else None

    def special(self, asked: Search, *, start_tls: bool) -> Found | None:
        """The answer where the base is the root DSE or the subschema, which need no look-up."""
        name = parse_dn(asked.base)
        if name and name != parse_dn(entries.SUBSCHEMA):
            return None
        if not name and asked.scope != BASE_OBJECT:
            return None  # "" as the top of a search: whatever there is, see :meth:`search`
        one = entries.subschema() if name else entries.root_dse(self.base, start_tls=start_tls)
        shown = [one] if asked.scope != ONE_LEVEL and matches(asked.filter, one) else []
        return Found([_written(entry, asked) for entry in shown])

    def search(self, conn: Connection, asked: Search) -> Found:
        """The entries that a search finds, at most as many as it and the limits allow.

        :raises LdapError: noSuchObject, invalidDNSyntax.
        """
        name = parse_dn(asked.base)
        limit = min(asked.size_limit or self.limits.entries, self.limits.entries)
        found: list[Entry] = []
        cut = False
        if name in ((), self._name):
            # a client that was given no base searches below "": what is here is meant
            if asked.scope != ONE_LEVEL:
                found.append(entries.base_entry(self.base))
            if asked.scope != BASE_OBJECT:
                below, cut = self._candidates(conn, asked)
                found += below
        else:
            entry = self._entry(conn, name)
            if asked.scope != ONE_LEVEL:
                found.append(entry)
        matching = [entry for entry in found if matches(asked.filter, entry)]
        done = Found([_written(entry, asked) for entry in matching[:limit]])
        if len(matching) > limit:
            done.ends_with(LdapError("ldap.limit", "there is more", SIZE_LIMIT_EXCEEDED))
        elif cut:
            done.ends_with(LdapError("ldap.limit", "that is too wide: name more of it", ADMIN_LIMIT_EXCEEDED))
        return done

    def _entry(self, conn: Connection, name: Name) -> Entry:
        address = name[0][1] if name[0][0] == "mail" and name[1:] == self._name else ""
        found = entries.mailbox_entries(annuaire.mailbox(conn, address), self.base) if address else []
        if not found:
            below = name[-len(self._name) :] == self._name
            raise LdapError("ldap.base", "no such entry", NO_SUCH_OBJECT, matched=self.base if below else "")
        return found[0]

    def _candidates(self, conn: Connection, asked: Search) -> tuple[list[Entry], bool]:
        """Entries that may match, and whether there are more than were read."""
        probes = plan(asked.filter)
        if probes is None:
            return [], True
        rows: list[Mailbox] = []
        cut = False
        for probe in probes:
            some, more = self._look_up(conn, probe)
            rows += some
            cut = cut or more
        return entries.mailbox_entries(self._whole(conn, rows), self.base), cut

    def _look_up(self, conn: Connection, probe: Probe) -> tuple[list[Mailbox], bool]:
        if probe.address:
            return annuaire.mailbox(conn, probe.address), False
        if probe.id_nat:
            return annuaire.by_id_nat(conn, probe.id_nat), False
        if probe.struct_id:
            found = annuaire.by_structure(conn, probe.struct_id)
            return found[: self.limits.candidates], len(found) > self.limits.candidates
        found = annuaire.search(conn, " ".join(sorted(probe.words)), limit=self.limits.candidates)
        return found, len(found) >= self.limits.candidates

    def _whole(self, conn: Connection, rows: list[Mailbox]) -> list[Mailbox]:
        """All holders of each mailbox found, each once: a look-up finds some of them only."""
        seen: dict[Mailbox, None] = {}
        for address in dict.fromkeys(row.address for row in rows):
            seen |= dict.fromkeys(annuaire.mailbox(conn, address))
        return list(seen)


def _written(entry: Entry, asked: Search) -> bytes:
    return messages.entry(entry.dn, entry.selected(asked.attributes), types_only=asked.types_only)
