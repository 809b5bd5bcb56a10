"""What taking a record along, or taking one over, refuses."""

from __future__ import annotations

from store import PasserelleError
from store.errors import Fault


class PortabilityError(PasserelleError):
    """An archive that cannot be made or taken over; nothing was changed. Rules: ``portability.archive`` (not
    a usable zip file), ``portability.name``, ``portability.size``, ``portability.manifest``,
    ``portability.content`` (a file is not the one that the manifest names), ``portability.person``,
    ``portability.file``, ``portability.closed``."""

    code = 554
    enhanced = "5.6.0"
    fault: Fault = "config"
