"""What an administrator decides about routing; plain values, read from the settings by the server."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.routing.rules import Unlisted

Y = Literal["all", "xdm", "none"]
Smime = Literal["report", "refuse-broken"]
Dispensations = Literal["off", "required"]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Domains are casefolded.

    :param hostname: our name in Received and Authentication-Results.
    :param system_address: mailbox here that the gateway's own notifications come from.
    :param patient_domain: domain of patients' addresses served here; "" where none are.
    :param hosted: domains whose professionals' mailboxes are here.
    :param unlisted: whether a sender absent from the annuaire is accepted (APP boxes are not published).
    :param whitelist_max_age: ms after which the list of domains no longer authorises anybody; 0: never.
    :param y: what is filed into the record: all documents, those of XDM archives, none.
    :param smime: a message whose signature is broken is delivered and flagged, or refused.
    :param dispensations: whether a patient writes first only to pharmacies with a dispensation on record.
    :param keep_sent: whose submitted messages are also kept in their Sent folder.
    """

    hostname: str
    system_address: str = ""
    patient_domain: str = ""
    hosted: frozenset[str] = frozenset()
    unlisted: Unlisted = "accept"
    size_limit: int = 25 * 1024 * 1024
    whitelist_max_age: int = 0
    y: Y = "all"
    smime: Smime = "report"
    dispensations: Dispensations = "off"
    keep_sent: frozenset[str] = frozenset({"patient"})


def domain_of(address: str) -> str:
    """The casefolded domain of an address, "" when it has none."""
    return address.rpartition("@")[2].casefold() if "@" in address else ""
