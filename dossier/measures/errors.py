"""What a measure is refused for, said in French and in English, and never with what was typed."""

from __future__ import annotations

from typing import Final

from store import PasserelleError
from store.errors import Fault


class MeasureError(PasserelleError):
    """A measure, a moment or a file of measures that is not taken. ``french`` and ``english``: one sentence
    each.

    Rules: ``measure.number``, ``measure.unit``, ``measure.shape``, ``measure.impossible``,
    ``measure.pressure``, ``measure.context``, ``measure.note``, ``measure.moment``, ``measure.future``,
    ``measure.before_birth``, ``measure.unknown``, ``measure.file``, ``measure.busy``.
    """

    code = 554
    enhanced = "5.6.0"
    fault: Fault = "peer"

    def __init__(self, rule: str, french: str, english: str) -> None:
        super().__init__(rule, english.encode("ascii", "replace").decode(), log=english)
        self.french: Final = french
        self.english: Final = english

    def said(self, language: str) -> str:
        """The sentence in ``language``: ``"en"``, else French."""
        return self.english if language == "en" else self.french
