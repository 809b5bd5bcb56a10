"""Logs: one line an event, key=value or JSON. No health data: rooms log ids, rules, sizes and hosts only."""

from __future__ import annotations

import logging
import sys

import structlog


def set_up(level: str = "info", form: str = "text", *, role: str = "") -> None:
    """Send structlog's events to standard error; ``role`` names the process in each line."""
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd's own log repeats what sessions say
    if role:
        structlog.contextvars.bind_contextvars(role=role)
