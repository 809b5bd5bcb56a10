"""Access tokens of Pro Santé Connect: who presents one, and whether it may be believed.

JWT access tokens are judged here (RFC 9068 §4, RFC 7519), others by the provider (RFC 7662). A token that
says nothing of its bearer is completed from userinfo (OpenID Connect Core 1.0 §5.3).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any, Final

import httpx
import msgspec
from joserfc.errors import JoseError

import annuaire
from gateway.fhir.errors import DoorError, TokenError
from gateway.fhir.settings import ProSante
from patients.signin.issuer import Issuer, Metadata, ProviderError

#: Never ``none``, never a symmetric one (RFC 8725 §3.1).
_ALGORITHMS: Final = ["RS256", "PS256", "ES256"]
_TYPES: Final = ("", "jwt", "at+jwt", "application/at+jwt")  # RFC 9068 §2.1
_SKEW_S: Final = 60
_LONGEST: Final = 8192
_KEPT_S: Final = 60.0
_KEPT: Final = 1024


class Bearer(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a token names. ``id_nat`` is his IdNat_PS, ``structure`` the Struct_IdNat he says to act for."""

    id_nat: str
    name: str = ""
    profession: str = ""
    speciality: str = ""
    structure: str = ""
    organisation: str = ""


class _Metadata(Metadata, frozen=True):
    userinfo_endpoint: str = ""
    introspection_endpoint: str = ""


class Tokens:
    """Judges the tokens of one provider. ``http`` trusts its certificate and has timeouts."""

    def __init__(self, settings: ProSante, http: httpx.AsyncClient) -> None:
        self._settings = settings
        self._issuer = Issuer(settings.issuer, http, _Metadata, _ALGORITHMS)
        self._asked: dict[bytes, tuple[float, dict[str, Any]]] = {}

    async def bearer(self, token: str, leaf: bytes) -> Bearer:
        """Who presents ``token``; ``leaf`` is the client's certificate (DER), b"" without one.

        Raises :class:`TokenError` ``door.token``, ``door.binding``; :class:`DoorError` ``door.provider``.
        """
        if len(token) > _LONGEST or not token.isascii():
            raise TokenError("door.token", "the token has no form of one")
        try:
            claims = await self._claims(token)
            self._judge(claims)
            self._bound(claims, leaf)
            if not _names(claims):
                claims = claims | await self._userinfo(token, claims)
        except ProviderError as error:
            if error.rule == "signin.token":
                raise TokenError("door.token", error.peer) from None
            raise DoorError("door.provider", error.peer) from None
        return _read(claims)

    async def _claims(self, token: str) -> dict[str, Any]:
        if token.count(".") == 2:
            try:
                signed = await self._issuer.signed(token)
            except (JoseError, ValueError, TypeError) as error:
                raise TokenError("door.token", f"not a signed token: {type(error).__name__}") from None
            kind = str(signed.header.get("typ", "")).casefold()
            if kind not in _TYPES or str(signed.claims.get("typ", "")).casefold() in ("id", "refresh"):
                raise TokenError("door.token", "the token is of another kind than an access token")
            if "nonce" in signed.claims or "at_hash" in signed.claims:
                raise TokenError("door.token", "an identity token is no access token")
            return dict(signed.claims)
        return await self._introspected(token)

    async def _introspected(self, token: str) -> dict[str, Any]:
        """What the provider says of an opaque token (RFC 7662 §2.2)."""
        if not self._settings.client_id:
            raise TokenError("door.token", "the token is not a JWT, and introspection is not set up here")
        held = self._held(b"introspected", token)
        if held is not None:
            return held
        endpoint = (await self._issuer.metadata()).introspection_endpoint
        if not endpoint:
            raise TokenError("door.token", "the token is not a JWT, and the provider offers no introspection")
        response = await self._issuer.ask(
            "POST",
            endpoint,
            data={"token": token, "token_type_hint": "access_token"},
            auth=httpx.BasicAuth(self._settings.client_id, self._settings.secret),
        )
        claims = _object(response)
        if claims.get("active") is not True:
            raise TokenError("door.token", "the provider says that the token is not active")
        claims.setdefault("iss", self._settings.issuer)  # optional there: it is the issuer who answered
        return self._keep(b"introspected", token, claims)

    async def _userinfo(self, token: str, claims: dict[str, Any]) -> dict[str, Any]:
        held = self._held(b"userinfo", token)
        if held is not None:
            return held
        endpoint = (await self._issuer.metadata()).userinfo_endpoint
        if not endpoint:
            raise TokenError("door.token", "the token names no professional")
        try:
            answer = await self._issuer.ask("GET", endpoint, headers={"Authorization": f"Bearer {token}"})
        except ProviderError as error:
            if error.peer.endswith(("401", "403")):  # RFC 6750 §3.1: it is the token that is at fault
                raise TokenError("door.token", "the token names no professional") from None
            raise
        told = _object(answer)
        if told.get("sub") != claims.get("sub"):  # OpenID Connect Core 1.0 §5.3.2
            raise TokenError("door.token", "userinfo is another person's")
        return self._keep(b"userinfo", token, told)

    def _judge(self, claims: dict[str, Any]) -> None:
        wanted = self._settings
        now = time.time()
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        client = claims.get("azp", claims.get("client_id"))
        checks = {
            "iss": claims.get("iss") == wanted.issuer,
            "sub": isinstance(claims.get("sub"), str) and bool(claims["sub"]),
            # RFC 9068 §4: ours, or one asked for by a client that we know
            "aud": any(one in wanted.audiences for one in audiences) or client in wanted.clients,
            "exp": _number(claims.get("exp")) and now < claims["exp"] + _SKEW_S,
            "nbf": "nbf" not in claims or (_number(claims["nbf"]) and now >= claims["nbf"] - _SKEW_S),
            "iat": "iat" not in claims or (_number(claims["iat"]) and now >= claims["iat"] - _SKEW_S),
            "acr": not wanted.acr or claims.get("acr") in wanted.acr,
        }
        failed = [name for name, good in checks.items() if not good]
        if failed:
            raise TokenError("door.token", f"the access token fails: {', '.join(failed)}")

    def _bound(self, claims: dict[str, Any], leaf: bytes) -> None:
        """Whether the token may be used by who shows this certificate (RFC 8705 §3)."""
        confirmation = claims.get("cnf")
        if confirmation is None:
            if self._settings.bound:
                raise TokenError("door.binding", "only tokens bound to a client certificate are taken")
            return
        print_of = confirmation.get("x5t#S256") if isinstance(confirmation, dict) else None
        if not isinstance(print_of, str):
            raise TokenError("door.binding", "the token is bound to a key that is not a certificate's")
        shown = base64.urlsafe_b64encode(hashlib.sha256(leaf).digest()).rstrip(b"=")
        if not leaf or not hmac.compare_digest(shown, print_of.encode()):
            raise TokenError("door.binding", "the token is bound to another certificate than the one shown")

    def _held(self, what: bytes, token: str) -> dict[str, Any] | None:
        held = self._asked.get(hashlib.sha256(what + token.encode()).digest())
        return held[1] if held is not None and held[0] > time.monotonic() else None

    def _keep(self, what: bytes, token: str, claims: dict[str, Any]) -> dict[str, Any]:
        if len(self._asked) >= _KEPT:
            self._asked.clear()
        key = hashlib.sha256(what + token.encode()).digest()
        self._asked[key] = (time.monotonic() + _KEPT_S, claims)
        return claims


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict):
        raise DoorError("door.provider", "the provider's answer has not its form")
    return found


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _names(claims: dict[str, Any]) -> set[str]:
    """IdNat_PS, which PSC gives as ``SubjectNameID`` and as ``preferred_username``; all that is said."""
    return {_text(claims.get(name)) for name in ("SubjectNameID", "preferred_username")} - {""}


