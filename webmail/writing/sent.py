"""What became of what the patient sent, as the evidence and the queue tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec
from sqlalchemy import Connection

import evidence
from gateway.routing import words
from webmail.languages import N_, Language, translations
from webmail.turn import Turn

if TYPE_CHECKING:
    from webmail.mail.letters import Letter

SentStatus = Literal["unknown", "waiting", "late", "handed", "delivered", "refused"]

_TEXTS: Final[dict[SentStatus, str]] = {
    "unknown": "",
    "waiting": N_("En cours d'envoi."),
    "late": N_("En attente : la messagerie du destinataire ne prend pas encore le message. Nous réessayons."),
    "handed": N_("Remis à la messagerie du destinataire."),
    "delivered": N_("Arrivé dans la messagerie du destinataire."),
    "refused": N_("Non remis."),
}
_OF_EVENT: Final[dict[str, SentStatus]] = {
    "accepted": "waiting",
    "delayed": "late",
    "relayed": "handed",
    "delivered": "delivered",
    "failed": "refused",
    "refused": "refused",
}
#: When several recipients differ, what needs the patient's eye comes first.
_WORST: Final[tuple[SentStatus, ...]] = ("refused", "late", "waiting", "handed", "delivered")


class SentState(msgspec.Struct, frozen=True):
    """``text`` is said to the person, with the reason where it was refused; ``at`` ms, 0 where unknown.

    ``kind`` is that of a badge (ok, warn, bad, info).
    """

    state: SentStatus
    text: str
    at: int

    @property
    def kind(self) -> str:
        return {"refused": "bad", "late": "warn", "waiting": "info"}.get(self.state, "ok")


async def sent_state(turn: Turn, letter: Letter) -> SentState:
    """What became of a letter that the patient sent; ``unknown`` for one that nobody sent from here."""
    message_id = letter.meta.index.facts.message_id
    return await turn.read(state_of, message_id, turn.visit.address, turn.language)


def state_of(conn: Connection, message_id: str, sender: str, language: Language) -> SentState:
    """The same by Message-ID; only what the patient himself sent under it counts."""
    ends: dict[str, evidence.Record] = {}
    if message_id:
        for one in evidence.trace(conn, message_id):
            if one.sender.casefold() == sender.casefold() and one.event in _OF_EVENT:
                ends[one.recipient.casefold()] = one
    states = {_OF_EVENT[one.event]: one for one in ends.values()}
    worst = next((one for one in _WORST if one in states), None)
    if worst is None:
        return SentState("unknown", "", 0)
    deciding = states[worst]
    text = translations(language).gettext(_TEXTS[worst])
    if worst == "refused":
        text = f"{text} {_reason(deciding.rule, language)}"
    return SentState(worst, text, deciding.at)


def _reason(rule: str, language: Language) -> str:
    if language == "fr":
        return words.french(rule, ok=False)
    try:
        text = words.english(rule, ok=False)
    except KeyError:
        return "The other server did not take it."
    return f"{text[:1].upper()}{text[1:]}."
