"""Bringing the directory up to date from the API: search what changed, stage it, apply it in one step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
import structlog
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from annuaire.fhir import ops
from annuaire.fhir.client import ExpiredError, FhirClient, Page
from annuaire.fhir.directory import SOURCE, Change, Increment, Key, key_of
from annuaire.fhir.errors import FhirError
from annuaire.fhir.mapping import Holder, Seen, holder_of, read_resource, see
from annuaire.fhir.model import KINDS, Kind, PractitionerRole, Resource
from annuaire.fhir.tables import is_staged, resource
from annuaire.refresh import refreshed
from annuaire.rows import MailboxRow, RowFaultError
from annuaire.tables import current, generation
from store import PasserelleError, Store, new_id, now_ms

DAY_MS: Final = 86_400_000
#: The API keeps changes for 30 days; a mark older than this misses some.
MARK_MS: Final = 28 * DAY_MS
#: Changes become visible out of order: each search begins a little before the mark.
OVERLAP_MS: Final = 600_000
#: An extraction is made every day; when it is imported it may be some days old.
EXTRACTION_MS: Final = 3 * DAY_MS
#: An unfinished search older than this is begun anew.
RESUME_MS: Final = DAY_MS
KEPT_FAULTS: Final = 50
SMALLEST_SHARE: Final = 0.8
SHRINK_FLOOR: Final = 1_000
#: Resources that are handed to the directory in one transaction.
_SLICE: Final = 200

_log = structlog.get_logger("annuaire")
_rows: Final = msgspec.json.Decoder(list[MailboxRow])
_holder: Final = msgspec.json.Decoder(Holder)


class FhirReport(msgspec.Struct, kw_only=True):
    """What a synchronisation did.

    :param resources: how many the searches gave, by kind; ``faults``: why some were left out (all counted in
        ``bad``); ``red``: mailboxes on the red list among them.
    :param added: mailbox rows that the directory did not have; ``changed`` and ``gone`` likewise.
    """

    whole: bool
    resumed: bool = False
    pages: int = 0
    resources: dict[str, int] = {}
    bad: int = 0
    faults: list[str] = []
    red: int = 0
    added: int = 0
    changed: int = 0
    gone: int = 0


#: Called with (pages so far, 0: nobody knows how many there will be) after each page.
Progress = Callable[[int, int], None]


def sync_fhir(
    store: Store,
    client: FhirClient,
    *,
    whole: bool = False,
    accept_shrink: bool = False,
    progress: Progress | None = None,
) -> FhirReport:
    """Search what changed since the last time and apply it to the directory. Blocking.

    The first time, that is since shortly before the extraction in use was made.

    :param whole: ask for every mailbox instead, and take away what is not there any more.

    The attempt is written down (:func:`annuaire.refresh.refresh_state`). What was staged before a failure is
    kept, and the next call goes on from there.

    Raises :class:`FhirError`, or another :class:`PasserelleError`; the directory is then as it was.
    """
    try:
        report = _Run(store, client, progress, whole=whole).run(accept_shrink)
    except PasserelleError as error:
        failures = store.write(refreshed, source="fhir", rule=error.rule, reason=error.log)
        _log.warning("fhir_failed", rule=error.rule, reason=error.log, failures=failures)
        raise
    store.write(refreshed, source="fhir", rule="", reason="")
    _log.info("fhir_applied", added=report.added, changed=report.changed, gone=report.gone, bad=report.bad)
    return report


class _Run:
    """One synchronisation."""

    def __init__(self, store: Store, client: FhirClient, progress: Progress | None, *, whole: bool) -> None:
        self._store = store
        self._client = client
        self._progress = progress
        self._report = FhirReport(whole=whole)
        self._searches = self._begin(whole)

    def _begin(self, whole: bool) -> dict[str, ops.Search]:
        held = self._store.read(ops.searches)
        runs = {one.run for one in held.values()}
        run = runs.pop() if len(runs) == 1 else 0
        fresh = all(
            one.done or not one.begun_at or now_ms() - one.begun_at < RESUME_MS for one in held.values()
        )
        if run and fresh and {one.whole for one in held.values()} == {whole}:
            self._report.resumed = True
            return held
        loaded = self._store.read(_extraction_date)
        marks = {kind: one.mark or loaded for kind, one in held.items()}
        oldest = min(marks.values())
        if not whole and now_ms() - oldest > MARK_MS:
            raise FhirError(
                "fhir.mark",
                "the API keeps changes for 30 days only: import an extraction first, or ask for everything",
            )
        self._store.write(ops.begin, run=new_id(), whole=whole, marks=marks)
        return self._store.read(ops.searches)

    def run(self, accept_shrink: bool) -> FhirReport:
        run = next(iter(self._searches.values())).run
        for kind in KINDS:
            if not self._searches[kind].done:
                self._search(kind)
        self._apply(run, accept_shrink)
        marks = {kind: _mark(one) for kind, one in self._store.read(ops.searches).items()}
        self._store.write(ops.finish, run=run, marks=marks)
        return self._report

    # -- searching

    def _search(self, kind: Kind) -> None:
        held = self._searches[kind]
        if held.next_url:
            try:
                self._pages(held, held.next_url)
            except ExpiredError:
                self._store.write(ops.restart, kind=kind, run=held.run)
                held = self._store.read(ops.searches)[kind]
            else:
                return
        self._pages(held, self._client.search(kind, _parameters(held)))

    def _pages(self, held: ops.Search, url: str) -> None:
        begun, highest = held.begun_at, held.highest
        for page in self._client.pages(url):
            begun = begun or page.date
            found = list(self._read(held.kind, page))
            highest = max([highest, *(one.updated_at for one in found)])
            self._store.write(
                ops.stage,
                kind=held.kind,
                run=held.run,
                found=[_staged(one) for one in found],
                next_url=page.next,
                begun_at=begun,
                highest=highest,
            )
            self._report.pages += 1
            if self._progress is not None:
                self._progress(self._report.pages, 0)

    def _read(self, kind: str, page: Page) -> Iterator[Seen]:
        matches: list[Resource] = []
        holders: dict[str, Holder] = {}
        for entry in page.entries:
            try:
                one = read_resource(bytes(entry.resource))
                if entry.search.mode == "match" and one.resource_type == kind:
                    matches.append(one)
                elif entry.search.mode == "include" and one.active and one.identifier:
                    holders[f"{one.resource_type}/{one.id}"] = holder_of(one)
            except RowFaultError as fault:
                self._fault(kind, "", fault)
        wanted = _references(matches) - holders.keys()
        if wanted:
            holders.update(self._store.read(_known_holders, wanted))
        self._report.resources[kind] = self._report.resources.get(kind, 0) + len(matches)
        for one in matches:
            try:
                seen = see(one, holders)
            except RowFaultError as fault:
                self._fault(kind, one.id, fault)
                continue
            self._report.red += sum(row.red_list for row in seen.rows)
            for text in seen.faults:
                self._fault(kind, one.id, RowFaultError(text))
            yield seen

    def _fault(self, kind: str, which: str, fault: RowFaultError) -> None:
        self._report.bad += 1
        if len(self._report.faults) < KEPT_FAULTS:
            self._report.faults.append(f"{kind} {which}: {fault}" if which else f"{kind}: {fault}")

    # -- what it means for the directory

    def _apply(self, run: int, accept_shrink: bool) -> None:
        """Hand what was staged to the directory, a slice at a time; it is in use only when all is there."""
        if self._report.whole:
            self._store.write(ops.absent, run=run)
            known, going = self._store.read(_balance)
            if going > max(SHRINK_FLOOR, (1 - SMALLEST_SHARE) * known) and not accept_shrink:
                raise FhirError(
                    "fhir.shrunk",
                    f"{going} of {known} resources would lose their mailboxes; accept it explicitly if so",
                )
        increment = Increment(self._store)
        try:
            after = ("", "")
            while staged := self._store.read(_staged_slice, after):
                increment.add(self._store.read(_changes, staged))
                after = staged[-1].kind, staged[-1].id
            counts = increment.apply()
        except BaseException:
            increment.give_up()
            raise
        self._report.added, self._report.changed = counts.added, counts.changed
        self._report.gone = counts.gone


class _Staged(msgspec.Struct, frozen=True):
    """A resource whose rows are about to change."""

    kind: str
    id: str
    rows: str
    staged: str
    gone: bool
    id_nat: str
    struct_id: str


def _extraction_date(conn: Connection) -> int:
    """A moment before the extraction in use was made (ms); 0 without one."""
    used = select(generation.c.started_at).join(
        current,
        and_(current.c.source == generation.c.source, current.c.generation == generation.c.generation),
    )
    started = conn.scalar(used.where(generation.c.source == SOURCE))
    return started - EXTRACTION_MS if started else 0


def _parameters(held: ops.Search) -> list[tuple[str, str]]:
    # Changes are asked for without a filter: a resource that lost its mailbox, or was deleted, has none.
    if held.whole:
        found = [("mailbox-mss:contains", "@")]
    else:
        since = datetime.fromtimestamp((held.mark - OVERLAP_MS) // 1000, UTC)
        found = [("_lastUpdated", f"ge{since:%Y-%m-%dT%H:%M:%SZ}")]
    if held.kind == "PractitionerRole":
        found += [("_include", f"PractitionerRole:{one}") for one in ("practitioner", "organization")]
    return found


def _mark(held: ops.Search) -> int:
    """Up to when everything is applied: the newest change seen, but nothing after the search began."""
    if held.whole:
        return held.begun_at or held.mark
    return max(held.mark, min(held.highest, held.begun_at))


def _references(matches: Iterable[Resource]) -> set[str]:
    roles = [one for one in matches if isinstance(one, PractitionerRole) and one.active]
    named = {one.practitioner.reference for one in roles} | {one.organization.reference for one in roles}
    return named - {""}


def _known_holders(conn: Connection, references: set[str]) -> dict[str, Holder]:
    found: dict[str, Holder] = {}
    for reference in references:
        kind, _, which = reference.rpartition("/")
        held = conn.scalar(
            select(resource.c.holder).where(
                resource.c.kind == kind, resource.c.id == which, resource.c.gone.is_(False)
            )
        )
        if held:
            found[reference] = _holder.decode(held)
    return found


def _staged_slice(conn: Connection, after: tuple[str, str]) -> list[_Staged]:
    """The next resources, after (kind, id), that have something to say to the directory."""
    table = resource.c
    rows = conn.execute(
        select(table.kind, table.id, table.rows, table.staged, table.gone, table.id_nat, table.struct_id)
        .where(
            is_staged,
            or_(table.kind > after[0], and_(table.kind == after[0], table.id > after[1])),
        )
        .order_by(table.kind, table.id)
        .limit(_SLICE)
    )
    return [_Staged(*row) for row in rows]


def _balance(conn: Connection) -> tuple[int, int]:
    """How many resources have mailboxes, and how many of them are about to have none."""
    table = resource.c
    held = select(func.count()).select_from(resource).where(table.rows != ops.NOTHING)
    known, going = conn.scalar(held), conn.scalar(held.where(table.staged == ops.NOTHING))
    return int(known or 0), int(going or 0)


def _changes(conn: Connection, staged: Sequence[_Staged]) -> Change:
    """What a slice of staged resources means for the directory."""
    rows: dict[tuple[object, ...], MailboxRow] = {}
    lost: set[Key] = set()
    holders: dict[tuple[str, str], list[str]] = {}
    for one in staged:
        before, after = _rows.decode(one.rows), _rows.decode(one.staged)
        rows.update({(*key_of(row), row.kind, row.service): row for row in after})
        lost |= {key_of(row) for row in before} - {key_of(row) for row in after}
        first = one.rows == ops.NOTHING and not one.gone and one.kind != "PractitionerRole"
        if first and _has_holder(one) and not _others(conn, one):
            # Seen for the first time: it says all of what its holder has; nobody else speaks of him.
            holders[one.id_nat, one.struct_id] = [row.address for row in after]
    if lost:
        known = [one for one in staged if _has_holder(one)]
        lost -= {key_of(row) for one in known for row in _given_by_others(conn, one)}
    return Change(list(rows.values()), sorted(lost), holders)


def _has_holder(one: _Staged) -> bool:
    return bool(one.id_nat or one.struct_id)


def _others(conn: Connection, one: _Staged) -> bool:
    statement = select(resource.c.id).where(_same_holder(one), resource.c.gone.is_(False)).limit(1)
    return conn.execute(statement).first() is not None


def _given_by_others(conn: Connection, one: _Staged) -> Iterator[MailboxRow]:
    """What the other resources of the same holder give, or are about to give."""
    for held, staged in conn.execute(select(resource.c.rows, resource.c.staged).where(_same_holder(one))):
        yield from _rows.decode(staged or held)


def _same_holder(one: _Staged) -> ColumnElement[bool]:
    table = resource.c
    other = or_(table.kind != one.kind, table.id != one.id)
    return and_(table.id_nat == one.id_nat, table.struct_id == one.struct_id, other)


def _staged(seen: Seen) -> ops.Found:
    return ops.Found(
        id=seen.id,
        gone=seen.gone,
        id_nat=seen.holder.id_nat,
        struct_id=seen.holder.struct_id,
        holder=msgspec.json.encode(seen.holder).decode(),
        rows=msgspec.json.encode(seen.rows).decode(),
        updated_at=seen.updated_at,
    )
