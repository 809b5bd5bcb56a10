"""What the medical profile refuses, in a sentence for each language."""

from __future__ import annotations

from typing import Final

from store import PasserelleError
from store.errors import Fault


class HealthError(PasserelleError):
    """An item, or a change of one, that the profile does not take; nothing was changed.

    ``french`` and ``english`` are sentences for who wrote it. Rules: ``health.date``, ``health.dose``,
    ``health.text``, ``health.value``, ``health.unknown``, ``health.changed``,
    ``health.listed``, ``health.author``, ``health.hidden``, ``health.full``, ``health.closed``,
    ``health.file``.
    """

    code = 554
    enhanced = "5.6.0"
    fault: Fault = "peer"

    def __init__(self, rule: str, english: str, french: str) -> None:
        super().__init__(rule, english)
        self.english: Final = english
        self.french: Final = french

    def said(self, language: str) -> str:
        """The sentence in ``language``: ``"en"``, else French."""
        return self.english if language == "en" else self.french
