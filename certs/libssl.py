"""The OpenSSL objects behind Python's :mod:`ssl`, reached through :mod:`ctypes` after cross-checks.

For the few things OpenSSL does and Python does not pass on (see :mod:`certs.tls`, :mod:`certs.stapling`).
The library is found through ``_ssl`` itself, so it is the one in use. Pointers are read where CPython 3.11 to
3.13 keep them, and believed only after what they point to agrees with what Python reports.
"""

from __future__ import annotations

import _ssl
import ctypes
import functools
import platform
import ssl
import sys
from typing import Final

from certs.errors import TlsUnavailable

LAYOUT_KNOWN: Final = frozenset({(3, 11), (3, 12), (3, 13)})
POINTER: Final = ctypes.c_void_p
_SSL_VERIFY_NONE: Final = 0
_SSL_VERIFY_PEER: Final = 1

#: ``int callback(pointer, pointer)``: chain verification and certificate status have this shape.
Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


@functools.cache
def libssl() -> ctypes.CDLL:
    """The libssl that the ``_ssl`` module is linked with, reached through that module.

    :raises TlsUnavailable: the module does not show it.
    """
    pointer, number = ctypes.c_void_p, ctypes.c_long
    shapes = {
        "SSL_CTX_get_options": (ctypes.c_uint64, [pointer]),
        "SSL_CTX_get_verify_mode": (ctypes.c_int, [pointer]),
        "SSL_CTX_set_cert_verify_callback": (None, [pointer, Callback, pointer]),
        "SSL_CTX_ctrl": (number, [pointer, ctypes.c_int, number, pointer]),
        "SSL_CTX_callback_ctrl": (number, [pointer, ctypes.c_int, Callback]),
        "SSL_ctrl": (number, [pointer, ctypes.c_int, number, pointer]),
        "SSL_get_SSL_CTX": (pointer, [pointer]),
        "SSL_get_certificate": (pointer, [pointer]),
        "i2d_X509": (ctypes.c_int, [pointer, pointer]),
        "CRYPTO_malloc": (pointer, [ctypes.c_size_t, ctypes.c_char_p, ctypes.c_int]),
    }
    try:
        library = ctypes.CDLL(getattr(_ssl, "__file__", None))
        for name, (result, arguments) in shapes.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise TlsUnavailable("this Python's ssl module does not show its libssl") from error
    return library


def context_pointer(context: ssl.SSLContext) -> int:
    """The ``SSL_CTX *`` of a context.

    :raises TlsUnavailable: an unknown Python, or a pointer that does not behave as the context.
    """
    python = sys.version_info[:2]
    if platform.python_implementation() != "CPython" or python not in LAYOUT_KNOWN:
        known = ", ".join(f"{a}.{b}" for a, b in sorted(LAYOUT_KNOWN))
        raise TlsUnavailable(
            f"the operators' port needs CPython {known}; this is {platform.python_version()}"
        )
    library = libssl()
    pointer = _field(context, 0)
    if not pointer or pointer % ctypes.alignment(ctypes.c_void_p):
        raise TlsUnavailable("the TLS context is not laid out as expected")
    asked = context.verify_mode
    for mode, expected in ((ssl.CERT_OPTIONAL, _SSL_VERIFY_PEER), (ssl.CERT_NONE, _SSL_VERIFY_NONE)):
        context.verify_mode = mode
        same_options = library.SSL_CTX_get_options(pointer) == context.options & 0xFFFFFFFFFFFFFFFF
        if not same_options or library.SSL_CTX_get_verify_mode(pointer) != expected:
            raise TlsUnavailable("the TLS context is not laid out as expected")
    context.verify_mode = asked
    return pointer


def connection_pointer(tls: ssl.SSLObject | ssl.SSLSocket) -> int:
    """The ``SSL *`` of a connection whose context :func:`context_pointer` knows.

    CPython keeps, after the object header: a reference to the socket, the ``SSL *``, the context object.
    The third must be the context that Python reports before the second is believed.

    :raises TlsUnavailable: it is not so.
    """
    inner = getattr(tls, "_sslobj", None)
    if sys.version_info[:2] not in LAYOUT_KNOWN or inner is None or type(inner).__name__ != "_SSLSocket":
        raise TlsUnavailable("the TLS connection is not one of Python's own")
    pointer = _field(inner, 1)
    if not pointer or _field(inner, 2) != id(inner.context):
        raise TlsUnavailable("the TLS connection is not laid out as expected")
    if libssl().SSL_get_SSL_CTX(pointer) != _field(inner.context, 0):
        raise TlsUnavailable("the TLS connection is not laid out as expected")
    return pointer


def _field(thing: object, place: int) -> int:
    """The pointer at the given place after the object header; 0 for none."""
    address = id(thing) + object.__basicsize__ + place * ctypes.sizeof(ctypes.c_void_p)
    return POINTER.from_address(address).value or 0
