"""The house of guests: a store of its own in a temporary folder, with a sample patient and her child.

It is made when the first guest comes, in a thread, and made anew each day: what guests look at leaves lines
in its history. Nothing of it is anybody's, and guests change nothing (:mod:`webmail.guards`).
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

import evidence
import patients
from gateway.routing import Policy, Router
from gateway.sample import record
from gateway.sample.letters import deliver_all
from gateway.sample.people import CAMILLE, LOUIS, PATIENT_DOMAIN, PRO_DOMAIN, PROFESSIONALS, directory
from patients import signin
from store import Store, now_ms
from webmail import Guest

log = structlog.get_logger("guests")

#: After this the house is made anew (ms).
LASTS: Final = 24 * 3_600_000
POLICY: Final = Policy(
    hostname="invite.test", patient_domain=PATIENT_DOMAIN, hosted=frozenset({PRO_DOMAIN}), y="none"
)


class SampleHouse:
    """Where guests are received. ``clock`` gives ms."""

    def __init__(self, clock: Callable[[], int] = now_ms) -> None:
        self._clock = clock
        self._lock = asyncio.Lock()
        self._guest: Guest | None = None
        self._made_at = 0
        self._folder: Path | None = None
        self._store: Store | None = None

    async def guest(self) -> Guest:
        """Who a guest is today. The first one waits for some seconds."""
        async with self._lock:
            if self._guest is None or self._clock() - self._made_at > LASTS:
                await asyncio.to_thread(self._leave)
                self._guest = await asyncio.to_thread(self._make)
                self._made_at = self._clock()
            return self._guest

    async def close(self) -> None:
        """Take the house away."""
        async with self._lock:
            self._guest = None
            await asyncio.to_thread(self._leave)

    def _make(self) -> Guest:
        began = now_ms()
        folder = self._folder = Path(tempfile.mkdtemp(prefix="passerelle-invite-"))
        store = self._store = Store.open(folder)
        evidence.create_key(folder)
        furnish(store, folder)
        log.info("guests_house_made", ms=now_ms() - began)
        now = now_ms()
        session = signin.Session(
            session_id=0,
            ins=CAMILLE.ins,
            method="password",
            device="",
            created_at=now,
            seen_at=now,
            expires_at=now + LASTS,
            stepped_at=None,
            revoked_at=None,
        )
        return Guest(store, Router(store, POLICY), session)

    def _leave(self) -> None:
        if self._store is not None:
            self._store.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._store = self._folder = None


def furnish(store: Store, folder: Path) -> None:
    """Fill an empty store. Blocking."""
    directory(store, folder)
    store.write(patients.add_persons, persons=[CAMILLE.person, LOUIS.person], actor="sample")
    for one in (CAMILLE, LOUIS):
        patients.activate(store, one.ins, PATIENT_DOMAIN, actor="sample")
    store.write(
        patients.attach_representative,
        ins=LOUIS.ins,
        representative=CAMILLE.ins,
        capacity="parent",
        actor="sample",
        reason="sample",
    )
    for professional in PROFESSIONALS:
        owner = professional.struct_id or professional.id_nat
        store.create_box(address=professional.address, kind="pro", owner=owner)
    asyncio.run(deliver_all(store, Router(store, POLICY)))
    record.fill(store)
