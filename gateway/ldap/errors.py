"""Refusals and their result codes (RFC 4511 §4.1.9 and Appendix A)."""

from __future__ import annotations

from typing import Final

from store import PasserelleError

SUCCESS: Final = 0
OPERATIONS_ERROR: Final = 1
PROTOCOL_ERROR: Final = 2
TIME_LIMIT_EXCEEDED: Final = 3
SIZE_LIMIT_EXCEEDED: Final = 4
AUTH_METHOD_NOT_SUPPORTED: Final = 7
STRONGER_AUTH_REQUIRED: Final = 8
ADMIN_LIMIT_EXCEEDED: Final = 11
UNAVAILABLE_CRITICAL_EXTENSION: Final = 12
CONFIDENTIALITY_REQUIRED: Final = 13
NO_SUCH_OBJECT: Final = 32
INVALID_DN_SYNTAX: Final = 34
INVALID_CREDENTIALS: Final = 49
INSUFFICIENT_ACCESS_RIGHTS: Final = 50
BUSY: Final = 51
UNAVAILABLE: Final = 52
UNWILLING_TO_PERFORM: Final = 53
OTHER: Final = 80


class LdapError(PasserelleError):
    """An operation that is refused; the session goes on.

    :param result: resultCode. :param matched: matchedDN, for noSuchObject (RFC 4511 §4.1.9).
    """

    def __init__(self, rule: str, peer: str, result: int, *, matched: str = "") -> None:
        super().__init__(rule, peer)
        self.result = result
        self.matched = matched

    @property
    def diagnostic(self) -> str:
        """diagnosticMessage: the words and, in brackets, the rule."""
        return f"{self.peer} [{self.rule}]"


class MalformedError(LdapError):
    """Octets that are no LDAP message of ours: the session ends (RFC 4511 §4.1.1)."""

    def __init__(self, peer: str, *, rule: str = "ldap.syntax") -> None:
        super().__init__(rule, peer, PROTOCOL_ERROR)
