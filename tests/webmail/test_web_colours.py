"""What the eyes need: every pair of colours that pages are drawn with, in both themes and every space
(WCAG 2.2 §1.4.3, §1.4.11)."""

from __future__ import annotations

import re

import pytest

from webmail.rendering import STATIC

TEXT, OUTLINE = 4.5, 3.0
_TOKEN = re.compile(r"--([a-z-]+): *(#[0-9a-f]{3,6})\b")
_GROUNDS = ("paper", "card")
#: (what is written, on what, at least).
PAIRS: list[tuple[str, str, float]] = [
    *(
        (ink, ground, TEXT)
        for ink in ("ink", "soft", "faint", "brand", "brand-strong", "bad")
        for ground in _GROUNDS
    ),
    *((ink, "tint", TEXT) for ink in ("ink", "soft", "tint-ink", "brand")),
    *((kind, f"{kind}-tint", TEXT) for kind in ("ok", "warn", "bad", "info", "child")),
    *(("ink", f"{kind}-tint", TEXT) for kind in ("ok", "warn", "bad", "info", "child")),
    ("brand", "info-tint", TEXT),
    ("on-brand", "brand", TEXT),
    ("on-brand", "brand-strong", TEXT),
    ("on-warm", "warm", TEXT),
    ("on-chrome", "chrome", TEXT),
    ("on-chrome", "lift", TEXT),
    ("chrome", "on-chrome", TEXT),  # the initials in the side
    *((line, ground, OUTLINE) for line in ("edge", "focus", "warm", "brand") for ground in _GROUNDS),
    ("focus", "tint", OUTLINE),
]


def _style(name: str) -> str:
    return re.sub(r"/\*.*?\*/", "", (STATIC / name).read_text(encoding="utf-8"), flags=re.DOTALL)


def _tokens(style: str, selector: str) -> dict[str, str]:
    """The colours that a rule sets."""
    found: dict[str, str] = {}
    for block in re.findall(rf"(?:^|\}}|\n) *{re.escape(selector)} *\{{([^}}]*)\}}", style):
        found |= dict(_TOKEN.findall(block))
    return found


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(one * 2 for one in colour[1:])
    shares = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, "contrast ratio"."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_reckoned_as_the_rules_do() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)


@pytest.mark.parametrize("space", [":root", ".space-1", ".space-2", ".space-3"])
@pytest.mark.parametrize("theme", ["clair", "sombre"])
def test_every_pair_of_colours_can_be_read(theme: str, space: str) -> None:
    light, dark = _style("app.css"), _style("dark.css")
    tokens = _tokens(light, ":root") | _tokens(light, space)
    if theme == "sombre":  # dark.css comes second: its :root and its spaces win
        tokens |= _tokens(dark, ":root") | _tokens(dark, space)
    assert len(tokens) > 25
    weak = {
        f"{ink} {tokens[ink]} on {ground} {tokens[ground]}": round(found, 2)
        for ink, ground, least in PAIRS
        if (found := contrast(tokens[ink], tokens[ground])) < least
    }
    assert weak == {}


@pytest.mark.parametrize(
    "ink, ground", [("#5c1d05", "#ffd9c7"), ("#ffd166", "#0c464c"), ("#ffd166", "#47306f")]
)
def test_the_colours_that_no_theme_changes(ink: str, ground: str) -> None:
    """The count of unread messages, and the ring of focus in the side."""
    style = _style("app.css")
    assert ink in style and ground in style
    assert contrast(ink, ground) >= TEXT


def test_both_themes_set_the_same_colours() -> None:
    light, dark = _style("app.css"), _style("dark.css")
    for space in (":root", ".space-1", ".space-2", ".space-3"):
        missing = _tokens(light, space).keys() - _tokens(dark, space).keys()
        assert missing == set(), space


def test_colours_are_tokens() -> None:
    """A colour that is written elsewhere would stay as it is in the dark."""
    style = _style("app.css")
    rules = re.sub(r"--[a-z-]+:[^;}]*", "", style)
    rules = rules[: rules.index("@media print")] + rules[rules.index("@media print") :].partition("\n")[2]
    allowed = {"#ffd9c7", "#5c1d05", "#ffd166", "#fff"}  # white is the paper of what others drew
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", rules)) - allowed == set()
