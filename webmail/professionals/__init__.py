"""The professionals' corner: what became of what one sent, for who proves himself at each request.

Served at ``/espace-pro`` of the professionals' port. :func:`corner` makes the application.
"""

from webmail.professionals.pages import PREFIX, Proof, UnprovenError, corner

__all__ = ["PREFIX", "Proof", "UnprovenError", "corner"]
