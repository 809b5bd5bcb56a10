"""What the journal refuses."""

from __future__ import annotations

from store import PasserelleError
from store.errors import Fault


class ActivityError(PasserelleError):
    """Somebody asks for what is not his. Rule: ``actor.stranger``."""

    code = 550
    enhanced = "5.7.1"
    fault: Fault = "peer"
