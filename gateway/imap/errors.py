"""What IMAP commands answer when they do not succeed: one family, each member knows its reply."""

from __future__ import annotations

from store.errors import PasserelleError


class ImapError(PasserelleError):
    """A command that is answered with NO or BAD; the session lives on.

    :param text: what the client reads: one ASCII line.
    :param response_code: e.g. ``"TRYCREATE"`` (RFC 3501 §7.1, RFC 5530 §3), without brackets.
    """

    status = "NO"
    rule_name = "imap.refused"

    def __init__(self, text: str, response_code: str = "") -> None:
        super().__init__(self.rule_name, text)
        self.response_code = response_code

    def line(self, tag: str) -> bytes:
        """The tagged (or, with tag ``*``, untagged) response line."""
        code = f"[{self.response_code}] " if self.response_code else ""
        text = f"{tag} {self.status} {code}{self.peer}\r\n"
        return text.encode("ascii", "replace")


class NoError(ImapError):
    """The command was understood and refused: tagged NO."""


class BadError(ImapError):
    """The command was not understood, or is not valid now: tagged BAD (RFC 3501 §7.1.3)."""

    status = "BAD"
    rule_name = "imap.syntax"


class ByeError(ImapError):
    """The session ends now: untagged BYE (RFC 3501 §7.1.5), then the connection is closed."""

    status = "BYE"
    rule_name = "imap.bye"
