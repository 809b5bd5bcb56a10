"""What an archive says of itself: whose it is, what it holds, what is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final, Literal

import msgspec

from activity import By
from dossier import DocumentInfo

FORMAT: Final = "passerelle-portability"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
Status = Literal["approved", "deprecated", "deleted"]
#: A moment (ms) from 1900 to 9999: every one that is shown somewhere.
Moment = Annotated[int, msgspec.Meta(ge=-2_208_988_800_000, le=253_402_300_799_999)]
Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
#: Told of progress: (done, total), in octets or parts.
Progress = Callable[[int, int], None]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Whose archive it is: INS, its OID, and the traits that are compared. ``birth_date`` is YYYY-MM-DD."""

    ins: str
    oid: str
    birth_name: str
    given_names: list[str]
    sex: str
    birth_date: str


class FileFact(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the archive: its name, octets, SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be taken along, or not be taken over: which part, which of it, and why."""

    part: str
    item: str
    reason: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """``manifest.json``. ``made_at`` in ms; ``made_by`` and ``reader``: as what (patient, representative,
    operator), not who; ``counts`` by part; ``files`` all but the manifest itself."""

    format: str = FORMAT
    version: int = VERSION
    made_at: int
    made_by: str
    reader: str
    person: Person
    counts: dict[str, int]
    missing: list[Missing]
    files: list[FileFact]


class MessageFact(msgspec.Struct, frozen=True, kw_only=True):
    """A message of ``mail/<folder>.json``. ``file``: its .eml in the archive; ``flags`` as IMAP writes them
    (``\\Seen``); ``internal_date`` in ms; ``kept_from_representatives``: see :mod:`patients.secrecy`."""

    file: str
    uid: int
    flags: list[str]
    keywords: list[str]
    internal_date: Moment
    kept_from_representatives: bool = False


class FolderFact(msgspec.Struct, frozen=True, kw_only=True):
    """``mail/<folder>.json``: a folder by its true name (levels between "/"), and its messages in order."""

    name: str
    special_use: str
    messages: list[MessageFact]


class DocumentFact(msgspec.Struct, frozen=True, kw_only=True):
    """A document of ``documents/documents.json``: everything that is known of it, its place in the archive
    and its digest. ``archive`` is the XDM archive that holds it, "" where ``file`` is in the archive itself.

    ``replaced_by`` is the unique id of the document that took its place; moments in ms. ``masked``: from
    professionals, by its code or by the patient; ``kept_from_representatives``: see :mod:`patients.secrecy`.
    """

    archive: str
    file: str
    size: int
    sha256: Digest
    unique_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    set_id: Annotated[str, msgspec.Meta(max_length=256)]
    version: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
    status: Status
    created_at: Moment
    filed_at: Moment
    ended_at: Moment | None
    replaced_by: str
    depositor: str
    depositor_id: str
    depositor_struct: str
    deposited_by: By
    author_id: str
    author_struct: str
    content_sha256: Digest
    masked: bool
    kept_from_representatives: bool
    category: str
    info: DocumentInfo
