"""The professionals' door: FHIR R4 in JSON, the part of MHD 4 that PDSm profiles, over a record's rights.

ITI-67 (DocumentReference search), ITI-68 (Binary read), ITI-105 (simplified publish), and what changes a
document's masks. Whatever takes time is done in threads.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, NamedTuple

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

import dossier
from activity import Actor
from gateway.fhir.capability import statement
from gateway.fhir.errors import DoorError
from gateway.fhir.gatekeeper import Gatekeeper, declares_consent
from gateway.fhir.messages import (
    FORM,
    body_of,
    check_accept,
    check_content_type,
    check_json_body,
    fhir_response,
    fields_of,
    preference,
    refusal,
    wants_json,
)
from gateway.fhir.publish import read_publication
from gateway.fhir.records import Page, Records, Shown
from gateway.fhir.resources import document_reference, searchset
from gateway.fhir.search import PAGE, Search, link, read_search
from gateway.fhir.settings import Door
from store import BodyReader, PasserelleError, Store

log = structlog.get_logger("fhir_door")

PREFIX: Final = "/fhir"
_SMALL: Final = 64 * 1024
_PATCH: Final = "application/json-patch+json"
#: Publications read at the same time in one process: each is held whole.
_AT_ONCE: Final = 4


_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
Endpoint = Callable[[Request], Awaitable[Response]]


class _Way(NamedTuple):
    path: str
    method: str
    endpoint: Endpoint
    resource: str
    interaction: str


class FhirDoor:
    """The application; :attr:`app` is served by :class:`gateway.http.HttpServer`.

    :param read_cda: see :func:`dossier.deposit`; None: no CDA documents are taken.
    """

    def __init__(
        self,
        store: Store,
        gatekeeper: Gatekeeper,
        door: Door,
        read_cda: dossier.CdaReader | None = None,
    ) -> None:
        self._store = store
        self._gatekeeper = gatekeeper
        self._door = door
        self._records = Records(store, door, read_cda)
        self._publishing = asyncio.Semaphore(_AT_ONCE)
        kind = "DocumentReference"
        self._ways = [
            _Way("/metadata", "GET", self.metadata, "", ""),
            _Way(f"/{kind}", "GET", self.search, kind, "search-type"),
            _Way(f"/{kind}/_search", "POST", self.search_by_form, kind, "search-type"),
            _Way(f"/{kind}", "POST", self.publish, kind, "create"),
            _Way(f"/{kind}/{{document}}", "GET", self.read, kind, "read"),
            _Way(f"/{kind}/{{document}}", "PATCH", self.patch, kind, "patch"),
            _Way(f"/{kind}/{{document}}", "DELETE", self.delete, kind, "delete"),
            _Way("/Binary/{document}", "GET", self.binary, "Binary", "read"),
        ]
        # What answers is chosen here, so that a method that a path has not is told with those it has.
        paths = dict.fromkeys(way.path for way in self._ways)
        self.app = Starlette(
            routes=[Route(PREFIX + path, self._endpoint(path), methods=_METHODS) for path in paths],
            exception_handlers={
                DoorError: self._refused,
                PasserelleError: self._failed,
                HTTPException: self._no_route,
                ClientDisconnect: self._gone,
                Exception: self._broken,
            },
        )

    def _endpoint(self, path: str) -> Endpoint:
        ways = {way.method: way.endpoint for way in self._ways if way.path == path}
        if "GET" in ways:
            ways["HEAD"] = ways["GET"]

        async def answer(request: Request) -> Response:
            way = ways.get(request.method)
            if way is None:
                raise HTTPException(405, headers={"Allow": ", ".join(ways)})
            return await way(request)

        answer.__name__ = path  # what the access log says: no ids
        return answer

    def interactions(self) -> list[tuple[str, str]]:
        """Resource and interaction of every way in, each once."""
        return list(dict.fromkeys((way.resource, way.interaction) for way in self._ways if way.resource))

    async def professional(self, request: Request) -> Actor:
        """Who asks, as proven. Raises :class:`DoorError`; see :meth:`Gatekeeper.professional`."""
        return await self._gatekeeper.professional(request)

    def _base(self, request: Request) -> str:
        return self._door.base or f"{request.url.scheme}://{request.url.netloc}{PREFIX}"

    # -- answers

    async def metadata(self, request: Request) -> Response:
        check_accept(request)
        tokens = self._gatekeeper.takes_tokens
        return fhir_response(statement(self._base(request), self.interactions(), tokens=tokens))

    async def search(self, request: Request) -> Response:
        return await self._search(request, fields_of(request.url.query))

    async def search_by_form(self, request: Request) -> Response:
        check_content_type(request, FORM)
        form = await body_of(request, _SMALL)
        try:
            text = form.decode("utf-8")
        except UnicodeDecodeError:
            raise DoorError("door.search", "the form is not UTF-8") from None
        return await self._search(request, [*fields_of(request.url.query), *fields_of(text)])

    async def _search(self, request: Request, pairs: list[tuple[str, str]]) -> Response:
        check_accept(request)
        actor = await self.professional(request)
        tokens = [value for name, value in pairs if name == PAGE]
        if tokens:
            asked = await self._store.in_thread(self._records.page, tokens[0], actor.ident)
        else:
            strict = preference(request, "handling") == "strict"
            asked = read_search(pairs, page=self._door.page, strict=strict)
        consent = declares_consent(request)
        base = self._base(request)
        bundle = await self._store.in_thread(self._found, actor, asked, consent, base)
        return Response(bundle, media_type="application/fhir+json; charset=utf-8")

    def _found(self, actor: Actor, asked: Search, consent: bool, base: str) -> bytes:
        page = self._records.search(actor, asked, consent=consent)
        resources = [] if asked.only_count else _resources(page, base)
        links = self._links(page, actor, base)
        warning = None
        if asked.ignored:
            warning = DoorError("door.search", "parameters that are not known were left out of account")
        return msgspec.json.encode(searchset(resources, base, total=page.total, links=links, warning=warning))

    def _links(self, page: Page, actor: Actor, base: str) -> dict[str, str]:
        asked, sealer = page.search, self._store.sealer(page.box_id)

        def to(offset: int) -> str:
            return link(base, asked, offset, actor.ident, page.box_id, sealer)

        links = {"self": to(asked.offset)}
        if asked.only_count:
            return links
        if asked.offset:
            links["first"] = to(0)
            links["previous"] = to(max(0, asked.offset - asked.count))
        if asked.offset + asked.count < page.total:
            links["next"] = to(asked.offset + asked.count)
        return links

    async def read(self, request: Request) -> Response:
        check_accept(request)
        actor = await self.professional(request)
        shown = await self._store.in_thread(self._records.document, actor, request.path_params["document"])
        return self._resource(request, shown)

    async def binary(self, request: Request) -> Response:
        actor = await self.professional(request)
        document = request.path_params["document"]
        shown, reader = await self._store.in_thread(self._records.content, actor, document)
        found = shown.document
        if wants_json(request):
            content = await self._store.in_thread(reader.read, 0, reader.size)
            data = await self._store.in_thread(base64.b64encode, content)
            resource = {
                "resourceType": "Binary",
                "id": str(found.document_id),
                "contentType": found.info.mime,
                "data": data.decode(),
            }
            return fhir_response(resource)
        tag = f'"{found.sha256.hex()}"'
        digest = base64.b64encode(found.sha256).decode()
        headers = {"ETag": tag, "Repr-Digest": f"sha-256=:{digest}:"}  # RFC 9530 §3
        if tag in (one.strip() for one in request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers=headers)
        extension = dossier.file_extension(found.info.mime)
        headers["Content-Length"] = str(found.size)
        headers["Content-Disposition"] = f'attachment; filename="document.{extension}"'  # RFC 6266 §4.1
        return StreamingResponse(self._pieces(reader), headers=headers, media_type=found.info.mime)

    async def _pieces(self, reader: BodyReader) -> AsyncIterator[bytes]:
        pieces = reader.chunks()
        while True:
            piece = await self._store.in_thread(next, pieces, None)
            if piece is None:
                return
            yield piece

    async def publish(self, request: Request) -> Response:
        check_accept(request)
        check_json_body(request)
        actor = await self.professional(request)
        async with self._publishing:
            body = await body_of(request, self._door.size * 4 // 3 + _SMALL)
            stored = await self._store.in_thread(self._published, actor, body)
        location = f"{self._base(request)}/DocumentReference/{stored.document_id}"
        status = 200 if stored.duplicate else 201
        if stored.shown is None or preference(request, "return") == "minimal":
            return Response(status_code=status, headers={"Location": location})
        answer = self._resource(request, stored.shown, status)
        answer.headers["Location"] = location
        return answer

    def _published(self, actor: Actor, body: bytes) -> Any:
        try:
            resource = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise DoorError("door.json", "the body is no JSON") from None
        return self._records.publish(actor, read_publication(resource, actor))

    async def patch(self, request: Request) -> Response:
        check_accept(request)
        check_content_type(request, _PATCH)
        actor = await self.professional(request)
        body = await body_of(request, _SMALL)
        version = request.headers.get("if-match", "").strip()  # FHIR R4 §3.1.0.5
        document = request.path_params["document"]
        shown = await self._store.in_thread(self._records.change, actor, document, body, version)
        return Response(status_code=204) if shown is None else self._resource(request, shown)

    async def delete(self, request: Request) -> Response:
        actor = await self.professional(request)
        await self._store.in_thread(self._records.delete, actor, request.path_params["document"])
        return Response(status_code=204)

    def _resource(self, request: Request, shown: Shown, status: int = 200) -> Response:
        resource = document_reference(shown.document, shown.facts, self._base(request))
        return fhir_response(resource, status, {"ETag": shown.etag})

    # -- refusals

    def _answer(self, error: DoorError) -> Response:
        return refusal(error, takes_tokens=self._gatekeeper.takes_tokens)

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, DoorError)
        log.info("refused", rule=error.rule, more=error.more, status=error.status)
        return self._answer(error)

    async def _failed(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, PasserelleError)
        log.error("failed", rule=error.rule, reason=error.log)
        return self._answer(DoorError("door.internal", "the request could not be done", more=error.rule))

    async def _no_route(self, request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 404)
        rule = "door.method" if status == 405 else "door.path"
        answer = self._answer(DoorError(rule, "there is no such operation here"))
        answer.headers.update(getattr(error, "headers", None) or {})
        return answer

    async def _gone(self, request: Request, error: Exception) -> Response:
        return Response(status_code=400)  # nobody reads it

    async def _broken(self, request: Request, error: Exception) -> Response:
        return self._answer(DoorError("door.internal", "the request could not be done"))


def _resources(page: Page, base: str) -> list[dict[str, Any]]:
    return [
        document_reference(one, page.facts, base, replaced=page.replaced.get(one.document_id, ()))
        for one in page.documents
    ]
