"""What tests of letters share: the ids of a box's messages."""

from __future__ import annotations

from sqlalchemy import Connection, select

from gateway.demo import cast
from store.schema import entry
from tests.webmail.web_kit import ALICE, Site


def ids(site: Site, who: cast.Patient = ALICE) -> list[int]:
    """Messages of somebody's INBOX, newest first."""

    def read(conn: Connection) -> list[int]:
        query = select(entry.c.message_id).where(entry.c.box_id == site.box(who), entry.c.folder_id == 1)
        return list(conn.execute(query.order_by(entry.c.uid.desc())).scalars())

    return site.store.read(read)


def newest(site: Site, who: cast.Patient = ALICE) -> int:
    return ids(site, who)[0]
