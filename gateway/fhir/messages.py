"""Requests and answers of the door as HTTP: formats, preferences, bodies within bounds, outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.fhir.codes import FHIR_JSON
from gateway.fhir.errors import DoorError
from gateway.fhir.resources import outcome

_JSON: Final = (FHIR_JSON, "application/json", "text/json")
_ANY: Final = ("*/*", "application/*")
_FORMATS: Final = ("json", *_JSON)
FORM: Final = "application/x-www-form-urlencoded"
_FIELDS: Final = 64


def fhir_response(
    resource: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A resource as ``application/fhir+json``."""
    body = msgspec.json.encode(resource)
    return Response(body, status, dict(headers or {}), media_type=f"{FHIR_JSON}; charset=utf-8")


def refusal(error: DoorError, *, takes_tokens: bool) -> Response:
    """An OperationOutcome; for missing or bad credentials with the challenge of RFC 6750 §3."""
    headers: dict[str, str] = {}
    status = error.status
    if status == 401 and not takes_tokens:
        status = 403  # RFC 9110 §15.5.2: there is no scheme to challenge with
    elif status == 401:
        challenge = 'Bearer realm="passerelle"'
        if error.rule in ("door.token", "door.binding"):
            said = "".join(char for char in error.peer if char.isascii() and char not in '"\\')
            challenge += f', error="invalid_token", error_description="{said}"'
        headers["WWW-Authenticate"] = challenge
    elif status in (429, 503):
        headers["Retry-After"] = "60"
    return fhir_response(outcome(error), status, headers)


def media_types(value: str) -> list[str]:
    """The media types of an Accept or Content-Type field, without those of ``q=0``, parameters left out."""
    found = []
    for part in value.split(","):
        name, *parameters = (piece.strip().casefold() for piece in part.split(";"))
        weights = {one.replace(" ", "").rstrip("0.") for one in parameters if one.startswith("q")}
        if name and "q=" not in weights:
            found.append(name)
    return found


def wants_json(request: Request) -> bool:
    """Whether FHIR JSON is asked for by name, by ``_format`` or Accept (FHIR R4 §3.1.0.1.11)."""
    asked = request.query_params.get("_format", "")
    if asked:
        return asked.replace(" ", "+") in _FORMATS
    return any(one in _JSON for one in media_types(request.headers.get("accept", "")))


def check_accept(request: Request) -> None:
    """Raises :class:`DoorError` ``door.accept`` unless FHIR JSON, or anything, will do."""
    asked = request.query_params.get("_format", "")
    accept = request.headers.get("accept", "")
    good = asked.replace(" ", "+") in _FORMATS if asked else True
    if not asked and accept:
        good = any(one in (*_JSON, *_ANY) for one in media_types(accept))
    if not good:
        raise DoorError("door.accept", "only application/fhir+json is served here")


def check_content_type(request: Request, *taken: str) -> None:
    """Raises :class:`DoorError` ``door.content_type`` unless the body is of one of these types."""
    said = media_types(request.headers.get("content-type", ""))
    if len(said) != 1 or said[0] not in taken:
        raise DoorError("door.content_type", f"the body must be {taken[0]}")


def check_json_body(request: Request) -> None:
    """As :func:`check_content_type`, for a resource."""
    check_content_type(request, *_JSON[:2])


def preference(request: Request, name: str) -> str:
    """The value of a preference (RFC 7240 §2), "" without one."""
    for line in request.headers.getlist("prefer"):
        for part in line.replace(";", ",").split(","):
            found, _, value = part.strip().partition("=")
            if found.strip().casefold() == name:
                return value.strip().strip('"').casefold()
    return ""


async def body_of(request: Request, limit: int) -> bytes:
    """The body, of at most ``limit`` octets. Raises :class:`DoorError` ``door.size``, as early as can be."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        raise DoorError("door.size", f"the body is larger than {limit} octets")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise DoorError("door.size", f"the body is larger than {limit} octets")
    return bytes(body)


def fields_of(text: str) -> list[tuple[str, str]]:
    """The pairs of a query or a form. Raises :class:`DoorError` ``door.search``."""
    try:
        return parse_qsl(text, max_num_fields=_FIELDS, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise DoorError("door.search", "the parameters cannot be read, or are too many") from None
