"""The selected folder as one session has announced it to its client.

Invariants:

* ``uids`` and ``entries`` are parallel, in UID order; the message number of ``uids[i]`` is ``i + 1``.
* A message leaves the view only when its EXPUNGE is written (RFC 3501 §7.4.1); until then ``gone``
  holds its UID and its number stays taken.
* ``announced`` is the number of messages the client knows of: the last EXISTS less the EXPUNGEs since.
  Message numbers in commands mean the first ``announced`` messages (RFC 3501 §5.5).
* ``modseq`` is the state of the store that the view contains; it only moves forward.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from gateway.imap.errors import ByeError
from gateway.imap.flags import SYSTEM, flag_text
from store.mail import Entry, Folder, entries, expunged_since, folder_by_id

SYSTEM_FLAGS = " ".join(name for _, name in SYSTEM)


@dataclass(frozen=True, slots=True)
class Delta:
    """What happened in a folder after a modification sequence, read in one snapshot."""

    folder: Folder | None
    changed: list[Entry]
    gone: list[int]


def read_delta(connection: Connection, box_id: int, folder_id: int, since: int) -> Delta:
    """One cheap row when nothing changed; else what did. ``since`` -1 asks for the whole folder."""
    folder = folder_by_id(connection, box_id, folder_id)
    if folder is None or folder.highestmodseq == since:
        return Delta(folder, [], [])
    changed = entries(connection, box_id, folder_id, max(since, 0))
    gone = expunged_since(connection, box_id, folder_id, since) if since >= 0 else []
    return Delta(folder, changed, gone)


@dataclass(slots=True)
class View:
    """See the module's invariants. Made from the whole folder's :class:`Delta`."""

    box_id: int
    folder_id: int
    uidvalidity: int
    read_only: bool
    uids: list[int] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    modseq: int = -1
    uidnext: int = 1
    announced: int = 0
    gone: set[int] = field(default_factory=set)
    changed: set[int] = field(default_factory=set)
    """UIDs whose new flags the client has not been told."""
    keywords: dict[str, str] = field(default_factory=dict)
    """Every keyword seen in the folder: upper-cased to its first spelling."""
    recent: set[int] = field(default_factory=set)
    _new_keywords: bool = False

    def apply(self, delta: Delta) -> list[int]:
        """Bring the view up to ``delta``; returns the UIDs that were added.

        Raises :class:`ByeError` when the folder no longer exists as it was selected.
        """
        folder = delta.folder
        if folder is None or folder.uidvalidity != self.uidvalidity:
            raise ByeError("The selected folder was deleted")
        if folder.highestmodseq <= self.modseq:
            return []
        uids = self.uids
        last = uids[-1] if uids else 0
        added: list[int] = []
        for entry in delta.changed:
            if entry.keywords:
                self._learn(entry.keywords)
            if entry.uid > last:
                added.append(entry.uid)
                self.entries.append(entry)
                continue
            index = bisect_left(uids, entry.uid)
            if uids[index] != entry.uid:
                raise ByeError("The selected folder changed beyond what can be announced")
            if entry.modseq != self.entries[index].modseq:
                self.entries[index] = entry
                if index < self.announced:
                    self.changed.add(entry.uid)
        uids += added
        for uid in delta.gone:
            if self.position(uid) is not None:
                self.gone.add(uid)
        self.modseq = folder.highestmodseq
        self.uidnext = folder.uidnext
        return added

    def _learn(self, keywords: str) -> None:
        for keyword in keywords.split(" "):
            if keyword.upper() not in self.keywords:
                self.keywords[keyword.upper()] = keyword
                self._new_keywords = True

    def spell(self, keywords: Iterable[str]) -> str:
        """Keywords in the folder's own spelling, sorted: RFC 3501 §2.3.2 flags ignore case."""
        return " ".join(sorted({self.keywords.get(keyword.upper(), keyword) for keyword in keywords}))

    # -- looking up

    def position(self, uid: int) -> int | None:
        index = bisect_left(self.uids, uid)
        return index if index < len(self.uids) and self.uids[index] == uid else None

    def entry(self, uid: int) -> Entry | None:
        index = self.position(uid)
        return None if index is None else self.entries[index]

    def first_unseen(self) -> int:
        """The number of the first message without \\Seen, 0 when there is none."""
        return next((number for number, entry in enumerate(self.entries, 1) if not entry.flags & 1), 0)

    # -- announcing

    def flags_line(self) -> bytes:
        self._new_keywords = False
        return f"* FLAGS ({' '.join([SYSTEM_FLAGS, *self.keywords.values()])})\r\n".encode("ascii")

    def permanent_flags_line(self) -> bytes:
        if self.read_only:
            return b"* OK [PERMANENTFLAGS ()] No flag can be changed\r\n"
        names = " ".join([SYSTEM_FLAGS, *self.keywords.values(), "\\*"])
        return f"* OK [PERMANENTFLAGS ({names})] Any keyword is kept\r\n".encode("ascii")

    def fetch_line(self, index: int, modseq: bool) -> bytes:
        entry = self.entries[index]
        flags = flag_text(entry.flags, entry.keywords, entry.uid in self.recent)
        tail = f" MODSEQ ({entry.modseq})" if modseq else ""
        return f"* {index + 1} FETCH (UID {entry.uid} FLAGS ({flags}){tail})\r\n".encode("ascii")

    def announce(self, *, expunge: bool, modseq: bool, silent: dict[int, int] | None = None) -> bytes:
        """The untagged responses that bring the client up to the view.

        :param expunge: EXPUNGE is permitted now (RFC 3501 §7.4.1: not within FETCH, STORE, SEARCH).
        :param modseq: the client is CONDSTORE-aware (RFC 7162 §3.1.2).
        :param silent: uid → modseq of changes the client made itself and did not want echoed.
        """
        out: list[bytes] = []
        if expunge and self.gone:
            out.extend(self._expunge())
        if len(self.uids) != self.announced:
            self.announced = len(self.uids)
            out.append(b"* %d EXISTS\r\n* %d RECENT\r\n" % (self.announced, len(self.recent)))
        if self._new_keywords:
            out += [self.flags_line(), self.permanent_flags_line()]
        if self.changed:
            for uid in sorted(self.changed):
                index = self.position(uid)
                if index is None:
                    continue
                own = silent is not None and silent.get(uid) == self.entries[index].modseq
                if own and modseq:
                    # RFC 7162 §3.1.3: a silent STORE still tells the new MODSEQ.
                    line = f"* {index + 1} FETCH (UID {uid} MODSEQ ({self.entries[index].modseq}))\r\n"
                    out.append(line.encode("ascii"))
                elif not own:
                    out.append(self.fetch_line(index, modseq))
            self.changed.clear()
        return b"".join(out)

    def _expunge(self) -> list[bytes]:
        """Remove what is gone, last first so that no announced number shifts another."""
        positions = sorted((p for uid in self.gone if (p := self.position(uid)) is not None), reverse=True)
        out = [b"* %d EXPUNGE\r\n" % (position + 1) for position in positions if position < self.announced]
        self.announced -= len(out)
        kept = [index for index, uid in enumerate(self.uids) if uid not in self.gone]
        self.uids = [self.uids[index] for index in kept]
        self.entries = [self.entries[index] for index in kept]
        self.changed -= self.gone
        self.recent -= self.gone
        self.gone.clear()
        return out
