"""From the octets of one complete command to its typed form (RFC 3501 §9 command).

``parse`` is a pure function of bytes, total over them: a :class:`Command`, or :class:`BadError` /
:class:`NoError`. ``parse_append`` reads an APPEND only up to its message, so that the message can be
streamed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal

from gateway.imap import commands as c
from gateway.imap import utf7
from gateway.imap.errors import BadError, ImapError
from gateway.imap.fetch_syntax import parse_fetch_items, parse_fetch_modifiers
from gateway.imap.flags import parse_flags
from gateway.imap.grammar import MODSEQ_MAX, Cursor
from gateway.imap.search_keys import parse_search

MAX_FOLDER_NAME: Final = 1000
"""Octets of a folder name on the wire."""

STATUS_ITEMS: Final = ("MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "HIGHESTMODSEQ", "SIZE")

_APPEND = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\+]+ APPEND ', re.IGNORECASE)
_APPEND_LITERAL = re.compile(rb"\{(\d{1,20})(\+?)\}")
_TAG = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\+]{1,100}(?= |$)')


def command_tag(data: bytes) -> str:
    """The tag of a command that may be malformed, ``*`` when it has none."""
    found = _TAG.match(data)
    return found.group().decode("ascii") if found else "*"


def is_append(data: bytes) -> bool:
    """Whether a command is APPEND, whose message is streamed and never gathered."""
    return _APPEND.match(data) is not None


def parse(data: bytes) -> c.Command:
    """One command, without its final CRLF. Raises :class:`BadError` or :class:`NoError`."""
    cursor = Cursor(data)
    tag = cursor.tag()
    cursor.space()
    name = cursor.keyword("a command")
    if name == "UID":
        cursor.space()
        name = "UID " + cursor.keyword("a command")
    parser = _PARSERS.get(name)
    if parser is None:
        raise BadError(f"Unknown command {name[:40]}")
    command = parser(cursor, tag, name)
    cursor.end()
    return command


def parse_append(data: bytes) -> c.AppendHead | None:
    """APPEND whose ``data`` ends in a literal's ``{n}``; None when that literal is the folder's name.

    Raises :class:`BadError` or :class:`NoError` for what precedes the message.
    """
    cursor = Cursor(data)
    tag = cursor.tag()
    cursor.space()
    cursor.keyword()
    cursor.space()
    if cursor.peek() == b"{" and b"\n" not in data[cursor.position :]:
        return None
    folder = _folder(cursor)
    cursor.space()
    flags = 0
    keywords: tuple[str, ...] = ()
    if cursor.peek() == b"(":
        flags, keywords = parse_flags(cursor)
        cursor.space()
    internal_date = None
    if cursor.peek() == b'"':
        internal_date = cursor.date_time()
        cursor.space()
    found = _APPEND_LITERAL.fullmatch(data, cursor.position)
    if not found:
        raise BadError("Expected a message literal")
    return c.AppendHead(tag, "APPEND", folder, flags, keywords, internal_date, int(found[1]), not found[2])


def _folder(cursor: Cursor) -> str:
    """mailbox: INBOX in any case is INBOX (RFC 3501 §5.1)."""
    wire = cursor.astring()
    if len(wire) > MAX_FOLDER_NAME:
        raise BadError("The folder name is too long")
    return canonical(utf7.decode(wire))


def canonical(name: str) -> str:
    """INBOX and what lies under it, written in upper case; other names as they are."""
    head, slash, rest = name.partition("/")
    return "INBOX" + slash + rest if head.upper() == "INBOX" else name


def _bare(cursor: Cursor, tag: str, name: str) -> c.Command:
    return c.Bare(tag, name)


def _identify(cursor: Cursor, tag: str, name: str) -> c.Command:
    cursor.space()
    if not cursor.accept(b"("):
        if cursor.nstring() is not None:
            raise BadError("Expected a list or NIL")
        return c.Identify(tag, name)
    count = 0
    while not cursor.accept(b")"):
        if count:
            cursor.space()
        cursor.string()
        cursor.space()
        cursor.nstring()
        count += 1
        if count > 30:  # RFC 2971 §3.3: no more than 30 field-value pairs
            raise BadError("Too many ID fields")
    return c.Identify(tag, name)


def _enable(cursor: Cursor, tag: str, name: str) -> c.Command:
    names: list[str] = []
    while not cursor.at_end():
        cursor.space()
        names.append(cursor.keyword("a capability"))
    if not names:
        raise BadError("ENABLE needs a capability")
    return c.Enable(tag, name, tuple(names))


def _login(cursor: Cursor, tag: str, name: str) -> c.Command:
    cursor.space()
    user = cursor.astring()
    cursor.space()
    return c.Login(tag, name, user, cursor.astring())


def _authenticate(cursor: Cursor, tag: str, name: str) -> c.Command:
    cursor.space()
    mechanism = cursor.keyword("a mechanism")
    initial = None
    if not cursor.at_end():
        cursor.space()
        initial = cursor.rest()
    return c.Authenticate(tag, name, mechanism, initial)


def _select(cursor: Cursor, tag: str, name: str) -> c.Command:
    cursor.space()
    folder = _folder(cursor)
    condstore = False
    if not cursor.at_end():  # RFC 4466 §2.1 select-params
        cursor.space()
        cursor.parenthesised(("CONDSTORE",), "CONDSTORE")
        condstore = True
    return c.Select(tag, name, folder, condstore)


def _folder_command(cursor: Cursor, tag: str, name: str) -> c.Command:
    cursor.space()
    return c.FolderCommand(tag, name, _folder(cursor))


def _rename(cursor: Cursor, tag: str, name: str) -> c.Command:
    cursor.space()
    folder = _folder(cursor)
    cursor.space()
    return c.Rename(tag, name, folder, _folder(cursor))


def _list(cursor: Cursor, tag: str, name: str) -> c.Command:
    cursor.space()
    reference = cursor.astring()
    cursor.space()
    pattern = cursor.list_mailbox()
    if len(reference) + len(pattern) > MAX_FOLDER_NAME:
        raise BadError("The pattern is too long")
    return c.ListFolders(tag, name, utf7.decode(reference), utf7.decode(pattern))


def _status(cursor: Cursor, tag: str, name: str) -> c.Command:
    cursor.space()
    folder = _folder(cursor)
    cursor.space()
    items = cursor.parenthesised(STATUS_ITEMS, "a STATUS item")
    return c.Status(tag, name, folder, tuple(dict.fromkeys(items)))


def _append(cursor: Cursor, tag: str, name: str) -> c.Command:
    # The reader hands a well-formed APPEND to parse_append; here only one without a literal arrives.
    raise BadError("APPEND needs a folder and a message literal")


def _copy_move(cursor: Cursor, tag: str, name: str) -> c.Command:
    cursor.space()
    messages = cursor.sequence_set()
    cursor.space()
    return c.CopyMove(tag, name, name.startswith("UID "), messages, _folder(cursor))


def _uid_expunge(cursor: Cursor, tag: str, name: str) -> c.Command:
    cursor.space()
    return c.UidExpunge(tag, name, cursor.sequence_set())


_MODES: Final[dict[str, Literal["set", "add", "remove"]]] = {"": "set", "+": "add", "-": "remove"}


def _store(cursor: Cursor, tag: str, name: str) -> c.Command:
    cursor.space()
    messages = cursor.sequence_set()
    cursor.space()
    unchanged_since = None
    if cursor.accept(b"("):  # RFC 7162 §3.1.3
        if cursor.keyword("UNCHANGEDSINCE") != "UNCHANGEDSINCE":
            raise BadError("The only STORE modifier is UNCHANGEDSINCE")
        cursor.space()
        unchanged_since = cursor.number(0, MODSEQ_MAX)
        cursor.expect(b")")
        cursor.space()
    sign = "+" if cursor.accept(b"+") else "-" if cursor.accept(b"-") else ""
    item = cursor.keyword("FLAGS")
    if item not in ("FLAGS", "FLAGS.SILENT"):
        raise BadError("Expected FLAGS or FLAGS.SILENT")
    cursor.space()
    flags, keywords = parse_flags(cursor)
    return c.StoreFlags(
        tag,
        name,
        name.startswith("UID "),
        messages,
        _MODES[sign],
        item == "FLAGS.SILENT",
        flags,
        keywords,
        unchanged_since,
    )


def _fetch(cursor: Cursor, tag: str, name: str) -> c.Command:
    cursor.space()
    messages = cursor.sequence_set()
    cursor.space()
    items = parse_fetch_items(cursor)
    changed_since = parse_fetch_modifiers(cursor)
    return c.Fetch(tag, name, name.startswith("UID "), messages, items, changed_since)


def _search(cursor: Cursor, tag: str, name: str) -> c.Command:
    key, modseq = parse_search(cursor)
    return c.Search(tag, name, name.startswith("UID "), key, modseq)


_PARSERS: Final[dict[str, Callable[[Cursor, str, str], c.Command]]] = {
    **dict.fromkeys(
        [
            "CAPABILITY",
            "NOOP",
            "LOGOUT",
            "STARTTLS",
            "CHECK",
            "CLOSE",
            "UNSELECT",
            "EXPUNGE",
            "IDLE",
            "NAMESPACE",
        ],
        _bare,
    ),
    **dict.fromkeys(["CREATE", "DELETE", "SUBSCRIBE", "UNSUBSCRIBE"], _folder_command),
    **dict.fromkeys(["COPY", "MOVE", "UID COPY", "UID MOVE"], _copy_move),
    **dict.fromkeys(["SELECT", "EXAMINE"], _select),
    **dict.fromkeys(["LIST", "LSUB"], _list),
    **dict.fromkeys(["STORE", "UID STORE"], _store),
    **dict.fromkeys(["FETCH", "UID FETCH"], _fetch),
    **dict.fromkeys(["SEARCH", "UID SEARCH"], _search),
    "ID": _identify,
    "ENABLE": _enable,
    "LOGIN": _login,
    "AUTHENTICATE": _authenticate,
    "RENAME": _rename,
    "STATUS": _status,
    "APPEND": _append,
    "UID EXPUNGE": _uid_expunge,
}

__all__ = ["ImapError", "canonical", "command_tag", "is_append", "parse", "parse_append"]
