"""Campaigns of notices: many persons told by mail or letter, each with a provisional code.

A slice is written to the mailing file and synced first, then committed with the size that the file has. A run
that was interrupted begins by cutting the file to the last size committed: no code that counts is lost, no
row stands there that does not count, nobody is notified twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import structlog
from sqlalchemy import Connection, bindparam, func, select, update

import evidence
from patients.calendar import opens_at, today
from patients.clockwatch import not_behind, trust_clock
from patients.codes import NOTICE_CODE_MS, HashedCode, hashed_code, keep_codes, random_code
from patients.errors import CampaignError
from patients.history import Step, record_steps
from patients.mailing import COLUMNS, MailingFile, Source, csv_lines
from patients.persons import KEPT_FAULTS, BadPerson
from patients.tables import campaign, patient
from store import PasserelleError, Store, Tx, faults, new_id, now_ms, operation

Channel = Literal["email", "letter"]
#: Persons of one transaction.
SLICE: Final = 500
_TRAITS: Final = COLUMNS[: COLUMNS.index("code")]
_MOVED: Final = "patients.moved"

log = structlog.get_logger("patients")


class CampaignReport(msgspec.Struct):
    """What a run did; ``before`` were notified by earlier runs of the same campaign.

    ``skipped`` counts persons of the source by their state; those without a profile under ``unknown``.
    """

    campaign_id: int
    before: int = 0
    notified: int = 0
    skipped: dict[str, int] = msgspec.field(default_factory=dict)
    bad_count: int = 0
    bad: list[BadPerson] = msgspec.field(default_factory=list)


class Campaign(msgspec.Struct, frozen=True):
    """A campaign as it is kept: see ``patients.tables``. Times in ms."""

    campaign_id: int
    channel: Channel
    out: str
    source: str
    size: int
    reached: str
    notified: int
    started_at: int
    finished_at: int | None


class _Candidate(msgspec.Struct, frozen=True):
    reached: str
    ins: str
    others: list[str]


_columns: Final = [campaign.c[name] for name in Campaign.__struct_fields__]
_notify: Final = (
    update(patient)
    .where(patient.c.ins == bindparam("asked"))
    .values(state="notified", notified_at=bindparam("now"))
)


def campaigns(conn: Connection) -> list[Campaign]:
    """All campaigns, newest first."""
    rows = conn.execute(select(*_columns).order_by(campaign.c.campaign_id.desc()))
    return [Campaign(*row) for row in rows]


def run_campaign(
    store: Store,
    out: Path,
    *,
    channel: Channel,
    file: Path | None,
    actor: str,
    again: bool = False,
    code_ms: int = NOTICE_CODE_MS,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> CampaignReport:
    """Notify the persons of ``file`` (None: everyone in state ``known``) and write ``out``. Blocking.

    The same call after an interruption goes on where it stood.

    :param again: those who were notified before the campaign too; their six weeks start again.
    :param code_ms: how long the codes are good. :param force: trust a clock that is behind the last run.
    :param progress: called after each slice with (notified or skipped, of how many; 0: not known).

    Raises :class:`CampaignError` (``patients.mailing``, ``patients.campaign``), :class:`PersonsFileError`,
    :class:`ClockError`.
    """
    out = out.resolve()
    source = Source(file) if file is not None else None
    said = (f"sha256:{source.digest}" if source else "all") + (" again" if again else "")
    mailing = MailingFile(out, [*COLUMNS, *(source.others if source else [])])
    try:
        if force:
            store.write(trust_clock)
        running = _begin_or_resume(store, mailing, channel, said)
        if running is None:
            raise CampaignError("patients.mailing", f"{out.name} exists already: give another name")
        runner = _Runner(store, mailing, running, actor, again, code_ms)
        if running.reached != "end":
            runner.run(source, progress)
            mailing.finish()
            faults.point("campaign.renamed")
        store.write(finish_campaign, campaign_id=running.campaign_id)
    finally:
        mailing.close()
    report = runner.report
    log.info("campaign_done", channel=channel, before=report.before, notified=report.notified)
    return report


def _begin_or_resume(store: Store, mailing: MailingFile, channel: Channel, said: str) -> Campaign | None:
    """The campaign, its file in place; None when the file is there and no campaign of ours is writing it."""
    out = str(mailing.out)
    found = store.read(_unfinished, out)
    if found is None:
        if mailing.out.exists():
            mailing.leave()
            return None
        size = mailing.begin()
        return store.write(start_campaign, channel=channel, out=out, source=said, size=size)
    if (found.channel, found.source) != (channel, said):
        raise CampaignError(
            "patients.campaign",
            "an unfinished campaign writes this file from another source: end it first with the same options",
        )
    if mailing.out.exists() and mailing.out.stat().st_size == found.size:
        mailing.leave()  # killed between the renaming and its commit
        return msgspec.structs.replace(found, reached="end")
    mailing.resume(found.size)
    return found


def _unfinished(conn: Connection, out: str) -> Campaign | None:
    statement = select(*_columns).where(campaign.c.out == out, campaign.c.finished_at.is_(None))
    row = conn.execute(statement).one_or_none()
    return Campaign(*row) if row else None


class _Runner:
    """One run of a campaign."""

    def __init__(
        self, store: Store, mailing: MailingFile, running: Campaign, actor: str, again: bool, code_ms: int
    ) -> None:
        self._store = store
        self._mailing = mailing
        self._campaign = running
        self._size = running.size
        self._actor = actor
        self._again = again
        self._code_ms = code_ms
        self.report = CampaignReport(campaign_id=running.campaign_id, before=running.notified)

    def run(self, source: Source | None, progress: Callable[[int, int], None] | None) -> None:
        total = 0 if source else self._store.read(_count_known)
        done = 0
        for candidates in self._slices(source):
            done += len(candidates)
            while not self._notified(candidates):
                pass  # somebody activated or objected meanwhile: look at the slice again
            if progress is not None:
                progress(done, max(total, done))

    def _slices(self, source: Source | None) -> Iterator[list[_Candidate]]:
        if source is None:
            reached = self._campaign.reached
            while page := self._store.read(_page, reached, self._again):
                yield [_Candidate(ins, ins, []) for ins in page]
                reached = page[-1]
            return
        held: dict[str, _Candidate] = {}
        for line, ins, others, fault in source.rows(int(self._campaign.reached or 0)):
            if fault:
                self.report.bad_count += 1
                if len(self.report.bad) < KEPT_FAULTS:
                    self.report.bad.append(BadPerson(line, fault))
                continue
            if ins in held:
                self._skip("twice in the source", 1)
                continue
            held[ins] = _Candidate(str(line), ins, others)
            if len(held) >= SLICE:
                yield list(held.values())
                held.clear()
        if held:
            yield list(held.values())

    def _skip(self, why: str, many: int) -> None:
        if many:
            self.report.skipped[why] = self.report.skipped.get(why, 0) + many

    def _notified(self, candidates: list[_Candidate]) -> bool:
        """Whether the slice is done; false when a person of it changed state in between."""
        rows = self._store.read(_persons, [one.ins for one in candidates])
        skipped: dict[str, int] = {}
        lines, codes = [], []
        now = now_ms()
        until, opens = str(today(now + self._code_ms)), str(today(opens_at(now)))
        for one in candidates:
            row = rows.get(one.ins)
            state = row["state"] if row else "unknown"
            if row is None or not _may_notify(
                state, row["notified_at"], self._campaign.started_at, self._again
            ):
                skipped[state] = skipped.get(state, 0) + 1
                continue
            code = random_code()
            codes.append(HashedCode(one.ins, hashed_code(self._store.home, one.ins, code)))
            lines.append([*(row[name] for name in _TRAITS), code, until, opens, *one.others])
        if codes:
            size = self._mailing.add(csv_lines(lines))
            faults.point("campaign.written")
            try:
                self._store.write(
                    notify_slice,
                    campaign_id=self._campaign.campaign_id,
                    codes=codes,
                    size=size,
                    expected=self._size,
                    reached=candidates[-1].reached,
                    code_ms=self._code_ms,
                    again=self._again,
                    actor=self._actor,
                )
            except PasserelleError as error:
                self._mailing.cut(self._size)
                if error.rule == _MOVED:
                    return False
                raise
            faults.point("campaign.committed")
            self._size = size
            self.report.notified += len(codes)
        for why, many in skipped.items():
            self._skip(why, many)
        return True


def _may_notify(state: str, notified_at: int | None, started_at: int, again: bool) -> bool:
    if state == "notified":  # by this campaign already, or before it
        return again and (notified_at or 0) < started_at
    return state == "known"


def _count_known(conn: Connection) -> int:
    return conn.scalar(select(func.count()).where(patient.c.state == "known")) or 0


def _page(conn: Connection, reached: str, again: bool) -> list[str]:
    states = ["known", "notified"] if again else ["known"]
    # In the order of the primary key: an index of states would have every page sort all that is left.
    in_state = func.coalesce(patient.c.state, "").in_(states)
    statement = select(patient.c.ins).where(patient.c.ins > reached, in_state)
    return list(conn.execute(statement.order_by(patient.c.ins).limit(SLICE)).scalars())


def _persons(conn: Connection, wanted: list[str]) -> dict[str, dict[str, Any]]:
    columns = [patient.c[name] for name in (*_TRAITS, "state", "notified_at")]
    rows = conn.execute(select(*columns).where(patient.c.ins.in_(wanted)))
    return {row.ins: dict(row._mapping) for row in rows}


@operation("patients.start_campaign")
def start_campaign(tx: Tx, *, channel: Channel, out: str, source: str, size: int) -> Campaign:
    """Begin a campaign whose mailing file has its header, ``size`` octets."""
    not_behind(tx)
    begun = Campaign(new_id(), channel, out, source, size, "", 0, tx.now, None)
    tx.conn.execute(campaign.insert().values(**msgspec.structs.asdict(begun)))
    return begun


@operation("patients.notify_slice")
def notify_slice(
    tx: Tx,
    *,
    campaign_id: int,
    codes: list[HashedCode],
    size: int,
    expected: int,
    reached: str,
    code_ms: int,
    again: bool,
    actor: str,
) -> None:
    """Notify the persons of a slice (all or none), keep their codes, and note how long the file is now.

    Raises :class:`CampaignError`: ``patients.moved`` when one of them is not to be notified any more,
    ``patients.campaign`` when the campaign is not where the caller thinks.
    """
    evidence.hold(tx)
    not_behind(tx)
    row = tx.conn.execute(select(*_columns).where(campaign.c.campaign_id == campaign_id)).one()
    running = Campaign(*row)
    if running.size != expected or running.finished_at is not None:
        raise CampaignError("patients.campaign", "this campaign was carried on by another process")
    wanted = [code.ins for code in codes]
    held = _persons(tx.conn, wanted)
    for ins in wanted:
        person = held.get(ins)
        if person is None or not _may_notify(
            person["state"], person["notified_at"], running.started_at, again
        ):
            raise CampaignError(_MOVED, "a person of this slice changed state meanwhile")
    tx.conn.execute(_notify, [{"asked": ins, "now": tx.now} for ins in wanted])
    steps = [Step(ins, held[ins]["state"], "notified") for ins in wanted]
    record_steps(tx, "notify", steps, actor, f"campaign {campaign_id} by {running.channel}")
    keep_codes(tx, codes, code_ms)
    tx.conn.execute(
        update(campaign)
        .where(campaign.c.campaign_id == campaign_id)
        .values(size=size, reached=reached, notified=campaign.c.notified + len(codes))
    )


@operation("patients.finish_campaign")
def finish_campaign(tx: Tx, *, campaign_id: int) -> None:
    """Note that a campaign's mailing file has its name."""
    tx.conn.execute(update(campaign).where(campaign.c.campaign_id == campaign_id).values(finished_at=tx.now))
