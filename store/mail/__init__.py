"""Mailboxes (BAL) in the store: boxes, folders, entries and the messages they show.

A *box* is a BAL, a *folder* is what IMAP calls a mailbox, an *entry* shows a *message* in a folder
under a UID. Copying within a box copies the entry, not the message; a message goes with its last
entry, and with its row goes the key of its body.

Every change takes the next number of ``box.modseq`` (RFC 7162 §3.1: one counter for a box keeps it
strictly increasing in each folder).
"""

from store.mail.boxes import (
    create_box,
    destroy_box_key,
    set_box_state,
)
from store.mail.folders import (
    create_folder,
    delete_folder,
    rename_folder,
    subscribe_folder,
)
from store.mail.messages import (
    append,
    change_flags,
    copy,
    expunge,
    move,
    show_also,
    take_from_outbox,
)
from store.mail.model import (
    ANSWERED,
    DELETED,
    DRAFT,
    FLAGGED,
    INBOX_ID,
    OUTBOX_ID,
    SEEN,
    STANDARD_FOLDERS,
    Appended,
    Box,
    Copied,
    Counts,
    Entry,
    Expunged,
    FlagsChanged,
    Folder,
    Moved,
    NewMessage,
    StoredMessage,
)
from store.mail.reads import (
    box_by_address,
    box_by_id,
    boxes,
    entries,
    expunged_since,
    folder_by_id,
    folder_by_name,
    folder_counts,
    folders,
    key_place,
    message_rows,
    special_folder,
    wrapped_key,
)

__all__ = [
    "ANSWERED",
    "DELETED",
    "DRAFT",
    "FLAGGED",
    "INBOX_ID",
    "OUTBOX_ID",
    "SEEN",
    "STANDARD_FOLDERS",
    "Appended",
    "Box",
    "Copied",
    "Counts",
    "Entry",
    "Expunged",
    "FlagsChanged",
    "Folder",
    "Moved",
    "NewMessage",
    "StoredMessage",
    "append",
    "box_by_address",
    "box_by_id",
    "boxes",
    "change_flags",
    "copy",
    "create_box",
    "create_folder",
    "delete_folder",
    "destroy_box_key",
    "entries",
    "expunge",
    "expunged_since",
    "folder_by_id",
    "folder_by_name",
    "folder_counts",
    "folders",
    "key_place",
    "message_rows",
    "move",
    "rename_folder",
    "set_box_state",
    "show_also",
    "special_folder",
    "subscribe_folder",
    "take_from_outbox",
    "wrapped_key",
]
