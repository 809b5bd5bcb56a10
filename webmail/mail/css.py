"""Style attributes of strangers, down to what colours and sets words: nothing that loads, hides or moves."""

from __future__ import annotations

import re
from typing import Final

_SIZE: Final = re.compile(r"(?:0|[0-9]{1,4}(?:\.[0-9]{1,3})?(?:px|pt|em|rem|ex|ch|%)|auto|thin|medium|thick)")
_COLOUR: Final = re.compile(
    r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})|[a-z]{3,24}|(?:rgb|hsl)a?\([0-9.,%/ deg]{1,60}\)"
)
_LINE: Final = re.compile(r"none|hidden|solid|dotted|dashed|double|groove|ridge|inset|outset")
_LINE_HEIGHT: Final = re.compile(r"normal|[12](?:\.[0-9]{1,3})?|1[0-9]{2}%")
_FAMILY: Final = re.compile(r"[a-z0-9 ,'\"-]{1,200}")
_PLAIN: Final = "-?[a-z][a-z-]{0,30}"


def _words(*allowed: str) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, allowed)))


#: Property → what each of its words may be. Vertical extents are missing on purpose (nothing is cut off),
#: so are ``position``, ``float``, ``display``, ``opacity``, ``transform``, ``content``, ``filter``: whatever
#: moves a thing over another or makes it vanish.
_ALLOWED: Final[dict[str, re.Pattern[str]]] = {
    "color": _COLOUR,
    "background-color": _COLOUR,
    "background": _COLOUR,
    "font-weight": re.compile(r"normal|bold|bolder|lighter|[1-9]00"),
    "font-style": _words("normal", "italic", "oblique"),
    "font-variant": _words("normal", "small-caps"),
    "text-align": _words("left", "right", "center", "justify", "start", "end"),
    "text-decoration": _words("none", "underline", "line-through", "overline"),
    "text-transform": _words("none", "uppercase", "lowercase", "capitalize"),
    "vertical-align": re.compile(r"top|middle|bottom|baseline|sub|super|text-top|text-bottom"),
    "white-space": _words("normal", "pre", "pre-wrap", "pre-line", "nowrap"),
    "list-style-type": re.compile(r"none|disc|circle|square|decimal|(?:lower|upper)-(?:alpha|roman)"),
    "border-collapse": _words("collapse", "separate"),
    "direction": _words("ltr", "rtl"),
    "width": _SIZE,
    "max-width": _SIZE,
    "border-spacing": _SIZE,
    **{f"padding{side}": _SIZE for side in ("", "-left", "-right", "-top", "-bottom")},
    **{f"margin{side}": _SIZE for side in ("", "-left", "-right", "-top", "-bottom")},
    **{
        f"border{side}": re.compile(f"(?:{_SIZE.pattern})|(?:{_LINE.pattern})|(?:{_COLOUR.pattern})")
        for side in ("", "-left", "-right", "-top", "-bottom", "-width", "-style", "-color")
    },
    "border-radius": _SIZE,
}
_NAME: Final = re.compile(_PLAIN)
_LONGEST: Final = 4_000
_BIGGEST_PX: Final = 48
#: Colours that are nobody's own: to hide words in, or of the system.
_NO_COLOURS: Final = frozenset({"transparent"})
_FONT_SIZE: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)(px|pt|em|rem|%)")
_NAMED_SIZES: Final = {
    "xx-small": 0.75,
    "x-small": 0.8,
    "small": 0.875,
    "medium": 1.0,
    "large": 1.2,
    "x-large": 1.5,
    "xx-large": 2.0,
}


def safe_style(text: str) -> str:
    """The declarations of a ``style`` attribute that only set and colour words, written anew; "" for none.

    Escapes and comments (CSS Syntax 3 §4.3.7, §4.3.2) are not understood: a style that has any is dropped, so
    that nobody can write ``url(`` in another way.
    """
    if len(text) > _LONGEST or "\\" in text or "/*" in text or "@" in text or "<" in text:
        return ""
    made = []
    for declaration in text.split(";"):
        name, _, value = declaration.partition(":")
        name = name.strip().lower()
        value = " ".join(value.replace("!important", " ").lower().split())
        kept = _value(name, value) if _NAME.fullmatch(name) else ""
        if kept:
            made.append(f"{name}:{kept}")
    return ";".join(made)


def _value(name: str, value: str) -> str:
    if not value:
        return ""
    if name == "font-size":
        return _font_size(value)
    if name == "font-family":
        return value if _FAMILY.fullmatch(value) else ""
    if name == "line-height":
        return value if _LINE_HEIGHT.fullmatch(value) else ""
    allowed = _ALLOWED.get(name)
    if allowed is None:
        return ""
    words = _split(value)
    if len(words) > 4 or any(word in _NO_COLOURS and name == "color" for word in words):
        return ""
    return value if all(allowed.fullmatch(word) for word in words) else ""


def _split(value: str) -> list[str]:
    """Words of a value; what stands in brackets is one."""
    return re.findall(r"[a-z]+\([^()]*\)|[^\s()]+|[()]", value)


def _font_size(value: str) -> str:
    """In units of the reader's own size, never tiny: large type stays large."""
    if value in _NAMED_SIZES:
        return f"{_NAMED_SIZES[value]}rem"
    found = _FONT_SIZE.fullmatch(value)
    if found is None:
        return ""
    number, unit = float(found[1]), found[2]
    em = {"px": number / 16, "pt": number / 12, "%": number / 100}.get(unit, number)
    return f"{min(max(em, 0.8), _BIGGEST_PX / 16):.3g}{'em' if unit in ('em', '%') else 'rem'}"


def colours(style: str) -> bool:
    """Whether a style sets a colour: then the text was made for white paper."""
    return "color" in style or "background" in style
