"""Imports every room, so that its tables and write operations are known: the writer needs them all."""

import annuaire
import dossier
import evidence
import gateway.dmp_bridge
import gateway.imap
import gateway.ldap
import gateway.routing
import gateway.smtp
import patients

__all__ = ["annuaire", "dossier", "evidence", "gateway", "patients"]
