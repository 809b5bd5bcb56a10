"""Imports every room, so that its tables and write operations are known: the writer needs them all."""

import activity
import agenda
import annuaire
import catalogue
import dossier
import evidence
import gateway.dmp_bridge
import gateway.fhir
import gateway.imap
import gateway.ldap
import gateway.portability
import gateway.routing
import gateway.smtp
import patients

__all__ = ["activity", "agenda", "annuaire", "catalogue", "dossier", "evidence", "gateway", "patients"]
