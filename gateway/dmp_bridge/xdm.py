"""Reads IHE_XDM.ZIP archives (IHE ITI TF-2 §3.32): tolerant of what senders get wrong, never of danger.

Names are compared without case, noise of file managers is ignored, subset folders may have any name
(even glued to their METADATA.XML). Everything that could hurt is refused before a byte is inflated;
sizes are counted while inflating, never believed. One file is in memory at a time.
"""

from __future__ import annotations

import hashlib
import stat
import zipfile
import zlib
from typing import BinaryIO, Final

import msgspec

from gateway.dmp_bridge.errors import ArchiveError
from gateway.dmp_bridge.metadata import DocumentMetadata, Metadata, read_metadata

METADATA_NAME: Final = "METADATA.XML"
_ROOT: Final = "IHE_XDM"
_NOISE_FOLDERS: Final = {"__MACOSX", ".FSEVENTSD", ".SPOTLIGHT-V100", ".TRASHES"}
_NOISE_FILES: Final = {".DS_STORE", "THUMBS.DB", "DESKTOP.INI"}
_CHUNK: Final = 64 * 1024
_EOCD: Final = b"PK\x05\x06"
_ZIP64_LOCATOR: Final = b"PK\x06\x07"


class Limits(msgspec.Struct, frozen=True):
    """What an archive may cost. Sizes in bytes; ``ratio`` = inflated / stored, above ``ratio_from`` bytes."""

    entries: int = 200
    entry_size: int = 25 * 1024 * 1024
    total_size: int = 100 * 1024 * 1024
    metadata_size: int = 4 * 1024 * 1024
    ratio: int = 200
    ratio_from: int = 1024 * 1024


class XdmDocument(msgspec.Struct, frozen=True):
    """A document that a METADATA.XML lists, and the archive's file that holds it ("" when missing)."""

    metadata: DocumentMetadata
    subset: str
    file: str


class XdmArchive:
    """An opened archive. ``documents`` is what its METADATA.XML files list, in order.

    :param file: seekable binary file; read now (directory, METADATA.XML) and by :meth:`read`. Not closed.
    :raises ArchiveError: ``xdm.zip`` (not a usable zip), ``xdm.bomb`` (beyond a limit), ``xdm.encrypted``,
        ``xdm.path`` (a name that leaves the archive, a link), ``xdm.duplicate``, ``xdm.metadata`` (none).
    :raises MetadataError: a METADATA.XML that says nothing usable. :raises XmlError: unsafe XML.
    """

    def __init__(self, file: BinaryIO, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._inflated = 0
        check_directory(file, self._limits)
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, UnicodeDecodeError):
            raise ArchiveError("xdm.zip", "the archive is not a readable zip file") from None
        self._entries = self._accepted_entries()
        self.subsets: list[str] = []
        self.submissions: list[Metadata] = []
        self.documents: list[XdmDocument] = []
        for name in [name for name in self._entries if _is_metadata(name)]:
            prefix = name[: -len(METADATA_NAME)]
            metadata = read_metadata(self._inflate(name, self._limits.metadata_size))
            self.subsets.append(prefix)
            self.submissions.append(metadata)
            for document in metadata.documents:
                self.documents.append(XdmDocument(document, prefix, self._find(prefix, document.uri)))
        if not self.subsets:
            raise ArchiveError("xdm.metadata", "the archive holds no IHE_XDM subset with a METADATA.XML")

    def names(self) -> list[str]:
        """The names of the archive's files, upper case, without noise and folders."""
        return list(self._entries)

    def unlisted(self) -> list[str]:
        """Files inside a subset that no METADATA.XML lists (style sheets, copies)."""
        listed = {document.file for document in self.documents}
        return [
            name
            for name in self._entries
            if name.startswith(tuple(self.subsets)) and not _is_metadata(name) and name not in listed
        ]

    def read(self, document: XdmDocument) -> bytes:
        """The bytes of a listed document, its size and SHA-1 checked against the metadata where given.

        Raises :class:`ArchiveError`: ``xdm.missing``, ``xdm.size``, ``xdm.hash``, ``xdm.bomb``, ``xdm.zip``.
        """
        if not document.file:
            raise ArchiveError("xdm.missing", "a document listed in METADATA.XML is not in the archive")
        data = self._inflate(document.file, self._limits.entry_size)
        said = document.metadata
        if said.size is not None and said.size != len(data):
            raise ArchiveError("xdm.size", "a document's size differs from METADATA.XML")
        # IHE ITI TF-3 §4.2.3.2.10: the hash is SHA-1, written in hexadecimal
        if said.hash and said.hash.lower() != hashlib.sha1(data, usedforsecurity=False).hexdigest():
            raise ArchiveError("xdm.hash", "a document's SHA-1 differs from METADATA.XML")
        return data

    def read_file(self, name: str) -> bytes:
        """The bytes of any file by its name as :meth:`names` gives it. Raises as :meth:`read`."""
        if name not in self._entries:
            raise ArchiveError("xdm.missing", "no such file in the archive")
        return self._inflate(name, self._limits.entry_size)

    def _accepted_entries(self) -> dict[str, zipfile.ZipInfo]:
        entries: dict[str, zipfile.ZipInfo] = {}
        if len(self._zip.infolist()) > self._limits.entries:
            raise ArchiveError("xdm.bomb", f"the archive has more than {self._limits.entries} entries")
        declared = 0
        for info in self._zip.infolist():
            parts = _safe_parts(info)
            if info.is_dir() or not parts or _is_noise(parts):
                continue
            if info.flag_bits & 0x41:  # APPNOTE §4.4.4: bit 0 encrypted, bit 6 strong encryption
                raise ArchiveError("xdm.encrypted", "the archive is encrypted")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ArchiveError("xdm.zip", "the archive uses a compression that is not accepted")
            declared += info.file_size
            if info.file_size > self._limits.entry_size or declared > self._limits.total_size:
                raise ArchiveError("xdm.bomb", "the archive announces more content than is accepted")
            name = "/".join(parts)
            if name in entries:
                raise ArchiveError("xdm.duplicate", "the archive holds the same name twice")
            entries[name] = info
        return entries

    def _find(self, prefix: str, uri: str) -> str:
        parts = uri_parts(uri)
        name = prefix + "/".join(parts)
        return name if parts and name in self._entries else ""

    def _inflate(self, name: str, limit: int) -> bytes:
        info = self._entries[name]
        data = bytearray()
        try:
            with self._zip.open(info) as member:
                while chunk := member.read(_CHUNK):
                    data += chunk
                    self._inflated += len(chunk)
                    if len(data) > limit or self._inflated > 3 * self._limits.total_size:
                        raise ArchiveError("xdm.bomb", "a file of the archive inflates beyond the limit")
                    stored = max(info.compress_size, 1)
                    if len(data) > self._limits.ratio_from and len(data) > stored * self._limits.ratio:
                        raise ArchiveError("xdm.bomb", "a file of the archive inflates suspiciously")
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError):
            # RuntimeError also covers NotImplementedError, which zipfile raises for odd flags
            raise ArchiveError("xdm.zip", "a file of the archive is damaged") from None
        if len(data) != info.file_size:
            raise ArchiveError("xdm.zip", "a file of the archive is not as long as announced")
        return bytes(data)


