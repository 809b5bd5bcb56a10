"""Logs: one line an event, key=value or JSON. No health data: rooms log ids, rules, sizes and hosts only."""

from __future__ import annotations

import logging
import sys

import structlog


def _line(_logger: object, _method: str, event: structlog.types.EventDict) -> str:
    """One plain line; ten times quicker than structlog's console renderer."""
    head = f"{event.pop('timestamp', '')} {event.pop('level', ''):8} {event.pop('event', '')}"
    trouble = event.pop("exception", "")
    tail = "".join(f" {name}={_value(value)}" for name, value in event.items())
    return f"{head}{tail}\n{trouble}" if trouble else head + tail


def _value(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text and text else repr(text)


class _StandardError:
    """Writes to what ``sys.stderr`` is at that moment: structlog keeps its logger for good."""

    def msg(self, line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    debug = info = warning = error = critical = exception = log = msg


def set_up(level: str = "info", form: str = "text", *, role: str = "") -> None:
    """Send structlog's events to standard error; ``role`` names the process in each line."""
    renderer: structlog.types.Processor = structlog.processors.JSONRenderer() if form == "json" else _line
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *_: _StandardError(),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd's own log repeats what sessions say
    if role:
        structlog.contextvars.bind_contextvars(role=role)
