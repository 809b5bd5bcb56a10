"""What the commands of one session share: the connection, the box, the selected view, what is enabled."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.imap.connection import Connection
from gateway.imap.errors import BadError, ByeError, NoError
from gateway.imap.metrics import Metrics
from gateway.imap.recent import claim_recent
from gateway.imap.responses import tagged
from gateway.imap.settings import Limits
from gateway.imap.view import View, read_delta
from store import Notice, PasserelleError, Store
from store import mail as mailboxes

Authenticator = Callable[[str, str, str], Awaitable[int | None]]
"""(user, password, peer address) → box_id, or None."""

# Store rule → response code (RFC 5530 §3).
_CODES = {
    "mailbox.exists": "ALREADYEXISTS",
    "mailbox.name": "CANNOT",
    "mailbox.folder": "NONEXISTENT",
    "mailbox.quota": "OVERQUOTA",
    "mailbox.closed": "UNAVAILABLE",
    "mailbox.unknown": "UNAVAILABLE",
}


@dataclass(slots=True)
class Context:
    """One session. ``view`` is the selected folder, None in the other states (RFC 3501 §3)."""

    connection: Connection
    store: Store
    authenticate: Authenticator
    limits: Limits
    metrics: Metrics
    starttls: ssl.SSLContext | None
    on_login: Callable[[Context], None]
    box_id: int | None = None
    view: View | None = None
    condstore: bool = False
    failed_logins: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a notice speaks of the selected folder or of the box."""
    box_stale: bool = False

    # -- state

    @property
    def box(self) -> int:
        if self.box_id is None:
            raise BadError("Log in first")
        return self.box_id

    @property
    def selected(self) -> View:
        if self.view is None:
            raise BadError("Select a folder first")
        return self.view

    def writable(self) -> View:
        """The selected view, for a command that changes it."""
        view = self.selected
        if view.read_only:
            raise NoError("The folder is open for reading only", "READ-ONLY")
        return view

    def hear(self, notice: Notice) -> None:
        """A change was committed somewhere. Called in the loop's thread."""
        if notice.folder_id == 0:
            self.box_stale = True
            self.changed.set()
        elif self.view is not None and notice.folder_id == self.view.folder_id:
            self.changed.set()

    # -- store

    async def sync(self) -> None:
        """Bring the view up to the store; announces nothing.

        Raises :class:`ByeError` when the box was closed or the selected folder is no more.
        """
        self.changed.clear()
        if self.box_stale and self.box_id is not None:
            self.box_stale = False
            box = await self.store.aread(mailboxes.box_by_id, self.box_id)
            if box is None or box.state != "open":
                raise ByeError("The mailbox was closed")
        view = self.view
        if view is None:
            return
        delta = await self.store.aread(read_delta, view.box_id, view.folder_id, view.modseq)
        added = view.apply(delta)
        if added and not view.read_only:
            await self.claim(view)

    async def claim(self, view: View) -> None:
        """Take the \\Recent flag of messages no session was told of (RFC 3501 §2.3.2)."""
        first = await self.store.awrite(
            claim_recent, box_id=view.box_id, folder_id=view.folder_id, uidnext=view.uidnext
        )
        for uid in reversed(view.uids):
            if uid < first:
                break
            view.recent.add(uid)

    def announce(self, *, expunge: bool, silent: dict[int, int] | None = None) -> None:
        """Write what the view has to say (RFC 3501 §7.4.1 permitting)."""
        if self.view is not None:
            text = self.view.announce(expunge=expunge, modseq=self.condstore, silent=silent)
            if text:
                self.connection.write(text)

    async def folder(self, name: str, code: str = "NONEXISTENT") -> mailboxes.Folder:
        """The folder called ``name``. Raises :class:`NoError` with ``code``."""
        found = await self.store.aread(mailboxes.folder_by_name, self.box, name)
        if found is None:
            raise NoError("There is no such folder", code)
        return found

    # -- answers

    def ok(self, tag: str, text: str, code: str = "") -> None:
        self.connection.write(tagged(tag, "OK", text, code))

    def untagged(self, text: str) -> None:
        self.connection.write(f"* {text}\r\n".encode("ascii"))


def refusal_of(error: PasserelleError) -> NoError:
    """What a refusal of the store is to an IMAP client."""
    code = _CODES.get(error.rule, "UNAVAILABLE" if error.fault == "us" else "CANNOT")
    return NoError(error.peer, code)
