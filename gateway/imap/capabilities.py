"""What is announced, and nothing else: every name here is exercised on the wire by tests."""

from __future__ import annotations

from typing import Final

_ALWAYS: Final = ("IMAP4rev1", "LITERAL+", "SASL-IR", "ID", "ENABLE")
_AFTER_LOGIN: Final = (
    "CHILDREN",
    "CONDSTORE",
    "IDLE",
    "MOVE",
    "NAMESPACE",
    "SPECIAL-USE",
    "STATUS=SIZE",
    "UIDPLUS",
    "UNSELECT",
)


def capabilities(*, encrypted: bool, starttls: bool, logged_in: bool) -> str:
    """The capability list of a session in this state (RFC 3501 §6.1.1, §7.2.1)."""
    names = list(_ALWAYS)
    if logged_in:
        names += _AFTER_LOGIN
    elif encrypted:
        names.append("AUTH=PLAIN")
    else:
        # RFC 3501 §6.2.3: no password crosses the network in clear text.
        names += ["STARTTLS", "LOGINDISABLED"] if starttls else ["LOGINDISABLED"]
    return " ".join(names)
