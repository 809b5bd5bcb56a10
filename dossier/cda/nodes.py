"""What a rendered document is made of, and how it is written: nothing but these names and attributes.

Every page is built of :class:`Node` by our own hand; of a document come only texts, which are escaped, and
numbers, addresses and images that were checked.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Final

#: Element → the attributes it may carry.
ALLOWED: Final[dict[str, frozenset[str]]] = {
    name: frozenset({"class", *attributes})
    for name, attributes in {
        "article": (),
        "header": (),
        "section": (),
        "h1": (),
        "h2": (),
        "h3": (),
        "h4": (),
        "div": (),
        "span": (),
        "dl": (),
        "dt": (),
        "dd": (),
        "ul": (),
        "ol": ("type",),
        "li": (),
        "table": (),
        "caption": (),
        "thead": (),
        "tbody": (),
        "tfoot": (),
        "tr": (),
        "th": ("colspan", "rowspan"),
        "td": ("colspan", "rowspan"),
        "sub": (),
        "sup": (),
        "ins": (),
        "del": (),
        "br": (),
        "a": ("href", "rel"),
        "img": ("src", "alt"),
    }.items()
}
VOID: Final = frozenset({"br", "img"})
_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4"})
_LINES: Final = frozenset(
    ("article", "header", "section", "div", "dl", "dt", "ul", "ol", "li", "table", "caption", "tr")
)
_MARKS: Final = {"li": "- "}


@dataclass(slots=True)
class Node:
    """An element of :data:`ALLOWED`, or another that is not written: a root without a name."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)

    def add(self, name: str, text: str = "", /, **attributes: str) -> Node:
        """A new child, returned."""
        child = Node(name, {key.rstrip("_"): value for key, value in attributes.items()})
        if text:
            child.children.append(text)
        self.children.append(child)
        return child


def to_html(node: Node) -> str:
    """HTML that is well-formed XML as well. Depth is bounded by who built the tree."""
    parts: list[str] = []
    _write(node, parts)
    return "".join(parts)


def _write(node: Node, parts: list[str]) -> None:
    assert set(node.attributes) <= ALLOWED[node.name]
    attributes = "".join(f' {key}="{html.escape(value)}"' for key, value in node.attributes.items())
    if node.name in VOID:
        parts.append(f"<{node.name}{attributes}/>")
        return
    parts.append(f"<{node.name}{attributes}>")
    for child in node.children:
        if isinstance(child, str):
            parts.append(html.escape(child, quote=False))
        else:
            _write(child, parts)
    parts.append(f"</{node.name}>")


class _Lines:
    """Lines under way; each piece of text is looked at once, however long its line becomes."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.blank = True
        self._pieces: list[str] = []

    def say(self, text: str) -> None:
        self._pieces.append(text)
        self.blank = self.blank and not text.strip()

    def end(self) -> None:
        self.ended.append(" ".join("".join(self._pieces).split()))
        self._pieces, self.blank = [], True


def to_text(node: Node) -> str:
    """Plain text: one line a paragraph, a row or an item; a heading stands apart."""
    lines = _Lines()
    _say(node, lines)
    lines.end()
    tidy = lines.ended
    return "\n".join(line for i, line in enumerate(tidy) if line or (i and tidy[i - 1])).strip() + "\n"


def _say(node: Node, lines: _Lines) -> None:
    """Add what a node says to the last line, and new lines after it."""
    apart = node.name in _HEADINGS
    if apart or node.name in _LINES:
        for _ in range(apart + (not lines.blank)):
            lines.end()
    lines.say(_MARKS.get(node.name, ""))
    if node.name == "br":
        lines.end()
    elif node.name == "img":
        lines.say(f"[{node.attributes['alt']}]")
    cells = 0
    for child in node.children:
        if isinstance(child, str):
            lines.say(child.replace("\n", " "))
            continue
        if child.name in ("td", "th"):
            lines.say(" | " if cells else "")
            cells += 1
        _say(child, lines)
    if node.name == "dt":
        lines.say(" : ")
    elif (apart or node.name in _LINES) and not lines.blank:
        lines.end()
