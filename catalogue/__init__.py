"""The catalogue: services referenced by the State, patients' consents, and the one door of every exchange."""

from catalogue.consenting import (
    consent,
    consent_events,
    consents,
    revoke,
    sentence,
)
from catalogue.decision import Decision, ExchangeFacts, decide
from catalogue.errors import CatalogueError, CatalogueFileError
from catalogue.exchanges import Exchange, Judged, exchange, judge
from catalogue.importer import CatalogueReport, import_list
from catalogue.listing import criteria, search, service, service_history, services, versions
from catalogue.model import Consent, Consented, ConsentEvent, Criterion, Listed, Service, Standing, Version
from catalogue.naming import service_titles
from catalogue.rows import BadRow
from catalogue.scopes import PARTS, Scope, parse_scope

__all__ = [
    "PARTS",
    "BadRow",
    "CatalogueError",
    "CatalogueFileError",
    "CatalogueReport",
    "Consent",
    "ConsentEvent",
    "Consented",
    "Criterion",
    "Decision",
    "Exchange",
    "ExchangeFacts",
    "Judged",
    "Listed",
    "Scope",
    "Service",
    "Standing",
    "Version",
    "consent",
    "consent_events",
    "consents",
    "criteria",
    "decide",
    "exchange",
    "import_list",
    "judge",
    "parse_scope",
    "revoke",
    "search",
    "sentence",
    "service",
    "service_history",
    "service_titles",
    "services",
    "versions",
]
