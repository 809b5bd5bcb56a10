"""What the LDAP server counts; the numbers only grow, but for ``sessions``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Metrics:
    """Counts since the start."""

    sessions: int = 0
    """Open now."""
    connections: int = 0
    refused_connections: int = 0
    requests: int = 0
    logins: int = 0
    failed_logins: int = 0
    searches: int = 0
    entries: int = 0
    malformed: int = 0
    faults: int = 0
