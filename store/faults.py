"""Points at which a test may kill the process, to prove that nothing is lost there.

``PASSERELLE_KILL_AT=writer.before_commit:3`` makes the process kill itself with SIGKILL the third
time it passes that point. Without the variable a point costs one attribute look-up.
"""

from __future__ import annotations

import os
import signal

_setting = os.environ.get("PASSERELLE_KILL_AT", "")
_name, _, _count = _setting.partition(":")
_left = int(_count or 1) if _setting else 0


def point(name: str) -> None:
    """Die here by SIGKILL when the environment asks for it; otherwise nothing."""
    global _left
    if not _left or name != _name:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
