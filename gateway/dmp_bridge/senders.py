"""Who a sender is, from the directory: what a document made of his attachment says of its author."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

import annuaire
from annuaire import Mailbox
from gateway.dmp_bridge.model import Sender

_CIVILITIES: Final = {"DR", "PR", "M", "MR", "MME", "MLLE", "DOCTEUR", "PROFESSEUR"}
_OFFICINE: Final = "SA33"


def sender_of(conn: Connection, address: str) -> Sender:
    """The directory's knowledge of a mail address; only the address when it lists nothing."""
    listed = annuaire.mailbox(conn, address)
    person = next((box for box in listed if box.id_nat and box.active), None)
    organisation = next((box for box in listed if box.kind != "PER"), None)
    if person is None and organisation is None:
        return Sender(address=address)
    main = person or organisation
    assert main is not None
    family, given = split_name(person.name) if person is not None else ("", "")
    return Sender(
        address=address,
        id_nat=main.id_nat,
        struct_id=main.struct_id or (organisation.struct_id if organisation else ""),
        name=family,
        given=given,
        structure=_structure(conn, main, organisation),
        profession=main.profession,
        speciality=main.speciality,
        sector=_OFFICINE if any(box.officine for box in listed) else "",
    )


def _structure(conn: Connection, main: Mailbox, organisation: Mailbox | None) -> str:
    """The structure's name: that of the organisation's box, of this address or of the same structure."""
    if organisation is not None:
        return organisation.name
    if not main.struct_id:
        return ""
    return next((box.name for box in annuaire.by_structure(conn, main.struct_id) if box.kind == "ORG"), "")


def split_name(name: str) -> tuple[str, str]:
    """``"Dr Marie-Anne DE LA TOUR"`` → (family, given): the family name is what stands in capitals."""
    words = [word for word in name.split() if word.rstrip(".").upper() not in _CIVILITIES]
    family = [word for word in words if word == word.upper() and any(char.isalpha() for char in word)]
    given = [word for word in words if word not in family]
    if not family and given:
        return given[-1], " ".join(given[:-1])
    return " ".join(family), " ".join(given)
