"""The grammar: tables of what is taken and refused, and properties over arbitrary bytes."""

from __future__ import annotations

import contextlib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.imap import commands as c
from gateway.imap import utf7
from gateway.imap.errors import BadError, ImapError, NoError
from gateway.imap.flags import ANSWERED, DELETED, SEEN
from gateway.imap.folders import matches
from gateway.imap.grammar import Cursor
from gateway.imap.parser import command_tag, parse, parse_append
from gateway.imap.responses import folder_name, internal_date, quoted
from gateway.imap.sets import STAR, SequenceSet, compress


def seq(*ranges: tuple[int, int]) -> SequenceSet:
    return SequenceSet(ranges)


PEEK_HEADER = c.Section((), "HEADER", (), None, True, "BODY[HEADER]")

TAKEN = [
    (b"a NOOP", c.Bare("a", "NOOP")),
    (b"a.1 noop", c.Bare("a.1", "NOOP")),
    (b"a] Logout", c.Bare("a]", "LOGOUT")),
    (b"a ID NIL", c.Identify("a", "ID")),
    (b'a ID ("name" "x" "os" NIL)', c.Identify("a", "ID")),
    (b"a ENABLE CONDSTORE X-OTHER", c.Enable("a", "ENABLE", ("CONDSTORE", "X-OTHER"))),
    (b'a LOGIN joe "pa\\"ss\\\\"', c.Login("a", "LOGIN", b"joe", b'pa"ss\\')),
    (b"a LOGIN {3}\r\nj e {4}\r\np\r\nq", c.Login("a", "LOGIN", b"j e", b"p\r\nq")),
    (b"a AUTHENTICATE plain", c.Authenticate("a", "AUTHENTICATE", "PLAIN", None)),
    (b"a AUTHENTICATE PLAIN =", c.Authenticate("a", "AUTHENTICATE", "PLAIN", b"=")),
    (b"a SELECT inbox", c.Select("a", "SELECT", "INBOX", False)),
    (b"a SELECT Envoy&AOk-s (CONDSTORE)", c.Select("a", "SELECT", "Envoyés", True)),
    (b'a EXAMINE "a b"', c.Select("a", "EXAMINE", "a b", False)),
    (b"a CREATE foo/bar/", c.FolderCommand("a", "CREATE", "foo/bar/")),
    (b"a RENAME x INBOX/y", c.Rename("a", "RENAME", "x", "INBOX/y")),
    (b'a LIST "" *', c.ListFolders("a", "LIST", "", "*")),
    (b'a LSUB "" "%/%"', c.ListFolders("a", "LSUB", "", "%/%")),
    (b"a STATUS INBOX (MESSAGES uidnext)", c.Status("a", "STATUS", "INBOX", ("MESSAGES", "UIDNEXT"))),
    (b"a COPY 1:*,5 x", c.CopyMove("a", "COPY", False, seq((1, STAR), (5, 5)), "x")),
    (b"a UID MOVE 3 x", c.CopyMove("a", "UID MOVE", True, seq((3, 3)), "x")),
    (b"a UID EXPUNGE 1:2", c.UidExpunge("a", "UID EXPUNGE", seq((1, 2)))),
    (
        b"a STORE 1 +FLAGS (\\Seen $MDNSent)",
        c.StoreFlags("a", "STORE", False, seq((1, 1)), "add", False, SEEN, ("$MDNSent",), None),
    ),
    (
        b"a UID STORE 2:4 (UNCHANGEDSINCE 12) -FLAGS.SILENT \\Answered \\deleted",
        c.StoreFlags("a", "UID STORE", True, seq((2, 4)), "remove", True, ANSWERED | DELETED, (), 12),
    ),
    (b"a STORE 1 FLAGS ()", c.StoreFlags("a", "STORE", False, seq((1, 1)), "set", False, 0, (), None)),
    (
        b"a FETCH 1 FAST",
        c.Fetch("a", "FETCH", False, seq((1, 1)), ("FLAGS", "INTERNALDATE", "RFC822.SIZE"), None),
    ),
    (
        b"a UID FETCH 1:* (UID BODY.PEEK[HEADER] UID) (CHANGEDSINCE 7)",
        c.Fetch("a", "UID FETCH", True, seq((1, STAR)), ("UID", PEEK_HEADER), 7),
    ),
    (
        b'a FETCH 1 BODY[1.2.HEADER.FIELDS (From "To")]<5.10>',
        c.Fetch(
            "a",
            "FETCH",
            False,
            seq((1, 1)),
            (
                c.Section(
                    (1, 2),
                    "HEADER.FIELDS",
                    ("From", "To"),
                    (5, 10),
                    False,
                    'BODY[1.2.HEADER.FIELDS (From "To")]<5>',
                ),
            ),
            None,
        ),
    ),
    (
        b"a SEARCH CHARSET utf-8 OR SEEN (FROM {3}\r\nZo\xc3 NOT 1:3)".replace(
            b"{3}\r\nZo\xc3", b"{4}\r\nZo\xc3\xa9"
        ),
        c.Search(
            "a",
            "SEARCH",
            False,
            c.Key(
                "AND",
                keys=(
                    c.Key(
                        "OR",
                        keys=(
                            c.Key("SEEN"),
                            c.Key(
                                "AND",
                                keys=(
                                    c.Key("HEADER", field_name="from", text="zoé"),
                                    c.Key("NOT", keys=(c.Key("SEQUENCE", messages=seq((1, 3))),)),
                                ),
                            ),
                        ),
                    ),
                ),
            ),
            False,
        ),
    ),
    (
        b'a UID SEARCH SINCE 1-Feb-2026 MODSEQ "/flags/\\\\draft" all 620',
        c.Search(
            "a",
            "UID SEARCH",
            True,
            c.Key("AND", keys=(c.Key("SINCE", day=date(2026, 2, 1)), c.Key("MODSEQ", number=620))),
            True,
        ),
    ),
]


