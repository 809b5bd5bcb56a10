"""The directory: professionals, structures, their mailboxes, and the list of authorised domains.

Import with :func:`import_extraction` and :func:`import_whitelist`; every other name is a look-up that
takes a read connection first, or a pure function.
"""

from annuaire.dn import fold_dn, same_dn, split_dn
from annuaire.errors import ExtractionError, WhitelistError
from annuaire.importer import BadRow, ImportReport, import_extraction
from annuaire.lookup import (
    OFFICINE_SECTORS,
    Mailbox,
    by_id_nat,
    by_structure,
    find,
    is_officine,
    owns,
    search,
)
from annuaire.lookup import mailbox_of as mailbox
from annuaire.names import fold_address, fold_domain, structure_id
from annuaire.whitelist import (
    CheckSigner,
    SignerVerdict,
    WhitelistReport,
    WhitelistStatus,
    domain_listed,
    import_whitelist,
    install,
    whitelist_age,
    whitelist_allows,
    whitelist_domains,
    whitelist_entries,
    whitelist_status,
)
from annuaire.whitelist_xml import Entry as WhitelistEntry
from annuaire.whitelist_xml import SignedList, read_signed_list, sign_whitelist

__all__ = [
    "OFFICINE_SECTORS",
    "BadRow",
    "CheckSigner",
    "ExtractionError",
    "ImportReport",
    "Mailbox",
    "SignedList",
    "SignerVerdict",
    "WhitelistEntry",
    "WhitelistError",
    "WhitelistReport",
    "WhitelistStatus",
    "by_id_nat",
    "by_structure",
    "domain_listed",
    "find",
    "fold_address",
    "fold_dn",
    "fold_domain",
    "import_extraction",
    "import_whitelist",
    "install",
    "is_officine",
    "mailbox",
    "owns",
    "read_signed_list",
    "same_dn",
    "search",
    "sign_whitelist",
    "split_dn",
    "structure_id",
    "whitelist_age",
    "whitelist_allows",
    "whitelist_domains",
    "whitelist_entries",
    "whitelist_status",
]
