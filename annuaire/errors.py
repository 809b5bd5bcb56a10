"""What can go wrong in the directory; each failure names the check that failed."""

from __future__ import annotations

from store.errors import Fault, InvalidInputError, PasserelleError


class ExtractionError(InvalidInputError):
    """A file of the Annuaire cannot be taken; what was loaded before still stands."""

    fault: Fault = "config"


class WhitelistError(PasserelleError):
    """A list of authorised domains cannot be trusted or read; the last good one still stands."""

    code = 451
    enhanced = "4.7.0"
    fault: Fault = "config"
