"""Our certificates and their keys: those in use, the one to come, those before.

The pair of a role in use is the two files that the settings name; whoever replaces them by hand is heard
(:mod:`certs.keystore_live`). Beside them, in ``tls/``::

    history/<role>-<end>-<digest>.pem   every pair that was imported or replaced, sealed key and chain in one
    keystore.json                       which of them comes next and from when, which one was before

A pair is two files and cannot be replaced at once; the certificate's file is what counts. Its key is first
kept in the history, where :meth:`Keystore.current` finds it when the key file does not fit: a crash between
the two leaves a pair that works.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import msgspec
import structlog

from certs.errors import CertificateUnreadable, KeyRefused
from certs.files import certificates_in, write_atomically
from certs.keys import KeyPair, KeySafe, belongs, holds_key, is_sealed
from store import now_ms

log = structlog.get_logger("certs")

Role = Literal["server", "client", "sign"]
ROLES: Final[tuple[Role, ...]] = ("server", "client", "sign")
State = Literal["current", "next", "previous", "retired"]


class Slot(msgspec.Struct, frozen=True):
    """The two files of a role's pair in use; they may be one."""

    certificate: Path
    key: Path


class Held(msgspec.Struct, frozen=True):
    """One of our pairs and where it stands. ``active_from``: ms, 0 when it is or was in use already."""

    role: Role
    state: State
    pair: KeyPair
    path: Path
    active_from: int = 0


class _Next(msgspec.Struct):
    file: str
    active_from: int


class _Index(msgspec.Struct):
    next: dict[Role, _Next] = {}
    previous: dict[Role, str] = {}


