"""Fetching small public files (revocation lists, the whitelist) over HTTP, bounded in size and time."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Final

import httpx
from asn1crypto import pem, x509

from store import PasserelleError

#: The whole exchange, whatever the server does (s).
DEADLINE_S: Final = 60.0


class DownloadError(PasserelleError):
    """A file could not be fetched; what was held before stays in use."""

    code = 451
    enhanced = "4.4.1"
    fault = "peer"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__("certs.download", f"{url}: {reason}")


def http_client(roots: Iterable[x509.Certificate] = (), *, timeout: float = 15.0) -> httpx.Client:
    """A client that believes ``roots`` and nobody else (none: only plain http can work).

    :param timeout: seconds for each step of the exchange.
    """
    context = tls_context(roots)
    return httpx.Client(verify=context, timeout=timeout, follow_redirects=False, trust_env=False)


def tls_context(roots: Iterable[x509.Certificate] = ()) -> ssl.SSLContext:
    """What a client that believes ``roots`` and nobody else shows and demands."""
    text = _pem(roots)
    context = ssl.create_default_context(cadata=text) if text else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def download(client: httpx.Client, url: str, *, limit: int) -> bytes:
    """The body of a GET. Blocking: call it in a thread.

    :param limit: the largest body taken (octets).
    :raises DownloadError: not reached, another status than 200, too large, or not there in
        :data:`DEADLINE_S`.
    """
    done: Future[bytes] = Future()

    def work() -> None:
        try:
            done.set_result(_body(client, url, limit))
        except BaseException as error:  # noqa: BLE001  # handed to who waits
            done.set_exception(error)

    # In a thread of its own, which nobody waits for beyond the deadline: a site may send its header octet
    # by octet, and a look-up of its name cannot be ended.
    threading.Thread(target=work, name="download", daemon=True).start()
    try:
        return done.result(DEADLINE_S)
    except TimeoutError:
        raise DownloadError(url, f"it did not end within {DEADLINE_S:g} s") from None


def _body(client: httpx.Client, url: str, limit: int) -> bytes:
    end = time.monotonic() + DEADLINE_S
    body = bytearray()
    try:
        with client.stream("GET", url) as answer:
            if answer.status_code != httpx.codes.OK:
                raise DownloadError(url, f"the server answered {answer.status_code}")
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > limit:
                    raise DownloadError(url, f"it is larger than {limit} octets")
                if time.monotonic() > end:
                    raise DownloadError(url, f"it did not end within {DEADLINE_S:g} s")
    # ValueError and its like: addresses that are none.
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ValueError, ArithmeticError) as error:
        raise DownloadError(url, f"it cannot be fetched ({type(error).__name__})") from error
    return bytes(body)


def _pem(roots: Iterable[x509.Certificate]) -> str:
    return "".join(pem.armor("CERTIFICATE", root.dump()).decode() for root in roots)
