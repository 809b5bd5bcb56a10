"""The store: rows and sealed bodies, one durable writer, change notices. It imports no other room."""

from store import mail, tasks
from store.bodies import BodyReader, BodyRef, Spool
from store.clock import new_id, now_ms
from store.database import upsert
from store.errors import InvalidInputError, NotFoundError, PasserelleError, StoreError
from store.files import write_private
from store.keys import key_file_passphrase
from store.operations import Notice, Tx, operation
from store.prepared import Bulk, Prepared
from store.schema import metadata
from store.sealing import Sealer
from store.store import Store, holds_bodies

__all__ = [
    "BodyReader",
    "BodyRef",
    "Bulk",
    "InvalidInputError",
    "NotFoundError",
    "Notice",
    "PasserelleError",
    "Prepared",
    "Sealer",
    "Spool",
    "Store",
    "StoreError",
    "Tx",
    "holds_bodies",
    "key_file_passphrase",
    "mail",
    "metadata",
    "new_id",
    "now_ms",
    "operation",
    "tasks",
    "upsert",
    "write_private",
]
