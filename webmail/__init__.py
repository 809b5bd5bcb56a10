"""The patient's web pages: ways in, mail, dossier, agenda, catalogue, history, rights, settings.

Served by Starlette and Jinja2; every page works without JavaScript. :func:`pages` makes the application out
of a :class:`Kit`. A request becomes a :class:`webmail.turn.Turn`; each page module lists its ``ROUTES``.
"""

from webmail.app import pages
from webmail.kit import Guest, GuestHouse, Kit, Wants

__all__ = ["Guest", "GuestHouse", "Kit", "Wants", "pages"]
