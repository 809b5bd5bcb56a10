"""A file against what is in use: which lines are known, which are new, and what the file no longer has.

A line is known by the digest of its octets, before it is taken apart: of a daily file one line in a
hundred is read further. A line that is new may still say what a row says already (a column that we do not
keep has changed): such a row stays, and only its line's digest is noted.
"""

from __future__ import annotations

import itertools
import sys
from array import array
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from itertools import compress
from operator import itemgetter
from typing import Any, Final

import msgspec

from annuaire import held as holding
from annuaire.cards import parse_card, parse_skill
from annuaire.extraction import Extraction
from annuaire.held import KINDS, Held
from annuaire.ops import Begun
from annuaire.rows import ActivityReader, MailboxReader, RowFaultError
from annuaire.tables import IN_USE, site
from annuaire.writes import Writes
from store import Store

#: New rows sorted together before they are written: neighbours in an index share its pages.
BATCH: Final = 50_000
#: Bad rows kept in the report; all are counted.
KEPT_FAULTS: Final = 200
_EXAMPLES: Final = 10
#: Part of every digest: another one makes all lines new, as a change of what rows keep must.
_FORMAT: Final = b"annuaire 2"


class Tally(msgspec.Struct):
    """What a comparison found. ``before``: rows in use until now; ``rows``: in use after it."""

    before: int = 0
    rows: int = 0
    repeated: int = 0
    bad_count: int = 0
    bad: list[tuple[int, str]] = msgspec.field(default_factory=list)
    added: int = 0
    changed: int = 0
    gone: int = 0
    duplicates: dict[str, int] = msgspec.field(default_factory=dict)
    examples: list[str] = msgspec.field(default_factory=list)


def _digests(salted: Any, lines: list[bytes]) -> array[int]:
    """A digest of each line, 64 bits and a sign, the same on every machine."""
    found = []
    for line in lines:
        one = salted.copy()
        one.update(line)
        found.append(one.digest())
    codes = array("q", b"".join(found))
    if sys.byteorder == "little":
        codes.byteswap()
    return codes


