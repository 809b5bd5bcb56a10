"""Certificates: who they say one is, whether to believe them, TLS, and the demonstration PKI."""

from certs.cms_sign import sign_cms
from certs.cms_verify import SignerResult, verify_signed
from certs.crl import Authority, Crl, CrlIndex
from certs.download import DownloadError, download, http_client
from certs.errors import (
    CertificateRefused,
    CertificateUnreadable,
    CrlRefused,
    KeyRefused,
    TlsUnavailable,
    TrustError,
)
from certs.files import certificates_in, crls_in
from certs.hsm import SCHEME as HSM_SCHEME
from certs.hsm import HsmSigner
from certs.identity import Identity, identity, structure_form
from certs.keys import KeyPair, KeySafe, read_bundle
from certs.keystore import ROLES, Held, Keystore, Role, Slot
from certs.keystore_import import Examined, examine
from certs.keystore_live import LiveTls
from certs.keystore_report import Standing, ending, standing_row, standings
from certs.names import dn_string
from certs.ocsp import OcspResponders
from certs.online import OnlineTrust
from certs.own_status import OwnStatus
from certs.pki import DemoPki, Issued, demo_pki
from certs.pki_profiles import DEMO_ORGANISATIONS, DEMO_PERSONS, DEMO_SERVERS, Organisation, Person, Server
from certs.refresh import Fetched, ListFetcher
from certs.report import crl_row, fetched_row, holder, pki_rows, read_chain, trust_rows, verdict_rows
from certs.settings import TrustSettings, load_trust_settings, trust_settings_text
from certs.signer import KeySigner, Signer, Signing, file_signer
from certs.smime import NOT_SIGNED, SignatureVerdict, SignedBy, judge_signed
from certs.stapling import Staple, stapled_response, stapling_trouble
from certs.tls import client_context, operators_context, peer_chain, server_context, verify_self
from certs.trust import TrustStore
from certs.verdict import CertVerdict, Check, Purpose

__all__ = [
    "DEMO_ORGANISATIONS",
    "DEMO_PERSONS",
    "DEMO_SERVERS",
    "HSM_SCHEME",
    "NOT_SIGNED",
    "ROLES",
    "Authority",
    "CertVerdict",
    "CertificateRefused",
    "CertificateUnreadable",
    "Check",
    "Crl",
    "CrlIndex",
    "CrlRefused",
    "DemoPki",
    "DownloadError",
    "Examined",
    "Fetched",
    "Held",
    "HsmSigner",
    "Identity",
    "Issued",
    "KeyPair",
    "KeyRefused",
    "KeySafe",
    "KeySigner",
    "Keystore",
    "ListFetcher",
    "LiveTls",
    "OcspResponders",
    "OnlineTrust",
    "Organisation",
    "OwnStatus",
    "Person",
    "Purpose",
    "Role",
    "Server",
    "SignatureVerdict",
    "SignedBy",
    "Signer",
    "SignerResult",
    "Signing",
    "Slot",
    "Standing",
    "Staple",
    "TlsUnavailable",
    "TrustError",
    "TrustSettings",
    "TrustStore",
    "certificates_in",
    "client_context",
    "crl_row",
    "crls_in",
    "demo_pki",
    "dn_string",
    "download",
    "ending",
    "examine",
    "fetched_row",
    "file_signer",
    "holder",
    "http_client",
    "identity",
    "judge_signed",
    "load_trust_settings",
    "operators_context",
    "peer_chain",
    "pki_rows",
    "read_bundle",
    "read_chain",
    "server_context",
    "sign_cms",
    "standing_row",
    "standings",
    "stapled_response",
    "stapling_trouble",
    "structure_form",
    "trust_rows",
    "trust_settings_text",
    "verdict_rows",
    "verify_self",
    "verify_signed",
]
