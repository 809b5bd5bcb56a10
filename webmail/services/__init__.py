"""The catalogue of referenced services, and the person's consents, as pages."""

from webmail.services.pages import ROUTES

__all__ = ["ROUTES"]
