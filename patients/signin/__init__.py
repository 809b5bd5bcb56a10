"""Activation and sign-in of patients, without any page: what a web mail calls.

:class:`Desk` takes the steps. ``patients.signin.passkeys``, ``patients.signin.openid`` and
``patients.signin.federation`` are imported by those who serve pages: the libraries behind them are heavy.
"""

from patients.signin.accounts import Found, drop_factors, identifier_of
from patients.signin.activation import Answer, event_of
from patients.signin.contacts import Destination, proven_email
from patients.signin.courier import Courier
from patients.signin.desk import Begun, Desk, FieldFault, Rules, SignedIn
from patients.signin.events import EventKind, SignInEvent, events_of
from patients.signin.facts import Facts, FactsError, read_destination, read_facts
from patients.signin.identities import Pivot, match
from patients.signin.imports import ReachReport, import_reach
from patients.signin.minors import FRESH
from patients.signin.moving import Reach, reach_of
from patients.signin.passkey_store import Passkey, passkeys_of, remove_passkey
from patients.signin.passwords import identifier_fault, password_fault
from patients.signin.sessions import (
    Lifetimes,
    Session,
    alive,
    current,
    revoke_session,
    revoke_sessions,
    sessions_of,
    standing,
    stepped_up,
)
from patients.signin.throttle import LIMITS
from patients.signin.upkeep import Access, Tidied, access, reset_factors, set_contact, tidy, unlock

__all__ = [
    "FRESH",
    "LIMITS",
    "Access",
    "Answer",
    "Begun",
    "Courier",
    "Desk",
    "Destination",
    "EventKind",
    "Facts",
    "FactsError",
    "FieldFault",
    "Found",
    "Lifetimes",
    "Passkey",
    "Pivot",
    "Reach",
    "ReachReport",
    "Rules",
    "Session",
    "SignInEvent",
    "SignedIn",
    "Tidied",
    "access",
    "alive",
    "current",
    "drop_factors",
    "event_of",
    "events_of",
    "identifier_fault",
    "identifier_of",
    "import_reach",
    "match",
    "passkeys_of",
    "password_fault",
    "proven_email",
    "reach_of",
    "read_destination",
    "read_facts",
    "remove_passkey",
    "reset_factors",
    "revoke_session",
    "revoke_sessions",
    "sessions_of",
    "set_contact",
    "standing",
    "stepped_up",
    "tidy",
    "unlock",
]
