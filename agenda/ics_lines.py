"""An iCalendar file as components of content lines, read without trust: bounded, nothing evaluated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from agenda.errors import AgendaError
from agenda.model import BadPart

MAX_FILE: Final = 4 * 1024 * 1024  # octets
MAX_COMPONENTS: Final = 5_000
MAX_LINE: Final = 64 * 1024  # characters, unfolded
MAX_LINES: Final = 2_000  # of a component
MAX_DEPTH: Final = 4
_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_PARAM: Final = re.compile(r';([A-Za-z0-9-]{1,64})=(?:"([^"]*)"|([^";:,]*))', re.ASCII)
_MORE: Final = re.compile(r',(?:"[^"]*"|[^";:,]*)')
_CARET: Final = re.compile(r"\^([n^'])")
_ESCAPED: Final = re.compile(r"\\([\\;,nN])")


class Line(msgspec.Struct, frozen=True):
    """A content line: NAME in capitals, parameters by name in capitals, the value as it is written."""

    name: str
    params: dict[str, str]
    value: str

    @property
    def text(self) -> str:
        """The value of a property of type TEXT (RFC 5545 §3.3.11)."""
        return _ESCAPED.sub(_escape, self.value)


class Component(msgspec.Struct):
    """A component, where it begins in the file, its lines and the components in it. ``fault``: why it cannot
    be read, "" if it can."""

    name: str
    line: int
    lines: list[Line] = msgspec.field(default_factory=list)
    inside: list[Component] = msgspec.field(default_factory=list)
    fault: str = ""

    def one(self, name: str) -> Line | None:
        """The first line of a name."""
        return next((line for line in self.lines if line.name == name), None)

    def all(self, name: str) -> list[Line]:
        return [line for line in self.lines if line.name == name]


class File(msgspec.Struct):
    """What a file holds: properties of its calendars, the components right below them, what was left out."""

    properties: list[Line] = msgspec.field(default_factory=list)
    components: list[Component] = msgspec.field(default_factory=list)
    bad: list[BadPart] = msgspec.field(default_factory=list)


def read_file(data: bytes) -> File:
    """The components of a file. Raises :class:`AgendaError` ``agenda.file``: too big, or no VCALENDAR."""
    if len(data) > MAX_FILE:
        raise AgendaError("agenda.file", "more than 4 MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    found = File()
    stack: list[Component] = []
    seen = False
    for number, raw in _unfolded(text):
        name, _, rest = raw.partition(":")
        name = name.upper()
        if name == "BEGIN":
            begun = Component(rest.strip().upper(), number)
            seen = seen or begun.name == "VCALENDAR"
            if len(stack) >= MAX_DEPTH:
                stack[-1].fault = "components too deep in each other"
                begun.fault = "too deep"
            stack.append(begun)
            if len(stack) > MAX_DEPTH + 1:
                raise AgendaError("agenda.file", "components too deep in each other")
        elif name == "END":
            if not stack or stack[-1].name != rest.strip().upper():
                if stack:
                    stack[-1].fault = "BEGIN and END do not match"
                continue
            ended = stack.pop()
            if len(stack) == 1 and stack[0].name == "VCALENDAR":
                _keep(found, ended)
            elif stack and ended.name != "VCALENDAR":
                stack[-1].inside.append(ended)
        elif len(stack) == 1 and stack[0].name == "VCALENDAR":
            if (line := _line(raw)) is not None and len(found.properties) < MAX_LINES:
                found.properties.append(line)
        elif stack:
            _add(stack[-1], raw)
    if not seen:
        raise AgendaError("agenda.file", "no VCALENDAR")
    if len(stack) > 1:
        found.bad.append(BadPart(stack[1].line, f"{stack[1].name[:20]} without its end"))
    return found


def _keep(found: File, ended: Component) -> None:
    if len(found.components) >= MAX_COMPONENTS:
        found.bad.append(BadPart(ended.line, f"more than {MAX_COMPONENTS} components"))
    else:
        found.components.append(ended)


def _add(component: Component, raw: str) -> None:
    if len(component.lines) >= MAX_LINES:
        component.fault = f"more than {MAX_LINES} lines"
    elif len(raw) > MAX_LINE:
        component.fault = "a line too long"
    elif (line := _line(raw)) is not None:
        component.lines.append(line)


def _line(raw: str) -> Line | None:
    """A content line (RFC 5545 §3.1), or None for what is none: what matters is asked for later."""
    name = _NAME.match(raw)
    if name is None:
        return None
    params: dict[str, str] = {}
    place = name.end()
    while raw[place : place + 1] == ";":
        param = _PARAM.match(raw, place)
        if param is None:
            return None
        value = param[2] if param[2] is not None else param[3]
        params.setdefault(param[1].upper(), _CARET.sub(_caret, value))
        place = param.end()
        while raw[place : place + 1] == ",":  # further values, of no use here
            more = _MORE.match(raw, place)
            if more is None:
                return None
            place = more.end()
    if raw[place : place + 1] != ":":
        return None
    return Line(name[0].upper(), params, raw[place + 1 :])


def _caret(match: re.Match[str]) -> str:
    """RFC 6868 §3.2."""
    return {"n": "\n", "^": "^", "'": '"'}[match[1]]


def _escape(match: re.Match[str]) -> str:
    """RFC 5545 §3.3.11."""
    return "\n" if match[1] in "nN" else match[1]


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """Logical lines with the number of their first physical one (RFC 5545 §3.1)."""
    number, gathered, size = 0, [""], 0
    begun = 1
    for number, physical in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        if physical[:1] in (" ", "\t"):
            size += len(physical)
            if size <= MAX_LINE + 1:
                gathered.append(physical[1:])
            continue
        if any(gathered):
            yield begun, "".join(gathered)
        begun, gathered, size = number, [physical], len(physical)
    if any(gathered):
        yield begun, "".join(gathered)
