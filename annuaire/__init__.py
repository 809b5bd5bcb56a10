"""The directory: professionals, structures, their mailboxes, and the list of authorised domains.

Import with :func:`import_extraction` and :func:`import_whitelist`; every other name is a look-up that
takes a read connection first, or a pure function.
"""

from annuaire.ages import directory_ages
from annuaire.dn import fold_dn, same_dn, split_dn
from annuaire.errors import ExtractionError, WhitelistError
from annuaire.fhir import FhirClient, FhirError, FhirReport, read_key, sync_fhir
from annuaire.fhir import search_mailboxes as search_fhir
from annuaire.fhir import searches as fhir_searches
from annuaire.generations import Generation, current_import, generations, in_use
from annuaire.history import Change, Known, address_known, history, person_known
from annuaire.holder import (
    Claim,
    Former,
    HolderMatch,
    claim_of,
    former,
    holder_match,
    is_person,
    professional,
    same_site,
    specialities,
)
from annuaire.hygiene import Finding, hygiene
from annuaire.importer import BadRow, ImportReport
from annuaire.judgement import HolderCheck, Reason, Standing, day, standing_text
from annuaire.lookup import (
    OFFICINE_SECTORS,
    Activity,
    Mailbox,
    activities,
    by_id_nat,
    by_structure,
    find,
    is_officine,
    owns,
)
from annuaire.lookup import mailbox_of as mailbox
from annuaire.names import fold, fold_address, fold_domain, structure_id, words
from annuaire.professions import PROFESSIONS, profession_label
from annuaire.refresh import RefreshState, refresh_state
from annuaire.search import search
from annuaire.sectors import sectors
from annuaire.whitelist import (
    CheckSigner,
    SignerVerdict,
    WhitelistReport,
    WhitelistRules,
    fetch_whitelist,
    import_whitelist,
    install,
    take_whitelist,
)
from annuaire.whitelist_lookup import (
    WhitelistDiff,
    WhitelistStatus,
    domain_listed,
    whitelist_age,
    whitelist_allows,
    whitelist_diff,
    whitelist_domains,
    whitelist_entries,
    whitelist_status,
    whitelist_versions,
)
from annuaire.whitelist_xml import Entry as WhitelistEntry
from annuaire.whitelist_xml import SignedList, read_signed_list, sign_whitelist
from annuaire.worker import import_extraction

__all__ = [
    "OFFICINE_SECTORS",
    "PROFESSIONS",
    "Activity",
    "BadRow",
    "Change",
    "CheckSigner",
    "Claim",
    "ExtractionError",
    "FhirClient",
    "FhirError",
    "FhirReport",
    "Finding",
    "Former",
    "Generation",
    "HolderCheck",
    "HolderMatch",
    "ImportReport",
    "Known",
    "Mailbox",
    "Reason",
    "RefreshState",
    "SignedList",
    "SignerVerdict",
    "Standing",
    "WhitelistDiff",
    "WhitelistEntry",
    "WhitelistError",
    "WhitelistReport",
    "WhitelistRules",
    "WhitelistStatus",
    "activities",
    "address_known",
    "by_id_nat",
    "by_structure",
    "claim_of",
    "current_import",
    "day",
    "directory_ages",
    "domain_listed",
    "fetch_whitelist",
    "fhir_searches",
    "find",
    "fold",
    "fold_address",
    "fold_dn",
    "fold_domain",
    "former",
    "generations",
    "history",
    "holder_match",
    "hygiene",
    "import_extraction",
    "import_whitelist",
    "in_use",
    "install",
    "is_officine",
    "is_person",
    "mailbox",
    "owns",
    "person_known",
    "profession_label",
    "professional",
    "read_key",
    "read_signed_list",
    "refresh_state",
    "same_dn",
    "same_site",
    "search",
    "search_fhir",
    "sectors",
    "sign_whitelist",
    "specialities",
    "split_dn",
    "standing_text",
    "structure_id",
    "sync_fhir",
    "take_whitelist",
    "whitelist_age",
    "whitelist_allows",
    "whitelist_diff",
    "whitelist_domains",
    "whitelist_entries",
    "whitelist_status",
    "whitelist_versions",
    "words",
]
