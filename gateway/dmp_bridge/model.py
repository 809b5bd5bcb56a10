"""What passes between the steps of filing: attachment, sender, policy, and what is to be filed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from gateway.dmp_bridge.codes import Code
from gateway.dmp_bridge.metadata import Author

Y = Literal["all", "xdm", "none"]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What filing does, as the administrator sets it.

    ``y``: file every attachment, only the documents of archives, or nothing; ``y_by_sender`` overrides it
    for a mail address or a domain (lower case). ``default_type`` is the type (JDV_J66) of an attachment
    that nothing tells about. Times in ms: a task is leased for ``lease_ms``, retried after ``retry_ms``
    doubling up to ``retry_max_ms``, and parked after ``attempts`` tries.
    """

    y: Y = "all"
    y_by_sender: dict[str, Y] = {}
    default_type: str = "11488-4"
    lease_ms: int = 120_000
    retry_ms: int = 15_000
    retry_max_ms: int = 3_600_000
    attempts: int = 12

    def for_sender(self, address: str) -> Y:
        """The choice for one sender: his address first, then his domain, then the general one."""
        folded = address.casefold()
        for key in (folded, folded.rpartition("@")[2]):
            if key in self.y_by_sender:
                return self.y_by_sender[key]
        return self.y


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Who sent the message, as proven and as the directory knows him; "" where it does not.

    ``profession`` of G15 (``10``), ``speciality`` of R38 (``SM26``), ``sector`` of R02.
    """

    address: str
    id_nat: str = ""
    struct_id: str = ""
    name: str = ""
    given: str = ""
    structure: str = ""
    profession: str = ""
    speciality: str = ""
    sector: str = ""


@dataclass(frozen=True)
class Attachment:
    """One file of a message. ``load`` gives its decoded bytes (blocking, each call reads again)."""

    media: str
    filename: str
    load: Callable[[], bytes]
    charset: str = ""
    inline: bool = False


@dataclass(frozen=True)
class Filing:
    """One document to file. ``load`` gives the CDA's bytes; ``content_sha256`` tells whether two filings
    are the same document (the CDA's bytes, or those of the file that is wrapped)."""

    place: str  # "attachment 2, document 1": for evidence, says nothing of the content
    unique_id: str
    set_id: str
    version: int
    replaces: list[str]
    created_at: int
    service_at: int
    content_sha256: bytes
    type: Code
    class_: Code
    format: Code
    title: str
    author: Author
    confidentiality: list[str]
    facility: str
    practice: str
    body_mime: str
    filename: str
    load: Callable[[], bytes]


@dataclass(frozen=True)
class Deletion:
    """A sender's request to take out one of his documents (``action`` D)."""

    place: str
    unique_id: str


class Refused(msgspec.Struct, frozen=True):
    """A document that is not filed, of which its sender is told: code 900 to 906, rule, reason in English."""

    place: str
    code: int
    rule: str
    reason: str


class Passed(msgspec.Struct, frozen=True):
    """An attachment that is not filed and need not be: a copy, the same twice, a kind that is not taken."""

    place: str
    rule: str
    reason: str


@dataclass
class Plan:
    """What is to be done for one message."""

    filings: list[Filing] = field(default_factory=list)
    deletions: list[Deletion] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)
