"""HTML letters made harmless: an allow-list, filtered styles, no remote content, own images as ``data:``.

Three walls, each of which would do alone: what is not on the list goes; the answer's own policy lets nothing
load or run; the frame is sandboxed without scripts.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable
from typing import Final

import msgspec
import nh3
from markupsafe import Markup

from gateway.message import Part, walk
from store import BodyReader
from webmail.mail import css, plain
from webmail.mail.kinds import raster
from webmail.mail.octets import read_some
from webmail.mail.wording import lines, phone, web_address

#: Elements open at once, and attributes in all: beyond this a letter is shown as plain text, for the time
#: that a browser's way of repairing HTML takes grows with the square of its depth.
DEPTH: Final = 256
_ATTRIBUTES: Final = 60_000
_IMAGES: Final = 40
_IMAGE_OCTETS: Final = 2_000_000
_ALL_IMAGES: Final = 6_000_000

_TAGS: Final = set(
    str.split(
        """
        a abbr address article aside b bdi bdo big blockquote br caption center cite code col
        colgroup dd del details dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6
        header hr i img ins kbd li main mark ol p pre q rp rt ruby s samp section small span strike
        strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr
        """
    )
)
#: Gone with all that they hold. ``style`` among them: a sheet's selectors can read what they match.
_GONE: Final = set(
    str.split(
        """
        script style title noscript template svg math iframe frame frameset noframes object embed
        applet audio video canvas map xmp plaintext noembed select option datalist textarea button
        head
        """
    )
)
_EVERY: Final = {"dir", "lang", "title", "style"}
_CELL: Final = {"align", "valign", "bgcolor", "width", "colspan", "rowspan", "nowrap"}
_ATTRS: Final = {
    "*": _EVERY,
    "a": {"href"},
    "img": {"src", "alt", "width", "height", "align"},
    "font": {"color", "size", "face"},
    "table": {"align", "bgcolor", "border", "cellpadding", "cellspacing", "width"},
    "td": _CELL,
    "th": _CELL | {"scope"},
    "tr": {"align", "valign", "bgcolor"},
    "col": {"span", "width", "align"},
    "colgroup": {"span"},
    "ol": {"start", "type", "reversed"},
    "ul": {"type"},
    "li": {"value"},
    "p": {"align"},
    "div": {"align"},
    "h1": {"align"},
    "h2": {"align"},
    "h3": {"align"},
    "hr": {"width", "align"},
    "time": {"datetime"},
    "details": {"open"},
}
_SIMPLE: Final = re.compile(r"[A-Za-z0-9#%.,+ -]{0,40}")
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:[^>\"']|\"[^\"]*\"|'[^']*')*+)")
_EQUALS: Final = re.compile(r"[\s/][^\s=>/]+")
#: Ended by whatever follows, or empty: they do not nest.
_FLAT: Final = frozenset(
    str.split(
        """
        p li td th tr tbody thead tfoot dt dd option optgroup colgroup br img hr input meta link col
        area base wbr param source track embed html head body
        """
    )
)
_LINK: Final = re.compile(r'<a ([^>]*?)href="([^"]*)"')
_ANY_TAG: Final = re.compile(r"<[^<>]{0,2000}>")
_REMOTE: Final = re.compile(r"(?i)url\s*\(|@import|image-set\s*\(")


class Clean(msgspec.Struct, frozen=True):
    """``body`` is safe to be put into a page. ``remote`` images and styles were left out because they would
    have told their owner that the letter was read; ``images`` of the letter itself could not be shown.
    ``coloured``: it sets colours, so it is shown on white. ``tangled``: nothing is shown, it is too deep."""

    body: Markup
    remote: int = 0
    images: int = 0
    coloured: bool = False
    tangled: bool = False


def tangled(text: str) -> bool:
    """Whether HTML is nested deeper, or holds more attributes, than a letter of people does. Linear."""
    depth = attributes = 0
    for found in _TAG.finditer(text):
        name = found[2].lower()
        if name not in _FLAT:
            depth = max(0, depth - 1) if found[1] else depth + 1
            if depth > DEPTH:
                return True
        if len(found[3]) > 4:
            attributes += len(_EQUALS.findall(found[3]))
            if attributes > _ATTRIBUTES:
                return True
    return False


def clean(text: str, image: Callable[[str], str] | None = None) -> Clean:
    """HTML of a stranger made harmless. Blocking.

    :param image: gives the ``data:`` address of an image that the letter brings, by its Content-ID; "" when
        there is none.
    """
    text = lines(text)
    if tangled(text):
        return Clean(Markup(""), tangled=True)
    filtering = _Filter(image or (lambda name: ""))
    made = nh3.clean(
        text,
        tags=_TAGS,
        clean_content_tags=_GONE,
        attributes=_ATTRS,
        attribute_filter=filtering.attribute,
        strip_comments=True,
        link_rel="noopener noreferrer nofollow",
        url_schemes={"http", "https", "tel", "cid"},
        url_relative="pass_through",  # the filter judges them
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    remote = filtering.remote + min(999, len(_REMOTE.findall(text)))
    body = Markup(_LINK.sub(_host, made))  # noqa: S704  # what nh3 wrote, and hosts in ASCII
    return Clean(body, remote, filtering.lost, filtering.coloured)


def words_of(text: str) -> str:
    """What an HTML text of a stranger says, as plain text. Blocking."""
    if tangled(text):
        return lines(html.unescape(_ANY_TAG.sub("\n", text)))
    return lines(plain.words_of(clean(text).body))


class _Filter:
    """What an attribute becomes, and what was left out on the way."""

    def __init__(self, image: Callable[[str], str]) -> None:
        self._image = image
        self.remote = 0
        self.lost = 0
        self.coloured = False

    def attribute(self, tag: str, name: str, value: str) -> str | None:
        if name == "style":
            style = css.safe_style(value)
            self.coloured = self.coloured or css.colours(style)
            return style or None
        if name == "href":
            return web_address(value)[0] or phone(value) or None
        if name == "src":
            return self._source(value)
        if name in ("title", "alt"):
            return value[:500]
        if name in ("bgcolor", "color"):
            self.coloured = True
        if name == "target":
            return "_blank"
        return value if _SIMPLE.fullmatch(value) else None

    def _source(self, value: str) -> str | None:
        scheme, _, rest = value.strip().partition(":")
        if scheme.lower() != "cid":
            self.remote += 1
            return None
        found = self._image(rest)
        if not found:
            self.lost += 1
        return found or None


def _host(found: re.Match[str]) -> str:
    """A link with the host that it leads to, which the frame shows after it."""
    where = found[2].replace("&amp;", "&")
    host = web_address(where)[1]
    told = f' data-host="{Markup.escape(host)}"' if host else ""
    return f"{found[0]}{told}"


class Images:
    """The images that a letter brings along, by Content-ID (RFC 2392 §2), as far as they are worth it.

    Each is opened to see that it is one. What is shown is bounded in all, however often it is shown.
    """

    def __init__(self, body: BodyReader, root: Part) -> None:
        self._body = body
        self._parts: dict[str, Part] = {}
        for _, part in walk(root):
            if part.content_id and not part.media.startswith("multipart/"):
                self._parts.setdefault(part.content_id.strip().strip("<>"), part)
        self._made: dict[str, str] = {}
        self._spent = 0

    def address(self, name: str) -> str:
        """The ``data:`` address of an image, "" where it is none, not there or too much. Blocking."""
        name = _unquoted(name.strip())
        if name not in self._made:
            self._made[name] = self._open(name) if len(self._made) < _IMAGES else ""
        made = self._made[name]
        self._spent += len(made)
        return made if self._spent <= _ALL_IMAGES else ""

    def _open(self, name: str) -> str:
        part = self._parts.get(name)
        if part is None:
            return ""
        content, cut = read_some(self._body, part, _IMAGE_OCTETS)
        found = None if cut else raster(content)
        if found is None:
            return ""
        return f"data:{found[0]};base64,{base64.b64encode(found[1]).decode('ascii')}"


def _unquoted(name: str) -> str:
    """RFC 2392 §2: a Content-ID in an address is percent-encoded."""
    raw = re.sub(rb"%([0-9A-Fa-f]{2})", lambda one: bytes([int(one[1], 16)]), name.encode("utf-8", "replace"))
    return raw.decode("utf-8", "replace")
