"""The bridge to the DMP: documents out of attachments, checked and filed in the patient's record."""

from gateway.dmp_bridge.cda import CdaDocument, CdaHeader, check_header, read_cda
from gateway.dmp_bridge.described import read_deposited_cda
from gateway.dmp_bridge.errors import LABELS, BridgeError
from gateway.dmp_bridge.filing import FilingWorker, Report
from gateway.dmp_bridge.history_import import Imported, import_history
from gateway.dmp_bridge.hl7 import Identifier, Organisation, Person
from gateway.dmp_bridge.identity import Identity, check_identity
from gateway.dmp_bridge.jobs import FilingJob, FilingReport, ReportLine, decode_job, encode_job
from gateway.dmp_bridge.level1 import Level1, cda_level1
from gateway.dmp_bridge.metadata import Author, DocumentMetadata, Metadata, Traits, read_metadata
from gateway.dmp_bridge.model import Attachment, Plan, Policy, Sender
from gateway.dmp_bridge.plan import plan_filing
from gateway.dmp_bridge.saving import Saved, save_parts
from gateway.dmp_bridge.settle import park
from gateway.dmp_bridge.target import FilingRequest, FilingTarget, LocalDossier
from gateway.dmp_bridge.wrapping import derived_oid, traits_of
from gateway.dmp_bridge.xdm import XdmArchive, is_xdm_name
from gateway.dmp_bridge.xdm_writer import ArchiveDocument, ArchiveSubmission, professional, xdm_archive

__all__ = [
    "LABELS",
    "ArchiveDocument",
    "ArchiveSubmission",
    "Attachment",
    "Author",
    "BridgeError",
    "CdaDocument",
    "CdaHeader",
    "DocumentMetadata",
    "FilingJob",
    "FilingReport",
    "FilingRequest",
    "FilingTarget",
    "FilingWorker",
    "Identifier",
    "Identity",
    "Imported",
    "Level1",
    "LocalDossier",
    "Metadata",
    "Organisation",
    "Person",
    "Plan",
    "Policy",
    "Report",
    "ReportLine",
    "Saved",
    "Sender",
    "Traits",
    "XdmArchive",
    "cda_level1",
    "check_header",
    "check_identity",
    "decode_job",
    "derived_oid",
    "encode_job",
    "import_history",
    "is_xdm_name",
    "park",
    "plan_filing",
    "professional",
    "read_cda",
    "read_deposited_cda",
    "read_metadata",
    "save_parts",
    "traits_of",
    "xdm_archive",
]
