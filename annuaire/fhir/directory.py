"""An increment of the directory: single mailboxes changed as one new generation, all of it or nothing.

The rows of a mailbox and holder (address, person, structure) are replaced together. They stand from the
new generation on, which look-ups read once it is applied; until then nothing has changed for them.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import ColumnElement, select, update

from annuaire import ops
from annuaire.generations import current_import
from annuaire.importer import clean
from annuaire.rows import MailboxRow
from annuaire.tables import mailbox
from store import Store, Tx, operation

SOURCE = "mailboxes"

#: Address, person (IdNat_PS), structure (Struct_IdNat).
Key = tuple[str, str, str]


def key_of(row: MailboxRow) -> Key:
    """What says which mailbox of which holder a row is."""
    return row.address, row.id_nat, row.struct_id


class Change(msgspec.Struct, frozen=True):
    """A part of an increment.

    :param rows: the mailboxes as they are now; whatever else the directory has under their keys goes.
    :param lost: mailboxes that their holder has no longer.
    :param holders: (person, structure) → addresses: whatever else they have goes.
    """

    rows: list[MailboxRow]
    lost: list[Key]
    holders: dict[tuple[str, str], list[str]]


class Counts(msgspec.Struct, frozen=True):
    """Rows added, changed, gone."""

    added: int = 0
    changed: int = 0
    gone: int = 0


class Increment:
    """A new generation of the mailboxes, made of changes to the one in use. Blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held = store.read(current_import, SOURCE)
        clean(store, SOURCE)
        # The extraction that it stands on keeps its date: an older one is still refused.
        date = self._held.file_date if self._held else None
        self._begun = store.write(ops.begin, source=SOURCE, file_name="API FHIR", file_date=date)
        clean(store, SOURCE)
        self._counts = Counts()

    def add(self, change: Change) -> None:
        """Load a part; look-ups do not see it yet."""
        done = self._store.write(
            change_mailboxes,
            number=self._begun.number,
            rows=change.rows,
            lost=change.lost,
            holders=[(*holder, addresses) for holder, addresses in change.holders.items()],
        )
        held = self._counts
        self._counts = Counts(held.added + done.added, held.changed + done.changed, held.gone + done.gone)

    def apply(self) -> Counts:
        """Put it in use. Raises :class:`ExtractionError` when an import came between."""
        counts = self._counts
        if counts == Counts():
            self.give_up()
            return counts
        before = self._held.row_count if self._held else 0
        self._store.write(
            ops.apply,
            source=SOURCE,
            number=self._begun.number,
            replaces=self._begun.replaces,
            sha256="",
            row_count=before + counts.added - counts.gone,
            bad_rows=0,
        )
        return counts

    def give_up(self) -> None:
        """Undo what was loaded."""
        self._store.write(ops.give_up, source=SOURCE, number=self._begun.number)
        clean(self._store, SOURCE)


@operation("annuaire.fhir_change")
def change_mailboxes(
    tx: Tx, *, number: int, rows: list[MailboxRow], lost: list[Key], holders: list[tuple[str, str, list[str]]]
) -> Counts:
    """Load a part of an increment into generation ``number``; see :class:`Change`."""
    wanted: dict[Key, dict[tuple[str, str], MailboxRow]] = {key: {} for key in lost}
    for row in rows:
        wanted.setdefault(key_of(row), {})[row.kind, row.service] = row
    for id_nat, struct_id, addresses in holders:
        theirs = mailbox.c.id_nat == id_nat, mailbox.c.struct_id == struct_id
        for address in set(tx.conn.scalars(select(mailbox.c.address).where(*_standing(number), *theirs))):
            if address not in addresses:
                wanted.setdefault((address, id_nat, struct_id), {})
    added, changed, gone = [], 0, 0
    ended: list[int] = []
    for key, new in wanted.items():
        standing = _rows(tx, number, key)
        for which, (entry, old) in standing.items():
            if new.get(which) != old:
                ended.append(entry)
                gone += which not in new
        for which, row in new.items():
            if which not in standing or standing[which][1] != row:
                added.append(row)
                changed += which in standing
    if ended:
        # A row that began with this very increment then stands from it until it: nobody ever reads it.
        tx.conn.execute(update(mailbox).where(mailbox.c.entry_id.in_(ended)).values(until_generation=number))
    ops.add_boxes(tx, source=SOURCE, number=number, rows=added)
    return Counts(len(added) - changed, changed, gone)


def _rows(tx: Tx, number: int, key: Key) -> dict[tuple[str, str], tuple[int, MailboxRow]]:
    """What stands under a key: (kind, service) → entry id and row."""
    columns = [mailbox.c[name] for name in MailboxRow.__struct_fields__]
    address, id_nat, struct_id = key
    found = tx.conn.execute(
        select(mailbox.c.entry_id, *columns).where(
            mailbox.c.address == address,
            mailbox.c.id_nat == id_nat,
            mailbox.c.struct_id == struct_id,
            *_standing(number),
        )
    )
    rows = [(entry, MailboxRow(*values)) for entry, *values in found]
    return {(row.kind, row.service): (entry, row) for entry, row in rows}


def _standing(number: int) -> tuple[ColumnElement[bool], ...]:
    return (
        mailbox.c.source == SOURCE,
        mailbox.c.from_generation <= number,
        mailbox.c.until_generation > number,
    )
