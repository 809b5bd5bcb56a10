"""Dovecot's answers, byte for byte, for the whole corpus."""

from __future__ import annotations

import re

import pytest

from gateway.message import MessageIndex, Section, header_fields, section_span, walk
from tests.corpus import nasty_messages
from tests.message.dovecot import Oracle
from tests.message.help import index
from tests.message.replies import read_whole

pytestmark = pytest.mark.package("dovecot")

# In these an inner message has no body, and Dovecot 2.3.19 counts the line end before the boundary as part of
# the message/rfc822 part, although it belongs to the boundary (RFC 2046 §5.1.1: delimiter := CRLF
# dash-boundary). Only the size and the lines of that part, and its BODY[n], differ.
LINE_END_OF_THE_BOUNDARY = frozenset({"rfc822_empty", "rfc822_header_only", "rfc822_base64"})

NAMES = ("DATE", "subject", "From", "Content-Type", "X-Long")


def _section(path: tuple[int, ...], what: Section) -> str:
    return ".".join([*map(str, path), *([what] if what else [])])


def _sections(found: MessageIndex) -> list[tuple[tuple[int, ...], Section]]:
    paths = {path for path, _ in walk(found.root)} | {(), (1,), (2,), (1, 1), (1, 2), (2, 1), (1, 1, 1)}
    kinds: tuple[Section, ...] = ("", "HEADER", "TEXT", "MIME")
    return [(path, what) for path in sorted(paths)[:40] for what in kinds if path or what != "MIME"]


@pytest.fixture(scope="module")
def messages() -> dict[str, bytes]:
    return nasty_messages()


@pytest.fixture(scope="module")
def indexes(messages: dict[str, bytes]) -> dict[str, MessageIndex]:
    return {name: index(data) for name, data in messages.items()}


@pytest.fixture(scope="module")
def answers(messages: dict[str, bytes], indexes: dict[str, MessageIndex]) -> dict[str, dict[str, bytes]]:
    names = " ".join(NAMES)
    commands = [
        "FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY RFC822.SIZE)",
        f"FETCH 1:* (BODY.PEEK[HEADER.FIELDS ({names})])",
        f"FETCH 1:* (BODY.PEEK[HEADER.FIELDS.NOT ({names})])",
    ]
    for number, found in enumerate(indexes.values(), 1):
        asked = " ".join(f"BODY.PEEK[{_section(*section)}]" for section in _sections(found))
        commands.append(f"FETCH {number} ({asked})")
    with Oracle(list(messages.values())) as oracle:
        replies = oracle.fetch(commands)
    return {name: replies[number] for number, name in enumerate(messages, 1)}


@pytest.mark.parametrize("name", nasty_messages())
def test_envelope_structure_and_size(
    name: str, indexes: dict[str, MessageIndex], answers: dict[str, dict[str, bytes]]
) -> None:
    found, said = indexes[name], answers[name]
    assert found.envelope == said["ENVELOPE"]
    assert b"%d" % found.size == said["RFC822.SIZE"]
    numbers = re.compile(rb" \d+(?=[ )])")
    for ours, theirs in ((found.bodystructure, said["BODYSTRUCTURE"]), (found.body, said["BODY"])):
        if name in LINE_END_OF_THE_BOUNDARY:
            ours, theirs = numbers.sub(b" #", ours), numbers.sub(b" #", theirs)
        assert ours == theirs


@pytest.mark.parametrize("name", nasty_messages())
def test_sections(
    name: str,
    messages: dict[str, bytes],
    indexes: dict[str, MessageIndex],
    answers: dict[str, dict[str, bytes]],
) -> None:
    data, found, said = messages[name], indexes[name], answers[name]
    for path, what in _sections(found):
        span = section_span(found, path, what)
        ours = b"" if span is None else data[slice(*span)]
        theirs = read_whole(said[f"BODY[{_section(path, what)}]"]) or b""
        if name in LINE_END_OF_THE_BOUNDARY and not what and theirs == ours + b"\r\n":
            continue
        assert ours == theirs, (path, what)


@pytest.mark.parametrize("name", nasty_messages())
def test_header_fields(
    name: str, indexes: dict[str, MessageIndex], answers: dict[str, dict[str, bytes]]
) -> None:
    said = {key.upper(): value for key, value in answers[name].items()}
    shown = " ".join(NAMES).upper()
    header = indexes[name].header
    kept = read_whole(next(said[key] for key in said if "HEADER.FIELDS (" in key))
    others = read_whole(next(said[key] for key in said if "HEADER.FIELDS.NOT" in key))
    assert shown.split()[0] in next(key for key in said if "HEADER.FIELDS (" in key)
    assert header_fields(header, list(NAMES)) == kept
    assert header_fields(header, list(NAMES), inverse=True) == others
