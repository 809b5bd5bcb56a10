"""Tells patients, and who represents a minor, by e-mail that something happened; without any content.

Invariants: what is news is derived from the chain of evidence beyond a mark, so that nothing is added where
messages and documents come in; what is kept from a person makes no notice; see :mod:`activity.notices` for
what holds when processes die or are several.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection

import activity
import evidence
import patients
from activity import OTHERS, Asked, Cadence, News, Notice, Outcome
from gateway.notice_texts import SUBJECT, Told, text
from gateway.settings import Settings
from gateway.signin import code_sender
from store import PasserelleError, Store, StoreError, faults, mail, now_ms

log = structlog.get_logger("notices")

#: Records of evidence that are looked through in one step, and notices that are claimed in one.
SLICE: Final = 1000
CLAIMED: Final = 40
AT_ONCE: Final = 8
LEASE_MS: Final = 600_000
_MINUTE_MS: Final = 60_000
_details: Final = msgspec.json.Decoder(dict[str, str])


class Letter(msgspec.Struct, frozen=True):
    """A notice as it stands just before it is sent; ``outcome`` is "sent" when there is something to send."""

    outcome: Outcome
    to: str = ""
    told: Told = Told()
    quota_level: int = 0


def cadence_of(settings: Settings) -> Cadence:
    """The part of the settings that says when somebody is told."""
    wanted = settings.notices
    return Cadence(
        quiet_ms=wanted.quiet_minutes * _MINUTE_MS,
        between_ms=wanted.hours_between * 60 * _MINUTE_MS,
        hour=wanted.hour,
    )


class Notices:
    """The notices of one home's back. ``owner`` names it, also after it was killed.

    :raises SettingsError: a file that the settings name cannot be read.
    """

    def __init__(self, home: Path, settings: Settings, store: Store, owner: str) -> None:
        self._store = store
        self._owner = owner
        self._origin = settings.signin.origin
        self._cadence = cadence_of(settings)
        self.enabled = settings.notices.enabled and settings.signin.sender != "none"
        self._sender = code_sender(home, settings, subject=SUBJECT, folder="notices")
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._released = False
        self._closing = False

    def close(self) -> None:
        """Have work that is under way end after its slice."""
        self._closing = True

    async def look(self) -> None:
        """Look for news, and tell what is due."""
        if not self.enabled:
            return
        if not self._released:
            await self._store.awrite(activity.release_notices, owner=self._owner)
            self._released = True
        await self._store.in_thread(self._gather)
        while not self._closing:
            claimed = await self._store.awrite(
                activity.claim_notices,
                owner=self._owner,
                lease_ms=LEASE_MS,
                limit=CLAIMED,
                cadence=self._cadence,
            )
            if not claimed:
                return
            await asyncio.gather(*(self._tell(one) for one in claimed))

    def _gather(self) -> None:
        mark = self._store.write(activity.begin_notices)
        while not self._closing:
            upto, news = self._store.read(news_after, mark)
            if upto == mark:
                return
            if not self._store.write(
                activity.take_news, after=mark, upto=upto, news=news, cadence=self._cadence
            ):
                return  # another back was faster
            mark = upto

    async def _tell(self, one: Notice) -> None:
        async with self._slots:
            try:
                letter = await self._store.aread(letter_of, self._store, one, now_ms())
                if letter.outcome == "sent":
                    french, english = text(letter.told, self._origin)
                    await self._sender.send("email", letter.to, french, english)
                    faults.point("notices.sent")
            except PasserelleError as error:
                log.warning("notice_not_sent", rule=error.rule, failures=one.failures + 1)
                await self._store.awrite(activity.fail_notice, taken=one, rule=error.rule)
                return
            await self._store.awrite(
                activity.end_notice,
                taken=one,
                outcome=letter.outcome,
                quota_level=letter.quota_level,
                cadence=self._cadence,
            )


def news_after(conn: Connection, mark: int) -> tuple[int, list[News]]:
    """What the next records of evidence beyond ``mark`` tell whom; the number of the last one looked at."""
    news: list[News] = []
    readers: dict[str, tuple[int, list[str]]] = {}
    upto = mark
    for record in itertools.islice(evidence.walk(conn, mark, SLICE), SLICE):
        upto = record.seq
        if record.event == "activity":
            detail = _details.decode(record.detail)
            if detail.get("by") not in OTHERS:
                continue
            urgent = detail.get("purpose") == "break_glass" and not record.rule
            found = patients.profile(conn, record.recipient)
        elif record.event == "delivered":
            urgent = False
            found = patients.profile_by_address(conn, record.recipient)
        else:
            continue
        if found is None or found.box_id is None:
            continue
        if found.ins not in readers:
            readers[found.ins] = found.box_id, _readers(conn, found.ins)
        box_id, persons = readers[found.ins]
        news += [
            News(
                box_id=box_id,
                ins=ins,
                seq=record.seq,
                at=record.at,
                mail=record.event == "delivered",
                urgent=urgent,
            )
            for ins in persons
        ]
    return upto, news


def _readers(conn: Connection, ins: str) -> list[str]:
    """Who is told of a record: the patient and who represents him, as far as they use their space."""
    persons = [ins, *(one.ins for one in patients.representatives(conn, ins))]
    profiles = [patients.profile(conn, one) for one in persons]
    return [one.ins for one in profiles if one is not None and one.state == "activated"]


def letter_of(conn: Connection, store: Store, one: Notice, now: int) -> Letter:
    """What a claimed notice comes to: to whom, how much. Raises :class:`StoreError`: the store failed."""
    owner = patients.profile_by_box(conn, one.box_id)
    box = mail.box_by_id(conn, one.box_id)
    viewer = patients.reader(conn, one.ins, one.box_id).viewer
    if owner is None or box is None or viewer == "stranger":
        return Letter("gone")
    level = mail.quota_level(box)
    own = owner.ins == one.ins
    told = Told(
        actions=_actions(conn, store, one),
        messages=_messages(conn, one, hidden_too=viewer == "self"),
        quota=level if level > one.quota_level else 0,
        own=own,
    )
    if not told.anything:
        return Letter("nothing", quota_level=level)
    to = patients.signin.proven_email(conn, store.home, one.ins, now)
    if own and to and to in _addresses(conn, store, owner.ins, now):
        return Letter("nothing", quota_level=level)  # a child's contact that is his parent's: told already
    if not to:
        return Letter("unreachable", quota_level=min(level, one.quota_level))
    return Letter("sent", to, told, level)


def _actions(conn: Connection, store: Store, one: Notice) -> int:
    """How many actions of others he was not told of, without those that are kept from him."""
    who = activity.person(conn, one.box_id, one.ins)
    asked = Asked(by=OTHERS, after_seq=one.told_seq, upto_seq=one.news_seq)
    try:
        without = activity.kept(conn, store, one.box_id, who)
    except StoreError as error:
        if error.rule != "store.key":
            raise
        return 0  # the content was destroyed
    return activity.counts(conn, one.box_id, asked, since=one.since or 0, without=without).entries


def _messages(conn: Connection, one: Notice, *, hidden_too: bool) -> int:
    """How many messages of the INBOX came since he was told, and nobody has read yet."""
    if one.mail_since is None:
        return 0
    unread = [
        entry.message_id
        for entry in mail.entries(conn, one.box_id, mail.INBOX_ID)
        if not entry.flags & (mail.SEEN | mail.DELETED) and entry.internal_date >= one.mail_since
    ]
    hidden = set() if hidden_too else patients.hidden_messages(conn, one.box_id, unread)
    return len(set(unread) - hidden)


def _addresses(conn: Connection, store: Store, ins: str, now: int) -> Sequence[str]:
    persons = [one.ins for one in patients.representatives(conn, ins)]
    return [patients.signin.proven_email(conn, store.home, one, now) for one in persons]
