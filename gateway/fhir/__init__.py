"""The professionals' door: a FHIR R4 subset over patients' records, for who proves who he is."""

from gateway.fhir.app import PREFIX, FhirDoor
from gateway.fhir.errors import DoorError
from gateway.fhir.gatekeeper import Gatekeeper
from gateway.fhir.settings import Door, ProSante
from gateway.fhir.tokens import Tokens

__all__ = ["PREFIX", "Door", "DoorError", "FhirDoor", "Gatekeeper", "ProSante", "Tokens"]
