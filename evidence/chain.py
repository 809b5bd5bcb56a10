"""Writing and checking the chain.

A record is hashed as the msgpack array of its fields, the previous record's digest first; the digest
is signed with the gateway's Ed25519 key (RFC 8032). Changing, dropping or reordering a record breaks
every digest after it; cutting off the end is seen against a receipt given out earlier.
Records carry addresses, rules and hashes, never content (DESIGN §1.1).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from sqlalchemy import Connection, func, insert, or_, select, text

from evidence.tables import evidence
from store import Prepared, StoreError, Tx, key_file_passphrase, write_private

Event = Literal[
    "accepted",  # taken over from the sender for this recipient
    "delivered",  # in the recipient's mailbox here
    "duplicate",  # the same message came again; it was delivered before
    "relayed",  # taken over by the recipient's operator
    "refused",  # a rule refused it
    "delayed",  # the other operator does not take it yet
    "failed",  # given up, the sender got a DSN
    "filed",  # a document reached the record
    "filing_refused",  # a document was refused; the sender was told
    "parked",  # a filing waits for an administrator
    "receipt",  # a receipt was sent
    "profile",  # steps in the life of patients' profiles, by the digest of their list
    "guardian",  # somebody began or ceased to represent a patient, by the digest of the event
    "activity",  # somebody read, filed or changed something of a patient's, or was refused it, by its digest
    "secret",  # an item was hidden from legal representatives, or is no more, by the digest of the event
]
ENDS: Final = frozenset({"delivered", "duplicate", "relayed", "refused", "failed"})
_SEALED: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
_GENESIS: Final = bytes(32)
_LOCK: Final = 7_421_001  # PostgreSQL advisory lock: one writer at the end of the chain


class Record(msgspec.Struct, kw_only=True):
    """One link. ``at`` in ms; ``detail`` a JSON object of strings."""

    seq: int
    at: int
    event: str
    trace_id: str
    message_id: str
    sender: str
    recipient: str
    rule: str
    sha256: bytes
    detail: str
    previous: bytes
    digest: bytes
    signature: bytes

    def computed_digest(self) -> bytes:
        fields = (
            self.previous,
            self.seq,
            self.at,
            self.event,
            self.trace_id,
            self.message_id,
            self.sender,
            self.recipient,
            self.rule,
            self.sha256,
            self.detail,
        )
        hasher = Hash(SHA256())
        hasher.update(msgspec.msgpack.encode(fields))
        return hasher.finalize()


class Report(msgspec.Struct, kw_only=True):
    """What verification found; ``reason`` is empty when all ``records`` hold."""

    ok: bool
    records: int
    first_bad: int = 0
    reason: str = ""
    head: str = ""  # digest of the last record, hexadecimal


def create_key(home: Path) -> None:
    """Make ``evidence.key`` (PKCS#8 PEM, mode 0600) and ``evidence.pub`` where they are missing.

    The key is sealed when the home has its ``master.key``.

    :raises StoreError: the private key is lost while ``evidence.pub`` is there: another key would make the
        records signed before look forged.
    """
    path, public = home / "evidence.key", home / "evidence.pub"
    if not path.exists():
        if public.exists():
            raise StoreError(
                "evidence.key", "evidence.key is missing: put it back from the backup", fault="config"
            )
        write_private(path, _encoded(home, Ed25519PrivateKey.generate()))
    if not public.exists():
        encoded = (
            _opened(home)
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        public.write_bytes(encoded)


@lru_cache(maxsize=8)
def _private_key(home: Path) -> Ed25519PrivateKey:
    create_key(home)
    return _opened(home)


def key_is_sealed(home: Path) -> bool:
    """Whether ``evidence.key`` is encrypted; True when there is none."""
    path = home / "evidence.key"
    return not path.exists() or _SEALED in path.read_bytes()


def seal_key(home: Path) -> list[Path]:
    """Encrypt ``evidence.key`` under the home's master key; the file, or nothing when it was already.

    :raises StoreError: the key, or the master key, cannot be read.
    """
    path = home / "evidence.key"
    if key_is_sealed(home):
        return []
    draft = home / "evidence.key.new"
    draft.unlink(missing_ok=True)
    write_private(draft, _encoded(home, _opened(home), must_seal=True))
    draft.replace(path)
    return [path]


def _encoded(home: Path, key: Ed25519PrivateKey, *, must_seal: bool = False) -> bytes:
    scheme: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if must_seal or (home / "master.key").exists():
        scheme = serialization.BestAvailableEncryption(key_file_passphrase(home))
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, scheme)


def _opened(home: Path) -> Ed25519PrivateKey:
    """Raises :class:`StoreError` when the file cannot be read, or was sealed under another master key."""
    try:
        data = (home / "evidence.key").read_bytes()
        secret = key_file_passphrase(home) if _SEALED in data else None
        key = serialization.load_pem_private_key(data, secret)
    except (OSError, ValueError, TypeError):
        raise StoreError(
            "evidence.key",
            "evidence.key cannot be read: put it and master.key back from the backup",
            fault="config",
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise StoreError("evidence.key", "evidence.key is not an Ed25519 key", fault="config")
    return key


def public_key(home: Path) -> Ed25519PublicKey:
    """Raises :class:`StoreError` when ``evidence.pub`` is not there or no Ed25519 key."""
    try:
        key = serialization.load_pem_public_key((home / "evidence.pub").read_bytes())
    except (OSError, ValueError):
        raise StoreError("evidence.key", "evidence.pub cannot be read", fault="config") from None
    if not isinstance(key, Ed25519PublicKey):
        raise StoreError("evidence.key", "evidence.pub is not an Ed25519 key", fault="config")
    return key


_insert = Prepared(insert(evidence))
_head = Prepared(select(evidence.c.seq, evidence.c.digest).order_by(evidence.c.seq.desc()).limit(1))


def hold(tx: Tx) -> tuple[int, bytes]:
    """Be the only one who writes records until the transaction ends; the last number and its digest.

    :func:`record` does it by itself. An operation that locks other rows before its record calls it first:
    then on PostgreSQL all of them wait in the same order, and what they read afterwards stays true.
    """
    head: tuple[int, bytes] | None = tx.memo.get("evidence")
    if head is None:
        if tx.conn.dialect.name == "postgresql":
            tx.conn.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        row = _head.first(tx.conn, {})
        head = tx.memo["evidence"] = (row[0], row[1]) if row else (0, _GENESIS)
    return head


def record(
    tx: Tx,
    event: Event,
    *,
    trace_id: str,
    message_id: str = "",
    sender: str = "",
    recipient: str = "",
    rule: str = "",
    sha256: bytes = b"",
    detail: dict[str, str] | None = None,
) -> int:
    """Add a link within a transaction; returns its number.

    :param trace_id: our id of the accepted message. :param message_id: its Message-ID header.
    :param sha256: of the message's or document's bytes. :param detail: hashes, sizes, names of hosts;
        no content, no subject, no name of a person.
    """
    head = hold(tx)
    link = Record(
        seq=head[0] + 1,
        at=tx.now,
        event=event,
        trace_id=trace_id,
        message_id=message_id,
        sender=sender,
        recipient=recipient,
        rule=rule,
        sha256=sha256,
        detail=msgspec.json.encode(detail or {}, order="deterministic").decode(),
        previous=head[1],
        digest=b"",
        signature=b"",
    )
    link.digest = link.computed_digest()
    link.signature = _private_key(tx.home).sign(link.digest)
    _insert.run(tx.conn, msgspec.structs.asdict(link))
    tx.memo["evidence"] = (link.seq, link.digest)
    return link.seq


_columns = [evidence.c[name] for name in Record.__struct_fields__]


def _records(conn: Connection, query: Any) -> Iterator[Record]:
    for row in conn.execute(query):
        yield Record(**row._mapping)


def walk(conn: Connection, after: int = 0, batch: int = 5000) -> Iterator[Record]:
    """All records in order, read in batches."""
    while True:
        found = list(
            _records(
                conn, select(*_columns).where(evidence.c.seq > after).order_by(evidence.c.seq).limit(batch)
            )
        )
        yield from found
        if len(found) < batch:
            return
        after = found[-1].seq


def verify(conn: Connection, key: Ed25519PublicKey) -> Report:
    """Walk the whole chain: numbers without gap, digests, links and signatures."""
    previous, count = _GENESIS, 0
    for link in walk(conn):
        count += 1
        reason = _fault(link, count, previous, key)
        if reason:
            return Report(ok=False, records=count, first_bad=link.seq, reason=reason)
        previous = link.digest
    return Report(ok=True, records=count, head=previous.hex() if count else "")


def _fault(link: Record, number: int, previous: bytes, key: Ed25519PublicKey) -> str:
    if link.seq != number:
        return f"record {number} is missing"
    if link.previous != previous:
        return f"record {number} does not follow the one before it"
    if link.computed_digest() != link.digest:
        return f"record {number} was changed"
    try:
        key.verify(link.signature, link.digest)
    except InvalidSignature:
        return f"record {number} is not signed by this gateway's key"
    return ""


def by_number(conn: Connection, seq: int) -> Record | None:
    """One record by its number; None when there is none."""
    return next(_records(conn, select(*_columns).where(evidence.c.seq == seq)), None)


def trace(conn: Connection, ident: str) -> list[Record]:
    """Everything recorded of a message, by its Message-ID (with or without <>) or our trace id."""
    bare = ident.strip().removeprefix("<").removesuffix(">")
    query = select(*_columns).where(
        or_(evidence.c.message_id.in_([bare, f"<{bare}>"]), evidence.c.trace_id == bare)
    )
    return list(_records(conn, query.order_by(evidence.c.seq)))


def trace_of(conn: Connection, trace_id: str) -> list[Record]:
    """Everything recorded under one of our trace ids, in order."""
    query = select(*_columns).where(evidence.c.trace_id == trace_id).order_by(evidence.c.seq)
    return list(_records(conn, query))


def silent(conn: Connection, before: int) -> list[tuple[str, str]]:
    """(trace_id, recipient) of recipients accepted before ``before`` (ms) that have no end yet."""
    ended = evidence.alias("ended")
    query = select(evidence.c.trace_id, evidence.c.recipient).where(
        evidence.c.event == "accepted",
        evidence.c.at < before,
        ~select(ended.c.seq)
        .where(
            ended.c.trace_id == evidence.c.trace_id,
            ended.c.recipient == evidence.c.recipient,
            ended.c.event.in_(ENDS),
        )
        .exists(),
    )
    return [(row.trace_id, row.recipient) for row in conn.execute(query)]


def tally(conn: Connection, after: int) -> tuple[int, dict[tuple[str, str], int]]:
    """The number of the last record, and how many there are of each (event, rule) after record ``after``."""
    last: int = conn.scalar(select(func.max(evidence.c.seq))) or 0
    query = (
        select(evidence.c.event, evidence.c.rule, func.count())
        .where(evidence.c.seq > after, evidence.c.seq <= last)
        .group_by(evidence.c.event, evidence.c.rule)
    )
    return last, {(row[0], row[1]): row[2] for row in conn.execute(query)}


def counts(conn: Connection, since: int = 0) -> dict[str, int]:
    """How many records of each event since ``since`` (ms)."""
    query = select(evidence.c.event, func.count()).where(evidence.c.at >= since).group_by(evidence.c.event)
    return {row[0]: row[1] for row in conn.execute(query)}
