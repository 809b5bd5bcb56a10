"""The rows of a CSV file after its header: one line each, bounded, bad ones told and passed over."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from typing import IO


def rows_below(
    file: IO[bytes], places: Mapping[str, int], width: int, *, separator: str, longest: int
) -> Iterator[tuple[int, dict[str, str] | str]]:
    """``(line number, cells by name or fault)`` for each row that is not blank; the header was line 1.

    :param places: the columns wanted, by name. :param width: how many columns the header has.
    :param longest: octets of a line; a longer one is read away and told.
    """
    number = 1
    while raw := file.readline(longest):
        number += 1
        if len(raw) >= longest and not raw.endswith(b"\n"):
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(longest)
            yield number, "line too long"
            continue
        if not raw.strip():
            continue
        try:
            # One row is one line: no cell holds a line end, so quotes never span two.
            cells = next(csv.reader([raw.decode("utf-8").rstrip("\r\n")], delimiter=separator, strict=True))
        except UnicodeDecodeError:
            yield number, "not UTF-8"
            continue
        except csv.Error as error:
            yield number, f"not CSV: {error}"
            continue
        if len(cells) != width:
            yield number, f"{len(cells)} columns where the header has {width}"
        else:
            yield number, {name: cells[place].strip() for name, place in places.items()}
