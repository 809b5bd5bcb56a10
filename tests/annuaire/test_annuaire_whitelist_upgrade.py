"""A home made before versions were kept as differences: nobody is authorised by half a list."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

import annuaire
import gateway.rooms  # noqa: F401  # every operation and table
from gateway.freshness import whitelist_freshness
from gateway.settings import Settings
from store import Store, now_ms
from store.database import MIGRATIONS, sqlite_url, writing_engine
from tests.annuaire.test_annuaire_whitelist import DN_A
from tests.annuaire.test_annuaire_whitelist_versions import AT, A, put


def test_until_a_list_is_imported_again_nobody_is_authorised(tmp_path: Path) -> None:
    with Store.open(tmp_path):
        pass  # keys, segments
    (tmp_path / "store.db").unlink()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with writing_engine(sqlite_url(tmp_path)).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in (
            f"INSERT INTO whitelist_version VALUES (7, {AT}, {AT}, 'x', 'CN=alb', 'f', 1, 1)",
            f"INSERT INTO whitelist_entry VALUES (7, '{A.domain}', 'cn=a', '{DN_A}', '', {AT})",
            "INSERT INTO annuaire_current VALUES ('whitelist', 7)",
        ):
            connection.execute(sa.text(statement))
    with Store.open(tmp_path) as store:
        settings = Settings.model_validate(
            {"gateway": {"hostname": "mss.exemple.test", "patient_domain": "patient.exemple.test"}}
        )
        found = store.read(whitelist_freshness, settings, now_ms())
        assert found.level == "refused"  # 451, not 550: mail waits
        assert "no list was imported" in found.text
        assert store.read(annuaire.whitelist_age, now_ms()) is None
        put(store, A)
        assert store.read(annuaire.whitelist_allows, A.domain, DN_A)
