"""Limits of the LDAP server; every one has a value that holds without configuration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in octets, times in seconds."""

    request_before_login: int = 8 * 1024
    request: int = 64 * 1024
    """Largest message read; a larger one ends the session."""
    filter_depth: int = 32
    filter_parts: int = 256
    attributes: int = 256
    """Of a selection; a client that names more ends its session."""
    entries: int = 200
    """Most entries that one search gives, whatever the client allows (at most 500, as the look-ups)."""
    candidates: int = 500
    """Rows read for one look-up; a search makes at most :data:`gateway.ldap.plan.MOST_PROBES` of them."""
    time: float = 15.0
    """Longest search, whatever the client allows."""
    searches: int = 2
    """Searches of all clients that read the directory at one time."""
    outstanding: int = 8
    """Operations of one client that are under way."""
    cursors: int = 2
    """Paged results of one client that can be gone on with (RFC 2696)."""
    login_attempts: int = 3
    login_delay: float = 1.0
    """Wait before the answer to a wrong password, multiplied by the failures of that address of late."""
    login_timeout: float = 60.0
    """From the connection to the sign-in."""
    idle_timeout: float = 15 * 60.0
    write_timeout: float = 60.0
    """A client that takes no octet for so long is gone."""
    connections: int = 500
    connections_per_box: int = 20
