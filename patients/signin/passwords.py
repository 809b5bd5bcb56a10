"""What a password must be: long, and none of those that everybody tries first. No rule on its composition."""

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal

SHORTEST: Final = 12
LONGEST: Final = 128
Fault = Literal["short", "long", "common", "identifier", "characters"]
IdentifierFault = Literal["length", "characters"]

# What the commonest passwords are made of, in French and English, letters only.
_COMMON: Final = frozenset(
    (  # noqa: SIM905  # easier to read as text
        "abcdefghijkl abcdefghijklm abracadabra admin administrateur administrator amour amourtoujours "
        "azerty azertyuiop azertyuiopqs azertyuiopqsdfghjklm bienvenue bonjour bonjourbonjour changeme "
        "changezmoi chocolat coucou coucoucoucou doudou doudoudoudou dragon football france iloveyou "
        "jesuis jetaime jetaimejetaime letmein loulou loulouloulou marseille marseillemarseille "
        "monespacesante monamour monmotdepasse motdepasse motdepassemotdepasse nicolas olympique "
        "olympiquedemarseille parissaintgermain password passwordpassword princess princesse qsdfghjklm "
        "qwerty qwertyuiop qwertyuiopasdf santesante secret soleil soleilsoleil sunshine superman "
        "toulouse trustno vivelafrance welcome"
    ).split()
)
_SEQUENCES: Final = ("01234567890123456789", "98765432109876543210", "abcdefghijklmnopqrstuvwxyz")
_IDENTIFIER: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]*")


def prepared(password: str) -> str:
    """A password as it is hashed: whatever keyboard wrote it (NFKC), the same."""
    return unicodedata.normalize("NFKC", password)


def password_fault(password: str, identifier: str) -> Fault | None:
    """Why a new password is refused, or None."""
    text = prepared(password)
    if len(text) < SHORTEST:
        return "short"
    if len(text) > LONGEST:
        return "long"
    if not text.isprintable():
        return "characters"
    folded = text.casefold()
    letters = "".join(letter for letter in folded if letter.isalpha())
    bare = "".join(letter for letter in folded if letter.isalnum())
    if letters in _COMMON or bare in _COMMON or len(set(folded)) < 4:
        return "common"
    if any(bare in sequence + sequence for sequence in _SEQUENCES):
        return "common"
    name = fold_identifier(identifier)
    if len(name) >= 4 and name in folded:
        return "identifier"
    return None


def fold_identifier(identifier: str) -> str:
    """An identifier as it is compared."""
    return unicodedata.normalize("NFKC", identifier).strip().casefold()


def identifier_fault(identifier: str) -> IdentifierFault | None:
    """Why a new identifier is refused, or None."""
    name = fold_identifier(identifier)
    if not 6 <= len(name) <= 64:
        return "length"
    return None if _IDENTIFIER.fullmatch(name) else "characters"
