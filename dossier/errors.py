"""Refusals of the record, each with the application code (900, 901, 906) that a depositor understands."""

from __future__ import annotations

from typing import Final

from store import PasserelleError
from store.errors import Fault

_APPLICATION: Final = {"dossier.version": 900, "dossier.author": 901}


class DossierError(PasserelleError):
    """A document or a request that the record refuses; ``application`` is 900, 901 or 906 by its rule.

    Rules: ``dossier.version`` (900), ``dossier.author`` (901), ``dossier.unique_id``, ``dossier.deleted``,
    ``dossier.unknown``, ``dossier.media``, ``dossier.image``, ``dossier.size``, ``dossier.title``,
    ``dossier.category``, ``dossier.date``, ``dossier.type``, ``dossier.cda``, ``dossier.together``,
    ``dossier.identifier``.
    """

    code = 554
    enhanced = "5.6.0"
    fault: Fault = "peer"

    @property
    def application(self) -> int:
        return _APPLICATION.get(self.rule, 906)


class UnsafeXmlError(DossierError):
    """XML that is refused before it is looked at (rules ``xml.*``)."""
