from __future__ import annotations

from itertools import pairwise

from gateway.message import Indexer, MessageIndex


def index(data: bytes, *cuts: int) -> MessageIndex:
    """The index of `data` fed in pieces cut at `cuts`."""
    indexer = Indexer()
    places = [0, *sorted(cuts), len(data)]
    for start, end in pairwise(places):
        indexer.feed(data[start:end])
    return indexer.close()


def fed(data: bytes, size: int) -> MessageIndex:
    """The index of `data` fed in pieces of `size` octets."""
    return index(data, *range(size, len(data), size))
