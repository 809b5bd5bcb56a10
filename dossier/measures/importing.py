"""Many measures at once, from CSV and to CSV: what a device or another store gives, row by row.

Columns, with a header in any order, ``;`` or ``,`` between: ``kind`` (a code, or its name in French or
English), ``taken_at`` (:func:`dossier.measures.moments.parse`; or ``date`` and ``time``), ``value`` (as
people type it), ``unit``, and optionally ``context`` and ``note``. UTF-8. A bad row is told by its line and
left out; a measure on record already, removed or not, is not added again, so that a file can be given twice.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import IO, Final, Literal, cast, get_args

import msgspec
from sqlalchemy import Connection

import activity
from activity import Actor
from dossier import rights
from dossier.cells import quoted, unquoted
from dossier.measures import moments, words
from dossier.measures.errors import MeasureError
from dossier.measures.keeping import Draft, birth_date_of, busy, change, draft, rows_held, sealed
from dossier.measures.kinds import INFO, KINDS, Context, Kind, KindInfo
from dossier.measures.model import Measure
from dossier.measures.moments import Moment
from dossier.measures.parsing import parse
from dossier.measures.reading import everything
from patients import rows_below
from store import Store, now_ms

CHUNK: Final = 1_000
MAX_LINE: Final = 8_192
MOST_ROWS: Final = 200_000
KEPT_FAULTS: Final = 200
_TRIES: Final = 5
COLUMNS: Final = ("kind", "taken_at", "value", "unit", "context", "note")
_HEADERS: Final = {
    "type": "kind",
    "mesure": "kind",
    "valeur": "value",
    "unité": "unit",
    "unite": "unit",
    "heure": "time",
    "contexte": "context",
    "précision": "context",
}
_Key = tuple[Kind, int | str, tuple[Fraction, ...]]


class BadMeasure(msgspec.Struct, frozen=True):
    """A row left out: its line (the header is line 1), the rule, and why in both languages, without what it
    said."""

    line: int
    rule: str
    french: str
    english: str


class Imported(msgspec.Struct):
    """What an import did. ``known``: on record already; ``unusual``: of those added."""

    added: int = 0
    known: int = 0
    unusual: int = 0
    bad_count: int = 0
    bad: list[BadMeasure] = msgspec.field(default_factory=list)


def import_measures(
    store: Store,
    box_id: int,
    actor: Actor,
    file: IO[bytes],
    *,
    zone: str = moments.PARIS,
    dry_run: bool = False,
) -> Imported:
    """Keep the measures of a CSV file; times without an offset are of the clocks of ``zone``. Blocking.

    Each thousand rows are kept with one entry ``measures_imported``: interrupted, it is simply run again. An
    operator imports at the patient's request. Raises :class:`dossier.rights.RightsError`;
    :class:`MeasureError` ``measure.file`` (no usable header, too long), ``measure.busy``.
    """
    action: Literal["write_measures", "import"] = "import" if actor.by == "operator" else "write_measures"
    rights.require(store, box_id, actor, action, what="measures_imported")
    work = _Import(store, box_id, actor, action, dry_run)
    born, now = store.read(birth_date_of, box_id), now_ms()
    for line, cells in _rows(file):
        if line > MOST_ROWS:
            raise _bad_file(f"plus de {MOST_ROWS} lignes", f"more than {MOST_ROWS} lines")
        if isinstance(cells, str):
            work.bad(
                line, MeasureError("measure.file", "La ligne n'est pas lisible.", f"The line is {cells}.")
            )
            continue
        try:
            work.take(_draft(cells, zone, born, now))
        except MeasureError as error:
            work.bad(line, error)
    work.flush()
    return work.report


class _Import:
    """One file's worth of rows on their way into a box."""

    def __init__(
        self,
        store: Store,
        box_id: int,
        actor: Actor,
        action: Literal["write_measures", "import"],
        dry_run: bool,
    ) -> None:
        self._store, self._box_id, self._actor, self._action = store, box_id, actor, action
        self._dry_run = dry_run
        self._waiting: dict[_Key, Draft] = {}
        self._held, self._seen = store.read(_known, store, box_id)
        self.report = Imported()

    def bad(self, line: int, error: MeasureError) -> None:
        self.report.bad_count += 1
        if len(self.report.bad) < KEPT_FAULTS:
            self.report.bad.append(BadMeasure(line, error.rule, error.french, error.english))

    def take(self, judged: Draft) -> None:
        key = _key(judged.quantity.kind, judged.moment, judged.quantity.canonical)
        if key in self._held or key in self._waiting:
            self.report.known += 1
            return
        self._waiting[key] = judged
        if len(self._waiting) >= CHUNK:
            self.flush()

    def flush(self) -> None:
        """Write what waits; what somebody else adds at the same time is not added again."""
        for _ in range(_TRIES):
            if not self._waiting or self._dry_run or self._written():
                self.report.added += len(self._waiting)
                self.report.unusual += sum(one.unusual for one in self._waiting.values())
                self._held |= self._waiting.keys()
                self._waiting = {}
                return
            self._held, self._seen = self._store.read(_known, self._store, self._box_id)
            self.report.known += len(self._waiting.keys() & self._held)
            self._waiting = {key: one for key, one in self._waiting.items() if key not in self._held}
        raise busy()

    def _written(self) -> bool:
        sealer = self._store.sealer(self._box_id)
        new = [sealed(sealer, self._actor, one) for one in self._waiting.values()]
        what: Final = "measures_imported"
        more = {"count": str(len(new))}
        entry = activity.entry(self._store, self._box_id, self._actor, what, kind="measure", more=more)
        outcome = self._store.write(
            change,
            box_id=self._box_id,
            actor=self._actor,
            action=self._action,
            new=new,
            ended=[],
            entries=[entry],
            seen=self._seen,
        )
        if outcome == "refused":
            rights.require(self._store, self._box_id, self._actor, self._action, what=what)
        if outcome == "done":
            self._seen += len(new)
        return outcome == "done"


