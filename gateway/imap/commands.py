"""Commands as the parser gives them: one frozen structure each, nothing of the wire left."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from gateway.imap.sets import SequenceSet


@dataclass(frozen=True, slots=True)
class Command:
    """Any command: its tag, and its name upper-cased (``UID FETCH`` for the UID forms)."""

    tag: str
    name: str


@dataclass(frozen=True, slots=True)
class Bare(Command):
    """A command without arguments, such as NOOP."""


@dataclass(frozen=True, slots=True)
class Identify(Command):
    """ID (RFC 2971)."""


@dataclass(frozen=True, slots=True)
class Enable(Command):
    """ENABLE (RFC 5161 §3.1)."""

    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Login(Command):
    """LOGIN."""

    user: bytes = field(repr=False)
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authenticate(Command):
    """AUTHENTICATE."""

    mechanism: str
    initial: bytes | None = field(repr=False)
    """The initial response (RFC 4959), base64 or ``=``; None when absent."""


@dataclass(frozen=True, slots=True)
class Select(Command):
    """SELECT and EXAMINE."""

    folder: str = field(repr=False)
    condstore: bool


@dataclass(frozen=True, slots=True)
class FolderCommand(Command):
    """CREATE DELETE SUBSCRIBE UNSUBSCRIBE."""

    folder: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rename(Command):
    """RENAME; names are decoded."""

    folder: str = field(repr=False)
    target: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ListFolders(Command):
    """LIST and LSUB."""

    reference: str = field(repr=False)
    pattern: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Status(Command):
    """STATUS with the items asked for, upper case."""

    folder: str = field(repr=False)
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AppendHead(Command):
    """APPEND up to its message literal, which has not been read yet."""

    folder: str = field(repr=False)
    flags: int
    keywords: tuple[str, ...]
    internal_date: int | None
    size: int
    synchronising: bool


@dataclass(frozen=True, slots=True)
class UidExpunge(Command):
    """UID EXPUNGE (RFC 4315 §2.1)."""

    messages: SequenceSet


@dataclass(frozen=True, slots=True)
class CopyMove(Command):
    """COPY, MOVE and their UID forms."""

    uid: bool
    messages: SequenceSet
    folder: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoreFlags(Command):
    """STORE and UID STORE."""

    uid: bool
    messages: SequenceSet
    mode: Literal["set", "add", "remove"]
    silent: bool
    flags: int
    keywords: tuple[str, ...]
    unchanged_since: int | None


@dataclass(frozen=True, slots=True)
class Section:
    """BODY[section]<partial> (RFC 3501 §6.4.5)."""

    path: tuple[int, ...]
    what: Literal["", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME"]
    fields: tuple[str, ...]
    partial: tuple[int, int] | None
    peek: bool
    label: str
    """The data item's name in the response."""


@dataclass(frozen=True, slots=True)
class Fetch(Command):
    """FETCH and UID FETCH."""

    uid: bool
    messages: SequenceSet
    items: tuple[str | Section, ...]
    """Names (FLAGS UID INTERNALDATE RFC822.SIZE MODSEQ ENVELOPE BODY BODYSTRUCTURE) and sections."""
    changed_since: int | None


@dataclass(frozen=True, slots=True)
class Key:
    """One search key; ``args`` by name, see :mod:`gateway.imap.search_keys`."""

    name: str
    number: int = 0
    text: str = field(default="", repr=False)
    field_name: str = ""
    day: date | None = None
    messages: SequenceSet | None = None
    keys: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class Search(Command):
    """SEARCH and UID SEARCH."""

    uid: bool
    key: Key
    modseq: bool
    """The MODSEQ key is among the keys (RFC 7162 §3.1.5)."""
