"""Reading an extraction: a plain file or a zip holding one, line by line, in bounded memory."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final, cast

import msgspec

from annuaire.errors import ExtractionError
from annuaire.layouts import Mapping, match_header

MAX_LINE: Final = 65_536
#: The national activity file is about 1 GiB; anything far larger is not one.
MAX_BYTES: Final = 8 << 30
#: Text of this kind compresses 8 to 15 times; a bomb a thousand times.
MAX_RATIO: Final = 100
_BOM: Final = b"\xef\xbb\xbf"
_CLIMBS: Final = re.compile(r"(^|[\\/])\.\.([\\/]|$)|^[\\/]|^[A-Za-z]:|\x00")


class Line(msgspec.Struct, frozen=True, gc=False):
    """One row: its line number in the file (the header is 1), its cells, or why it cannot be read."""

    number: int
    cells: list[str]
    fault: str = ""


class Extraction:
    """An opened extraction: its header is matched, its rows wait in :meth:`lines`."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        """``size`` is the number of bytes that ``stream`` promises, for a progress bar."""
        self.size = size
        self.read = 0
        self._stream = stream
        self._sha256 = hashlib.sha256()
        self._ended = True
        header = self._line()
        if header is None:
            raise ExtractionError("annuaire.empty", "the file is empty")
        try:
            text = header.removeprefix(_BOM).decode("utf-8")
        except UnicodeDecodeError:
            raise ExtractionError("annuaire.encoding", "the header line is not UTF-8") from None
        if "\x00" in text:
            raise ExtractionError("annuaire.encoding", "the header line is not UTF-8 text (UTF-16?)")
        self.mapping: Mapping = match_header(text.rstrip("\r\n").split("|"))

    @property
    def sha256(self) -> str:
        """Hex digest of the uncompressed bytes read so far; of the whole file once ``lines`` ended."""
        return self._sha256.hexdigest()

    def lines(self) -> Iterator[Line]:
        """The rows that follow the header, blank lines left out.

        A row that is not UTF-8, too long, or of another width carries its ``fault``. A last row that
        breaks off before its last column raises :class:`ExtractionError`: the file is truncated.
        """
        width, number = self.mapping.width, 1
        while (raw := self._line()) is not None:
            number += 1
            if not raw.strip():
                continue
            if len(raw) > MAX_LINE:
                yield Line(number, [], "line too long")
                continue
            try:
                cells = raw.decode("utf-8").rstrip("\r\n").split("|")
            except UnicodeDecodeError:
                yield Line(number, [], "not UTF-8")
                continue
            if len(cells) == width or (len(cells) == width + 1 and not cells[-1].strip()):
                yield Line(number, cells)
            elif len(cells) < width and not self._ended:
                raise ExtractionError("annuaire.truncated", f"the file breaks off in line {number}")
            else:
                yield Line(number, [], f"{len(cells)} columns where the header has {width}")

    def _line(self) -> bytes | None:
        """The next line with its end; of one longer than MAX_LINE a first piece, the rest is read away."""
        try:
            line = self._stream.readline(MAX_LINE + 1)
            piece = line
            while len(piece) > MAX_LINE and not piece.endswith(b"\n"):
                self._account(piece)
                piece = self._stream.readline(MAX_LINE + 1)
            self._account(piece)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ExtractionError("annuaire.truncated", f"the archive is damaged: {error}") from error
        if not line:
            return None
        self._ended = piece.endswith(b"\n")
        return line

    def _account(self, piece: bytes) -> None:
        self.read += len(piece)
        if self.read > MAX_BYTES:
            raise ExtractionError("annuaire.size", f"the file holds more than {MAX_BYTES >> 30} GiB")
        self._sha256.update(piece)


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
                extraction = Extraction(*_open_zip(file, stack))
            else:
                extraction = Extraction(file, path.stat().st_size)
        except OSError as error:
            raise ExtractionError("annuaire.file", f"{path.name}: {error.strerror or error}") from error
        yield extraction


def _open_zip(file: IO[bytes], stack: ExitStack) -> tuple[IO[bytes], int]:
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
    return io.BufferedReader(cast(io.RawIOBase, stream), 1 << 18), member.file_size
