"""What the pages are given when they are made: store, router, desk, and what the settings want."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gateway.routing import Router
from patients import signin
from patients.signin.federation import Federation
from patients.signin.passkeys import Passkeys
from store import Store


class Wants(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the settings that pages ask for. ``message_size`` in octets; ``origin`` without a slash at
    its end, "" where it is not known; ``identity_origins`` are where FranceConnect's pages are."""

    hostname: str
    patient_domain: str
    terms: str
    message_size: int
    origin: str = ""
    identity_origins: tuple[str, ...] = ()
    guest: bool = True
    help_phone: str = "3422"


@dataclass
class Kit:
    """``passkeys`` and ``federation`` are None where they are not set up."""

    home: Path
    store: Store
    router: Router
    desk: signin.Desk
    wants: Wants
    lifetimes: signin.Lifetimes = field(default_factory=signin.Lifetimes)
    passkeys: Passkeys | None = None
    federation: Federation | None = None
