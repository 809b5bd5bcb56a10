"""The rules of the trust space, and the pipeline that applies them to a message."""

from gateway.routing.commit import forget_deliveries, queue_relay
from gateway.routing.correspondence import Contact, contact, contacts
from gateway.routing.explain import Explanation, as_data, explain, explain_all
from gateway.routing.model import (
    Envelope,
    FilingJob,
    InvitationJob,
    Origin,
    Recipient,
    RelayJob,
    Verdict,
    decode_invitation,
)
from gateway.routing.outgoing import (
    Kept,
    Sending,
    begin_sending,
    end_sending,
    keep_draft,
    send_receipt,
)
from gateway.routing.pipeline import DeliveryReport, Router
from gateway.routing.policy import Policy, domain_of
from gateway.routing.rules import Check
from gateway.routing.system import prepare, put_in_queue, relay_job, send_notice

__all__ = [
    "Check",
    "Contact",
    "DeliveryReport",
    "Envelope",
    "Explanation",
    "FilingJob",
    "InvitationJob",
    "Kept",
    "Origin",
    "Policy",
    "Recipient",
    "RelayJob",
    "Router",
    "Sending",
    "Verdict",
    "as_data",
    "begin_sending",
    "contact",
    "contacts",
    "decode_invitation",
    "domain_of",
    "end_sending",
    "explain",
    "explain_all",
    "forget_deliveries",
    "keep_draft",
    "prepare",
    "put_in_queue",
    "queue_relay",
    "relay_job",
    "send_notice",
    "send_receipt",
]
