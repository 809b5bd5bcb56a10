"""LDAP: a read-only view of the directory for the address books of existing mail clients (docs/ldap.md)."""

from gateway.ldap.names import default_base, parse_dn
from gateway.ldap.server import LdapServer
from gateway.ldap.settings import Limits

__all__ = ["LdapServer", "Limits", "default_base", "parse_dn"]
