"""What the mail store holds: boxes, folders, entries, messages, and what changes answer with."""

from __future__ import annotations

import msgspec

from store.bodies import BodyRef

SEEN, ANSWERED, FLAGGED, DELETED, DRAFT = 1, 2, 4, 8, 16

# RFC 6154 §2; the names are what a French patient reads in a mail client.
STANDARD_FOLDERS = (
    ("INBOX", ""),
    ("Brouillons", "\\Drafts"),
    ("Envoyés", "\\Sent"),
    ("Archives", "\\Archive"),
    ("Indésirables", "\\Junk"),
    ("Corbeille", "\\Trash"),
)
INBOX_ID = 1
OUTBOX_ID = 0  # hidden: holds messages that wait for their relay, so that they outlive the Sent copy


class Box(msgspec.Struct, kw_only=True):
    """A mailbox (BAL). ``kind``: patient, pro or system. ``state``: open or closed."""

    box_id: int
    address: str
    kind: str
    state: str
    owner: str
    modseq: int
    quota: int
    used: int


class Folder(msgspec.Struct, kw_only=True):
    """What IMAP calls a mailbox; ``name`` is Unicode with "/" between levels."""

    box_id: int
    folder_id: int
    name: str
    uidvalidity: int
    uidnext: int
    highestmodseq: int
    special_use: str
    subscribed: bool
    hidden: bool


class Entry(msgspec.Struct, array_like=True):
    """A message in a folder. ``flags`` is a bitmask (SEEN…DRAFT), ``size`` the RFC822.SIZE in octets."""

    uid: int
    message_id: int
    flags: int
    keywords: str
    modseq: int
    internal_date: int
    size: int


class Counts(msgspec.Struct):
    """How many entries a folder shows; ``size`` in octets."""

    messages: int
    unseen: int
    deleted: int
    size: int


class NewMessage(msgspec.Struct, array_like=True):
    """A placed and sealed body that is ready to be named by a row: see ``Store.new_message``."""

    message_id: int
    ref: BodyRef
    wrapped_key: bytes
    sealed_meta: bytes
    size: int


class StoredMessage(msgspec.Struct, kw_only=True):
    """A message with its index opened; its body is read through ``Store.open_body``."""

    box_id: int
    message_id: int
    ref: BodyRef
    received_at: int
    key: bytes
    meta: bytes


class Appended(msgspec.Struct):
    """Where a message was put (APPENDUID, RFC 4315 §3)."""

    uidvalidity: int
    uid: int
    modseq: int


class FlagsChanged(msgspec.Struct):
    """``modified`` failed UNCHANGEDSINCE (RFC 7162 §3.1.3); ``missing`` are no longer there."""

    changed: list[Entry]
    modified: list[int]
    missing: list[int]


class Expunged(msgspec.Struct):
    """The UIDs that went, and the MODSEQ at which they did."""

    uids: list[int]
    modseq: int


class Copied(msgspec.Struct):
    """Source and target UIDs, pair by pair (COPYUID, RFC 4315 §3)."""

    uidvalidity: int
    source: list[int]
    target: list[int]


class Moved(msgspec.Struct):
    """As :class:`Copied`; ``modseq`` is that of the source folder's loss."""

    uidvalidity: int
    source: list[int]
    target: list[int]
    modseq: int
