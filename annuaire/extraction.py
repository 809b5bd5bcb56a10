"""Reading an extraction: a plain file or a zip holding one, block by block, in bounded memory."""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

from annuaire.errors import ExtractionError
from annuaire.generations import date_of_name
from annuaire.layouts import Mapping, match_header
from annuaire.rows import RowFaultError

MAX_LINE: Final = 65_536
#: The national activity file is about 1 GiB; anything far larger is not one.
MAX_BYTES: Final = 8 << 30
#: Text of this kind compresses 8 to 15 times; a bomb a thousand times.
MAX_RATIO: Final = 100
_BLOCK: Final = 1 << 18
_BOM: Final = b"\xef\xbb\xbf"
_CLIMBS: Final = re.compile(r"(^|[\\/])\.\.([\\/]|$)|^[\\/]|^[A-Za-z]:|\x00")


class Extraction:
    """An opened extraction: its header is matched, its lines wait in :meth:`blocks`."""

    def __init__(self, stream: IO[bytes], size: int, names: tuple[str, ...] = ()) -> None:
        """``size``: bytes that ``stream`` promises, for a progress bar. ``names``: of file and member."""
        self.size = size
        self.read = 0
        #: The moment (ms) that a name of the file states, None when none does.
        self.date = next((date for name in names if (date := date_of_name(name)) is not None), None)
        self._stream = stream
        self._sha256 = hashlib.sha256()
        self._rest = b""
        header = self._header()
        try:
            text = header.removeprefix(_BOM).decode("utf-8")
        except UnicodeDecodeError:
            raise ExtractionError("annuaire.encoding", "the header line is not UTF-8") from None
        if "\x00" in text:
            raise ExtractionError("annuaire.encoding", "the header line is not UTF-8 text (UTF-16?)")
        self.mapping: Mapping = match_header(text.rstrip("\r\n").split("|"))

    @property
    def sha256(self) -> str:
        """Hex digest of the uncompressed bytes read so far; of the whole file once ``blocks`` ended."""
        return self._sha256.hexdigest()

    def blocks(self) -> Iterator[list[bytes]]:
        """The lines that follow the header, many at once, without their ``\\n``; the first is line 2.

        Of a line longer than MAX_LINE only a piece that is too long comes out. A last line that breaks off
        before its last column raises :class:`ExtractionError`: the file is truncated.
        """
        rest = self._rest
        while block := self._read():
            lines = (rest + block).split(b"\n")
            rest = lines.pop()[: MAX_LINE + 1]
            if lines:
                yield lines
        *lines, rest = rest.split(b"\n")
        if lines:
            yield lines
        if rest.strip():
            if rest.count(b"|") + 1 < self.mapping.width:
                raise ExtractionError("annuaire.truncated", "the file breaks off in its last line")
            yield [rest]

    def cells(self, line: bytes) -> list[str]:
        """The cells of a trimmed line, not trimmed themselves, and an empty one after the last.

        Raises :class:`RowFaultError` with the reason why there are none.
        """
        if len(line) > MAX_LINE:
            raise RowFaultError("line too long")
        if b"\x00" in line:
            raise RowFaultError("a NUL character")
        try:
            cells = line.decode("utf-8").split("|")
        except UnicodeDecodeError:
            raise RowFaultError("not UTF-8") from None
        width = self.mapping.width
        if len(cells) == width:
            cells.append("")
        elif len(cells) != width + 1 or cells[-1].strip():
            raise RowFaultError(f"{len(cells)} columns where the header has {width}")
        return cells

    def _header(self) -> bytes:
        data = b""
        while b"\n" not in data and len(data) <= MAX_LINE and (block := self._read()):
            data += block
        if not data:
            raise ExtractionError("annuaire.empty", "the file is empty")
        header, _, self._rest = data.partition(b"\n")
        return header[: MAX_LINE + 1]

    def _read(self) -> bytes:
        try:
            block = self._stream.read(_BLOCK)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ExtractionError("annuaire.truncated", f"the archive is damaged: {error}") from error
        self.read += len(block)
        if self.read > MAX_BYTES:
            raise ExtractionError("annuaire.size", f"the file holds more than {MAX_BYTES >> 30} GiB")
        self._sha256.update(block)
        return block


@contextmanager
def open_extraction(path: Path) -> Iterator[Extraction]:
    """Open the file at ``path``, plain or zip (told by its first bytes), and match its header.

    Raises :class:`ExtractionError` for a file that cannot be read, an archive that does not hold exactly
    one plain file of a sane size, or an unknown header.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            start = file.read(4)
            file.seek(0)
            if start.startswith(b"PK"):
                extraction = _open_zip(file, path.name, stack)
            else:
                extraction = Extraction(file, path.stat().st_size, (path.name,))
        except OSError as error:
            raise ExtractionError("annuaire.file", f"{path.name}: {error.strerror or error}") from error
        yield extraction


def _open_zip(file: IO[bytes], name: str, stack: ExitStack) -> Extraction:
    try:
        archive = stack.enter_context(zipfile.ZipFile(file))
        members = archive.infolist()
        if len(members) != 1 or members[0].is_dir():
            raise ExtractionError("annuaire.archive", f"the archive holds {len(members)} files, not one")
        member = members[0]
        # The name is never used to write anything; one that climbs tells a crafted archive all the same.
        if _CLIMBS.search(member.filename):
            raise ExtractionError("annuaire.archive", "the archive's file has a path that climbs")
        if member.flag_bits & 0x1:
            raise ExtractionError("annuaire.archive", "the archive is encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ExtractionError("annuaire.archive", "the archive is compressed in an unusual way")
        if member.file_size > MAX_BYTES or member.file_size > MAX_RATIO * max(member.compress_size, 1024):
            raise ExtractionError("annuaire.size", "the archive unpacks to an unreasonable size")
        stream = stack.enter_context(archive.open(member))
    except (zipfile.BadZipFile, RuntimeError) as error:
        raise ExtractionError("annuaire.archive", f"the archive cannot be read: {error}") from error
    return Extraction(stream, member.file_size, (name, member.filename))
