"""Opening an archive that came from elsewhere: nothing is believed before it was checked, nothing inflated
beyond what the manifest names, no name leads out of the archive.
"""

from __future__ import annotations

import hashlib
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO, Final, TypeVar

import msgspec

from gateway.portability.errors import PortabilityError
from gateway.portability.model import FORMAT, MANIFEST, VERSION, FileFact, Manifest, Progress

T = TypeVar("T")
_CHUNK: Final = 256 * 1024
_EOCD: Final = b"PK\x05\x06"
_LOCATOR: Final = b"PK\x06\x07"
_ZIP64: Final = b"PK\x06\x06"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive may cost, in octets: its directory, the manifest, one text that is read whole, one file
    that is, all files inflated; ``ratio`` of inflated to stored octets, above ``ratio_from``."""

    directory: int = 32 * 1024 * 1024
    manifest: int = 256 * 1024 * 1024
    text: int = 64 * 1024 * 1024
    file: int = 256 * 1024 * 1024
    total: int = 64 * 1024 * 1024 * 1024
    ratio: int = 200
    ratio_from: int = 256 * 1024 * 1024


class ArchiveReader:
    """An archive whose directory and manifest were found good; :meth:`verify` checks every octet.

    :param file: seekable; not closed.

    Raises :class:`PortabilityError`: ``portability.archive``, ``portability.size``, ``portability.name``,
    ``portability.manifest``.
    """

    def __init__(self, file: BinaryIO, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        _check_directory(file, self._limits)
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, UnicodeDecodeError):
            raise PortabilityError("portability.archive", "the file is not a readable ZIP archive") from None
        self._infos = self._accepted()
        self.manifest = self._read_manifest()
        self.facts: dict[str, FileFact] = {one.name: one for one in self.manifest.files}
        self._check_facts()

    def names(self, folder: str, suffix: str) -> list[str]:
        """The files of the manifest in a folder (not below it) that end so, in its order."""
        return [
            name for name in self.facts if str(PurePosixPath(name).parent) == folder and name.endswith(suffix)
        ]

    def fact(self, name: str, below: str) -> FileFact:
        """What the manifest says of a file that another file of the archive names. Raises
        :class:`PortabilityError` ``portability.content``: it is not in the folder ``below``, or not there."""
        if not name.startswith(below) or name not in self.facts:
            raise PortabilityError("portability.content", "a file names another that the archive lacks")
        return self.facts[name]

    def chunks(self, name: str) -> Iterator[bytes]:
        """A file of the manifest, in pieces. Raises :class:`PortabilityError` ``portability.content`` at the
        end, or before, when it is not what the manifest names."""
        fact = self.facts.get(name)
        if fact is None:
            raise PortabilityError("portability.content", f"the archive has no {name}")
        digest, left = hashlib.sha256(), fact.size
        for chunk in self._inflated(name, fact.size):
            digest.update(chunk)
            left -= len(chunk)
            yield chunk
        if left or digest.hexdigest() != fact.sha256.lower():
            raise PortabilityError("portability.content", f"{name} is not what the manifest names")

    def read(self, name: str) -> bytes:
        """A file of the manifest, whole. Raises as :meth:`chunks`; ``portability.size`` for a large one."""
        if name in self.facts and self.facts[name].size > self._limits.file:
            raise PortabilityError("portability.size", f"{name} is too large")
        return b"".join(self.chunks(name))

    def read_json(self, name: str, kind: type[T]) -> T:
        """A JSON file of the manifest as a value of ``kind``. Raises as :meth:`read`, ``portability.content``
        when it says something else."""
        if name in self.facts and self.facts[name].size > self._limits.text:
            raise PortabilityError("portability.size", f"{name} is too large")
        try:
            return msgspec.json.decode(self.read(name), type=kind)
        except (msgspec.DecodeError, RecursionError):
            raise PortabilityError("portability.content", f"{name} does not say what it should") from None

    def verify(self, progress: Progress) -> None:
        """Inflate and hash every file of the manifest, keeping nothing. Raises as :meth:`chunks`."""
        total, done = sum(one.size for one in self.facts.values()), 0
        for name in self.facts:
            for chunk in self.chunks(name):
                done += len(chunk)
                progress(done, total)

    def _accepted(self) -> dict[str, zipfile.ZipInfo]:
        found: dict[str, zipfile.ZipInfo] = {}
        folded: set[str] = set()
        for info in self._zip.infolist():
            name = info.filename
            path = PurePosixPath(name)
            kind = info.external_attr >> 16
            if (
                path.is_absolute()
                or ".." in path.parts
                or "\\" in name
                or ":" in name
                or any(ord(letter) < 32 for letter in name)
                or (kind and stat.S_ISLNK(kind))
            ):
                raise PortabilityError("portability.name", "a name in the archive leads out of it")
            if info.is_dir():
                continue
            if name.casefold() in folded:
                raise PortabilityError("portability.name", "a name stands in the archive twice")
            folded.add(name.casefold())
            if info.flag_bits & 0x1:
                raise PortabilityError("portability.archive", "the archive is encrypted")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise PortabilityError("portability.archive", "a file is compressed in an unusual way")
            found[name] = info
        return found

    def _read_manifest(self) -> Manifest:
        if MANIFEST not in self._infos:
            raise PortabilityError("portability.manifest", "the archive has no manifest.json")
        size = self._infos[MANIFEST].file_size
        if size > self._limits.manifest:
            raise PortabilityError("portability.size", "the manifest is too large")
        try:
            data = b"".join(self._inflated(MANIFEST, size))
            found = msgspec.json.decode(data, type=Manifest)
        except (msgspec.DecodeError, RecursionError):
            raise PortabilityError(
                "portability.manifest", "the manifest does not say what it should"
            ) from None
        if found.format != FORMAT or found.version != VERSION:
            raise PortabilityError("portability.manifest", "the archive is of another format or version")
        return found

    def _check_facts(self) -> None:
        if len(self.facts) != len(self.manifest.files):
            raise PortabilityError("portability.manifest", "the manifest names a file twice")
        for name, fact in self.facts.items():
            info = self._infos.get(name)
            if info is None or name == MANIFEST:
                raise PortabilityError("portability.content", f"the archive lacks {name}")
            if fact.size < 0 or info.file_size != fact.size:
                raise PortabilityError(
                    "portability.content", f"{name} has another size than the manifest says"
                )
        total = sum(one.size for one in self.facts.values())
        stored = sum(self._infos[name].compress_size for name in self.facts)
        if total > self._limits.total or total > max(self._limits.ratio_from, self._limits.ratio * stored):
            raise PortabilityError("portability.size", "the archive is too large")

    def _inflated(self, name: str, size: int) -> Iterator[bytes]:
        """The octets of a file, at most ``size``: sizes are counted, never believed."""
        left = size
        try:
            with self._zip.open(self._infos[name]) as file:
                while chunk := file.read(min(_CHUNK, left + 1)):
                    left -= len(chunk)
                    if left < 0:
                        raise PortabilityError("portability.content", f"{name} is larger than it says")
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError):
            raise PortabilityError("portability.content", f"{name} cannot be read: damaged") from None


def _check_directory(file: BinaryIO, limits: Limits) -> None:
    """Refuse a directory so large that reading it would be the harm (APPNOTE 4.3.16, 4.3.14 for zip64)."""
    end = file.seek(0, 2)
    start = max(0, end - 65_557)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(_EOCD)
    if at < 0 or len(tail) < at + 22:
        raise PortabilityError("portability.archive", "the file is not a ZIP archive, or was cut short")
    size = int.from_bytes(tail[at + 12 : at + 16], "little")
    if at >= 20 and tail[at - 20 : at - 16] == _LOCATOR:
        place = int.from_bytes(tail[at - 12 : at - 4], "little")
        if place < end:
            file.seek(place)
            record = file.read(56)
            if record[:4] == _ZIP64:
                size = max(size & 0x7FFFFFFF, int.from_bytes(record[40:48], "little"))
    if size > limits.directory:
        raise PortabilityError("portability.size", "the archive has too many files")
    file.seek(0)
