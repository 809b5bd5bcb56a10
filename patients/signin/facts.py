"""The three facts of activation, and destinations as they are shown: pure functions."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Final, Literal

import msgspec

from patients.ins import ins_key, normalise, shaped_ins
from patients.signin.keys import tag

#: How codes travel; ``letter`` is the code of the notice, which the person has already.
Channel = Literal["email", "sms"]
CardKind = Literal["plain", "photo"]
_SERIALS: Final[dict[CardKind, re.Pattern[str]]] = {
    "plain": re.compile(r"[0-9]{8,13}", re.ASCII),  # at the back, top left
    "photo": re.compile(r"[0-9]{11}", re.ASCII),  # top right, the last 11 digits
}
_EMAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{7,14}", re.ASCII)


class FactsError(ValueError):
    """A fact that has not its form; the text names the field. Says nothing of any person."""


class Facts(msgspec.Struct, frozen=True):
    """What a person says: his birth date (``YYYY-MM-DD``), the number on the card, the card."""

    birth_date: str
    number: str
    card_kind: CardKind
    card_serial: str


def read_facts(birth_date: str, number: str, card_kind: str, card_serial: str) -> Facts:
    """The facts as typed, in one form; blanks do not count. A number of 13 characters gets its key.

    Raises :class:`FactsError`: what has not the form of a fact, so nobody's.
    """
    try:
        born = date.fromisoformat(birth_date.strip()).isoformat()
    except ValueError:
        raise FactsError("birth_date") from None
    matricule = normalise(number)
    if len(matricule) == 13:
        try:
            matricule += ins_key(matricule)
        except ValueError:
            raise FactsError("number") from None
    if not shaped_ins(matricule):
        raise FactsError("number")
    kind = _kind(card_kind)
    return Facts(born, matricule, kind, read_serial(kind, card_serial))


def read_serial(kind: str, serial: str) -> str:
    """A card's serial without blanks; of a card with photo the last 11 digits. Raises :class:`FactsError`."""
    bare = "".join(serial.split())
    if kind == "photo" and bare.isascii() and bare.isdigit() and 11 < len(bare) <= 21:
        bare = bare[-11:]
    if not _SERIALS[_kind(kind)].fullmatch(bare):
        raise FactsError("card_serial")
    return bare


def _kind(text: str) -> CardKind:
    if text not in _SERIALS:
        raise FactsError("card_kind")
    return text


def read_destination(channel: str, to: str) -> str:
    """An e-mail address folded, or a telephone number as ``+33612345678``. Raises :class:`FactsError`."""
    if channel == "email":
        address = to.strip()
        if len(address) <= 254 and _EMAIL.fullmatch(address):
            return address.casefold()
        raise FactsError("email")
    if channel == "sms":
        number = re.sub(r"[\s.()-]", "", to)
        if re.fullmatch(r"0[67][0-9]{8}", number, re.ASCII):
            number = "+33" + number[1:]
        elif number.startswith("00"):
            number = "+" + number[2:]
        if _PHONE.fullmatch(number):
            return number
        raise FactsError("sms")
    raise FactsError("channel")


def masked(channel: Channel, to: str) -> str:
    """A destination partly hidden: its first letter and its ending, or its last two digits."""
    if channel == "sms":
        return f"•• •• •• •• {to[-2:]}"
    return f"{to[0]}•••@•••.{to.rpartition('.')[2]}"


def decoy(home: Path, channel: Channel, facts: Facts) -> str:
    """What :func:`masked` could show, for facts that are nobody's: the same each time, like a real one."""
    drawn = tag(home, "decoy", channel, facts.birth_date, facts.number, facts.card_kind, facts.card_serial)
    number = int.from_bytes(drawn[:8], "big")
    if channel == "sms":
        return f"•• •• •• •• {number % 100:02d}"
    # first letters and endings about as often as French addresses have them
    letters = "aaaabbccccddeeffggghhijjjjjkllllmmmmmmnnnoppppqrrrsssstttvvwxyz"
    endings = ("com",) * 11 + ("fr",) * 8 + ("net",)
    return f"{letters[number % len(letters)]}•••@•••.{endings[number // 997 % len(endings)]}"
