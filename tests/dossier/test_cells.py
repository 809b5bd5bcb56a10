"""Cells of CSV files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossier.cells import quoted, unquoted


@pytest.mark.parametrize("text", ["=1+1", "+33 6", "-2 kg", "@SUM(A1)", "\t=1", "  =1", "\u00a0=1", "'=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert quoted(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "à jeun", "l'effort", "'", "''", "'après'", "2 - 3"])
def test_words_stay_as_they_are(text: str) -> None:
    assert quoted(text) == text == unquoted(text)


@given(st.text(st.sampled_from("'=+ -@a\t\u00a0")))
def test_what_was_quoted_is_read_back(text: str) -> None:
    cell = quoted(text)
    assert unquoted(cell) == text
    assert not cell.lstrip(" \u00a0").startswith(("=", "+", "-", "@", "\t"))
