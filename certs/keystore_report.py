"""Our certificates as plain rows, and how long they last: `passerelle certs list` and `expiring`, the
metrics, `doctor` and the daily warning say the same."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from certs.crl import iso
from certs.errors import CertificateUnreadable
from certs.files import certificates_in
from certs.identity import Identity, identity
from certs.keystore import Keystore, Role, State

Level = Literal["fine", "notice", "warning", "urgent", "expired"]
DAY_MS: Final = 86_400_000
#: Days left below which a certificate is worth a notice, a warning, and is urgent.
NOTICE, WARNING, URGENT = 30, 15, 7


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One of our certificates. ``days``: whole days left, negative when it expired; ``not_after``: ms."""

    role: Role
    state: State
    who: Identity
    key: str
    where: str
    days: int
    active_from: int = 0

    @property
    def level(self) -> Level:
        if self.days < 0:
            return "expired"
        steps: tuple[tuple[int, Level], ...] = ((URGENT, "urgent"), (WARNING, "warning"), (NOTICE, "notice"))
        return next((name for limit, name in steps if self.days <= limit), "fine")

    @property
    def live(self) -> bool:
        """Whether it is in use or about to be: its end matters."""
        return self.state in ("current", "next")


def standings(store: Keystore) -> list[Standing]:
    """Every certificate of ours that can be read. Blocking."""
    now = store.clock()
    found = [
        Standing(
            role=held.role,
            state=held.state,
            who=held.pair.identity,
            key=held.pair.kind,
            where=_shown(store, str(held.path)),
            days=_days(held.pair.identity.not_after, now),
            active_from=held.active_from,
        )
        for held in store.held()
    ]
    for role, path in store.tokens.items():
        try:
            who = identity(certificates_in(path.read_bytes())[0])
        except (OSError, CertificateUnreadable):
            continue
        found.append(
            Standing(
                role=role,
                state="current",
                who=who,
                key="in a module",
                where=_shown(store, str(path)),
                days=_days(who.not_after, now),
            )
        )
    return found


def ending(store: Keystore, *, days: int = NOTICE) -> tuple[int, list[Standing]]:
    """What ends within ``days``, soonest first, and how bad it is: 0 nothing, 1 something does, 2 within a
    week, 3 expired."""
    found = sorted(
        (one for one in standings(store) if one.live and one.days <= days), key=lambda one: one.days
    )
    if not found:
        return 0, []
    soonest = found[0].days
    return (3 if soonest < 0 else 2 if soonest <= URGENT else 1), found


def standing_row(one: Standing) -> dict[str, str | int]:
    """One certificate for a table."""
    state = f"from {iso(one.active_from)}" if one.state == "next" else one.state
    return {
        "role": one.role,
        "state": state,
        "subject": one.who.subject_dn,
        "serial": f"{one.who.serial:x}",
        "from": iso(one.who.not_before),
        "until": iso(one.who.not_after),
        "days": one.days,
        "key": one.key,
        "where": one.where,
    }


def _days(end: int, now: int) -> int:
    return (end - now) // DAY_MS


def _shown(store: Keystore, path: str) -> str:
    return path.removeprefix(f"{store.folder.parent}/")
