"""An OpenID issuer as those who trust it see it: its metadata, its keys, and what it signed.

OpenID Connect Discovery 1.0, RFC 7517. Loaded by what serves web pages only.
"""

from __future__ import annotations

import time
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from store import PasserelleError
from store.errors import Fault

ALGORITHMS: Final = ["RS256", "ES256"]
_LARGEST: Final = 256 * 1024
_FRESH_S: Final = 3600.0
#: Keys are asked for again at most so often when an unknown one signed.
_AGAIN_S: Final = 30.0


class ProviderError(PasserelleError):
    """The provider's answer cannot be trusted, or it gave none; the text names the check."""

    fault: Fault = "peer"


class Metadata(msgspec.Struct, frozen=True):
    """What every issuer publishes; a subclass names what else its user needs."""

    issuer: str
    jwks_uri: str


M = TypeVar("M", bound=Metadata)
T = TypeVar("T")


class Issuer(Generic[M]):
    """One issuer, by its URL. ``http`` trusts its certificate, has timeouts, and follows no redirect.

    :param of: which metadata are needed; an issuer that publishes less is refused.
    :param algorithms: the signatures taken (RFC 7518 §3.1); never ``none``.
    """

    def __init__(self, url: str, http: httpx.AsyncClient, of: type[M], algorithms: list[str]) -> None:
        self._url = url
        self._http = http
        self._of = of
        self._algorithms = algorithms
        self._metadata: tuple[float, M] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def metadata(self) -> M:
        """Its metadata, asked for once an hour. Raises :class:`ProviderError` ``signin.provider``."""
        held = self._metadata
        if held and held[0] > time.monotonic():
            return held[1]
        url = self._url.rstrip("/") + "/.well-known/openid-configuration"
        metadata = decoded(await self.ask("GET", url), self._of)
        # OpenID Connect Discovery 1.0 §4.3
        if metadata.issuer != self._url:
            raise ProviderError("signin.provider", "the metadata names another issuer")
        secure = urlsplit(self._url).scheme
        for name in metadata.__struct_fields__:
            endpoint = getattr(metadata, name)
            if name.endswith(("_endpoint", "_uri")) and endpoint and urlsplit(endpoint).scheme != secure:
                raise ProviderError("signin.provider", "an endpoint is not served as the issuer is")
        self._metadata = (time.monotonic() + _FRESH_S, metadata)
        return metadata

    async def signed(self, text: str) -> jwt.Token:
        """A JWT whose signature is the issuer's; keys are fetched again once when an unknown one signed.

        Raises :class:`ProviderError`: ``signin.token``, ``signin.provider``.
        """
        text = text.strip()
        try:
            return jwt.decode(text, await self._key_set(), algorithms=self._algorithms)
        except (JoseError, ValueError):
            keys = await self._key_set(again=True)
        try:
            return jwt.decode(text, keys, algorithms=self._algorithms)
        except (JoseError, ValueError) as error:
            raise ProviderError(
                "signin.token", f"not a token signed by the provider: {type(error).__name__}"
            ) from None

    async def ask(self, method: str, url: str, **given: Any) -> httpx.Response:
        """Its answer of status 200. Raises :class:`ProviderError` ``signin.provider``."""
        try:
            response = await self._http.request(method, url, follow_redirects=False, **given)
        except httpx.HTTPError as error:
            raise ProviderError(
                "signin.provider", f"no answer from the provider: {type(error).__name__}"
            ) from None
        if response.status_code != 200 or len(response.content) > _LARGEST:
            raise ProviderError("signin.provider", f"the provider answered {response.status_code}")
        return response

    async def _key_set(self, *, again: bool = False) -> KeySet:
        held = self._keys
        now = time.monotonic()
        if held and now - held[0] < (_AGAIN_S if again else _FRESH_S):
            return held[1]
        response = await self.ask("GET", (await self.metadata()).jwks_uri)
        try:
            keys = KeySet.import_key_set(response.json())
        except (JoseError, ValueError, KeyError, TypeError):
            raise ProviderError("signin.provider", "the provider's keys cannot be read") from None
        self._keys = (now, keys)
        return keys


def decoded(response: httpx.Response, of: type[T]) -> T:
    """What an answer holds. Raises :class:`ProviderError` ``signin.provider``."""
    try:
        return msgspec.json.decode(response.content, type=of)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ProviderError("signin.provider", "the provider's answer has not its form") from None
