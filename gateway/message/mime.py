"""The Content-* fields of one part (RFC 2045, RFC 2183, RFC 2231): as IMAP shows them and as we use them."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from gateway.message.headers import Fields, plain_text
from gateway.message.lexer import BROKEN, MORE, QUOTE, Lexer
from gateway.message.quoting import NUL_TEXT, line_nstring, string
from gateway.message.words import decode_extended, decode_words, to_text

Params = tuple[tuple[bytes, bytes], ...]
_SEMICOLON, _EQUALS, _SLASH = b";=/"
# What nearly all mail has: no comments, no escapes, no blanks in odd places. The lexer reads the rest.
_BLANK = rb"[ \t\n]*+"
_TOKEN = rb"[!#-'*+\-.0-9A-Z^_`a-z{|}~\x80-\xff]++"
_TEXT = rb'[^"\\\x00\r\n]*+'
_COMMON_TYPE = re.compile(rb"(%b)/(%b)%b" % (_TOKEN, _TOKEN, _BLANK))
_COMMON_PARAMS = re.compile(
    rb'(?:;%b%b=(?:"%b"|%b)%b)*+;?%b\Z' % (_BLANK, _TOKEN, _TEXT, _TOKEN, _BLANK, _BLANK)
)
_ONE_PARAM = re.compile(rb';%b(%b)=(?:"(%b)"|(%b))' % (_BLANK, _TOKEN, _TEXT, _TOKEN))
_COMMON_TOKEN = re.compile(_TOKEN)
_DEFAULT_CHARSET = b'"charset" "us-ascii"'  # RFC 2045 §5.2
_CACHED_LENGTH = 80
_PRIVATE = re.compile(rb"name|boundary", re.IGNORECASE).search
_MORE = frozenset(
    b"content-disposition content-id content-description content-md5 content-language "
    b"content-location".split()
)


class ContentType(NamedTuple):
    """A Content-Type as written. `kind` and `subtype` are empty when there is none to read; `media` is lower
    case and never empty. `params` are RFC 2231 continuations joined, values still encoded, names as written
    with a final "*" where the value is encoded."""

    kind: bytes
    subtype: bytes
    media: str
    params: Params

    def boundary(self) -> bytes | None:
        for name, value in self.params:
            if name.lower() == b"boundary":
                return value
        return None


class Content(NamedTuple):
    """What the Content-* fields of a part say. `head` and `tail` are the ready IMAP bytes before the size and
    after the lines of a BODYSTRUCTURE; a multipart uses `params` in place of `head`."""

    type: ContentType | None
    encoding: str
    disposition: str
    filename: str
    content_id: str
    text_head: bytes  # params with a charset, id, description, encoding
    other_head: bytes  # params, id, description, encoding
    params: bytes
    md5: bytes
    tail: bytes  # disposition, language, location


def parse_content_type(value: bytes) -> ContentType:
    """Never refuses."""
    common = _COMMON_TYPE.match(value)
    if common:
        known = _common_params(value, common.end())
        if known is not None:
            kind, subtype = common.groups()
            return ContentType(kind, subtype, to_text(kind + b"/" + subtype).lower(), known)
    lex = Lexer(value)
    kind = subtype = b""
    good = False
    if lex.skip() == MORE:
        status = lex.read_token()
        if status == MORE and lex.out and lex.peek() == _SLASH:
            kind = lex.out
            lex.place += 1
            good = lex.skip() == MORE and lex.read_token() != BROKEN and lex.peek() in (-1, _SEMICOLON)
            good = good and lex.out != b""
            kind, subtype = (kind, lex.out) if good else (b"", b"")
        elif status != MORE:
            kind = lex.out  # a bare "text"; its subtype stays empty
    # RFC 2045 §5.2: what is not a media type is read as plain text
    media = to_text(kind + b"/" + subtype).lower() if good else "text/plain"
    return ContentType(kind, subtype, media, tuple(read_params(lex)) if good else ())


def _common_params(value: bytes, place: int) -> Params | None:
    """The parameters from `place` on when they are plainly written and none is a continuation."""
    if place == len(value):
        return ()
    if not _COMMON_PARAMS.match(value, place) or b"*" in value:
        return None
    return tuple([(name, quoted or token) for name, quoted, token in _ONE_PARAM.findall(value, place)])


def read_params(lex: Lexer) -> list[tuple[bytes, bytes]]:
    """The parameters that follow (RFC 2045 §5.1); broken ones are passed over, continuations joined (RFC 2231
    §3)."""
    plain: list[tuple[bytes, bytes]] = []
    pieces: list[tuple[bytes, int, bool, bytes]] = []
    while lex.place < lex.end:
        param = _read_param(lex)
        if param is None:
            lex.place = min(lex.place + 1, lex.end)
            continue
        piece = _as_piece(*param) if b"*" in param[0] else None
        if piece is None:
            plain.append(param)
        else:
            pieces.append(piece)
    return plain + _join(pieces) if pieces else plain


def _read_param(lex: Lexer) -> tuple[bytes, bytes] | None:
    if lex.peek() != _SEMICOLON:
        return None
    lex.place += 1
    if lex.skip() != MORE or lex.read_token() != MORE or lex.peek() != _EQUALS:
        return None
    name = lex.out
    lex.place += 1
    lex.out = b""
    status = lex.skip()
    if status == MORE:
        mark = lex.peek()
        if mark == QUOTE:
            status = lex.read_quoted()
        elif mark == _EQUALS:  # an unquoted encoded word, against RFC 2047 §5
            stop = lex.place
            while stop < lex.end and lex.data[stop] not in b"; \t\r\n":
                stop += 1
            lex.out = lex.data[lex.place : stop].replace(b"\0", NUL_TEXT)
            lex.place = stop
        else:
            status = lex.read_token()
    return None if status == BROKEN else (name, lex.out)


def _as_piece(name: bytes, value: bytes) -> tuple[bytes, int, bool, bytes] | None:
    """(name, section, encoded, value) of `name*section*`, None for another use of the star."""
    base, _, rest = name.partition(b"*")
    if not rest:
        return base, 0, True, value
    encoded = rest.endswith(b"*")
    number = rest[:-1] if encoded else rest
    if number and not (number.isdigit() and len(number) < 10):
        return None
    return base, int(number or b"0"), encoded, value


def _join(pieces: list[tuple[bytes, int, bool, bytes]]) -> list[tuple[bytes, bytes]]:
    joined: list[tuple[bytes, bytes]] = []
    pieces.sort(key=lambda piece: piece[:2])
    groups: dict[bytes, list[tuple[bytes, int, bool, bytes]]] = {}
    for piece in pieces:
        groups.setdefault(piece[0].lower(), []).append(piece)
    for group in groups.values():
        if [piece[1] for piece in group] != list(range(len(group))):  # a section is missing or doubled
            for name, section, encoded, value in group:
                joined.append((b"%b*%d%b" % (name, section, b"*" if encoded else b""), value))
            continue
        name = group[0][0]
        if not any(piece[2] for piece in group):
            joined.append((name, b"".join([piece[3] for piece in group])))
            continue
        start = b"" if group[0][2] else b"''"  # no charset is told
        text = [value if encoded else value.replace(b"%", b"%25") for _, _, encoded, value in group]
        joined.append((name + b"*", start + b"".join(text)))
    return joined


def decoded_params(params: Params) -> dict[str, str]:
    """Names in lower case without star, values as text; the encoded form wins over the plain one."""
    shown: dict[str, str] = {}
    for name, value in params:
        key = to_text(name).lower()
        if key.endswith("*"):
            shown[key[:-1]] = decode_extended(value)
        elif key not in shown:
            text = plain_text(value)
            shown[key] = decode_words(text) if "=?" in text else text
    return shown


def _write_params(params: Params, *, charset: bool) -> bytes:
    words = [string(word) for param in params for word in param]
    if charset and not any(name.lower() == b"charset" for name, _ in params):
        words.append(_DEFAULT_CHARSET)
    return b"(%b)" % b" ".join(words) if words else b"NIL"


def _first(fields: Fields, name: bytes) -> bytes | None:
    values = fields.get(name)
    return values[0] if values else None


def _encoding(fields: Fields) -> bytes:
    """The first readable Content-Transfer-Encoding as written, b"7bit" by default (RFC 2045 §6.1)."""
    for value in fields.get(b"content-transfer-encoding", ()):
        if _COMMON_TOKEN.fullmatch(value):
            return value
        lex = Lexer(value)
        lex.skip()
        if lex.read_token() != BROKEN and lex.place >= lex.end and lex.out:
            return lex.out
    return b"7bit"


def _disposition(fields: Fields) -> tuple[bytes | None, Params]:
    kind: bytes | None = None
    params: Params = ()
    for value in fields.get(b"content-disposition", ()):
        common = _COMMON_TOKEN.match(value)
        known = _common_params(value, common.end()) if common else None
        if common and known is not None:
            kind, params = common[0], known
        else:
            lex = Lexer(value)
            lex.skip()
            if lex.read_token() == BROKEN:
                continue
            kind, params = lex.out, tuple(read_params(lex))
        if params:
            break
    return kind, params


def _languages(value: bytes | None) -> list[bytes]:
    """RFC 3282 §2: a comma list of tags."""
    if value is None:
        return []
    lex = Lexer(value)
    lex.skip()
    tags: list[bytes] = []
    while lex.read_atom() != BROKEN:
        tags.append(lex.out)
        if lex.peek() != 0x2C:
            break
        lex.place += 1
        lex.skip()
    return tags


def read_content(fields: Fields) -> Content:
    """The Content-* fields of one part. Parts with no more than a usual type and encoding, which repeat from
    mail to mail, are remembered; what may hold a file name is not."""
    typed = _first(fields, b"content-type")
    if (
        typed is not None
        and len(typed) <= _CACHED_LENGTH
        and not (_PRIVATE(typed) or _MORE.intersection(fields))
    ):
        encodings = fields.get(b"content-transfer-encoding")
        if encodings is None:
            return _remembered(typed, b"")
        if len(encodings) == 1 and len(encodings[0]) <= _CACHED_LENGTH:
            return _remembered(typed, encodings[0])
    return _read_content(fields)


@functools.lru_cache(512)
def _remembered(typed: bytes, encoding: bytes) -> Content:
    fields = {b"content-type": [typed]}
    if encoding:
        fields[b"content-transfer-encoding"] = [encoding]
    return _read_content(fields)


def _read_content(fields: Fields) -> Content:
    typed = _first(fields, b"content-type")
    kind = parse_content_type(typed) if typed is not None else None
    params = kind.params if kind else ()
    encoding = _encoding(fields)
    disposition, disposition_params = _disposition(fields)
    content_id = _first(fields, b"content-id")
    languages = _languages(_first(fields, b"content-language"))
    after = b" %b %b %b" % (
        line_nstring(content_id),
        line_nstring(_first(fields, b"content-description")),
        string(encoding),
    )
    shown = b"NIL"
    if disposition is not None:
        shown = b"(%b %b)" % (string(disposition), _write_params(disposition_params, charset=False))
    plain = _write_params(params, charset=False)
    filename = decoded_params(disposition_params).get("filename", "") if disposition_params else ""
    if not filename and params:
        filename = decoded_params(params).get("name", "")
    return Content(
        kind,
        to_text(encoding).lower(),
        to_text(disposition or b"").lower(),
        filename,
        plain_text(content_id or b""),
        _write_params(params, charset=True) + after,
        plain + after,
        plain,
        line_nstring(_first(fields, b"content-md5")),
        b" %b %b %b"
        % (
            shown,
            b"(%b)" % b" ".join([string(tag) for tag in languages]) if languages else b"NIL",
            line_nstring(_first(fields, b"content-location")),
        ),
    )


NO_CONTENT = read_content({})