def _id_nat(claims: dict[str, Any]) -> str:
    """The one IdNat_PS, "" when none or two are said."""
    found = _names(claims)
    return found.pop() if len(found) == 1 else ""


def _read(claims: dict[str, Any]) -> Bearer:
    id_nat = _id_nat(claims)
    if not annuaire.is_person(id_nat):
        raise TokenError("door.token", "the token names no professional by one IdNat_PS")
    names = (_text(claims.get("given_name")), _text(claims.get("family_name")))
    others = claims.get("otherInfos")
    practice = claims.get("SubjectRefPro")
    if practice is None and isinstance(others, dict):
        practice = others.get("SubjectRefPro")
    profession, speciality = _practice(practice)
    return Bearer(
        id_nat=id_nat,
        name=" ".join(part for part in names if part),
        profession=_role(claims.get("SubjectRole")) or _text(claims.get("codeProfession")) or profession,
        speciality=speciality,
        structure=annuaire.structure_id("", _text(claims.get("SubjectOrganizationID"))),
        organisation=_text(claims.get("SubjectOrganization")),
    )


def _role(value: object) -> str:
    """The profession in ``10^1.2.250.1.213.1.1.5.5``, alone or first of a list."""
    first = value[0] if isinstance(value, list) and value else value
    return _text(first).partition("^")[0].strip()


def _practice(value: object) -> tuple[str, str]:
    """Profession and speciality of the one practice in ``SubjectRefPro``; ("", "") for none or more."""
    rows = value.get("exercices") if isinstance(value, dict) else None
    if not isinstance(rows, list) or len(rows) != 1 or not isinstance(rows[0], dict):
        return "", ""
    return _text(rows[0].get("codeProfession")), _text(rows[0].get("codeSavoirFaire"))
