"""Simple paged results (RFC 2696): what a search found is kept for its client and handed out in pages.

A search is done once, within the limits of every search; the pages after the first come from what is kept.
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict

import msgspec

from gateway.ldap import messages
from gateway.ldap.directory import Found
from gateway.ldap.entries import PAGED_RESULTS
from gateway.ldap.errors import UNWILLING_TO_PERFORM, LdapError
from gateway.ldap.messages import Search


class _Cursor(msgspec.Struct):
    asked: Search
    found: Found
    place: int


class Page(msgspec.Struct, frozen=True):
    """Entries of one page, how the search ended so far, and the control of the response."""

    entries: list[bytes]
    code: int
    diagnostic: str
    control: bytes


class Cursors:
    """The paged searches of one client; beyond ``most``, the oldest is forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[bytes, _Cursor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        """Forget them all: another client, as it were, after a bind."""
        self._kept.clear()

    def begin(self, asked: Search, found: Found, size: int) -> Page:
        """The first page of what a search found."""
        return self._page(_Cursor(asked, found, 0), size)

    def go_on(self, asked: Search, cookie: bytes, size: int) -> Page:
        """The next page; size 0 ends it (RFC 2696 §3).

        :raises LdapError: no such search, or another one than the cookie is of.
        """
        known = next((key for key in self._kept if hmac.compare_digest(key, cookie)), None)
        if known is None:
            raise LdapError("ldap.page", "no such page: search again", UNWILLING_TO_PERFORM)
        cursor = self._kept.pop(known)
        if cursor.asked != asked:  # RFC 2696 §3: the same search, but for its number and the cookie
            raise LdapError("ldap.page", "the page is of another search", UNWILLING_TO_PERFORM)
        if size == 0:
            return Page([], 0, "", messages.control(PAGED_RESULTS, messages.pages(0, b"")))
        return self._page(cursor, size)

    def _page(self, cursor: _Cursor, size: int) -> Page:
        found = cursor.found
        entries = found.entries[cursor.place : cursor.place + size]
        cursor.place += len(entries)
        total = len(found.entries)
        if cursor.place >= total or size == 0:
            control = messages.control(PAGED_RESULTS, messages.pages(total, b""))
            return Page(entries, found.code, found.diagnostic, control)
        cookie = secrets.token_bytes(16)
        self._kept[cookie] = cursor
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return Page(entries, 0, "", messages.control(PAGED_RESULTS, messages.pages(total, cookie)))
