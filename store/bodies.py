"""Bodies: sealed while they arrive, read back by range.

A body is cut into frames of 256 KiB. Each frame is compressed with zstd where that saves an eighth or
more, then sealed with AES-256-GCM under the body's own random key; its nonce is the frame's number
(the key is used for one body only, NIST SP 800-38D §8.2.1) and its associated data says whether it is
compressed and whether it is the last, so frames cannot be dropped, swapped or cut off unnoticed.
No plaintext ever reaches the disk, and no large body is ever whole in memory.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from store import keys
from store.errors import StoreError
from store.segments import SegmentReader, SegmentWriter

FRAME = 256 * 1024
SPILL_AT = 1024 * 1024
_HEAD = 5  # sealed length (4 bytes, big-endian) + kind (1 byte)
_COMPRESSED, _LAST = 1, 2
_META_NONCE = b"\xff" * 12

_local = threading.local()


class BodyRef(msgspec.Struct, frozen=True, array_like=True):
    """Where a sealed body lies. ``length`` sealed bytes, ``size`` plain ones with this SHA-256."""

    segment: int
    offset: int
    length: int
    size: int
    sha256: bytes


def _compressor() -> zstandard.ZstdCompressor:
    compressor: zstandard.ZstdCompressor | None = getattr(_local, "compressor", None)
    if compressor is None:
        compressor = _local.compressor = zstandard.ZstdCompressor(level=1)
    return compressor


def _decompressor() -> zstandard.ZstdDecompressor:
    decompressor: zstandard.ZstdDecompressor | None = getattr(_local, "decompressor", None)
    if decompressor is None:
        decompressor = _local.decompressor = zstandard.ZstdDecompressor()
    return decompressor


def _nonce(index: int) -> bytes:
    return index.to_bytes(12, "big")


class Spool:
    """A body on its way in: feed it with :meth:`write`, then hand it to the store.

    Not thread-safe; one chunk at a time. Sealed frames beyond 1 MiB wait in an unnamed file.
    """

    def __init__(self, folder: Path) -> None:
        self.size = 0
        self.key = keys.new_key()
        self._cipher = AESGCM(self.key)
        self._folder = folder
        self._buffer = bytearray()
        self._frames: list[bytes] = []
        self._sealed = 0
        self._index = 0
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self._ref: BodyRef | None = None

    @property
    def sha256(self) -> bytes:
        """SHA-256 of the plain bytes written so far."""
        return self._hash.digest()

    @property
    def cipher(self) -> AESGCM:
        return self._cipher

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next bytes. Costs about 1 ms of CPU for 256 KiB: use a thread for large chunks."""
        self._hash.update(chunk)
        self.size += len(chunk)
        self._buffer += chunk
        if len(self._buffer) > FRAME:
            view = memoryview(bytes(self._buffer))
            whole = (len(view) - 1) // FRAME * FRAME  # at least one byte stays for the last frame
            for start in range(0, whole, FRAME):
                self._seal(view[start : start + FRAME], last=False)
            self._buffer = bytearray(view[whole:])

    def _seal(self, plain: bytes | bytearray | memoryview, *, last: bool) -> None:
        kind = _LAST if last else 0
        packed = _compressor().compress(plain) if len(plain) > 512 else plain
        if len(packed) < len(plain) * 7 // 8:
            kind |= _COMPRESSED
        else:
            packed = plain
        sealed = self._cipher.encrypt(_nonce(self._index), packed, bytes([kind]))
        frame = len(sealed).to_bytes(4, "big") + bytes([kind]) + sealed
        self._index += 1
        self._sealed += len(frame)
        if self._file is None and self._sealed > SPILL_AT:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  # closed by discard()
            for earlier in self._frames:
                self._file.write(earlier)
            self._frames.clear()
        if self._file is None:
            self._frames.append(frame)
        else:
            self._file.write(frame)

    def place(self, segments: SegmentWriter) -> BodyRef:
        """Append the body to a segment, once; later calls give the same reference. Blocking."""
        if self._ref is None:
            self._seal(self._buffer, last=True)
            self._buffer = bytearray()
            segment, offset = segments.append(self._pieces(), self._sealed)
            self._ref = BodyRef(segment, offset, self._sealed, self.size, self.sha256)
            self.discard()
        return self._ref

    def _pieces(self) -> Iterator[bytes]:
        if self._file is None:
            yield from self._frames
            return
        self._file.seek(0)
        while piece := self._file.read(FRAME):
            yield piece

    def chunks(self, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """What was written so far, of ``[start, start + length)``, in pieces of at most 256 KiB. Blocking.

        Only between the last :meth:`write` and :meth:`place`, and one reader at a time.
        """
        end = self.size if length is None else min(self.size, start + length)
        if start >= end:
            return
        sealed_size = self._index * FRAME
        frames = (end - 1) // FRAME + 1
        for index, frame in enumerate(self._sealed_frames(min(frames, self._index))):
            if (index + 1) * FRAME > start:
                kind, sealed = frame[4], frame[_HEAD:]
                plain = self._cipher.decrypt(_nonce(index), sealed, bytes([kind]))
                if kind & _COMPRESSED:
                    plain = _decompressor().decompress(plain, max_output_size=FRAME)
                at = index * FRAME
                yield plain[max(start - at, 0) : end - at]
        if end > sealed_size:
            yield bytes(self._buffer[max(start - sealed_size, 0) : end - sealed_size])

    def _sealed_frames(self, count: int) -> Iterator[bytes]:
        if self._file is None:
            yield from self._frames[:count]
            return
        self._file.seek(0)
        for _ in range(count):
            head = self._file.read(_HEAD)
            yield head + self._file.read(int.from_bytes(head[:4], "big"))
        self._file.seek(0, 2)

    def discard(self) -> None:
        """Forget the content. Safe to call at any time, also twice."""
        self._frames.clear()
        self._buffer = bytearray()
        if self._file is not None:
            self._file.close()
            self._file = None


class BodyReader:
    """Reads ranges of one sealed body. Blocking: use it in a thread. Keeps the last frame opened."""

    def __init__(self, reader: SegmentReader, ref: BodyRef, key: bytes) -> None:
        self.size = ref.size
        self._reader = reader
        self._ref = ref
        self._cipher = AESGCM(key)
        self._frames: list[tuple[int, int, int]] = []  # (offset in segment, sealed length, kind)
        self._opened: tuple[int, bytes] = (-1, b"")

    def _frame(self, index: int) -> bytes:
        if self._opened[0] == index:
            return self._opened[1]
        while len(self._frames) <= index:
            at = sum(self._frames[-1][:2]) if self._frames else self._ref.offset
            if at + _HEAD > self._ref.offset + self._ref.length:
                raise StoreError("store.body", "a body ends before its last frame")
            head = self._reader.read(self._ref.segment, at, _HEAD)
            self._frames.append((at + _HEAD, int.from_bytes(head[:4], "big"), head[4]))
        offset, length, kind = self._frames[index]
        if offset + length > self._ref.offset + self._ref.length:
            raise StoreError("store.body", "a frame reaches beyond its body")
        sealed = self._reader.read(self._ref.segment, offset, length)
        try:
            plain = self._cipher.decrypt(_nonce(index), sealed, bytes([kind]))
            if kind & _COMPRESSED:
                plain = _decompressor().decompress(plain, max_output_size=FRAME)
        except (InvalidTag, zstandard.ZstdError):
            raise StoreError(
                "store.body", "a sealed body does not open: wrong key or damaged bytes"
            ) from None
        if bool(kind & _LAST) != (index == max(self._ref.size - 1, 0) // FRAME):
            raise StoreError("store.body", "a body has lost frames")
        self._opened = (index, plain)
        return plain

    def read(self, start: int, length: int) -> bytes:
        """The plain bytes of ``[start, start + length)``, fewer at the end of the body."""
        return b"".join(self.chunks(start, length))

    def chunks(self, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The same range in pieces of at most 256 KiB. Raises :class:`StoreError` on damaged bytes."""
        end = self.size if length is None else min(self.size, start + length)
        while start < end:
            index, within = divmod(start, FRAME)
            piece = self._frame(index)[within : within + end - start]
            if not piece:
                raise StoreError("store.body", "a frame is shorter than its place")
            yield piece
            start += len(piece)


def seal_meta(cipher: AESGCM, meta: bytes) -> bytes:
    """Seal a message's index under the body's key (its nonce is no frame's number)."""
    packed = _compressor().compress(meta) if len(meta) > 512 else meta
    kind = b"\x01" if len(packed) < len(meta) else b"\x00"
    return kind + cipher.encrypt(_META_NONCE, packed if kind == b"\x01" else meta, kind)


def open_meta(key: bytes, sealed: bytes) -> bytes:
    """The reverse of :func:`seal_meta`. Raises :class:`StoreError` on damaged bytes."""
    try:
        plain = AESGCM(key).decrypt(_META_NONCE, sealed[1:], sealed[:1])
    except InvalidTag:
        raise StoreError("store.body", "a sealed index does not open: wrong key or damaged bytes") from None
    if sealed[:1] == b"\x01":
        return _decompressor().decompress(plain, max_output_size=16 * 1024 * 1024)
    return plain
