"""No hidden count can be found again: all small tables, a reader who knows the rule and what is shown."""

from __future__ import annotations

from collections import defaultdict
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import suppression
from gateway.suppression import LEAST, hidden, rate, shown

counts = st.lists(st.one_of(st.integers(0, 30), st.integers(0, 10**6)), min_size=1, max_size=12)


@pytest.mark.parametrize("rows", [2, 3])
def test_a_reader_who_knows_the_rule_finds_no_hidden_count(rows: int) -> None:
    """All tables up to a total of 66 are made; those that look alike may not agree on any hidden cell."""
    most = {2: 66, 3: 66}[rows]
    seen: dict[object, list[set[int]]] = defaultdict(lambda: [set() for _ in range(rows)])
    for table in product(range(most + 1), repeat=rows):
        total = sum(table)
        if total > most:
            continue
        published = (tuple(shown(table, total)), suppression.shown_total(total))
        for place, count in enumerate(table):
            seen[published][place].add(count)
    assert len(seen) > 50
    for (cells, _), values in seen.items():  # type: ignore[misc]  # the pairs made above
        for cell, possible in zip(cells, values, strict=True):
            if cell is None:
                assert len(possible) > 1, (cells, values)
                small = {count for count in possible if count < LEAST}
                # where a small count may stand at all, several may, and it is not even sure that it is small
                assert len(small) != 1 or len(possible) > len(small)
            else:
                assert possible == {cell}


@given(counts)
def test_what_is_shown_is_ten_or_more_and_true(table: list[int]) -> None:
    total = sum(table)
    cells = shown(table, total)
    assert all(
        cell is None or (cell >= LEAST and cell == count) for cell, count in zip(cells, table, strict=True)
    )
    if total < LEAST:
        assert set(cells) == {None}
    if all(count >= LEAST for count in table):
        assert cells == table


@given(counts)
def test_any_small_counts_are_possible(table: list[int]) -> None:
    """The covers can make up for any other small counts: each from zero to eight, the rest as it is."""
    out = hidden(table)
    small = {place for place in out if table[place] < LEAST}
    if not small or out == set(range(len(table))):
        return
    covers = out - small
    left = sum(table[place] for place in out)
    assert covers
    for place in small:
        for count in range(LEAST - 1):
            changed = {**{one: table[one] for one in small}, place: count}
            for_covers = left - sum(changed.values())
            assert for_covers >= LEAST * len(covers)
            first, *others = sorted(covers)
            other = dict.fromkeys(others, LEAST)
            if others:  # the earlier covers small, the last one large: the rule stops at the same place
                other = dict.fromkeys(sorted(covers)[:-1], LEAST)
                other[max(covers)] = for_covers - LEAST * len(others)
            else:
                other = {first: for_covers}
            world = [changed.get(at, other.get(at, count_)) for at, count_ in enumerate(table)]
            assert sum(world) == sum(table)
            assert shown(world, sum(world)) == shown(table, sum(table)), (table, world)


@given(counts)
def test_which_rows_cover_does_not_tell_their_size(table: list[int]) -> None:
    """A cover is hidden for its place: all that stand before the last cover are hidden with it."""
    out = hidden(table)
    covers = {place for place in out if table[place] >= LEAST}
    if covers:
        assert {place for place in range(max(covers)) if table[place] >= LEAST} <= covers


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [(None, 100, None), (10, None, None), (10, 0, None), (17, 68, 25.0), (23_180, 3_391_505, 0.7)],
)
def test_a_rate_of_what_is_hidden_is_hidden(part: int | None, whole: int | None, told: float | None) -> None:
    assert rate(part, whole) == told