@pytest.mark.parametrize(("octets", "command"), TAKEN, ids=[t[0][:40].decode("latin-1") for t in TAKEN])
def test_command_is_understood(octets: bytes, command: c.Command) -> None:
    assert parse(octets) == command


BAD = [
    b"",
    b"a",
    b"a ",
    b" NOOP",
    b"+ NOOP",
    b"a  NOOP",
    b"a NOOP ",
    b"a NOOP x",
    b"a UID",
    b"a UID NOOP",
    b"a FROB",
    b"a LOGIN joe",
    b"a LOGIN joe pass word",
    b'a LOGIN "joe pass',
    b'a LOGIN "j\\oe" x',
    b'a LOGIN "j\x00e" x',
    b"a LOGIN {3}\r\nj\x00e x",
    b"a LOGIN {9}\r\njoe x",
    b"a LOGIN {3} joe x",
    b"a LOGIN jo\xc3\xa9 x",
    b"a SELECT",
    b"a SELECT x (QRESYNC (1 2))",
    b"a SELECT x ()",
    b"a STATUS x ()",
    b"a STATUS x (MESSAGES FOO)",
    b"a STATUS x MESSAGES",
    b"a COPY 0 x",
    b"a COPY 1: x",
    b"a COPY 1,,2 x",
    b"a COPY 4294967296 x",
    b"a COPY -1 x",
    b"a FETCH 1 ()",
    b"a FETCH 1 (FLAGS",
    b"a FETCH 1 (ALL)",
    b"a FETCH 1 FLAGS UID",
    b"a FETCH 1 BODY[",
    b"a FETCH 1 BODY[FOO]",
    b"a FETCH 1 BODY[MIME]",
    b"a FETCH 1 BODY[0]",
    b"a FETCH 1 BODY[1.]",
    b"a FETCH 1 BODY[]<0>",
    b"a FETCH 1 BODY[]<0.0>",
    b"a FETCH 1 BODY[HEADER.FIELDS]",
    b"a FETCH 1 BODY[HEADER.FIELDS ()]",
    b'a FETCH 1 BODY[HEADER.FIELDS ("a b")]',
    b"a FETCH 1 FLAGS (CHANGEDSINCE 0)",
    b"a FETCH 1 FLAGS (VANISHED)",
    b"a STORE 1 FLAGS \\Recent",
    b"a STORE 1 FLAGS (\\Seen",
    b"a STORE 1 FLAGS",
    b"a STORE 1 FLAG x",
    b"a STORE 1 (UNCHANGEDSINCE 9223372036854775808) FLAGS x",
    b"a SEARCH",
    b"a SEARCH FOO",
    b"a SEARCH NOT",
    b"a SEARCH OR SEEN",
    b"a SEARCH (SEEN",
    b"a SEARCH SINCE 31-Feb-2026",
    b"a SEARCH SINCE 2026-02-01",
    b"a SEARCH HEADER x",
    b"a SEARCH LARGER x",
    b"a SEARCH CHARSET US-ASCII SUBJECT {2}\r\n\xc3\xa9",
    b"a SEARCH CHARSET UTF-8 SUBJECT {1}\r\n\xc3",
    b"a SEARCH " + b"NOT " * 200 + b"SEEN",
    b"a SEARCH " + b"(" * 5000,
    b"a SEARCH " + b"SEEN " * 400 + b"SEEN",
    b"a APPEND INBOX",
    b"a ENABLE",
    b"a ID",
    b"a ID (" + b" ".join([b'"k" "v"'] * 40) + b")",
]


