"""A file that is looked at first and taken afterwards: it waits in the page itself, on no disk of ours."""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec

from webmail.languages import N_
from webmail.turn import Turn

#: Octets that one file may have; and those of one that can wait in the page.
MOST: Final = 2 * 1024 * 1024
WAITING: Final = 150 * 1024
#: What a form with such a file may weigh.
BODY: Final = MOST + 64 * 1024
NO_FILE: Final = N_("Choisissez d'abord un fichier.")
TOO_BIG: Final = N_("Ce fichier dépasse 2 Mo. Partagez-le en plusieurs.")


class Given(msgspec.Struct, frozen=True):
    """``content`` of a file; ``waits`` is what the page holds of it, "" when it must be chosen again;
    ``fault``: why there is none, to be translated."""

    content: bytes = b""
    waits: str = ""
    fault: str = ""


async def given(turn: Turn) -> Given:
    """The file ``fichier`` of a form, or the one that waited in its field ``attente``."""
    files = turn.files("fichier")
    if files:
        content = await files[0].read(MOST + 1)
    else:
        try:
            content = base64.b64decode(turn.text("attente"), validate=True)
        except (binascii.Error, ValueError):
            content = b""
    if not content:
        return Given(fault=NO_FILE)
    if len(content) > MOST:
        return Given(fault=TOO_BIG)
    waits = base64.b64encode(content).decode() if len(content) <= WAITING else ""
    return Given(content, waits)
