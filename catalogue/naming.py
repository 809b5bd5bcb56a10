"""What services are called where the journal is read."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

import activity
from activity import Actor, Title
from catalogue.listing import service_history
from store import Store


@activity.names("service")
def service_titles(
    conn: Connection, store: Store, box_id: int, actor: Actor, wanted: set[str]
) -> Mapping[str, Title]:
    """The names of services, as the list last gave them; a service that left it is gone."""
    found = {}
    for service_id in wanted:
        listed = service_history(conn, service_id)
        if listed:
            found[service_id] = Title(listed[0].service.name, gone=listed[0].until is not None)
    return found
