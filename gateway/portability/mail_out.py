"""The mail of a box into the archive: each folder as an mbox, each message byte for byte, and what is said of
it (flags, keywords, dates) as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from sqlalchemy import Connection

import patients
from gateway.message import decode_meta
from gateway.portability.model import FolderFact, MessageFact, Missing, Progress
from gateway.portability.writing import ArchiveWriter, mboxrd
from patients import Viewer
from store import Store, StoreError, mail
from store.mail import Entry, Folder, StoredMessage

FLAGS: Final = {
    mail.SEEN: "\\Seen",
    mail.ANSWERED: "\\Answered",
    mail.FLAGGED: "\\Flagged",
    mail.DELETED: "\\Deleted",
    mail.DRAFT: "\\Draft",
}


class MailPlan(msgspec.Struct, frozen=True):
    """What of a box goes along: folders with their entries, and the messages kept from representatives."""

    folders: list[tuple[Folder, list[Entry]]]
    hidden: set[int]

    @property
    def messages(self) -> int:
        return sum(len(entries) for _, entries in self.folders)

    @property
    def size(self) -> int:
        return sum(one.size for _, entries in self.folders for one in entries)


def plan_mail(conn: Connection, box_id: int, viewer: Viewer) -> MailPlan:
    """The mail of a box that ``viewer`` is shown: to a representative nothing that is kept from him."""
    found = [(folder, mail.entries(conn, box_id, folder.folder_id)) for folder in mail.folders(conn, box_id)]
    ids = {one.message_id for _, entries in found for one in entries}
    hidden = patients.hidden_messages(conn, box_id, ids)
    if viewer != "self":
        found = [
            (folder, [one for one in entries if one.message_id not in hidden]) for folder, entries in found
        ]
    return MailPlan(found, hidden)


def write_mail(
    store: Store, box_id: int, plan: MailPlan, archive: ArchiveWriter, progress: Progress
) -> tuple[int, list[Missing]]:
    """Write the mail; how many messages, and those that could not be read. A message that its owner expunged
    meanwhile is left out."""
    written, missing, done = 0, [], 0
    for folder, entries in plan.folders:
        name = archive.safe(folder.name)
        facts = []
        for entry in entries:
            file = f"mail/eml/{name}/{entry.uid}.eml"
            try:
                found = _message(store, box_id, entry)
                if found is not None:
                    archive.put(file, served(store, found))
            except StoreError as error:
                missing.append(Missing(part="mail", item=f"{folder.name} {entry.uid}", reason=error.log))
                continue
            if found is not None:
                facts.append(_fact(file, entry, kept=entry.message_id in plan.hidden))
            done += entry.size
            progress(done, 2 * plan.size)
        shown = {fact.uid for fact in facts}
        archive.put(f"mail/{name}.mbox", _mbox(store, box_id, [one for one in entries if one.uid in shown]))
        archive.put_json(
            f"mail/{name}.json", FolderFact(name=folder.name, special_use=folder.special_use, messages=facts)
        )
        done += sum(one.size for one in entries)
        progress(done, 2 * plan.size)
        written += len(facts)
    return written, missing


def _message(store: Store, box_id: int, entry: Entry) -> StoredMessage | None:
    return store.read(store.messages, box_id, [entry.message_id]).get(entry.message_id)


def served(store: Store, found: StoredMessage) -> Iterator[bytes]:
    """A message as it is served: the prefix that the gateway wrote, then the octets as they came."""
    yield decode_meta(found.meta).prefix
    yield from store.open_body(found).chunks()


def _mbox(store: Store, box_id: int, entries: list[Entry]) -> Iterator[bytes]:
    for entry in entries:
        found = _message(store, box_id, entry)
        if found is not None:
            yield from mboxrd("MAILER-DAEMON", entry.internal_date, served(store, found))


def _fact(file: str, entry: Entry, *, kept: bool) -> MessageFact:
    return MessageFact(
        file=file,
        uid=entry.uid,
        flags=[name for bit, name in FLAGS.items() if entry.flags & bit],
        keywords=entry.keywords.split(),
        internal_date=entry.internal_date,
        kept_from_representatives=kept,
    )
