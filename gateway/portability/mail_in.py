"""Taking mail over: into its folders, with its flags and dates, each message once.

These are old messages. Nothing is delivered anew: no rule is asked, no correspondence is opened, nothing is
filed, nobody is told.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from typing import Final

import evidence
import patients
from dossier import rights
from dossier.rights import Question
from gateway.message import Indexer, MessageMeta, encode_meta
from gateway.portability.mail_out import FLAGS, served
from gateway.portability.model import FolderFact, MessageFact, Missing, Progress
from gateway.portability.reading import ArchiveReader
from gateway.portability.tables import first_time
from store import PasserelleError, Store, Tx, mail, operation
from store.mail import Folder, NewMessage

_BITS: Final = {name.casefold(): bit for bit, name in FLAGS.items()}
_MOST_KEYWORDS: Final = 100  # as IMAP takes them
_LONGEST_KEYWORD: Final = 100
_KEYWORD: Final = frozenset(chr(code) for code in range(33, 127)) - frozenset('(){%*"]\\')


def take_mail(
    store: Store, asked: Question, archive: ArchiveReader, progress: Progress
) -> tuple[int, int, list[Missing]]:
    """Take the mail of an archive over: how many messages came, how many were there, what failed. Blocking.

    The archive was verified. ``asked``: the right by which it comes, judged again with each message.
    """
    came = there = done = 0
    box_id = asked.box_id
    missing: list[Missing] = []
    names = archive.names("mail", ".json")
    total = sum(archive.facts[one.file].size for name in names for one in _facts(archive, name).messages)
    for name in names:
        facts = _facts(archive, name)
        try:
            folder = _folder(store, box_id, facts)
        except PasserelleError as error:
            missing.append(Missing(part="mail", item=facts.name, reason=error.log))
            continue
        held = _Held(store, box_id, folder)
        seen: Counter[bytes] = Counter()
        for fact in facts.messages:
            digest = bytes.fromhex(archive.facts[fact.file].sha256)
            key = digest + fact.internal_date.to_bytes(8, "big", signed=True)
            item = _item(facts.name, key, seen[key])
            seen[key] += 1
            try:
                if held.has(digest, archive.facts[fact.file].size, fact.internal_date, seen[key]):
                    there += 1
                elif _take(store, asked, folder, archive, fact, item):
                    came += 1
                else:
                    there += 1
            except PasserelleError as error:
                missing.append(Missing(part="mail", item=fact.file, reason=error.log))
                if error.rule in ("mailbox.quota", "mailbox.closed"):
                    return came, there, missing
            done += archive.facts[fact.file].size
            progress(done, total)
    return came, there, missing


def count_mail(archive: ArchiveReader) -> int:
    """How many messages an archive holds."""
    return sum(len(_facts(archive, name).messages) for name in archive.names("mail", ".json"))


def _facts(archive: ArchiveReader, name: str) -> FolderFact:
    facts = archive.read_json(name, FolderFact)
    for one in facts.messages:
        archive.fact(one.file, "mail/eml/")
    return facts


def _item(folder: str, key: bytes, rank: int) -> bytes:
    """What a message is called among those taken over: its folder, octets, date, and which of its equals."""
    return hashlib.sha256(b"\0".join([b"message", folder.encode(), key, str(rank).encode()])).digest()


def _folder(store: Store, box_id: int, facts: FolderFact) -> Folder:
    """The folder of the same use or name; made where there is none."""
    if facts.special_use:
        same_use = store.read(mail.special_folder, box_id, facts.special_use)
        if same_use is not None:
            return same_use
    found = store.read(mail.folder_by_name, box_id, facts.name)
    return found or store.write(mail.create_folder, box_id=box_id, name=facts.name)


class _Held:
    """What a folder showed before: a message of the same octets and date is there already, whoever put it."""

    def __init__(self, store: Store, box_id: int, folder: Folder) -> None:
        self._store, self._box_id = store, box_id
        self._by_look: dict[tuple[int, int], list[int]] = defaultdict(list)
        for one in store.read(mail.entries, box_id, folder.folder_id):
            self._by_look[one.size, one.internal_date].append(one.message_id)
        self._digests: dict[int, bytes] = {}

    def has(self, digest: bytes, size: int, internal_date: int, count: int) -> bool:
        """Whether the folder showed at least ``count`` such messages."""
        alike = self._by_look.get((size, internal_date), [])
        return len(alike) >= count and sum(self._digest(one) == digest for one in alike) >= count

    def _digest(self, message_id: int) -> bytes:
        if message_id not in self._digests:
            hasher = hashlib.sha256()
            found = self._store.read(self._store.messages, self._box_id, [message_id]).get(message_id)
            for chunk in served(self._store, found) if found is not None else ():
                hasher.update(chunk)
            self._digests[message_id] = hasher.digest()
        return self._digests[message_id]


def _take(
    store: Store, asked: Question, folder: Folder, archive: ArchiveReader, fact: MessageFact, item: bytes
) -> bool:
    spool, indexer = store.spool(), Indexer()
    try:
        for chunk in archive.chunks(fact.file):
            indexer.feed(chunk)
            spool.write(chunk)
        meta = encode_meta(MessageMeta(prefix=b"", index=indexer.close()))
        message = store.new_message(asked.box_id, spool, meta, spool.sha256)
    finally:
        spool.discard()
    return store.write(
        take_message,
        asked=asked,
        folder_id=folder.folder_id,
        message=message,
        flags=sum({_BITS[name.casefold()] for name in fact.flags if name.casefold() in _BITS}),
        keywords=" ".join(sorted(_keywords(fact.keywords))[:_MOST_KEYWORDS]),
        internal_date=fact.internal_date,
        item=item,
        kept=fact.kept_from_representatives,
    )


def _keywords(given: list[str]) -> set[str]:
    return {one for one in given if 0 < len(one) <= _LONGEST_KEYWORD and set(one) <= _KEYWORD}


@operation("portability.take_message")
def take_message(
    tx: Tx,
    *,
    asked: Question,
    folder_id: int,
    message: NewMessage,
    flags: int,
    keywords: str,
    internal_date: int,
    item: bytes,
    kept: bool,
) -> bool:
    """Show a message taken over in its folder, once; False when it was taken over before.

    Raises :class:`NotFoundError`, :class:`StoreError` as :func:`store.mail.append`; what refuses the right.
    """
    evidence.hold(tx)
    decision, box_id = rights.judge(tx.conn, asked), asked.box_id
    if not decision.allowed:
        raise rights.error_of(decision)
    if not first_time(tx, box_id, "mail", item):
        return False
    mail.append(
        tx,
        box_id=box_id,
        folder_id=folder_id,
        message=message,
        flags=flags,
        keywords=keywords,
        internal_date=internal_date,
    )
    if kept:
        patients.set_secret(
            tx,
            box_id=box_id,
            kind="message",
            item=message.ref.sha256,
            event="hide",
            by="operator",
            actor=asked.actor.ident,
            reason="kept from legal representatives where it came from",
        )
    return True
