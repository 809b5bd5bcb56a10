"""The patient's web pages: ways in, mail, dossier, agenda, catalogue, history, rights, settings.

Served by Starlette and Jinja2; every page works without JavaScript. :func:`pages` makes the application out
of a :class:`Kit`. A request becomes a :class:`webmail.turn.Turn`; each page module lists its ``ROUTES``.
:func:`corner` makes that of the professionals, at :data:`PROFESSIONALS` of their port.
"""

from webmail.app import end, pages
from webmail.kit import Guest, GuestHouse, Kit, Wants
from webmail.professionals import PREFIX as PROFESSIONALS
from webmail.professionals import UnprovenError, corner

__all__ = ["PROFESSIONALS", "Guest", "GuestHouse", "Kit", "UnprovenError", "Wants", "corner", "end", "pages"]
