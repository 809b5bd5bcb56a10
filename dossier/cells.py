"""Cells of CSV files that people open in a spreadsheet: free text must not become a formula there."""

from __future__ import annotations

from typing import Final

#: A cell that begins with one of these is a formula to a spreadsheet.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def quoted(text: str) -> str:
    """A cell that a spreadsheet shows as text, whatever it begins with (also after blanks)."""
    return f"'{text}" if _needs(text) else text


def unquoted(cell: str) -> str:
    """The text that :func:`quoted` made this cell of."""
    return cell[1:] if cell.startswith("'") and _needs(cell) else cell


def _needs(text: str) -> bool:
    bare = text.lstrip("'")
    return bare.startswith(_FORMULA) or bare.lstrip(" \u00a0").startswith(_FORMULA)
