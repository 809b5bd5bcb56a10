"""The Annuaire Santé FHIR API v2: a client, and the directory kept fresh by it between two extractions."""

from annuaire.fhir.client import FhirClient, read_key
from annuaire.fhir.errors import FhirError
from annuaire.fhir.live import search_mailboxes
from annuaire.fhir.ops import searches
from annuaire.fhir.sync import FhirReport, sync_fhir

__all__ = ["FhirClient", "FhirError", "FhirReport", "read_key", "search_mailboxes", "searches", "sync_fhir"]
