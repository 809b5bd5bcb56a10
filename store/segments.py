"""Append-only segment files that hold sealed bodies.

A process appends to a segment of its own and never to one that another process began, so a torn end
is never overwritten. A record is ``PSR1`` + length (8 bytes, big-endian) + CRC-32 of those 12 bytes,
then ``length`` sealed bytes. A record counts only when a row of the table ``message`` or
``document`` names it: rows are committed after the segment is synced, so what lies beyond the last
named record is torn or was never acknowledged, and :func:`recover` cuts it off.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import struct
import threading
import zlib
from collections.abc import Iterable
from pathlib import Path

import structlog

from store.clock import new_id
from store.errors import StoreError

log = structlog.get_logger("store")

MAGIC = b"PSR1"
HEADER = struct.Struct(">4sQI")
ROLL_AT = 512 * 1024 * 1024


def path_of(folder: Path, segment: int) -> Path:
    """The file of a segment."""
    return folder / f"{segment:016x}.seg"


class SegmentWriter:
    """Appends records to this process's own segment; safe to call from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._segment = 0
        self._file = -1
        self._end = 0

    def append(self, pieces: Iterable[bytes], length: int) -> tuple[int, int]:
        """Write one record of ``length`` bytes; returns (segment, offset of its first sealed byte).

        Not yet durable: the writer syncs the segment before the commit that names it.
        Raises :class:`StoreError` when the disk refuses (then nothing is named and nothing is lost).
        """
        head = MAGIC + length.to_bytes(8, "big")
        head += zlib.crc32(head).to_bytes(4, "big")
        with self._lock:
            try:
                if self._file < 0 or self._end >= ROLL_AT:
                    self._begin()
                offset = self._end + HEADER.size
                self._write(itertools.chain([head], pieces))
            except OSError as error:
                self._abandon()
                raise StoreError("store.disk", f"the body cannot be written: {error.strerror}") from error
            self._end = offset + length
            return self._segment, offset

    def _begin(self) -> None:
        self._abandon()
        self._segment = new_id()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._file = os.open(path_of(self._folder, self._segment), flags, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)  # tells recovery that its process lives
        self._end = 0
        sync_folder(self._folder)

    def _write(self, pieces: Iterable[bytes]) -> None:
        iterator = iter(pieces)
        while group := list(itertools.islice(iterator, 16)):
            written = os.writev(self._file, group)
            if written != sum(map(len, group)):  # a full disk can cut a write short
                rest = b"".join(group)[written:]
                while rest:
                    rest = rest[os.write(self._file, rest) :]

    def _abandon(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def close(self) -> None:
        with self._lock:
            self._abandon()


class SegmentReader:
    """Reads ranges of segments by ``pread``; keeps a few files open; safe for several threads."""

    def __init__(self, folder: Path, keep: int = 64) -> None:
        self._folder = folder
        self._keep = keep
        self._files: dict[int, int] = {}
        self._lock = threading.Lock()

    def read(self, segment: int, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes. Raises :class:`StoreError` when the segment is missing or too short."""
        with self._lock:
            file = self._files.get(segment)
            if file is None:
                try:
                    file = os.open(path_of(self._folder, segment), os.O_RDONLY)
                except OSError as error:
                    raise StoreError(
                        "store.segment", f"a segment cannot be opened: {error.strerror}"
                    ) from error
                if len(self._files) >= self._keep:
                    os.close(self._files.pop(next(iter(self._files))))
                self._files[segment] = file
            data = os.pread(file, length, offset)
        if len(data) != length:
            raise StoreError("store.segment", "a segment ends before the record that a row names")
        return data

    def close(self) -> None:
        with self._lock:
            for file in self._files.values():
                os.close(file)
            self._files.clear()


class SyncFailedError(Exception):
    """The disk did not take what was written. Asking it again proves nothing: the kernel may have dropped
    the pages and call the file clean."""


def sync(folder: Path, segment: int) -> None:
    """Bring a segment's data to the disk, whichever process wrote it (fdatasync works on the file).

    :raises SyncFailedError: the disk failed. :raises OSError: there is no such segment.
    """
    file = os.open(path_of(folder, segment), os.O_RDONLY)
    try:
        os.fdatasync(file)
    except OSError as error:
        raise SyncFailedError(error.strerror) from error
    finally:
        os.close(file)


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk, so that a new file is there after a crash."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def recover(folder: Path, committed_ends: dict[int, int]) -> dict[str, int]:
    """Tell committed from torn data at start, when no other process writes.

    ``committed_ends`` maps a segment to the end (offset + length) of the last record that a row names.
    Returns counts: ``segments``, ``torn_bytes`` cut off, ``removed`` segments that nothing names.
    Raises :class:`StoreError` when a named record is missing: acknowledged data is damaged, and a
    gateway must not go on as if nothing had happened.
    """
    torn = removed = kept = 0
    present = {int(path.stem, 16): path for path in folder.glob("*.seg")}
    for segment, end in committed_ends.items():
        path = present.get(segment)
        size = path.stat().st_size if path else 0
        if size < end:
            raise StoreError(
                "store.segment",
                f"segment {segment:016x} has {size} bytes, rows need {end}: restore it from a backup",
            )
    for segment, path in present.items():
        end = committed_ends.get(segment, 0)
        with path.open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # a living process appends to it: nothing of it is torn
                kept += 1
                continue
            size = file.seek(0, os.SEEK_END)
            if end == 0:
                path.unlink()
                removed += 1
            else:
                kept += 1
                if size > end:
                    file.truncate(end)
                    os.fsync(file.fileno())
            torn += size - end
    sync_folder(folder)
    if torn:
        log.info("uncommitted_bytes_cut", bytes=torn, segments_removed=removed)
    return {"segments": kept, "torn_bytes": torn, "removed": removed}