@pytest.mark.parametrize("octets", BAD, ids=[b[:40].decode("latin-1") for b in BAD])
def test_malformed_command_is_bad(octets: bytes) -> None:
    with pytest.raises(BadError):
        parse(octets)


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"a SEARCH CHARSET KOI8-R SUBJECT x", "BADCHARSET (US-ASCII UTF-8)"),
        (b"a SELECT &", "CANNOT"),
        (b"a SELECT &AGE-", "CANNOT"),  # an ASCII letter must not be shifted
        (b"a SELECT &2D0-", "CANNOT"),  # half a surrogate pair
        (b'a SELECT "\xc3\xa9"', "CANNOT"),
        (b"a STORE 1 FLAGS (" + b"k" * 200 + b")", "LIMIT"),
    ],
)
def test_understood_but_impossible_is_no(octets: bytes, code: str) -> None:
    with pytest.raises(NoError) as refused:
        parse(octets)
    assert refused.value.response_code == code


def test_append_is_read_up_to_its_message() -> None:
    head = parse_append(b'a APPEND Envoy&AOk-s (\\Seen $x) " 7-Feb-1994 21:52:25 -0800" {310+}')
    assert head == c.AppendHead("a", "APPEND", "Envoyés", SEEN, ("$x",), 760686745000, 310, False)
    assert parse_append(b"a append {5}") is None
    head = parse_append(b"a append {5}\r\ninbox {7}")
    assert head == c.AppendHead("a", "APPEND", "INBOX", 0, (), None, 7, True)


@pytest.mark.parametrize(
    "octets",
    [
        b"a APPEND INBOX (\\Foo) {3}",
        b"a APPEND INBOX () () {3}",
        b'a APPEND INBOX "7-Feb-1994 21:52:25 -0800" {3}',
        b'a APPEND INBOX "30-Feb-1994 21:52:25 -0800" {3}',
        b'a APPEND INBOX "01-Feb-1994 21:52:25 -9900" {3}',
        b'a APPEND INBOX "01-Jan-1900 00:00:00 +0000" {3}',
        b"a APPEND INBOX x {3}",
    ],
)
def test_malformed_append_is_bad(octets: bytes) -> None:
    with pytest.raises(BadError):
        parse_append(octets)


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(octets: bytes) -> None:
    command_tag(octets)
    for parser in (parse, parse_append):
        try:
            parser(octets)
        except ImapError as error:
            line = error.line("a")
            assert line.startswith(b"a ") and line.endswith(b"\r\n") and b"\n" not in line[:-2]


