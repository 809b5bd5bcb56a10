"""SMTP: the ports in (operators, submission), the relay out, delivery reports and receipts.

Reading order of a message's way in: :mod:`server` → :mod:`session` → :mod:`transaction` →
:mod:`dotreader` and :mod:`intake`; its way out: :mod:`relay` → :mod:`client` → :mod:`dsn`.
"""

from gateway.smtp.client import Outcome, RelayClient, Timeouts
from gateway.smtp.dsn import DsnRecipient, build_dsn, wanted
from gateway.smtp.mdn import MdnFile, build_mdn
from gateway.smtp.outcomes import Ledger, drop_relay
from gateway.smtp.ports import Limits, Router
from gateway.smtp.relay import RelayWorker, Schedule
from gateway.smtp.routes import Route, RouteError, Routes
from gateway.smtp.server import SmtpServer
from gateway.smtp.signed import sign_message, signed_or_not

__all__ = [
    "DsnRecipient",
    "Ledger",
    "Limits",
    "MdnFile",
    "Outcome",
    "RelayClient",
    "RelayWorker",
    "Route",
    "RouteError",
    "Router",
    "Routes",
    "Schedule",
    "SmtpServer",
    "Timeouts",
    "build_dsn",
    "build_mdn",
    "drop_relay",
    "sign_message",
    "signed_or_not",
    "wanted",
]
