"""What the server counts. The composition root reads the totals, or subclasses to be told at once."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Metrics:
    """Totals since the start, except ``sessions``, which are those open now."""

    sessions: int = 0
    connections: int = 0
    refused_connections: int = 0
    logins: int = 0
    failed_logins: int = 0
    commands: dict[str, int] = field(default_factory=dict)
    no: int = 0
    bad: int = 0
    faults: int = 0
    """Commands that ended in an unexpected error of ours."""
    appended: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def command(self, name: str) -> None:
        self.commands[name] = self.commands.get(name, 0) + 1