def _known(conn: Connection, store: Store, box_id: int) -> tuple[set[_Key], int]:
    """What a box has, removed too, and how many rows that is."""
    found = everything(conn, store, box_id, history=True)
    keys = {_key(one.kind, one.moment, one.quantity.canonical) for one in found}
    return keys, rows_held(conn, box_id)


def _key(kind: Kind, moment: Moment, numbers: tuple[Fraction, ...]) -> _Key:
    """A day alone is that day, wherever it was noted: a file does not say in which zone."""
    return kind, moment.iso if moment.day_only else moment.at, numbers


# -- rows -----------------------------------------------------------------------------------------


def _rows(file: IO[bytes]) -> Iterator[tuple[int, dict[str, str] | str]]:
    """Raises :class:`MeasureError` ``measure.file``."""
    first = file.readline(MAX_LINE).removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").strip()
    separator = ";" if ";" in first else ","
    header = [name.strip().casefold() for name in next(csv.reader([first], delimiter=separator), [])]
    names = [_HEADERS.get(name, name) for name in header]
    if len(set(names)) != len(names) or not {"kind", "value"} <= set(names):
        raise _bad_file(
            "colonnes attendues : kind, taken_at, value, unit", "columns wanted: kind, taken_at, value, unit"
        )
    if not {"taken_at", "date"} & set(names):
        raise _bad_file("il manque la colonne taken_at ou date", "the column taken_at or date is missing")
    wanted = {*COLUMNS, "date", "time"}
    places = {name: place for place, name in enumerate(names) if name in wanted}
    return rows_below(file, places, len(names), separator=separator, longest=MAX_LINE)


def _draft(cells: dict[str, str], zone: str, born: str, now: int) -> Draft:
    kind = kind_named(cells["kind"])
    when = cells.get("taken_at") or f"{cells.get('date', '')} {cells.get('time', '')}"
    return draft(
        parse(kind, f"{cells['value']} {_symbol(INFO[kind], cells.get('unit', ''))}"),
        moments.parse(when, zone),
        born,
        context=_context(cells.get("context", "")),
        note=unquoted(cells.get("note", "")),
        now=now,
    )


def kind_named(text: str) -> Kind:
    """The kind of a code or a name in French or English, in any case. Raises :class:`MeasureError`
    ``measure.shape``."""
    wanted = text.strip().casefold()
    for kind in KINDS:
        info = INFO[kind]
        if wanted in (kind, info.french.casefold(), info.english.casefold()):
            return kind
    raise MeasureError(
        "measure.shape",
        "Ce type de mesure n'est pas connu.",
        "This kind of measure is not known.",
    )


def _symbol(info: KindInfo, text: str) -> str:
    """A UCUM code as people write the unit; anything else as it is."""
    return next((unit.symbol for unit in info.units if unit.code == text.strip()), text)


def _context(text: str) -> Context:
    wanted = text.strip().casefold()
    for code in get_args(Context):
        if wanted in (code, words.context(code, "fr"), words.context(code, "en")):
            return cast(Context, code)
    raise MeasureError(
        "measure.context",
        "Cette précision n'est pas connue : à jeun, après un repas, ou rien.",
        "This detail is not known: fasting, after a meal, or nothing.",
    )


def _unreadable(why: str) -> MeasureError:
    return MeasureError("measure.file", "La ligne n'est pas lisible.", f"The line cannot be read: {why}.")


def _bad_file(french: str, english: str) -> MeasureError:
    return MeasureError("measure.file", f"Fichier de mesures : {french}.", f"File of measures: {english}.")


# -- the way out ----------------------------------------------------------------------------------


def to_csv(measures: Iterable[Measure]) -> str:
    """Measures as :func:`import_measures` reads them back: values, units and clocks as entered.

    A note that a spreadsheet would run as a formula has a quote before it, which the import takes away."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in measures:
        entered = one.quantity
        writer.writerow(
            (one.kind, one.moment.iso, "/".join(entered.numbers), entered.unit, one.context, quoted(one.note))
        )
    return out.getvalue()