class Comparison:
    """One import's comparison; without ``writes`` nothing is written."""

    def __init__(
        self, store: Store, extraction: Extraction, source: str, begun: Begun, writes: Writes | None
    ) -> None:
        self.tally = Tally()
        self._store = store
        self._extraction = extraction
        self._source = source
        self._begun = begun
        self._writes = writes
        self._kind = KINDS[source]
        self._entries = itertools.count(begun.first_entry)
        content = self._kind.content
        self._anchor = itemgetter(content.index(self._kind.anchor))
        self._key = itemgetter(*(content.index(name) for name in self._kind.key))
        self._label = itemgetter(*(content.index(name) for name in self._kind.label))
        self._held = store.read(holding.read_held, source, begun.replaces)
        self._sites = Held()
        if source == "activities":
            self._sites = store.read(holding.read_held_sites, begun.replaces)
        self._read = self._reader()
        self._fresh: set[int] = set()
        self._batch: dict[tuple[Any, ...], int] = {}
        self._new_sites: list[tuple[Any, ...]] = []
        self._added = 0
        self._keys = array("q")  # of the rows added, where others were in use before
        self._restated: dict[int, int] = {}
        self._gone = array("i")
        self._samples: list[tuple[int, str]] = []
        self._once: set[int] = set()
        self._place_of_address = (
            extraction.mapping.places["address"] if self._kind.anchor == "address" else -1
        )
        self.tally.before = len(self._held.entries)

    def _reader(self) -> Callable[[bytes], tuple[Any, ...]]:
        """What makes the content of a row out of a trimmed line, or raises :class:`RowFaultError`."""
        mapping, cells = self._extraction.mapping, self._extraction.cells
        if self._source == "activities":
            return ActivityReader(mapping, self._intern, cells)
        if self._source in ("cards", "skills"):
            parse: Callable[..., Any] = parse_card if self._source == "cards" else parse_skill
            return lambda line: msgspec.structs.astuple(parse(mapping, cells(line)))[:-1]
        read = MailboxReader(mapping, self._source)
        return lambda line: read(cells(line))

    def run(self, progress: Callable[[int, int], None] | None) -> Tally:
        """Read the whole file; what is new is on its way to the writer then, nothing is ended yet."""
        extraction, tally = self._extraction, self.tally
        places = sorted(extraction.mapping.places.items())
        salted = blake2b(repr(places).encode() + _FORMAT, digest_size=8)
        known, seen, fresh, batch = self._held.by_line.get, self._held.seen, self._fresh, self._batch
        read, watched, number = self._read, self._place_of_address >= 0, 1
        for raw in extraction.blocks():
            lines = list(map(bytes.strip, raw))
            for line, code in zip(lines, _digests(salted, lines), strict=True):
                number += 1
                place = known(code)
                if place is not None:
                    if seen[place]:
                        tally.repeated += 1
                        continue
                    seen[place] = 1
                elif not line:
                    continue
                elif code in fresh:
                    tally.repeated += 1
                    continue
                else:
                    try:
                        content = read(line)
                    except RowFaultError as fault:
                        self._fault(number, fault)
                        continue
                    fresh.add(code)
                    if content in batch:
                        tally.repeated += 1
                    else:
                        batch[content] = code
                    if len(batch) >= BATCH:
                        self._flush()
                if watched:
                    self._watch(line)
            if progress is not None:
                progress(extraction.read, extraction.size)
        self._flush()
        self._close()
        return tally

    def finish(self) -> None:
        """End what the file no longer has. The caller puts the import in use."""
        assert self._writes is not None
        lines = sorted(self._restated.items())
        self._writes.restate(self._kind.table, lines)
        self._writes.end(self._kind.table, self._gone)
        ended = array("i", sorted(self._sites.entries[place] for place in self._sites.unseen()))
        self._writes.end(site, ended)

    def _fault(self, number: int, fault: RowFaultError) -> None:
        self.tally.bad_count += 1
        if len(self.tally.bad) < KEPT_FAULTS:
            self.tally.bad.append((number, str(fault)))

    def _watch(self, line: bytes) -> None:
        """Count addresses that stand on several lines."""
        place, once = self._place_of_address, self._once
        address = line.split(b"|", place + 1)[place].strip().lower()
        known = hash(address)
        if known in once:
            text = address.decode("utf-8", "replace")
            self.tally.duplicates[text] = self.tally.duplicates.get(text, 1) + 1
        else:
            once.add(known)

    def _intern(self, content: tuple[Any, ...]) -> int:
        """The entry id of a site."""
        place = self._sites.by_line.get(content[0])
        if place is not None:
            self._sites.seen[place] = 1
            return self._sites.entries[place]
        entry = next(self._entries)
        self._new_sites.append((entry, self._begun.number, IN_USE, *content))
        return entry

    def _flush(self) -> None:
        """Sort what is new, leave out what is there already, and send the rest."""
        batch = self._batch
        same: dict[tuple[Any, ...], int] = {}
        before = self.tally.before
        if before and batch:
            anchors = list(dict.fromkeys(map(self._anchor, batch)))
            same = self._store.read(holding.same_rows, self._source, self._begun.replaces, anchors)
        number, entries, rows = self._begun.number, self._entries, []
        for content in sorted(batch):
            if same and (entry := same.get(content)) is not None:
                self._restated[entry] = batch[content]
                continue
            rows.append((next(entries), number, IN_USE, batch[content], *content))
            if before:  # only then can a row have changed
                self._keys.append(hash(self._key(content)))
            if len(self._samples) < _EXAMPLES:
                self._samples.append((hash(self._key(content)), " ".join(self._label(content))))
        self._added += len(rows)
        if self._writes is not None:
            self._new_sites.sort(key=itemgetter(5, 6, 4))  # SIRET, technical id, FINESS: three indexes
            self._writes.add(site, self._new_sites)
            self._writes.add(self._kind.table, rows)
        batch.clear()
        self._new_sites = []

    def _close(self) -> None:
        """What was not seen is gone, unless another line says the same; then count."""
        tally, held = self.tally, self._held
        restated, self._restated = self._restated, {}
        for place in held.unseen():
            entry = held.entries[place]
            if entry in restated:
                self._restated[entry] = restated[entry]
                held.seen[place] = 1
            else:
                self._gone.append(entry)
        site_seen = set(compress(held.sites, held.seen))
        tally.repeated += len(restated) - len(self._restated)
        for place, entry in enumerate(self._sites.entries):
            if entry in site_seen:
                self._sites.seen[place] = 1
        tally.rows = tally.before - len(self._gone) + self._added
        self._gone = array("i", sorted(self._gone))
        keys = self._store.read(holding.rows_of, self._source, self._kind.key, self._gone)
        left = Counter(hash(key) for key in keys)
        was = set(left)
        if left:
            for added in self._keys:
                if left.get(added, 0):
                    left[added] -= 1
                    tally.changed += 1
        tally.added, tally.gone = self._added - tally.changed, len(self._gone) - tally.changed
        tally.examples = [f"{'~' if key in was else '+'} {label}" for key, label in self._samples]
        some = self._gone[: 10 * _EXAMPLES]
        for values, label in zip(
            self._store.read(holding.rows_of, self._source, self._kind.key, some),
            self._store.read(holding.rows_of, self._source, self._kind.label, some),
            strict=True,
        ):
            if left.get(hash(values)) and len(tally.examples) < 2 * _EXAMPLES:
                tally.examples.append(f"- {' '.join(label)}")
