"""The dialogue with one client (RFC 4511 §4): requests in, each answered once, searches side by side.

What is refused names its rule in diagnosticMessage; what cannot be read ends the session with a notice.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

import structlog

from gateway.ldap import auth, entries, messages
from gateway.ldap.auth import Authenticator, Identity, Throttle
from gateway.ldap.connection import Connection, ConnectionClosed
from gateway.ldap.directory import Found, Tree
from gateway.ldap.errors import (
    BUSY,
    INVALID_CREDENTIALS,
    OPERATIONS_ERROR,
    OTHER,
    PROTOCOL_ERROR,
    STRONGER_AUTH_REQUIRED,
    SUCCESS,
    TIME_LIMIT_EXCEEDED,
    UNAVAILABLE,
    UNAVAILABLE_CRITICAL_EXTENSION,
    UNWILLING_TO_PERFORM,
    LdapError,
    MalformedError,
)
from gateway.ldap.messages import Abandon, Bind, Extended, Other, Request, Search, Unbind
from gateway.ldap.metrics import Metrics
from gateway.ldap.paging import Cursors, Page
from gateway.ldap.settings import Limits
from store import PasserelleError, Store

log = structlog.get_logger("ldap")

_HANDSHAKE_S: Final = 30.0


class Services:
    """What the sessions of a server share."""

    def __init__(
        self,
        store: Store,
        authenticate: Authenticator,
        tree: Tree,
        limits: Limits,
        *,
        starttls: ssl.SSLContext | None,
        admit: Callable[[Session, Identity], None],
    ) -> None:
        self.store = store
        self.authenticate = authenticate
        self.tree = tree
        self.limits = limits
        self.starttls = starttls
        self.admit = admit
        self.throttle = Throttle()
        self.metrics = Metrics()
        self._searches = asyncio.Semaphore(limits.searches)

    async def look_up(self, asked: Search) -> Found:
        """Search in a thread; no more than a few at a time, whatever their clients do meanwhile."""
        await self._searches.acquire()
        work = asyncio.ensure_future(self.store.aread(self.tree.search, asked))
        work.add_done_callback(self._looked_up)
        return await asyncio.shield(work)

    def _looked_up(self, work: asyncio.Future[Found]) -> None:
        self._searches.release()
        if not work.cancelled():
            work.exception()  # whoever waits for it is told; nobody may be waiting any more


class Session:
    """One client."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self.connection = connection
        self.identity: Identity | None = None
        self._services = services
        self._limits = services.limits
        self._failures = 0
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._cursors = Cursors(services.limits.cursors)

    async def run(self) -> None:
        """Serve the client to its end; never raises but when cancelled."""
        notice = b""
        try:
            async with asyncio.timeout(self._limits.login_timeout) as deadline:
                while True:
                    request = await self._next()
                    if isinstance(request.operation, Unbind):
                        return
                    await self._serve(request)
                    if self.identity is not None:
                        now = asyncio.get_running_loop().time()
                        deadline.reschedule(now + self._limits.idle_timeout)
        except MalformedError as error:
            self._services.metrics.malformed += 1
            log.info("ldap_malformed", peer=self.connection.peer, rule=error.rule)
            notice = messages.disconnection(error.result, error.diagnostic)
        except TimeoutError:
            idle = LdapError("ldap.idle", "nothing was asked for a while", UNAVAILABLE)
            notice = messages.disconnection(idle.result, idle.diagnostic)
        except ConnectionClosed:
            pass
        except asyncio.CancelledError:
            notice = messages.disconnection(UNAVAILABLE, "the server is going down")
            raise
        except Exception as error:  # noqa: BLE001  # one client's fault must not end the server
            self._fault(error, "session")
            notice = messages.disconnection(OTHER, "internal error")
        finally:
            self._abandon_all()
            self.connection.close(notice)

    async def _next(self) -> Request:
        limit = self._limits.request if self.identity else self._limits.request_before_login
        return messages.read_request(await self.connection.read_message(limit), self._limits)

    async def _serve(self, request: Request) -> None:
        operation, number = request.operation, request.message_id
        self._services.metrics.requests += 1
        if isinstance(operation, Abandon):  # RFC 4511 §4.11: no answer, neither to it nor to what it ends
            task = self._under_way.pop(operation.message_id, None)
            if task is not None:
                task.cancel()
            return
        try:
            if isinstance(operation, Search):
                self._search_soon(request, operation)
            elif isinstance(operation, Bind):
                self._refuse_controls(request)
                await self._bind(operation)
                await self._send(number, messages.bind_response(SUCCESS))
            elif isinstance(operation, Extended):
                await self._extended(request, operation)
            else:
                raise LdapError("ldap.read_only", "the directory is read-only", UNWILLING_TO_PERFORM)
        except MalformedError:
            raise
        except LdapError as error:
            await self._send(number, _refusal(operation, error))
            if error.result == INVALID_CREDENTIALS and self._failures >= self._limits.login_attempts:
                raise ConnectionClosed from None

    async def _send(self, number: int, operation: bytes, controls: bytes = b"") -> None:
        await self.connection.send(messages.message(number, operation, controls))

    def _refuse_controls(self, request: Request, *known: str) -> None:
        for control in request.controls:
            if control.critical and control.oid not in known:  # RFC 4511 §4.1.11
                raise LdapError(
                    "ldap.control", "a critical control is not known", UNAVAILABLE_CRITICAL_EXTENSION
                )

    # -- signing in

    async def _bind(self, bind: Bind) -> None:
        # RFC 4511 §4.2.1: what is under way ends first, and a bind that fails leaves an anonymous client
        self._abandon_all()
        self.identity = None
        asked = auth.credentials(self._services.tree, bind, encrypted=self.connection.encrypted)
        if asked is None:
            return
        box_id = await self._services.authenticate(*asked, self.connection.peer)
        if box_id is None:
            await self._wrong_password()
            raise auth.wrong()
        self._services.throttle.succeeded(self.connection.peer)
        identity = await auth.identify(self._services.store, box_id)
        self._services.admit(self, identity)
        self.identity = identity
        self._services.metrics.logins += 1

    async def _wrong_password(self) -> None:
        self._failures += 1
        self._services.metrics.failed_logins += 1
        late = self._services.throttle.failed(self.connection.peer)
        log.info("ldap_login_failed", peer=self.connection.peer, attempt=self._failures)
        await asyncio.sleep(self._limits.login_delay * late)

    # -- searching

    def _search_soon(self, request: Request, asked: Search) -> None:
        if request.message_id in self._under_way:
            raise MalformedError("two requests have one number")
        if len(self._under_way) >= self._limits.outstanding:
            raise LdapError("ldap.busy", "too many requests at one time", BUSY)
        task = asyncio.get_running_loop().create_task(self._search(request, asked))
        self._under_way[request.message_id] = task
        task.add_done_callback(lambda done: self._searched(request.message_id, done))

    def _searched(self, number: int, task: asyncio.Task[None]) -> None:
        if self._under_way.get(number) is task:
            del self._under_way[number]
        if not task.cancelled() and (error := task.exception()) is not None:
            if not isinstance(error, ConnectionClosed):
                self._fault(error, "search")
            self.connection.abort()

    async def _search(self, request: Request, asked: Search) -> None:
        number = request.message_id
        try:
            page = await self._find(request, asked)
        except LdapError as error:
            if isinstance(error, MalformedError):
                self._services.metrics.malformed += 1
            await self._send(number, messages.search_done(error.result, error.diagnostic, error.matched))
            return
        except PasserelleError as error:  # the store's
            log.error("ldap_search_failed", rule=error.rule, reason=error.log)
            await self._send(number, messages.search_done(UNAVAILABLE, f"try again [{error.rule}]"))
            return
        self._services.metrics.entries += len(page.entries)
        # One write, hence one TLS record, for each message: a client such as curl 7.88 waits for its socket
        # while the next message lies in a record that it has read already.
        for place, entry in enumerate(page.entries):
            await self._send(number, entry)
            if place % 32 == 31:
                await asyncio.sleep(0)  # others get their turn
        await self._send(number, messages.search_done(page.code, page.diagnostic), page.control)

    async def _find(self, request: Request, asked: Search) -> Page:
        self._refuse_controls(request, entries.PAGED_RESULTS)
        paged = next((one for one in request.controls if one.oid == entries.PAGED_RESULTS), None)
        start_tls = self._services.starttls is not None and not self.connection.encrypted
        special = self._services.tree.special(asked, start_tls=start_tls)
        if special is not None and not asked.base:  # the root DSE is for everybody (RFC 4513 §3.1.2)
            return Page(special.entries, special.code, special.diagnostic, b"")
        await self._still_welcome()
        self._services.metrics.searches += 1
        size, cookie = messages.read_pages(paged.value) if paged is not None else (0, b"")
        if cookie:
            return self._cursors.go_on(asked, cookie, size)
        found = special or await self._in_time(asked)
        if paged is None:
            return Page(found.entries, found.code, found.diagnostic, b"")
        return self._cursors.begin(asked, found, size)

    async def _still_welcome(self) -> None:
        """A mailbox may have been closed since its owner signed in."""
        if self.identity is None:
            raise LdapError("ldap.anonymous", "sign in first", STRONGER_AUTH_REQUIRED)
        await auth.identify(self._services.store, self.identity.box_id)

    async def _in_time(self, asked: Search) -> Found:
        longest = min(asked.time_limit or self._limits.time, self._limits.time)
        try:
            async with asyncio.timeout(longest):
                return await self._services.look_up(asked)
        except TimeoutError:
            raise LdapError("ldap.time", "the search took too long", TIME_LIMIT_EXCEEDED) from None

    # -- extended operations

    async def _extended(self, request: Request, asked: Extended) -> None:
        number = request.message_id
        self._refuse_controls(request)
        if asked.name == entries.START_TLS:
            await self._start_tls(number)
        elif asked.name == entries.WHO_AM_I:  # RFC 4532
            who = f"u:{self.identity.address}" if self.identity else ""
            await self._send(number, messages.extended_response(SUCCESS, value=who.encode()))
        else:
            # RFC 4511 §4.12: a name that is not recognised
            raise LdapError("ldap.extended", "no such extended operation", PROTOCOL_ERROR)

    async def _start_tls(self, number: int) -> None:
        """RFC 4511 §4.14: not twice, not while something is under way; who signed in is forgotten."""
        context = self._services.starttls
        if context is None or self.connection.encrypted or self._under_way:
            raise LdapError("ldap.tls", "TLS cannot begin now", OPERATIONS_ERROR)
        await self._send(number, messages.extended_response(SUCCESS, name=entries.START_TLS))
        await self.connection.start_tls(context, _HANDSHAKE_S)
        self.identity = None

    # -- the end

    def _abandon_all(self) -> None:
        for task in list(self._under_way.values()):
            task.cancel()
        self._under_way.clear()
        self._cursors.clear()

    def _fault(self, error: BaseException, where: str) -> None:
        self._services.metrics.faults += 1
        log.error("ldap_fault", error=type(error).__name__, where=where)


def _refusal(operation: Bind | Search | Extended | Other | Unbind | Abandon, error: LdapError) -> bytes:
    if isinstance(operation, Bind):
        return messages.bind_response(error.result, error.diagnostic)
    if isinstance(operation, Search):
        return messages.search_done(error.result, error.diagnostic)
    if isinstance(operation, Other):
        return messages.result(operation.answer, error.result, error.diagnostic)
    return messages.extended_response(error.result, error.diagnostic)
