"""What holds of the rights to a record, derived from what was said: pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from dossier.right_events import RightEvent


class Marks(msgspec.Struct, frozen=True):
    """The last that was said of one document: ids of events, 0 for none."""

    masked: int = 0
    unmasked: int = 0
    withheld: int = 0
    announced: int = 0
    shown: bool = False  # to legal representatives, again


NO_MARKS = Marks()


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Rights as they stand. Professionals by IdNat_PS; ``all_masked`` is the event's id, 0 for none;
    ``last`` the id of the last event: the same number, the same standing."""

    blocked: frozenset[str] = frozenset()
    authorised: frozenset[str] = frozenset()
    treating: str = ""
    regulation_refused: bool = False
    glass_refused: bool = False
    all_masked: int = 0
    marks: dict[int, Marks] = {}
    last: int = 0


def standing(events: Iterable[RightEvent]) -> Standing:
    """What ``events``, in their order, come to.

    A block ends what authorised the professional: unblocked, he has to be let in again; the treating
    physician stays appointed. There is one treating physician: a new one takes the place of the old.
    """
    blocked: set[str] = set()
    authorised: set[str] = set()
    treating = ""
    refused: set[str] = set()
    all_masked = last = 0
    marks: dict[int, Marks] = {}
    for one in events:
        last = one.event_id
        name, held = one.event, marks.get(one.document_id, NO_MARKS)
        match name:
            case "mask":
                held = msgspec.structs.replace(held, masked=last, unmasked=0)
            case "unmask":
                held = msgspec.structs.replace(held, masked=0, unmasked=last)
            case "withhold":
                held = msgspec.structs.replace(held, withheld=last, announced=0)
            case "announce":
                held = msgspec.structs.replace(held, withheld=0, announced=last)
            case "hide" | "show":
                held = msgspec.structs.replace(held, shown=name == "show")
            case "block":
                blocked.add(one.subject)
                authorised.discard(one.subject)
            case "unblock":
                blocked.discard(one.subject)
            case "authorise" | "declare_consent":
                authorised.add(one.subject)
            case "appoint":
                treating = one.subject
            case "dismiss":
                treating = ""
            case "mask_all":
                all_masked = last
            case "unmask_all":
                all_masked = 0
            case "refuse_regulation" | "refuse_break_glass":
                refused.add(name.removeprefix("refuse_"))
            case "accept_regulation" | "accept_break_glass":
                refused.discard(name.removeprefix("accept_"))
        if one.document_id:
            marks[one.document_id] = held
    return Standing(
        blocked=frozenset(blocked),
        authorised=frozenset(authorised),
        treating=treating,
        regulation_refused="regulation" in refused,
        glass_refused="break_glass" in refused,
        all_masked=all_masked,
        marks=marks,
        last=last,
    )
