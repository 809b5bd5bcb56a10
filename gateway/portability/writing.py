"""Writing the archive: one ZIP, streamed, each file counted and hashed as it goes by."""

from __future__ import annotations

import hashlib
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import BinaryIO, Final

import msgspec

from gateway.portability.model import MANIFEST, FileFact, Manifest

_LONGEST_NAME: Final = 80
_KEPT: Final = frozenset("-_ ")
#: What Windows takes for a device whatever follows the dot.
_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(10))}
)


class ArchiveWriter:
    """An archive on its way out. ``out`` need not be seekable; zip64 where it takes it."""

    def __init__(self, out: BinaryIO, moment: int) -> None:
        self._zip = zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, allowZip64=True, compresslevel=3)
        self._time = datetime.fromtimestamp(moment / 1000, UTC).timetuple()[:6]
        self._names: set[str] = set()
        self.files: list[FileFact] = []

    def put(self, name: str, chunks: Iterable[bytes], *, packed: bool = False) -> FileFact:
        """Write one file; ``packed``: it is compressed already."""
        info = zipfile.ZipInfo(name, self._time)
        info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        digest, size = hashlib.sha256(), 0
        with self._zip.open(info, "w", force_zip64=True) as file:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                file.write(chunk)
        fact = FileFact(name=name, size=size, sha256=digest.hexdigest())
        self.files.append(fact)
        return fact

    def put_json(self, name: str, value: object) -> FileFact:
        """Write a value as JSON that a person can read."""
        return self.put(name, [msgspec.json.format(msgspec.json.encode(value), indent=1)])

    def close(self, manifest: Manifest) -> None:
        """Write the manifest and the directory of the ZIP."""
        self.put_json(MANIFEST, manifest)
        self._zip.close()

    def abandon(self) -> None:
        """Write nothing more, the directory neither: what is there is no archive."""
        self._zip.fp = None

    def safe(self, name: str) -> str:
        """``name`` as a file may be called anywhere, told apart from all that were asked for before: letters,
        digits, blanks, ``-`` and ``_``, the rest as ``_``."""
        text = unicodedata.normalize("NFC", name)[:_LONGEST_NAME]
        text = "".join(one if one.isalnum() or one in _KEPT else "_" for one in text).strip() or "_"
        if text.casefold() in _DEVICES:
            text = f"_{text}"
        found, number = text, 1
        while unicodedata.normalize("NFKC", found).casefold() in self._names:
            number += 1
            found = f"{text} {number}"
        self._names.add(unicodedata.normalize("NFKC", found).casefold())
        return found


def mboxrd(sender: str, moment: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A message as one of an mbox: line ends as LF, lines that begin with ``From `` after any number of
    ``>`` get one more (the mboxrd way, which can be undone; RFC 4155 leaves the kind open).

    At most one line is held in memory besides a chunk.
    """
    when = datetime.fromtimestamp(moment / 1000, UTC)
    yield f"From {sender} {when:%a %b} {when.day:2} {when:%H:%M:%S %Y}\n".encode("ascii", "replace")
    held = b""
    for chunk in chunks:
        lines = (held + chunk).split(b"\n")
        held = lines.pop()
        yield b"".join(_quoted(line.removesuffix(b"\r")) + b"\n" for line in lines)
    if held:
        yield _quoted(held) + b"\n"
    yield b"\n"


def _quoted(line: bytes) -> bytes:
    return b">" + line if line.lstrip(b">").startswith(b"From ") else line
