"""IMAP4rev1 on the store: `ImapServer` is the room's door."""

from gateway.imap import tables
from gateway.imap.context import Authenticator
from gateway.imap.metrics import Metrics
from gateway.imap.server import ImapServer
from gateway.imap.settings import Limits

__all__ = ["Authenticator", "ImapServer", "Limits", "Metrics", "tables"]
