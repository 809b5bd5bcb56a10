"""What the catalogue refuses: lists that cannot be taken, consents and exchanges that may not be."""

from __future__ import annotations

from store import PasserelleError
from store.errors import Fault


class CatalogueError(PasserelleError):
    """A consent or an exchange that is not allowed; the rule is the decision's, as in docs/rules.md.

    ``french`` is the sentence for the patient, "" where none was made.
    """

    code = 550
    enhanced = "5.7.1"
    fault: Fault = "peer"

    def __init__(self, rule: str, text: str, *, french: str = "") -> None:
        super().__init__(rule, text)
        self.french = french


class CatalogueFileError(PasserelleError):
    """A list that is not put in use; the one before stays. Rules: ``catalogue.file``,
    ``catalogue.shrunk``, ``catalogue.superseded``."""

    code = 501
    enhanced = "5.5.4"
    fault: Fault = "config"
