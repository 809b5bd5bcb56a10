"""Whether a letter's sender asked to be told that it was read, and what the person decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from webmail.mail.letters import Letter

#: RFC 3503 §3.1: set once the question was settled, whether a receipt went or not.
SETTLED: Final = "$MDNSent"
#: Ours beside it: the person said no.
DECLINED: Final = "MDNDeclined"

ReceiptState = Literal["none", "asked", "elsewhere", "sent", "declined"]


def receipt_state(letter: Letter) -> ReceiptState:
    """``asked``: the person has to be asked; ``elsewhere``: the receipt would go to somebody else than the
    sender, so none is sent (RFC 8098 §2.1); ``sent`` and ``declined`` are settled."""
    facts = letter.meta.index.facts
    if not facts.disposition_to or facts.auto in ("dsn", "mdn"):
        return "none"
    if any(one.folder.special_use in ("\\Sent", "\\Drafts") for one in letter.places):
        return "none"
    kept = {word.lower() for one in letter.places for word in one.entry.keywords.split()}
    if SETTLED.lower() in kept:  # RFC 3503 §3.1
        return "declined" if DECLINED.lower() in kept else "sent"
    return "asked" if receipt_address(letter) else "elsewhere"


def receipt_address(letter: Letter) -> str:
    """Where a receipt may go, folded: to the one address of Disposition-Notification-To when it is both the
    reverse-path and the author's; "" otherwise (RFC 8098 §2.1)."""
    facts = letter.meta.index.facts
    if len(facts.disposition_to) != 1 or len(facts.from_) != 1:
        return ""
    wanted = facts.disposition_to[0].address.casefold()
    return wanted if wanted == facts.from_[0].address.casefold() == _reverse_path(letter) else ""


def _reverse_path(letter: Letter) -> str:
    """The reverse-path, as our own Return-Path line kept it (RFC 5321 §4.4)."""
    first = letter.meta.prefix.partition(b"\r\n")[0].decode(errors="replace")
    name, _, value = first.partition(":")
    return value.strip().strip("<>").casefold() if name.lower() == "return-path" else ""
