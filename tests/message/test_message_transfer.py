from __future__ import annotations

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.message import decode_stream


def decoded(data: bytes, encoding: str, size: int = 0) -> bytes:
    pieces = [data[n : n + size] for n in range(0, len(data), size)] if size else [data]
    return b"".join(decode_stream(pieces, encoding))


@given(st.binary(max_size=400), st.integers(1, 90))
def test_base64(data: bytes, size: int) -> None:
    wire = base64.encodebytes(data).replace(b"\n", b"\r\n")
    assert decoded(wire, "base64", size) == data


@given(st.binary(max_size=400), st.integers(1, 90))
def test_quoted_printable(data: bytes, size: int) -> None:
    text = data.replace(b"\r", b"").replace(b"\n", b"\r\n")
    wire = quopri.encodestring(text.replace(b"\r\n", b"\n"), quotetabs=True).replace(b"\n", b"\r\n")
    assert decoded(wire, "quoted-printable", size) == text


@given(
    st.binary(max_size=400), st.integers(1, 90), st.sampled_from(["base64", "quoted-printable", "8bit", "?"])
)
def test_any_octets_whatever_the_pieces(data: bytes, size: int, encoding: str) -> None:
    assert decoded(data, encoding, size) == decoded(data, encoding)


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (b"QUJD\r\nRA==\r\n", b"ABCD"),
        (b"Q U*J\tD\xe9RA", b"ABCD"),
        (b"QUI=QUI=", b"ABAB"),
        (b"QUJDR", b"ABC"),
        (b"====", b""),
        (b"", b""),
    ],
)
def test_loose_base64(wire: bytes, expected: bytes) -> None:
    for size in (0, 1, 3):
        assert decoded(wire, "base64", size) == expected


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (b"=C3=A9t=c3=a9", "été".encode()),
        (b"un =\r\ndeux", b"un deux"),
        (b"un = \t\r\ndeux", b"un deux"),
        (b"blancs  \t\r\nfin", b"blancs\r\nfin"),
        (b"=ZZ et =", b"=ZZ et "),
    ],
)
def test_loose_quoted_printable(wire: bytes, expected: bytes) -> None:
    for size in (0, 1, 4):
        assert decoded(wire, "quoted-printable", size) == expected


def test_a_line_without_end_is_not_held() -> None:
    pieces = decode_stream((b"x=41" * 4096 for _ in range(64)), "quoted-printable")
    sizes = [len(piece) for piece in pieces]
    assert sum(sizes) == 64 * 4096 * 2
    assert max(sizes) < 100_000
