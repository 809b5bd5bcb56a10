"""A person's data, to take away: one archive, as a page."""

from webmail.export.pages import ROUTES

__all__ = ["ROUTES"]
