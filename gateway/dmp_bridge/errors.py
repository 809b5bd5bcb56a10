"""What the bridge answers when a document cannot be filed: the application error codes 900 to 906.

The codes are those a professional's software already knows from the MSSanté receiving side (CI-SIS
volet "Transmission au LPS d'un document CDA en courriel MSSanté", page of the error codes).
"""

from __future__ import annotations

from typing import Final, Literal

from store.errors import Fault, PasserelleError

WRONG_VERSION: Final = 900
AUTHOR_NOT_ALLOWED: Final = 901
UNKNOWN_PATIENT: Final = 902
INS_ABSENT: Final = 903
IDENTITY_DIFFERS: Final = 904
TRAITS_INCOMPLETE: Final = 905
OTHER: Final = 906

ApplicationCode = Literal[900, 901, 902, 903, 904, 905, 906]

#: What the sender reads beside the code, in the receipt.
LABELS: Final[dict[int, str]] = {
    WRONG_VERSION: "Version du document incorrecte",
    AUTHOR_NOT_ALLOWED: "Auteur non autorisé à remplacer ou supprimer ce document",
    UNKNOWN_PATIENT: "Patient inconnu",
    INS_ABSENT: "INS absente du document",
    IDENTITY_DIFFERS: "INS ou traits d'identité différents de ceux du destinataire",
    TRAITS_INCOMPLETE: "Traits d'identité incomplets",
    OTHER: "Document non intégrable",
}


class BridgeError(PasserelleError):
    """A document that is refused. ``application`` is its code 900 to 906; the rest as the base class."""

    code = 554
    enhanced = "5.6.0"
    fault: Fault = "peer"

    def __init__(self, rule: str, reason: str, *, application: int = OTHER) -> None:
        super().__init__(rule, reason)
        self.application: Final = application


class ArchiveError(BridgeError):
    """An IHE_XDM.ZIP that cannot be read safely (rules ``xdm.*``)."""


class XmlError(BridgeError):
    """XML that is refused before it is looked at (rules ``xml.*``)."""


class MetadataError(BridgeError):
    """A METADATA.XML that does not say what XDS requires (rules ``metadata.*``)."""


class CdaError(BridgeError):
    """A CDA document whose header cannot be used (rules ``cda.*``)."""