_WORDS = st.sampled_from(
    [
        b"a",
        b"UID",
        b"FETCH",
        b"STORE",
        b"SEARCH",
        b"APPEND",
        b"LIST",
        b"SELECT",
        b"INBOX",
        b"1:*",
        b"*",
        b"(",
        b")",
        b"FLAGS",
        b"\\Seen",
        b"BODY[",
        b"]",
        b"<0.1>",
        b"NOT",
        b"OR",
        b"{3}\r\n",
        b"{3+}\r\n",
        b'"',
        b"\\",
        b"&-",
        b" ",
    ]
)


@given(st.lists(_WORDS, max_size=20))
def test_scrambled_commands_are_parsed_or_refused(words: list[bytes]) -> None:
    for octets in (b" ".join(words), b"a FETCH 1 " + b"".join(words), b"a SEARCH " + b" ".join(words)):
        try:
            parse(octets)
        except ImapError as error:
            assert error.status in ("BAD", "NO")


@given(st.binary(max_size=60).filter(lambda b: b"\0" not in b))
def test_strings_round_trip(octets: bytes) -> None:
    cursor = Cursor(quoted(octets))
    assert cursor.astring() == octets
    cursor.end()
    literal = Cursor(b"{%d}\r\n%b" % (len(octets), octets))
    assert literal.astring() == octets


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=40))
def test_folder_names_round_trip(name: str) -> None:
    wire = utf7.encode(name)
    assert wire.isascii()
    assert utf7.decode(wire) == name
    assert utf7.decode(Cursor(folder_name(name)).astring()) == name


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # RFC 3501 §5.1.3
        ("A&B", b"A&-B"),
        ("&é&", b"&-&AOk-&-"),
        ("😀", b"&2D3eAA-"),
    ],
)
def test_modified_utf7(name: str, wire: bytes) -> None:
    assert utf7.encode(name) == wire
    assert utf7.decode(wire) == name


@given(st.binary(max_size=30))
def test_any_wire_name_is_decoded_or_refused(wire: bytes) -> None:
    with contextlib.suppress(NoError):
        assert utf7.encode(utf7.decode(wire)) == wire


@given(st.lists(st.integers(1, 60), max_size=30))
def test_compressed_sets_mean_the_same(numbers: list[int]) -> None:
    numbers = sorted(set(numbers))
    text = compress(numbers)
    if numbers:
        assert Cursor(text.encode()).sequence_set().numbers(60) == numbers
    else:
        assert text == ""


def test_sets_are_resolved() -> None:
    assert Cursor(b"4:2,3:5,*").sequence_set().numbers(7) == [2, 3, 4, 5, 7]
    assert Cursor(b"*:2").sequence_set().positions([1, 3, 5, 9]) == [1, 2, 3]
    assert Cursor(b"20:*").sequence_set().positions([1, 3, 5]) == [2]  # RFC 3501 §6.4.8: * always matches
    assert Cursor(b"1:*").sequence_set().positions([]) == []
    with pytest.raises(BadError):
        Cursor(b"1:*").sequence_set().numbers(0)
    with pytest.raises(BadError):
        Cursor(b"2:9").sequence_set().numbers(8)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("*", "a/b", True),
        ("%", "a/b", False),
        ("%/%", "a/b", True),
        ("a%b", "axxb", True),
        ("a%b", "ax/b", False),
        ("a*b", "ax/b", True),
        ("", "", True),
        ("a", "A", False),
        ("%%", "ab", True),
        ("*" * 400 + "x", "a" * 400, False),
    ],
)
def test_folder_patterns(pattern: str, name: str, expected: bool) -> None:
    assert matches(pattern, name) is expected


def test_internal_date() -> None:
    assert internal_date(760686745999) == '"08-Feb-1994 05:52:25 +0000"'
