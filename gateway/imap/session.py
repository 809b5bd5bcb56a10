"""One session: read a command, run it in its state, answer (RFC 3501 §3).

Invariants:

* Commit, then announce: a response that speaks of a change is written after the store said that the
  change is on the disk.
* The store is the only truth. A view is brought up to it before every command on a folder, so that
  what one session was answered, every other session finds, in whatever process it lives.
* EXISTS and flag changes are announced while a command is in progress; EXPUNGE never within FETCH,
  STORE or SEARCH, and never between commands except in IDLE (RFC 3501 §7.4.1). Until announced, a
  message keeps its number.
* Commands of a session run one after the other, in the order received; pipelined answers travel
  together.
* A session ends alone: whatever it meets is answered or ends its own connection.
* Neither credentials nor folder names, addresses, subjects or content are ever logged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog

from gateway.imap import append, auth, copying, fetch, folders, idle, search, selection, store_flags
from gateway.imap import commands as c
from gateway.imap.capabilities import capabilities
from gateway.imap.connection import ConnectionClosed, LineTooLong
from gateway.imap.context import Context, refusal_of
from gateway.imap.errors import BadError, ByeError, ImapError, NoError
from gateway.imap.parser import command_tag, parse
from gateway.imap.reader import Refused, read_command
from gateway.imap.responses import tagged
from store import PasserelleError

log = structlog.get_logger("imap")

Handler = Callable[[Context, Any], Awaitable[None]]

ANY: Final = "any"
NOT_IN: Final = "not authenticated"
IN: Final = "authenticated"
SELECTED: Final = "selected"


async def _capability(context: Context, command: c.Bare) -> None:
    context.untagged(f"CAPABILITY {_capabilities(context)}")
    context.ok(command.tag, "Listed")


async def _identify(context: Context, command: c.Identify) -> None:
    context.untagged('ID ("name" "Passerelle")')  # RFC 2971 §3.2
    context.ok(command.tag, "Nice to meet you")


async def _namespace(context: Context, command: c.Bare) -> None:
    context.untagged('NAMESPACE (("" "/")) NIL NIL')  # RFC 2342 §5: only one's own folders
    context.ok(command.tag, "Listed")


async def _enable(context: Context, command: c.Enable) -> None:
    enabled = []
    if "CONDSTORE" in command.capabilities:
        context.condstore = True
        enabled.append("CONDSTORE")
    context.untagged(" ".join(["ENABLED", *enabled]))  # RFC 5161 §3.2: those it turned on, maybe none
    context.ok(command.tag, "Enabled")


async def _logout(context: Context, command: c.Bare) -> None:
    context.untagged("BYE Good-bye")
    context.ok(command.tag, "Logged out")
    raise ConnectionClosed


_HANDLERS: Final[dict[str, tuple[str, Handler]]] = {
    "CAPABILITY": (ANY, _capability),
    "NOOP": (ANY, selection.noop),
    "LOGOUT": (ANY, _logout),
    "ID": (ANY, _identify),
    "STARTTLS": (NOT_IN, auth.starttls),
    "LOGIN": (NOT_IN, auth.login),
    "AUTHENTICATE": (NOT_IN, auth.authenticate),
    "ENABLE": (IN, _enable),
    "NAMESPACE": (IN, _namespace),
    "SELECT": (IN, selection.select),
    "EXAMINE": (IN, selection.select),
    "CREATE": (IN, folders.create),
    "DELETE": (IN, folders.delete),
    "RENAME": (IN, folders.rename),
    "SUBSCRIBE": (IN, folders.subscribe),
    "UNSUBSCRIBE": (IN, folders.subscribe),
    "LIST": (IN, folders.list_folders),
    "LSUB": (IN, folders.list_folders),
    "STATUS": (IN, folders.status),
    "APPEND": (IN, append.append),
    "IDLE": (IN, idle.idle),
    "CHECK": (SELECTED, selection.check),
    "CLOSE": (SELECTED, selection.close),
    "UNSELECT": (SELECTED, selection.unselect),
    "EXPUNGE": (SELECTED, selection.expunge),
    "UID EXPUNGE": (SELECTED, selection.expunge),
    **{f"{prefix}{verb}": (SELECTED, copying.copy) for prefix in ("", "UID ") for verb in ("COPY", "MOVE")},
    **{f"{prefix}FETCH": (SELECTED, fetch.fetch) for prefix in ("", "UID ")},
    **{f"{prefix}STORE": (SELECTED, store_flags.store) for prefix in ("", "UID ")},
    **{f"{prefix}SEARCH": (SELECTED, search.search) for prefix in ("", "UID ")},
}


def _capabilities(context: Context) -> str:
    return capabilities(
        encrypted=context.connection.encrypted,
        starttls=context.starttls is not None,
        logged_in=context.box_id is not None,
    )


async def run(context: Context) -> None:
    """Serve one connection to its end; raises nothing but cancellation."""
    connection = context.connection
    try:
        connection.write(tagged("*", "OK", "Passerelle", f"CAPABILITY {_capabilities(context)}"))
        await connection.flush()
        try:
            async with asyncio.timeout(context.limits.login_timeout):
                await _serve(context, until=lambda: context.box_id is not None)
        except TimeoutError:
            raise ByeError("Log in sooner") from None
        await _serve(context, until=lambda: False)
    except ConnectionClosed:
        pass
    except ByeError as error:
        connection.write(error.line("*"))
    except Exception as error:  # noqa: BLE001  # one session's fault must not end the server
        _fault(context, error)
        connection.write(b"* BYE [SERVERBUG] Something is wrong here; it has been recorded\r\n")
    finally:
        connection.close()


async def _serve(context: Context, until: Callable[[], bool]) -> None:
    bad = 0
    while not until():
        bad = 0 if await _one(context) else bad + 1
        if bad >= context.limits.bad_commands:
            raise ByeError("Too many bad commands")
        if context.connection.full or not context.connection.has_line():
            await context.connection.flush()


async def _one(context: Context) -> bool:
    """Read, run and answer one command; False when it was BAD."""
    connection = context.connection
    tag = "*"
    try:
        try:
            command = await _next(context)
            tag = command.tag
            context.metrics.command(command.name)
            state, handler = _HANDLERS[command.name]
            _check_state(context, state)
            await handler(context, command)
        except Refused as refused:
            tag = refused.tag
            raise refused.error from None
        except PasserelleError as error:
            if isinstance(error, ImapError):
                raise
            log.info("imap_refused", rule=error.rule, fault=error.fault)
            raise refusal_of(error) from None
    except ByeError:
        raise
    except BadError as error:
        context.metrics.bad += 1
        connection.write(error.line(tag))
        return False
    except NoError as error:
        context.metrics.no += 1
        connection.write(error.line(tag))
    except (ConnectionClosed, asyncio.CancelledError, TimeoutError):
        raise
    except Exception as error:  # noqa: BLE001  # a fault of ours ends the command, not the session
        _fault(context, error)
        connection.write(tagged(tag, "NO", "Something is wrong here; it has been recorded", "SERVERBUG"))
    return True


async def _next(context: Context) -> c.Command:
    """The next command, parsed. Raises :class:`Refused`, so that the answer carries its tag."""
    logged_in = context.box_id is not None
    try:
        if logged_in:
            async with asyncio.timeout(context.limits.idle_timeout):
                data = await read_command(context.connection, context.limits, logged_in)
        else:
            data = await read_command(context.connection, context.limits, logged_in)
    except LineTooLong:
        raise ByeError("A line is too long") from None
    except TimeoutError:
        if logged_in:
            raise ByeError("Idle for too long") from None  # RFC 3501 §5.4
        raise
    if isinstance(data, c.AppendHead):
        return data
    try:
        return parse(data)
    except ImapError as error:
        raise Refused(command_tag(data), error) from None


def _check_state(context: Context, state: str) -> None:
    if state == NOT_IN and context.box_id is not None:
        raise BadError("Already logged in")
    if state in (IN, SELECTED):
        _ = context.box
    if state == SELECTED:
        _ = context.selected


def _fault(context: Context, error: Exception) -> None:
    context.metrics.faults += 1
    log.error("imap_fault", error=type(error).__name__, where=_where(error))


def _where(error: Exception) -> str:
    """The innermost frames as file:line: never values, which could be health data."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}:{code.co_name}")
        trace = trace.tb_next
    return " < ".join(reversed(frames[-4:]))
