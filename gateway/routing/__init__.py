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
    "Origin",
    "Policy",
    "Recipient",
    "RelayJob",
    "Router",
    "Verdict",
    "as_data",
    "contact",
    "contacts",
    "decode_invitation",
    "domain_of",
    "explain",
    "explain_all",
    "forget_deliveries",
    "prepare",
    "put_in_queue",
    "queue_relay",
    "relay_job",
    "send_notice",
]
