"""What somebody set up for a person whom he represented, once his right has ended: it opens nothing any more.

Derived at each question from the events of :mod:`patients.guardians`; nothing runs on a birthday.
"""

from __future__ import annotations

from sqlalchemy import Connection

from patients.guardians import trusted_since


def still_his(conn: Connection, ins: str, since: int, now: int) -> bool:
    """Whether what was set at ``since`` (ms) is the person's own at ``now`` (ms).

    It is not when someone's right to act for him ended after it was set: he came of age, was emancipated, or
    a representative was removed. An empty ``ins`` costs the same look-up, so that nobody is told apart.
    """
    return since >= trusted_since(conn, ins, now)
