"""The life of a profile as a pure function: state and event give a state, or a refusal with its reason.

The service is opt-out (R.1111-28 CSP): a person is notified, and unless he objects his profile is opened
six weeks later; he may activate it, object or close it at any time. What a closed profile held is kept for
ten years, or until the person asks for its deletion (R.1111-36 CSP).
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

#: ``known``: imported, nothing said to the person yet. ``deleted``: the content was destroyed, for ever.
#: The others are the states of the scheme.
State = Literal["known", "notified", "opened", "activated", "opposed", "closed", "suspended", "deleted"]
#: ``ask_delete``: the person asks for the deletion of what a closed profile held, at a moment to come.
#: ``delete``: it is done as asked. ``expire``: it is done because the archive is ten years old.
Event = Literal[
    "notify",
    "open",
    "activate",
    "oppose",
    "close",
    "reopen",
    "suspend",
    "resume",
    "ask_delete",
    "delete",
    "expire",
]

STATES: Final[tuple[State, ...]] = get_args(State)
EVENTS: Final[tuple[Event, ...]] = get_args(Event)

#: States in which the profile's mailbox exists and takes mail.
RECEIVING: Final[frozenset[State]] = frozenset({"opened", "activated"})
#: States in which the profile has its mailbox and its address.
WITH_BOX: Final[frozenset[State]] = frozenset({"opened", "activated", "suspended", "closed", "deleted"})


class Refusal(msgspec.Struct, frozen=True):
    """Why an event may not happen now, in a sentence that says what may."""

    reason: str


_NEXT: Final[dict[tuple[State, Event], State]] = {
    ("known", "notify"): "notified",
    ("known", "activate"): "activated",
    ("known", "oppose"): "opposed",
    ("notified", "notify"): "notified",  # a second campaign: the six weeks start again
    ("notified", "open"): "opened",
    ("notified", "activate"): "activated",
    ("notified", "oppose"): "opposed",
    ("opened", "activate"): "activated",
    ("opened", "close"): "closed",
    ("activated", "close"): "closed",
    ("activated", "suspend"): "suspended",
    ("opposed", "activate"): "activated",  # the person changes his mind
    ("closed", "reopen"): "activated",  # R.1111-36 CSP: the archived data comes back
    ("closed", "ask_delete"): "closed",  # R.1111-36 CSP: within three months
    ("closed", "delete"): "deleted",
    ("closed", "expire"): "deleted",  # R.1111-36 CSP: after ten years
    ("suspended", "resume"): "activated",
    ("suspended", "close"): "closed",
}

_REASONS: Final[dict[tuple[State, Event], str]] = {
    ("known", "open"): "the person was not notified: nothing opens without notice",
    ("opened", "notify"): "the profile is open already",
    ("opened", "open"): "the profile is open already",
    ("opened", "oppose"): "the profile is open already: close it",
    ("activated", "activate"): "the profile is activated already",
    ("activated", "oppose"): "the profile is activated: close it",
    ("opposed", "open"): "the person objected",
    ("opposed", "notify"): "the person objected",
    ("opposed", "oppose"): "the person objected already",
    ("opposed", "reopen"): "there is nothing to reopen: activate it",
    ("closed", "activate"): "the profile is closed: reopen it",
    ("closed", "close"): "the profile is closed already",
    ("suspended", "activate"): "the profile is suspended: resume or close it",
}
_DELETED: Final = "the content of the profile was deleted for good, and its address is never given again"

_DOING: Final[dict[Event, str]] = {
    "notify": "notifying",
    "open": "opening",
    "activate": "activating",
    "oppose": "objecting",
    "close": "closing",
    "reopen": "reopening",
    "suspend": "suspending",
    "resume": "resuming",
    "ask_delete": "asking for deletion",
    "delete": "deleting",
    "expire": "ending the archive",
}


def transition(state: State, event: Event) -> State | Refusal:
    """The state after ``event``, or why it is refused. Total: every pair has an answer."""
    after = _NEXT.get((state, event))
    if after is not None:
        return after
    if state == "deleted":
        return Refusal(_DELETED)
    if event in ("ask_delete", "delete", "expire"):
        if state in WITH_BOX:
            return Refusal("only what a closed profile held can be deleted: close it first")
        return Refusal("there is no content to delete: the profile was never open")
    reason = _REASONS.get((state, event))
    return Refusal(reason or f"{_DOING[event]} is not possible for a profile that is {state}")