def is_xdm_name(filename: str) -> bool:
    """True for the names under which archives travel: ``IHE_XDM.ZIP`` in any case, ``ihe_xdm(1).zip``…"""
    folded = filename.rsplit("/", 1)[-1].casefold()
    return folded.endswith(".zip") and folded.replace("-", "_").startswith(("ihe_xdm", "ihexdm"))


def check_directory(file: BinaryIO, limits: Limits) -> None:
    """Refuse a zip whose directory alone would hurt, before :mod:`zipfile` loads it.

    Raises :class:`ArchiveError` ``xdm.zip`` (no end record, zip64) or ``xdm.bomb`` (directory too large).
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - 22 - 65535))
    tail = file.read()
    file.seek(0)
    # zipfile's own order: a record at the very end, else the last signature (APPNOTE §4.3.16)
    at = len(tail) - 22
    if at < 0 or tail[at : at + 4] != _EOCD or tail[-2:] != b"\0\0":
        at = tail.rfind(_EOCD)
    record = tail[at : at + 22]
    if at < 0 or len(record) < 22:
        raise ArchiveError("xdm.zip", "the archive is not a readable zip file")
    entries = int.from_bytes(record[10:12], "little")
    directory = int.from_bytes(record[12:16], "little")
    if entries > limits.entries or directory > limits.entries * 1024:
        raise ArchiveError("xdm.bomb", f"the archive has more than {limits.entries} entries")
    if tail[max(0, at - 20) : at].startswith(_ZIP64_LOCATOR):
        raise ArchiveError("xdm.zip", "the archive is in a format (zip64) that is not accepted")


def uri_parts(uri: str) -> list[str]:
    """The path of a URI attribute, upper case, relative to its subset.

    Raises :class:`ArchiveError` ``xdm.path`` for one that leaves the subset.
    """
    parts = [part for part in uri.split("/") if part not in ("", ".")]
    if uri.startswith("/") or _dangerous(uri) or ".." in parts:
        raise ArchiveError("xdm.path", "METADATA.XML names a file outside its subset")
    return [part.upper() for part in parts]


def _safe_parts(info: zipfile.ZipInfo) -> list[str]:
    name = info.orig_filename
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or _dangerous(name) or ".." in parts or len(name) > 512:
        raise ArchiveError("xdm.path", "the archive holds a name that leaves it")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise ArchiveError("xdm.path", "the archive holds a link")
    return [part.upper() for part in parts]


def _dangerous(name: str) -> bool:
    return "\\" in name or ":" in name or any(ord(char) < 32 or ord(char) == 127 for char in name)


def _is_noise(parts: list[str]) -> bool:
    return parts[0] in _NOISE_FOLDERS or parts[-1] in _NOISE_FILES or parts[-1].startswith("._")


def _is_metadata(name: str) -> bool:
    """``IHE_XDM/<subset>/METADATA.XML`` below at most one wrapping folder, or
    ``IHE_XDM/<subset>METADATA.XML``, as the reference implementation of the Direct project writes it."""
    parts = name.split("/")
    if _ROOT not in parts[:2] or not parts[-1].endswith(METADATA_NAME):
        return False
    below = parts[parts.index(_ROOT) + 1 :]
    return len(below) == 1 or (len(below) == 2 and below[1] == METADATA_NAME)
