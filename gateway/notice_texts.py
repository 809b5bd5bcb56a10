"""What a notice says: that there is something new, how much, and where to sign in. French first.

No name, no title, no kind of care, not even whose record it is: an e-mail passes through many hands.
"""

from __future__ import annotations

from typing import Final

import msgspec

SUBJECT: Final = "Du nouveau dans votre espace santé / News in your health space"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to tell: how many actions of others, how many unread messages; ``quota`` in per cent, 0:
    nothing of it. ``own``: it is the reader's own space, not one that he looks after."""

    actions: int = 0
    messages: int = 0
    quota: int = 0
    own: bool = True

    @property
    def anything(self) -> bool:
        return bool(self.actions or self.messages or self.quota)


def text(told: Told, origin: str) -> tuple[str, str]:
    """The notice in French and in English; ``origin`` is the address of the patients' pages, "" for none."""
    return _french(told, origin), _english(told, origin)


def _french(told: Told, origin: str) -> str:
    where = "votre espace santé" if told.own else "un espace santé que vous suivez"
    lines = ["Bonjour,", "", f"Il y a du nouveau dans {where} :"]
    if told.actions:
        lines.append("- une nouvelle action" if told.actions == 1 else f"- {told.actions} nouvelles actions")
    if told.messages:
        one = told.messages == 1
        lines.append("- un nouveau message" if one else f"- {told.messages} nouveaux messages")
    if told.quota:
        full = "est pleine" if told.quota >= 100 else f"est remplie à plus de {told.quota} %"
        lines.append(f"- la messagerie {full}")
    sign_in = f"Pour en savoir plus, connectez-vous : {origin}" if origin else _FRENCH_WHERE
    lines += ["", sign_in, "", _FRENCH_END]
    return "\n".join(lines)


def _english(told: Told, origin: str) -> str:
    where = "your health space" if told.own else "a health space that you look after"
    lines = ["Hello,", "", f"There is something new in {where}:"]
    if told.actions:
        lines.append("- one new action" if told.actions == 1 else f"- {told.actions} new actions")
    if told.messages:
        lines.append("- one new message" if told.messages == 1 else f"- {told.messages} new messages")
    if told.quota:
        full = "is full" if told.quota >= 100 else f"is more than {told.quota}% full"
        lines.append(f"- the mailbox {full}")
    sign_in = f"To learn more, sign in: {origin}" if origin else _ENGLISH_WHERE
    lines += ["", sign_in, "", _ENGLISH_END]
    return "\n".join(lines)


_FRENCH_WHERE: Final = "Pour en savoir plus, connectez-vous comme d'habitude."
_ENGLISH_WHERE: Final = "To learn more, sign in as usual."
_FRENCH_END: Final = (
    "Cet avis est automatique et ne contient volontairement aucun détail ; n'y répondez pas.\n"
    "Dans votre espace, vous choisissez à quelle fréquence vous recevez ces avis."
)
_ENGLISH_END: Final = (
    "This notice is automatic and holds no details, on purpose; do not answer it.\n"
    "In your space you choose how often you get such notices."
)
