"""Limits of the IMAP server; every one has a value that holds without configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in octets, times in seconds."""

    message: int = 25 * 1024 * 1024
    """Largest message APPEND takes."""
    line_before_login: int = 8 * 1024
    line: int = 64 * 1024
    literal_before_login: int = 4 * 1024
    literal: int = 64 * 1024
    """Largest literal other than a message."""
    command: int = 256 * 1024
    """Largest command, its literals included, other than a message."""
    bad_commands: int = 10
    """So many in a row end the session."""
    login_attempts: int = 3
    login_delay: float = 1.0
    """Wait before the answer to a failed login, multiplied by their count."""
    login_timeout: float = 60.0
    """From the connection to the login (RFC 3501 §5.4 allows a shorter time before it)."""
    idle_timeout: float = 31 * 60.0
    """RFC 3501 §5.4: at least 30 minutes."""
    write_timeout: float = 5 * 60.0
    """A client that takes no octet for so long is gone."""
    idle_poll: float = 20.0
    """While IDLE: the folder is looked at this often even without a notice."""
    idle_keepalive: float = 4 * 60.0
    """While IDLE: an untagged OK this often, so that middleboxes keep the connection."""
    connections: int = 2000
    connections_per_box: int = 50
