"""Certificates: who they say one is, whether to believe them, TLS, and the demonstration PKI."""

from certs.crl import Authority, Crl, CrlIndex
from certs.errors import CertificateRefused, CertificateUnreadable, CrlRefused, TlsUnavailable, TrustError
from certs.files import certificates_in, crls_in
from certs.identity import Identity, identity
from certs.names import dn_string
from certs.pki import DemoPki, Issued, demo_pki
from certs.pki_profiles import DEMO_ORGANISATIONS, DEMO_PERSONS, DEMO_SERVERS, Organisation, Person, Server
from certs.report import crl_row, holder, pki_rows, read_chain, trust_rows, verdict_rows
from certs.tls import client_context, operators_context, peer_chain, server_context, verify_self
from certs.trust import TrustStore
from certs.verdict import CertVerdict, Check, Purpose

__all__ = [
    "DEMO_ORGANISATIONS",
    "DEMO_PERSONS",
    "DEMO_SERVERS",
    "Authority",
    "CertVerdict",
    "CertificateRefused",
    "CertificateUnreadable",
    "Check",
    "Crl",
    "CrlIndex",
    "CrlRefused",
    "DemoPki",
    "Identity",
    "Issued",
    "Organisation",
    "Person",
    "Purpose",
    "Server",
    "TlsUnavailable",
    "TrustError",
    "TrustStore",
    "certificates_in",
    "client_context",
    "crl_row",
    "crls_in",
    "demo_pki",
    "dn_string",
    "holder",
    "identity",
    "operators_context",
    "peer_chain",
    "pki_rows",
    "read_chain",
    "server_context",
    "trust_rows",
    "verdict_rows",
    "verify_self",
]
