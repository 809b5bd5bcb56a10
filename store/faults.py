"""Points at which a test may kill the process, to prove that nothing is lost there.

``PASSERELLE_KILL_AT=writer.before_commit:3`` makes the process kill itself with SIGKILL the third
time it passes that point. ``PASSERELLE_KILL_AT=@FILE`` looks into FILE at each point: the first process
to pass the point that stands there takes the file away and dies, so that of a whole gateway exactly
one process dies, once, and a test may name the next point while the gateway runs.
Without the variable a point costs two comparisons.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

_setting = os.environ.get("PASSERELLE_KILL_AT", "")
_armed = Path(_setting[1:]) if _setting.startswith("@") else None
_name, _, _count = ("" if _armed else _setting).partition(":")
_left = int(_count or 1) if _name else 0


def point(name: str) -> None:
    """Die here by SIGKILL when the environment asks for it; otherwise nothing."""
    global _left
    if _armed is not None and _named_in(_armed, name):
        os.kill(os.getpid(), signal.SIGKILL)
    if not _left or name != _name:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)


def _named_in(file: Path, name: str) -> bool:
    """Whether ``file`` names this point and this process was the one to take it away."""
    try:
        if file.read_text(encoding="ascii").strip() != name:
            return False
        file.unlink()
    except OSError:
        return False
    return True
