"""What became of a message, made out of its evidence: recipient by recipient, event by event.

Only what its sender was told already, or may be told: how it ended, what was filed, which receipts went.
Whether it was read is known from a receipt that the patient chose to send (RFC 8098 §2.1), from nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection

import annuaire
from activity import Actor
from evidence import Record
from store import InvalidInputError
from webmail.languages import N_, Language, translations
from webmail.professionals import words

Kind = Literal["ok", "warn", "bad", "info"]

_HEADS: Final[dict[str, tuple[str, Kind]]] = {
    "accepted": (N_("Pris en charge : en route vers l'opérateur du destinataire."), "info"),
    "delivered": (N_("Remis dans la messagerie du destinataire."), "ok"),
    "duplicate": (N_("Reçu de nouveau : le même message avait déjà été remis."), "ok"),
    "relayed": (N_("Remis à l'opérateur du destinataire."), "ok"),
    "refused": (N_("Refusé."), "bad"),
    "delayed": (N_("L'opérateur du destinataire ne le prend pas encore : nous réessayons."), "warn"),
    "failed": (N_("Non remis : nous avons renoncé."), "bad"),
    "filing_refused": (N_("Document non déposé."), "bad"),
    "parked": (N_("Dépôt en attente : un administrateur doit intervenir."), "warn"),
}
#: Badges, by what a recipient's road came to; what is said of several events is the one that counts most.
_SHORT: Final[dict[str, str]] = {
    "accepted": N_("pris en charge"),
    "delivered": N_("remis"),
    "duplicate": N_("déjà remis"),
    "relayed": N_("remis à son opérateur"),
    "refused": N_("refusé"),
    "delayed": N_("retardé"),
    "failed": N_("non remis"),
}
_ROAD: Final = tuple(_SHORT)
_READ: Final = N_("Accusé de lecture envoyé par l'usager.")
_FILING_TOLD: Final = N_("Compte rendu de dépôt envoyé à l'expéditeur.")
_DSN: Final = N_("Un avis (DSN) a été envoyé à l'expéditeur.")


class Badge(msgspec.Struct, frozen=True):
    """A word or two, and the colour that goes with them."""

    text: str
    kind: Kind


class Step(msgspec.Struct, frozen=True):
    """One record in words. ``number`` is the record's: its receipt can be had. ``why`` is what was answered
    on the wire, in English."""

    number: int
    at: int
    text: str
    kind: Kind
    rule: str = ""
    why: str = ""


class Fate(msgspec.Struct, frozen=True):
    """What became of it for one recipient; ``recipient`` is the address as it was written, "" where the
    message was refused before one was named."""

    recipient: str
    badges: list[Badge]
    steps: list[Step]
    read: bool


class Sent(msgspec.Struct, frozen=True):
    """A message and its fates. ``message_id`` "" where its content was never taken."""

    trace_id: str
    message_id: str
    at: int
    sender: str
    size: int
    sha256: str
    fates: list[Fate]


Mine = Callable[[str, int], bool]


def addresses_of(conn: Connection, who: Actor) -> list[str]:
    """The mailboxes of who asks, folded, as the annuaire has them now."""
    if who.by == "structure":
        found = annuaire.by_structure(conn, who.ident)
    else:
        found = annuaire.by_id_nat(conn, who.ident)
    mine = owner_of(conn, who)
    return sorted({one.address.casefold() for one in found if mine(one.address.casefold(), 0)})


def owner_of(conn: Connection, who: Actor) -> Mine:
    """Whether an address was his at a moment (0: is his now): an address may have had another holder.

    A moment that the directory's history does not reach is nobody's.
    """
    known: dict[tuple[str, int], bool] = {}
    claim = {"struct_id" if who.by == "structure" else "id_nat": who.ident}

    def mine(address: str, at: int) -> bool:
        asked = (address.casefold(), at)
        if asked not in known:
            try:
                known[asked] = annuaire.owns(conn, asked[0], at=at or None, **claim)
            except InvalidInputError:
                known[asked] = False
        return known[asked]

    return mine


def sent_of(trace: Sequence[Record], mine: Mine, language: Language) -> Sent | None:
    """A message out of the records of its trace; None unless who asks sent it."""
    first = next(
        (one for one in trace if one.sender and mine(one.sender, 0) and mine(one.sender, one.at)), None
    )
    if first is None:
        return None
    sender = first.sender.casefold()
    shown = [one for one in trace if _his(one, sender)]
    recipients: dict[str, list[Record]] = {}
    for one in shown:
        recipients.setdefault(_recipient(one).casefold(), []).append(one)
    return Sent(
        trace_id=first.trace_id,
        message_id=first.message_id,
        at=first.at,
        sender=sender,
        size=int(_detail(first).get("size", "0")),
        sha256=first.sha256.hex(),
        fates=[_fate(records, language) for records in recipients.values()],
    )


def _his(record: Record, sender: str) -> bool:
    """Whether a record of the trace is for its sender: his own, one that names nobody, a receipt to him."""
    if record.event == "receipt":
        return record.recipient.casefold() == sender
    return record.event in (*_HEADS, "filed") and record.sender.casefold() in (sender, "")


def _recipient(record: Record) -> str:
    return record.sender if record.event == "receipt" else record.recipient


def _fate(records: list[Record], language: Language) -> Fate:
    read = any(one.event == "receipt" and _detail(one).get("about") == "reading" for one in records)
    return Fate(
        recipient=next(
            (_recipient(one) for one in records if one.event != "receipt"), _recipient(records[0])
        ),
        badges=_badges(records, read, language),
        steps=[_step(one, language) for one in records],
        read=read,
    )


def _badges(records: list[Record], read: bool, language: Language) -> list[Badge]:
    said = translations(language)
    road = [one.event for one in records if one.event in _ROAD]
    badges = [Badge(said.gettext(_SHORT[road[-1]]), _HEADS[road[-1]][1])] if road else []
    filed = sum(one.event == "filed" for one in records)
    refused = sum(one.event == "filing_refused" for one in records)
    if filed:
        text = said.ngettext("%(num)s document déposé", "%(num)s documents déposés", filed)
        badges.append(Badge(text % {"num": filed}, "ok"))
    if refused:
        text = said.ngettext("%(num)s document refusé", "%(num)s documents refusés", refused)
        badges.append(Badge(text % {"num": refused}, "bad"))
    if records[-1].event == "parked":
        badges.append(Badge(said.gettext(N_("dépôt en attente")), "warn"))
    if read:
        badges.append(Badge(said.gettext(N_("lu, selon l'usager")), "ok"))
    return badges


def _step(record: Record, language: Language) -> Step:
    said, detail = translations(language).gettext, _detail(record)
    kind: Kind = "ok"
    if record.event == "receipt":
        text = said(_READ if detail.get("about") == "reading" else _FILING_TOLD)
        kind = "info"
    elif record.event == "filed":
        text = words.filed(detail.get("outcome", ""), language)
    else:
        head, kind = _HEADS[record.event]
        text = said(head)
    if record.event in ("refused", "failed", "delayed"):
        text = f"{text} {words.check(record.rule, language)}"
    if record.event == "filing_refused":
        code = detail.get("code", "")
        label = words.label(int(code) if code.isdecimal() else 906, language)
        text = f"{text} {code} : {label}." if language == "fr" else f"{text} {code}: {label}."
    if detail.get("report") == "yes":
        text = f"{text} {said(_DSN)}"
    rule = record.rule if record.event in ("refused", "failed", "delayed", "filing_refused", "parked") else ""
    return Step(record.seq, record.at, text, kind, rule, detail.get("why", ""))


def _detail(record: Record) -> dict[str, Any]:
    found = msgspec.json.decode(record.detail)
    return found if isinstance(found, dict) else {}
