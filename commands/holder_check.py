"""`passerelle certs check --address`: the holder of a certificate, check by check, after the directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from commands.common import open_store

if TYPE_CHECKING:
    from certs import Identity


def address_rows(home: Path, who: Identity, address: str) -> tuple[list[dict[str, str]], bool]:
    """The rows to show, and whether the certificate may speak for the address.

    It may when the whitelist names it for the domain (an operator's), or when every check on its holder
    holds (a professional's, a structure's).
    """
    from annuaire import claim_of, holder_match, whitelist_allows

    domain = address.rpartition("@")[2]
    with open_store(home) as store:
        listed = store.read(whitelist_allows, domain, who.subject_dn)
        match = store.read(holder_match, claim_of(who), address)
    named = "names" if listed else "does not name"
    detail = f"the whitelist {named} this certificate for {domain}"
    rows = [{"step": "whitelist", "result": "ok" if listed else "no", "detail": detail}]
    allowed, reason = listed, "whitelist" if listed else "not_listed"
    if who.kind in ("person", "organisation"):
        allowed = listed or match.ok
        refused = "no" if listed else "REFUSED"
        rows += [
            {"step": check.name, "result": "ok" if check.ok else refused, "detail": check.text}
            for check in match.checks
        ]
        rows += [{"step": "holder", "result": "", "detail": detail} for detail in match.details]
        reason = "whitelist" if listed else match.reason
    rows.append(
        {"step": "address", "result": "ok" if allowed else "REFUSED", "detail": f"{address}: {reason}"}
    )
    return rows, allowed
