"""What the pages are given when they are made: store, router, desk, and what the settings want."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from gateway.routing import Router
from patients import signin
from patients.signin.federation import Federation
from patients.signin.passkeys import Passkeys
from store import Store


class Wants(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the settings that pages ask for. ``message_size`` in octets; ``origin`` without a slash at
    its end, "" where it is not known; ``identity_origins`` are where FranceConnect's pages are; ports are
    those of mail programs, 0 for none."""

    hostname: str
    patient_domain: str
    terms: str
    message_size: int
    origin: str = ""
    identity_origins: tuple[str, ...] = ()
    help_phone: str = "3422"
    imap_port: int = 0
    submission_port: int = 0


class Guest(msgspec.Struct, frozen=True):
    """A session of the sample's patient, the store that she is in, and the rules there."""

    store: Store
    router: Router
    session: signin.Session


class GuestHouse(Protocol):
    """Where guests are received; nothing there is anybody's."""

    async def guest(self) -> Guest:
        """Who a guest is now; the first one may wait for some seconds."""

    async def close(self) -> None:
        """Take the sample away."""


@dataclass
class Kit:
    """``passkeys``, ``federation`` and ``guests`` are None where they are not set up."""

    home: Path
    store: Store
    router: Router
    desk: signin.Desk
    wants: Wants
    lifetimes: signin.Lifetimes = field(default_factory=signin.Lifetimes)
    passkeys: Passkeys | None = None
    federation: Federation | None = None
    guests: GuestHouse | None = None
