"""What can go wrong with the API; the directory stays as it was."""

from __future__ import annotations

from store.errors import Fault, PasserelleError


class FhirError(PasserelleError):
    """The API could not be asked, or its answer cannot be used."""

    code = 451
    enhanced = "4.4.1"
    fault: Fault = "peer"