class Keystore:
    """The pairs of one home.

    :param folder: ``tls/`` of the home. :param slots: the roles that have files, and which.
    :param safe: seals what is written, opens what is read.
    :param tokens: the certificates of roles whose key is in a hardware module; they are only listed here.
    """

    def __init__(
        self,
        folder: Path,
        slots: Mapping[Role, Slot],
        safe: KeySafe,
        *,
        tokens: Mapping[Role, Path] | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self.tokens: Final = dict(tokens or {})
        self.folder: Final = folder
        self.slots: Final = dict(slots)
        self.safe: Final = safe
        self._history: Final = folder / "history"
        self.clock: Final = clock

    # -- reading

    def current(self, role: Role) -> KeyPair:
        """The pair in use.

        :raises KeyRefused: there is none, a file cannot be read, or no key belongs to the certificate.
        """
        slot = self._slot(role)
        try:
            chain = certificates_in(slot.certificate.read_bytes())
        except OSError as error:
            raise KeyRefused(f"{slot.certificate.name} cannot be read: {error.strerror}") from error
        except CertificateUnreadable as error:
            raise KeyRefused(f"{slot.certificate.name}: {error.peer}") from error
        try:
            return KeyPair.make(chain, self.safe.open(slot.key.read_bytes()))
        except (KeyRefused, OSError) as error:
            if (kept := self._kept_key(chain[0])) is not None:  # an import was cut off in between
                return KeyPair.make(chain, kept.key)
            reason = error.peer if isinstance(error, KeyRefused) else f"cannot be read: {error.strerror}"
            raise KeyRefused(f"{slot.key.name}: {reason}") from error

    def next(self, role: Role) -> Held | None:
        """The pair that takes over at its time.

        :raises KeyRefused: its file cannot be used.
        """
        entry = self._index().next.get(role)
        if entry is None:
            return None
        path = self._history / entry.file
        return Held(role, "next", self._read(path), path, entry.active_from)

    def previous(self, role: Role) -> Held | None:
        """The pair before the one in use, until it expires.

        :raises KeyRefused: its file cannot be used.
        """
        name = self._index().previous.get(role)
        if not name or not (self._history / name).exists():
            return None
        held = Held(role, "previous", self._read(self._history / name), self._history / name)
        return held if held.pair.identity.not_after > self.clock() else None

    def others(self, role: Role) -> list[KeyPair]:
        """Pairs that a peer may know instead of the one in use: the next, if it is valid already, and the
        previous. What cannot be read is left out."""
        now, found = self.clock(), []
        for of in (self.next, self.previous):
            with contextlib.suppress(KeyRefused):
                held = of(role)
                if held is not None and held.pair.identity.not_before <= now:
                    found.append(held.pair)
        leaf = self.current(role).chain[0]
        return [pair for pair in found if pair.chain[0] != leaf]

    def held(self) -> list[Held]:
        """Every pair of ours that can be read: each role's current, next, previous, then retired ones."""
        found: list[Held] = []
        for role, slot in self.slots.items():
            with contextlib.suppress(KeyRefused):
                found.append(Held(role, "current", self.current(role), slot.certificate))
            for of in (self.next, self.previous):
                with contextlib.suppress(KeyRefused):
                    if (one := of(role)) is not None:
                        found.append(one)
        seen = {one.pair.chain[0] for one in found}
        for role, path in self._files():
            with contextlib.suppress(KeyRefused):
                pair = self._read(path)
                if pair.chain[0] not in seen:
                    found.append(Held(role, "retired", pair, path))
        return found

    def plain_keys(self) -> list[Path]:
        """Files of ours with a private key that is not sealed."""
        return [path for path in self._key_files() if _plain(path)]

    def state(self) -> tuple[tuple[str, int, int, int], ...]:
        """Changes whenever a file of ours does: cheap, to be asked every few seconds."""
        paths = [self.folder / "keystore.json"]
        for slot in self.slots.values():
            paths += [slot.certificate, slot.key]
        found = []
        for path in paths:
            with contextlib.suppress(OSError):
                seen = path.stat()
                found.append((str(path), seen.st_ino, seen.st_mtime_ns, seen.st_size))
        return tuple(found)

    # -- changing

    def install(self, role: Role, pair: KeyPair, *, active_from: int = 0) -> None:
        """Put a pair in use, now or from ``active_from`` (ms) on; the one before is kept. Blocking.

        The caller has judged it (:mod:`certs.keystore_import`).

        :raises KeyRefused: the role has no files in the settings, or nothing can be written.
        """
        self._slot(role)
        with self._changing() as index:
            name = self._keep(role, pair)
            if active_from > self.clock():
                index.next[role] = _Next(name, active_from)
                return
            index.next.pop(role, None)
            self._replace(role, pair, index)

    def activate_due(self) -> list[Role]:
        """Put in use what has reached its time; which roles that was. Any process may call it."""
        due = [role for role, entry in self._index().next.items() if entry.active_from <= self.clock()]
        if not due:
            return []
        done: list[Role] = []
        with self._changing() as index:
            for role in due:
                entry = index.next.get(role)
                if entry is None or entry.active_from > self.clock():
                    continue  # another process did it
                self._replace(role, self._read(self._history / entry.file), index)
                del index.next[role]
                done.append(role)
        return done

    def rollback(self, role: Role) -> KeyPair:
        """Give up the next pair, or put the previous one back in use; what is used now.

        :raises KeyRefused: there is neither.
        """
        with self._changing() as index:
            if index.next.pop(role, None) is not None:
                return self.current(role)
            before = self.previous(role)
            if before is None:
                raise KeyRefused(f"there is no previous certificate for the role {role}")
            self._replace(role, before.pair, index)
            return before.pair

    def forget_previous(self, role: Role) -> None:
        """Never show the previous pair again: it is retired.

        :raises KeyRefused: there is none.
        """
        with self._changing() as index:
            if index.previous.pop(role, None) is None:
                raise KeyRefused(f"there is no previous certificate for the role {role}")

    def protect(self) -> list[Path]:
        """Seal every key of ours that lies in clear; which files that was.

        :raises KeyRefused: a file cannot be read or written.
        """
        plain = self.plain_keys()
        with self._changing():
            for path in plain:
                data = path.read_bytes()
                sealed = self.safe.seal(self.safe.open(data))
                chain = certificates_in(data) if b"-----BEGIN CERTIFICATE-----" in data else []
                pair = KeyPair.make(chain, self.safe.open(sealed)).chain_pem() if chain else b""
                write_atomically(path, sealed + pair, 0o600)
        return plain

    # -- inside

    def _slot(self, role: Role) -> Slot:
        slot = self.slots.get(role)
        if slot is None:
            raise KeyRefused(f"the settings name no files for the role {role}")
        return slot

    def _replace(self, role: Role, pair: KeyPair, index: _Index) -> None:
        """Write the pair into the role's files; the certificate last."""
        slot = self._slot(role)
        self._keep(role, pair)
        with contextlib.suppress(KeyRefused):  # a broken pair is not worth keeping
            before = self.current(role)
            if before.chain[0] != pair.chain[0]:
                index.previous[role] = self._keep(role, before)
                self._write(index)
        if slot.certificate == slot.key:
            write_atomically(slot.certificate, pair.pem(self.safe), 0o600)
        else:
            write_atomically(slot.key, self.safe.seal(pair.key), 0o600)
            write_atomically(slot.certificate, pair.chain_pem())
        log.info("certificate_installed", role=role, serial=f"{pair.identity.serial:x}")
        self._drop_expired(index)

    def _keep(self, role: Role, pair: KeyPair) -> str:
        who = pair.identity
        end = datetime.fromtimestamp(who.not_after / 1000, UTC).strftime("%Y%m%d")
        name = f"{role}-{end}-{who.fingerprint[:12].lower().replace(':', '')}.pem"
        if not (self._history / name).exists():
            self._history.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self._history / name, pair.pem(self.safe), 0o600)
        return name

    def _drop_expired(self, index: _Index) -> None:
        named = {entry.file for entry in index.next.values()} | set(index.previous.values())
        for _, path in self._files():
            with contextlib.suppress(KeyRefused):
                ended = self._read(path).identity.not_after < self.clock()
                if ended and path.name not in named:
                    path.unlink()
                    log.info("certificate_forgotten", file=path.name)

    def _files(self) -> list[tuple[Role, Path]]:
        paths = sorted(self._history.glob("*.pem"))
        return [(role, path) for path in paths for role in ROLES if path.name.startswith(f"{role}-")]

    def _key_files(self) -> list[Path]:
        paths = dict.fromkeys([*(slot.key for slot in self.slots.values()), *(p for _, p in self._files())])
        return [path for path in paths if path.is_file()]

    def _kept_key(self, leaf: bytes) -> KeyPair | None:
        for _, path in self._files():
            with contextlib.suppress(KeyRefused):
                pair = self._read(path)
                if pair.chain[0] == leaf or belongs(leaf, pair.key):
                    return pair
        return None

    def _read(self, path: Path) -> KeyPair:
        try:
            data = path.read_bytes()
            return KeyPair.make(certificates_in(data), self.safe.open(data))
        except OSError as error:
            raise KeyRefused(f"{path.name} cannot be read: {error.strerror}") from error
        except CertificateUnreadable as error:
            raise KeyRefused(f"{path.name}: {error.peer}") from error

    def _index(self) -> _Index:
        try:
            return msgspec.json.decode((self.folder / "keystore.json").read_bytes(), type=_Index)
        except FileNotFoundError:
            return _Index()
        except (OSError, msgspec.MsgspecError) as error:
            raise KeyRefused("keystore.json cannot be read: put it back from the backup") from error

    def _write(self, index: _Index) -> None:
        write_atomically(self.folder / "keystore.json", msgspec.json.format(msgspec.json.encode(index)))

    @contextlib.contextmanager
    def _changing(self) -> Iterator[_Index]:
        """One process changes at a time; the index is written when the block ends well."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                index = self._index()
                before = msgspec.json.encode(index)
                yield index
                if msgspec.json.encode(index) != before:
                    self._write(index)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise KeyRefused(f"the keys cannot be written: {error.strerror}") from error


def _plain(path: Path) -> bool:
    data = path.read_bytes()
    return holds_key(data) and not is_sealed(data)
