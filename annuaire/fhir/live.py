"""Asking the API itself for a mailbox, now; nothing is kept."""

from __future__ import annotations

import msgspec

from annuaire.fhir.client import FhirClient
from annuaire.fhir.mapping import Holder, holder_of, read_resource, see
from annuaire.fhir.model import KINDS, Resource
from annuaire.rows import MailboxRow, RowFaultError

#: Pages read for each kind of resource; whoever wants more synchronises.
MOST_PAGES = 5


class Answer(msgspec.Struct, frozen=True):
    """The mailboxes found; how many more are on the red list and not shown; why others could not be read."""

    rows: list[MailboxRow]
    red: int
    faults: list[str]


def search_mailboxes(client: FhirClient, text: str, *, exact: bool = False) -> Answer:
    """The mailboxes whose address holds ``text``, or is ``text`` (``exact``). Blocking.

    Raises :class:`~annuaire.fhir.errors.FhirError`.
    """
    rows: list[MailboxRow] = []
    faults: list[str] = []
    red = 0
    for kind in KINDS:
        parameters = [(f"mailbox-mss:{'exact' if exact else 'contains'}", text)]
        if kind == "PractitionerRole":
            parameters += [("_include", f"{kind}:{one}") for one in ("practitioner", "organization")]
        pages = client.pages(client.search(kind, parameters))
        for page, _ in zip(pages, range(MOST_PAGES), strict=False):
            matches: list[Resource] = []
            holders: dict[str, Holder] = {}
            for entry in page.entries:
                try:
                    one = read_resource(bytes(entry.resource))
                    if one.resource_type == kind:
                        matches.append(one)
                    else:
                        holders[f"{one.resource_type}/{one.id}"] = holder_of(one)
                except RowFaultError as fault:
                    faults.append(str(fault))
            for one in matches:
                try:
                    found = see(one, holders)
                except RowFaultError as fault:
                    faults.append(f"{kind} {one.id}: {fault}")
                    continue
                asked = [row for row in found.rows if _asked_for(row.address, text, exact)]
                rows += [row for row in asked if not row.red_list]
                red += sum(row.red_list for row in asked)
                faults += found.faults
    return Answer(rows, red, faults)


def _asked_for(address: str, text: str, exact: bool) -> bool:
    """A resource comes with all its mailboxes; only those that were asked for are shown."""
    wanted = text.casefold()
    return address == wanted if exact else wanted in address
