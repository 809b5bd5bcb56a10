"""A file against what is in use: which lines are known, which are new, and what the file no longer has.

A line is known by the digest of its octets, before it is taken apart: of a daily file one line in a
hundred is read further. A line that is new may still say what a row says already (a column that we do not
keep has changed): such a row stays, and only its line's digest is noted.
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
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
BATCH: Final = 100_000
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
        self._batch: list[tuple[tuple[Any, ...], int]] = []
        self._new_sites: list[tuple[Any, ...]] = []
        self._added = 0
        self._keys = array("q")  # of the rows added, where others were in use before
        self._restated: dict[int, int] = {}
        self._gone = array("i")
        self._samples: list[tuple[int, str]] = []
        self.tally.before = len(self._held.digests)

    def _reader(self) -> Callable[[list[str]], tuple[Any, ...]]:
        mapping = self._extraction.mapping
        if self._source == "activities":
            return ActivityReader(mapping, self._intern)
        if self._source in ("cards", "skills"):
            parse: Callable[..., Any] = parse_card if self._source == "cards" else parse_skill
            return lambda cells: msgspec.structs.astuple(parse(mapping, cells))[:-1]
        return MailboxReader(mapping, self._source)

    def run(self, progress: Callable[[int, int], None] | None) -> Tally:
        """Read the whole file; what is new is on its way to the writer then, nothing is ended yet."""
        extraction, tally = self._extraction, self.tally
        salt = blake2b(repr(sorted(extraction.mapping.places.items())).encode() + _FORMAT, digest_size=16)
        person = salt.digest()
        digests, seen, sites, site_seen = self._held.digests, self._held.seen, self._held.sites, set[int]()
        count, fresh, number = len(digests), self._fresh, 1
        place_of_address = extraction.mapping.places["address"] if self._kind.anchor == "address" else -1
        once: set[int] = set()
        for lines in extraction.blocks():
            for raw in lines:
                number += 1
                line = raw.strip()
                if not line:
                    continue
                code = int.from_bytes(
                    blake2b(line, digest_size=8, person=person).digest(), "big", signed=True
                )
                place = bisect_left(digests, code)
                if place < count and digests[place] == code:
                    if seen[place]:
                        tally.repeated += 1
                        continue
                    seen[place] = 1
                    if sites:
                        site_seen.add(sites[place])
                elif code in fresh:
                    tally.repeated += 1
                    continue
                elif not self._take(number, line, code):
                    continue
                if place_of_address >= 0:
                    self._watch(line.split(b"|", place_of_address + 1)[place_of_address], once)
            if progress is not None:
                progress(extraction.read, extraction.size)
        self._flush()
        self._close(site_seen)
        return tally

    def finish(self) -> None:
        """End what the file no longer has. The caller puts the import in use."""
        assert self._writes is not None
        lines = sorted(self._restated.items())
        self._writes.restate(self._kind.table, lines)
        self._writes.end(self._kind.table, self._gone)
        ended = array("i", sorted(self._sites.entries[place] for place in self._sites.unseen()))
        self._writes.end(site, ended)

    def _take(self, number: int, line: bytes, code: int) -> bool:
        try:
            content = self._read(self._extraction.cells(line))
        except RowFaultError as fault:
            self.tally.bad_count += 1
            if len(self.tally.bad) < KEPT_FAULTS:
                self.tally.bad.append((number, str(fault)))
            return False
        self._fresh.add(code)
        self._batch.append((content, code))
        if len(self._batch) >= BATCH:
            self._flush()
        return True

    def _watch(self, address: bytes, once: set[int]) -> None:
        """Count addresses that stand on several lines."""
        address = address.strip().lower()
        known = hash(address)
        if known in once:
            text = address.decode("utf-8", "replace")
            self.tally.duplicates[text] = self.tally.duplicates.get(text, 1) + 1
        else:
            once.add(known)

    def _intern(self, content: tuple[Any, ...]) -> int:
        """The entry id of a site."""
        place = self._sites.place(content[0])
        if place >= 0:
            self._sites.seen[place] = 1
            return self._sites.entries[place]
        entry = next(self._entries)
        self._new_sites.append((entry, self._begun.number, IN_USE, *content))
        return entry

    def _flush(self) -> None:
        """Sort what is new, leave out what is there already, and send the rest."""
        batch = self._batch
        batch.sort()
        same: dict[tuple[Any, ...], int] = {}
        if self._held.digests and batch:
            anchors = list(dict.fromkeys(self._anchor(content) for content, _ in batch))
            same = self._store.read(holding.same_rows, self._source, self._begun.replaces, anchors)
        number, before, rows = self._begun.number, self.tally.before, []
        previous: tuple[Any, ...] = ()
        for content, code in batch:
            if content == previous:
                self.tally.repeated += 1
                continue
            previous = content
            if same and (entry := same.get(content)) is not None:
                self._restated[entry] = code
                continue
            rows.append((next(self._entries), number, IN_USE, code, *content))
            self._added += 1
            if before:  # only then can a row have changed
                self._keys.append(hash(self._key(content)))
            if len(self._samples) < _EXAMPLES:
                self._samples.append((hash(self._key(content)), " ".join(self._label(content))))
        if self._writes is not None:
            self._new_sites.sort(key=itemgetter(5, 6, 4))  # SIRET, technical id, FINESS: three indexes
            self._writes.add(site, self._new_sites)
            self._writes.add(self._kind.table, rows)
        self._batch, self._new_sites = [], []

    def _close(self, site_seen: set[int]) -> None:
        """What was not seen is gone, unless another line says the same; then count."""
        tally, held = self.tally, self._held
        restated, self._restated = self._restated, {}
        for place in held.unseen():
            entry = held.entries[place]
            if entry in restated:
                self._restated[entry] = restated[entry]
                if held.sites:
                    site_seen.add(held.sites[place])
            else:
                self._gone.append(entry)
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
