"""A client of an OpenID provider as FranceConnect is one: authorization code, PKCE, signed identity.

OpenID Connect Core 1.0 and Discovery 1.0, RFC 6749 §4.1, RFC 7636. Loaded by what serves web pages only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec

from patients.signin.identities import Journey, Pivot
from patients.signin.issuer import ALGORITHMS, Issuer, Metadata, ProviderError, decoded

_SKEW_S: Final = 60
_OLDEST_S: Final = 600


class Provider(msgspec.Struct, frozen=True):
    """Where the provider is and who we are to it.

    ``acr_values``: the levels accepted, asked for in this order. ``scope``: the traits of the pivot identity.
    """

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str
    acr_values: tuple[str, ...] = ("eidas1", "eidas2", "eidas3")
    scope: str = "openid given_name family_name birthdate gender birthplace birthcountry"


class Vouched(msgspec.Struct, frozen=True):
    """Whom the provider vouches for, and what ends the session there."""

    pivot: Pivot
    subject: str
    id_token: str


class _Metadata(Metadata, frozen=True):
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str


class _Tokens(msgspec.Struct, frozen=True):
    access_token: str
    id_token: str
    token_type: str


def new_journey() -> Journey:
    """Random state, nonce and code verifier (RFC 7636 §4.1)."""
    return Journey(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))


class OpenId:
    """The client. ``http`` trusts the provider's certificate, has timeouts, and follows no redirect."""

    def __init__(self, provider: Provider, http: httpx.AsyncClient) -> None:
        self._provider = provider
        self._issuer = Issuer(provider.issuer, http, _Metadata, ALGORITHMS)

    async def authorize_url(self, journey: Journey) -> str:
        """Where to send the browser. Raises :class:`ProviderError` (``signin.provider``)."""
        endpoint = (await self._issuer.metadata()).authorization_endpoint
        digest = hashlib.sha256(journey.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": self._provider.redirect_uri,
            "scope": self._provider.scope,
            "acr_values": " ".join(self._provider.acr_values),
            "state": journey.state,
            "nonce": journey.nonce,
            "code_challenge": _base64url(digest),  # RFC 7636 §4.2
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"

    async def identity(self, journey: Journey, *, state: str, code: str, issuer: str = "") -> Vouched:
        """Whom the provider vouches for, after it sent the browser back with ``state`` and ``code``.

        Raises :class:`ProviderError`: ``signin.state``, ``signin.provider``, ``signin.token``,
        ``signin.acr``, ``signin.identity``.
        """
        if not hmac.compare_digest(state.encode(), journey.state.encode()):  # RFC 6749 §10.12
            raise ProviderError("signin.state", "not the state that was sent")
        metadata = await self._issuer.metadata()
        if issuer and issuer != metadata.issuer:  # RFC 9207 §2.4
            raise ProviderError("signin.state", "the answer comes from another provider")
        tokens = await self._exchange(metadata, journey, code)
        claims = await self._id_token(metadata, tokens, journey)
        traits = await self._userinfo(metadata, tokens.access_token)
        if traits.get("sub") != claims["sub"]:  # OpenID Connect Core 1.0 §5.3.2
            raise ProviderError("signin.identity", "userinfo is another person's")
        try:
            pivot = msgspec.convert(traits, Pivot)
        except msgspec.ValidationError:
            raise ProviderError("signin.identity", "a trait of the pivot identity is missing") from None
        return Vouched(pivot, str(claims["sub"]), tokens.id_token)

    async def _exchange(self, metadata: _Metadata, journey: Journey, code: str) -> _Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._provider.redirect_uri,
            "client_id": self._provider.client_id,
            "client_secret": self._provider.client_secret,
            "code_verifier": journey.verifier,
        }
        tokens = decoded(await self._issuer.ask("POST", metadata.token_endpoint, data=form), _Tokens)
        if tokens.token_type.casefold() != "bearer":
            raise ProviderError("signin.provider", "the token is not a bearer's")
        return tokens

    async def _id_token(self, metadata: _Metadata, tokens: _Tokens, journey: Journey) -> dict[str, Any]:
        token = await self._issuer.signed(tokens.id_token)
        claims = token.claims
        # OpenID Connect Core 1.0 §3.1.3.7
        now = time.time()
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        mine = self._provider.client_id
        issued, expires = claims.get("iat"), claims.get("exp")
        checks = {
            "iss": claims.get("iss") == metadata.issuer,
            "sub": isinstance(claims.get("sub"), str) and bool(claims["sub"]),
            "aud": audiences == [mine] or (mine in audiences and claims.get("azp") == mine),
            "exp": isinstance(expires, (int, float)) and now < expires + _SKEW_S,
            "iat": isinstance(issued, (int, float)) and -_SKEW_S <= now - issued < _OLDEST_S,
            "nonce": _same(claims.get("nonce"), journey.nonce),
            # §3.1.3.6; required here: FranceConnect gives it, and so do providers that follow it
            "at_hash": _same(claims.get("at_hash"), _half_hash(tokens.access_token)),
        }
        failed = [name for name, good in checks.items() if not good]
        if failed:
            raise ProviderError("signin.token", f"the identity token fails: {', '.join(failed)}")
        if claims.get("acr") not in self._provider.acr_values:
            raise ProviderError("signin.acr", "the person was not identified strongly enough")
        return claims

    async def _userinfo(self, metadata: _Metadata, access_token: str) -> dict[str, Any]:
        response = await self._issuer.ask(
            "GET", metadata.userinfo_endpoint, headers={"Authorization": f"Bearer {access_token}"}
        )
        kind = response.headers.get("content-type", "").partition(";")[0].strip().casefold()
        if kind != "application/jwt":  # OpenID Connect Core 1.0 §5.3.2: ours must be signed
            raise ProviderError("signin.identity", "userinfo is not signed")
        claims = (await self._issuer.signed(response.text)).claims
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if claims.get("iss") != metadata.issuer or self._provider.client_id not in audiences:
            raise ProviderError("signin.identity", "userinfo is of another provider, or for another client")
        expires = claims.get("exp", time.time())
        if not isinstance(expires, (int, float)) or time.time() >= expires + _SKEW_S:
            raise ProviderError("signin.identity", "userinfo is out of date")
        return claims


def _same(given: object, wanted: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(), wanted.encode())


def _half_hash(token: str) -> str:
    return _base64url(hashlib.sha256(token.encode()).digest()[:16])


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
