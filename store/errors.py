"""The one exception family: every refusal and failure names its check and knows how to answer.

A room subclasses :class:`PasserelleError` for its own failures. The SMTP server turns one into a
reply, the log and the evidence take the same ``rule``, so that the peer, the administrator and the
trace never disagree on the reason.
"""

from __future__ import annotations

from typing import Final, Literal

Fault = Literal["peer", "us", "config"]


class PasserelleError(Exception):
    """A failure that names the check that failed.

    :param rule: id of the check, e.g. ``"sender.revoked"``.
    :param peer: text for the other side: ASCII, one line, no health data.
    :param log: text for the administrator; the peer's text when empty.
    :param code: SMTP reply code (RFC 5321 §4.2.3); 4xx means "try again", 5xx "do not".
    :param enhanced: enhanced status code (RFC 3463), class equal to the code's first digit.
    :param fault: who has to act: the ``peer``, ``us`` (this gateway) or the ``config``uration.
    """

    code: int = 550
    enhanced: str = "5.7.1"
    fault: Fault = "peer"

    def __init__(
        self,
        rule: str,
        peer: str,
        *,
        log: str = "",
        code: int | None = None,
        enhanced: str | None = None,
        fault: Fault | None = None,
    ) -> None:
        super().__init__(rule, peer)
        self.rule: Final = rule
        self.peer: Final = peer
        self.log: Final = log or peer
        if code is not None:
            self.code = code
        if enhanced is not None:
            self.enhanced = enhanced
        if fault is not None:
            self.fault = fault

    @property
    def reply(self) -> str:
        """The SMTP reply line without its line end: ``550 5.7.1 text [rule]``."""
        return f"{self.code} {self.enhanced} {self.peer} [{self.rule}]"

    def __str__(self) -> str:
        return f"{self.log} [{self.rule}]"


class StoreError(PasserelleError):
    """The store cannot do what was asked; the message was not accepted (RFC 5321 §4.2.1: 4yz)."""

    code = 451
    enhanced = "4.3.0"
    fault: Fault = "us"


class NotFoundError(PasserelleError):
    """What was named does not exist."""

    code = 550
    enhanced = "5.1.1"


class InvalidInputError(PasserelleError):
    """What was given cannot be understood; nothing was changed."""

    code = 501
    enhanced = "5.5.4"
