"""Does the directory know the holder of a certificate, and as what? Pure: all it needs is in the facts.

Each check has a name, a result, and one ASCII sentence that may be said to the peer; the reason of the
first that failed is the answer. What the directory cannot tell, because a file was never loaded, is no
fault of the holder: such a check holds, and says that nothing was checked.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

Reason = Literal[
    "match",
    "no_identity",
    "unknown",
    "struck_off",
    "no_activity",
    "other_profession",
    "unknown_structure",
    "card_opposed",
    "unlisted_box",
    "box_gone",
    "other_holder",
    "other_structure",
    "organisation_box",
    "personal_box",
]
#: Where a professional stands in the directory; ``unchecked``: no activities were ever loaded.
Standing = Literal["practises", "no_activity", "struck_off", "unknown", "unchecked"]

#: G15 codes that were closed on 13/12/2024: the directory and older certificates differ on them.
CLOSED_PROFESSIONS: Final = frozenset({"35", "36", "37", "38", "39"})

_FAILED: Final[dict[Standing, Reason]] = {
    "no_activity": "no_activity",
    "struck_off": "struck_off",
    "unknown": "unknown",
}


class HolderCheck(msgspec.Struct, frozen=True):
    """One check: ``reason`` is "match" when it holds; ``text`` is one ASCII sentence."""

    name: str
    reason: Reason
    text: str

    @property
    def ok(self) -> bool:
        return self.reason == "match"


class Holding(msgspec.Struct, frozen=True, array_like=True):
    """One holder of the address in question."""

    kind: str  # R257: PER, ORG, APP, CAB
    id_nat: str
    struct_id: str


class CardFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the file of cards says: ``found`` cards answer to the certificate, ``opposed_at`` in ms or 0."""

    found: int
    opposed_at: int = 0


class HolderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a certificate states, and what the directory holds about it.

    :param person: a person's certificate; otherwise a structure's.
    :param standing: of the person; ``gone_at`` (ms): when he was seen to have left the directory.
    :param professions: G15 codes under which the directory knows the person.
    :param structures: every Struct_IdNat that the directory proves to be the certificate's structure,
        that one included.
    :param structure_known: the directory names the structure.
    :param loaded: any part of the directory was; ``listed``: mailboxes were.
    :param holdings: the holders of ``address``.
    :param box_gone_at: when the address left the directory (ms), 0 if it was never in it.
    :param cards: None when the file of cards was never loaded, or says nothing that is certain.
    """

    person: bool
    id_nat: str = ""
    struct_id: str = ""
    profession: str = ""
    address: str = ""
    standing: Standing = "unchecked"
    gone_at: int = 0
    professions: frozenset[str] = frozenset()
    structures: frozenset[str] = frozenset()
    structure_known: bool = False
    loaded: bool = False
    listed: bool = False
    holdings: tuple[Holding, ...] = ()
    box_gone_at: int = 0
    cards: CardFacts | None = None


def judge_holder(facts: HolderFacts) -> list[HolderCheck]:
    """Every check on the holder, in the order in which they decide; the address last, if one is given."""
    if not (facts.id_nat if facts.person else facts.struct_id):
        return [
            HolderCheck(
                "holder", "no_identity", "the certificate names neither a professional nor a structure"
            )
        ]
    checks = [_standing(facts), _profession(facts), _card(facts)] if facts.person else [_structure(facts)]
    if facts.address:
        checks.append(_address(facts))
    return checks


def standing_text(standing: Standing, gone_at: int = 0) -> str:
    """One sentence on where a professional stands."""
    return {
        "practises": "the annuaire lists an activity of this professional",
        "no_activity": "the annuaire lists no activity of this professional",
        "struck_off": f"struck off: the annuaire lists no activity of this professional since {day(gone_at)}",
        "unknown": "the annuaire does not know this professional",
        "unchecked": "not checked: no activities of the annuaire are loaded",
    }[standing]


def day(at: int) -> str:
    """The UTC day of a moment in ms, ISO 8601."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d")


def _standing(facts: HolderFacts) -> HolderCheck:
    text = standing_text(facts.standing, facts.gone_at)
    return HolderCheck("holder.active", _FAILED.get(facts.standing, "match"), text)


def _profession(facts: HolderFacts) -> HolderCheck:
    stated, known = facts.profession, facts.professions
    name = "holder.profession"
    if not stated or not known:
        side = "annuaire" if stated else "certificate"
        return HolderCheck(name, "match", f"not checked: the {side} names no profession")
    if stated in known:
        return HolderCheck(name, "match", f"certificate and annuaire agree on the profession ({stated})")
    if stated in CLOSED_PROFESSIONS or known <= CLOSED_PROFESSIONS:
        return HolderCheck(name, "match", "not checked: the code of the profession was closed")
    found = ", ".join(sorted(known))
    return HolderCheck(
        name,
        "other_profession",
        _ascii(f"the certificate states the profession {stated}, the annuaire {found}"),
    )


def _card(facts: HolderFacts) -> HolderCheck:
    cards = facts.cards
    if cards is None:
        text = "not checked: no file of cards is loaded, or the certificate names no card of it"
        return HolderCheck("holder.card", "match", text)
    if not cards.opposed_at:
        return HolderCheck("holder.card", "match", "the card of the certificate is not opposed")
    return HolderCheck(
        "holder.card", "card_opposed", f"the card of the certificate is opposed since {day(cards.opposed_at)}"
    )


def _structure(facts: HolderFacts) -> HolderCheck:
    name = "holder.structure"
    if facts.structure_known:
        others = sorted(facts.structures - {facts.struct_id})
        also = f", also as {', '.join(others)}" if others else ""
        return HolderCheck(name, "match", _ascii(f"the annuaire names the structure{also}"))
    if not facts.loaded:
        return HolderCheck(name, "match", "not checked: the annuaire is empty")
    return HolderCheck(name, "unknown_structure", "the annuaire does not name this structure")


def _address(facts: HolderFacts) -> HolderCheck:
    name = "holder.address"
    if not facts.holdings:
        if not facts.listed:
            return HolderCheck(name, "unlisted_box", "no mailboxes of the annuaire are loaded")
        if facts.box_gone_at:
            text = f"the annuaire no longer lists the address since {day(facts.box_gone_at)}"
            return HolderCheck(name, "box_gone", text)
        return HolderCheck(name, "unlisted_box", "the annuaire does not list the address")
    if any(_owned(facts, holding) for holding in facts.holdings):
        return HolderCheck(name, "match", "the annuaire gives the address to the holder of the certificate")
    kinds = {holding.kind for holding in facts.holdings}
    if facts.person and kinds <= {"ORG", "APP"}:
        text = "the address is an organisation's mailbox, which opens to the certificate of its structure"
        return HolderCheck(name, "organisation_box", text)
    if facts.person:
        return HolderCheck(name, "other_holder", "the annuaire gives the address to another professional")
    if kinds == {"PER"}:
        return HolderCheck(name, "personal_box", "the address is a professional's own mailbox")
    return HolderCheck(name, "other_structure", "the annuaire gives the address to another structure")


def _owned(facts: HolderFacts, holding: Holding) -> bool:
    """A person owns PER and CAB boxes, a structure ORG, APP and CAB boxes (R257)."""
    if facts.person:
        return holding.kind in ("PER", "CAB") and holding.id_nat == facts.id_nat
    return holding.kind != "PER" and holding.struct_id in facts.structures


def _ascii(text: str) -> str:
    """Codes come out of files: nothing but printable ASCII may go into a reply."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)
