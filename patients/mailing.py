"""The mailing file of a campaign: who is to be told, and the provisional code that his letter or mail brings.

CSV, UTF-8, ``;`` between, one header line. It holds codes in clear: it is made readable by its owner only,
and is to be destroyed once printed. While it grows it is called ``NAME.part``.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from patients.errors import CampaignError, PersonsFileError
from patients.ins import normalise, shaped_ins

#: Columns of ours; those of the source, but its ``ins``, follow as they are.
COLUMNS: Final = (
    "ins",
    "birth_name",
    "used_name",
    "given_names",
    "sex",
    "birth_date",
    "code",
    "code_until",
    "opens_on",
)
MAX_LINE: Final = 16_384


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """Rows as the file has them."""
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


class MailingFile:
    """The file while a campaign runs. One process at a time has it."""

    def __init__(self, out: Path, header: Sequence[str]) -> None:
        """Raises :class:`CampaignError` when it cannot be made, or another process writes it."""
        self.out = out
        self.part = out.with_name(out.name + ".part")
        self._header = csv_lines([header])
        try:
            descriptor = os.open(self.part, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CampaignError(
                "patients.mailing", f"{self.part.name} cannot be written: {error.strerror or error}"
            ) from error
        self._file = os.fdopen(descriptor, "r+b")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise CampaignError(
                "patients.campaign", "another process writes this mailing file: it goes on by itself"
            ) from None

    def begin(self) -> int:
        """Empty it but for the header; its size in octets."""
        self.cut(0)
        return self.add(self._header)

    def resume(self, size: int) -> None:
        """Go on after the first ``size`` octets, which are committed; what follows was not.

        Raises :class:`CampaignError` when they are not there.
        """
        self._file.seek(0)
        if os.fstat(self._file.fileno()).st_size < size or self._file.read(len(self._header)) != self._header:
            raise CampaignError(
                "patients.mailing",
                f"{self.part.name} is not the file that this campaign wrote: its codes are lost with it",
            )
        self.cut(size)

    def add(self, data: bytes) -> int:
        """Append; on the disk when this returns. The size in octets."""
        self._file.write(data)
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def cut(self, size: int) -> None:
        """Forget what stands after the first ``size`` octets."""
        self._file.flush()
        self._file.truncate(size)
        self._file.seek(size)

    def finish(self) -> None:
        """Give it its name; that is on the disk when this returns."""
        os.fsync(self._file.fileno())
        self.part.replace(self.out)
        _sync_folder(self.out.parent)

    def leave(self) -> None:
        """Take the unfinished file away: it is not needed."""
        self.part.unlink(missing_ok=True)

    def close(self) -> None:
        """Let another process have it."""
        self._file.close()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Source:
    """Who is to be notified: a CSV with a column ``ins``; its other columns (the postal address) go along."""

    def __init__(self, path: Path) -> None:
        """Raises :class:`PersonsFileError` when the file or its header cannot be read."""
        self.path = path
        try:
            with path.open("rb") as file:
                self.digest = hashlib.file_digest(file, "sha256").hexdigest()
            with path.open("rb") as file:
                first = file.readline(MAX_LINE).decode("utf-8-sig").rstrip("\r\n")
        except OSError as error:
            raise PersonsFileError("patients.file", f"{path.name}: {error.strerror or error}") from error
        except UnicodeDecodeError:
            raise PersonsFileError("patients.encoding", "the header line is not UTF-8") from None
        self._separator = ";" if first.count(";") >= first.count(",") else ","
        self._labels = [label.strip().strip('"').strip() for label in first.split(self._separator)]
        folded = [label.casefold() for label in self._labels]
        if folded.count("ins") != 1 or len(set(folded)) != len(folded):
            raise PersonsFileError("patients.header", "the header lacks the column ins, or names one twice")
        clash = [label for label in folded if label != "ins" and label in COLUMNS]
        if clash:
            raise PersonsFileError("patients.header", f"the mailing file has its own column {clash[0]}")
        self._ins = folded.index("ins")

    @property
    def others(self) -> list[str]:
        """The columns that go along."""
        return [label for place, label in enumerate(self._labels) if place != self._ins]

    def rows(self, after: int) -> Iterator[tuple[int, str, list[str], str]]:
        """``(line number, INS, other cells, "")`` or ``(line number, "", [], fault)`` after a line."""
        with self.path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if number <= max(1, after) or not raw.strip():
                    continue
                try:
                    text = raw.decode("utf-8").rstrip("\r\n")
                    cells = next(csv.reader([text], delimiter=self._separator, strict=True))
                except (UnicodeDecodeError, csv.Error):
                    yield number, "", [], "not CSV in UTF-8"
                    continue
                ins = normalise(cells[self._ins]) if len(cells) == len(self._labels) else ""
                if len(cells) != len(self._labels):
                    fault = f"{len(cells)} columns where the header has {len(self._labels)}"
                    yield number, "", [], fault
                elif not shaped_ins(ins):
                    yield number, "", [], "ins: not the 15 characters of a matricule"
                else:
                    yield number, ins, [cell for place, cell in enumerate(cells) if place != self._ins], ""
