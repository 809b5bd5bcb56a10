"""What the back does for patients' profiles each night: open those that are due, end archives.

Both may be run by hand meanwhile (`passerelle patient open-due`), be killed at any moment and run again:
each slice stands by itself. A night that was missed is made up for as soon as the gateway runs.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Final

import structlog

import patients
from gateway.settings import DAY_MS, Settings
from patients import calendar
from store import PasserelleError, Store, now_ms

log = structlog.get_logger("night")

#: Seconds between two looks at the clock.
NIGHT_LOOK_S: Final = 300.0
#: Seconds that a slice leaves to others: the writer is free for mail more than half of the time.
_PAUSE_S: Final = 0.05


class _StoppedError(Exception):
    pass


class Night:
    """The nightly work of one home's back."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._closing = threading.Event()
        self._done_on = ""
        self._said_of = ""

    def close(self) -> None:
        """Have work that is under way end after its slice."""
        self._closing.set()

    async def look(self) -> None:
        """Do the night's work once a day, from the hour of the settings on.

        Profiles that came of six weeks during the day wait for the next night: late by a day at most.
        """
        now = now_ms()
        day = str(calendar.today(now))
        wanted = self._settings.patients
        domain = self._settings.gateway.patient_domain
        if (
            not wanted.automatic
            or not domain
            or day == self._done_on
            or calendar.hour(now) < wanted.night_hour
        ):
            return
        try:
            await asyncio.to_thread(self._work, domain)
        except _StoppedError:
            return
        except PasserelleError as error:
            if error.rule != "patient.clock":
                raise
            self._say(day, error)
            return
        self._done_on = day

    def _say(self, day: str, error: PasserelleError) -> None:
        if day != self._said_of:
            self._said_of = day
            log.error("nothing_opened_by_this_clock", rule=error.rule, reason=error.log)

    def _work(self, domain: str) -> None:
        leap = self._settings.patients.leap_days * DAY_MS
        patients.open_due(
            self._store,
            domain,
            actor="gateway",
            quota=self._settings.gateway.quota,
            leap_ms=leap,
            progress=self._pause,
        )
        patients.expire_archives(self._store, actor="gateway", leap_ms=leap, progress=self._pause)

    def _pause(self, _done: int, _total: int) -> None:
        if self._closing.wait(_PAUSE_S):
            raise _StoppedError
