"""The programs of docs/fleet.md, run as they stand, and its SQL."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any, Final

import anyio
import pytest
from psycopg.conninfo import conninfo_to_dict

from codex_oauth import DeviceFlow
from codex_oauth.fleet import Keys, new_key
from codex_oauth.fleet.database import Database
from codex_oauth.testing.checking import sample
from codex_oauth_core import SignInError
from tests.fleet.cluster import Cluster, sql
from tests.fleet.ground import Ground, over, until
from tests.fleet.logins import KEY, KEYS, put, store_in
from tests.house.tree import ROOT

PAGE: Final = (ROOT / "docs" / "fleet.md").read_text(encoding="utf-8")


def code_blocks(language: str) -> list[str]:
    """The blocks of the page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def programs() -> dict[str, Any]:
    """What the page's programs define."""
    found: dict[str, Any] = {}
    for block in code_blocks("python"):
        exec(block, found)  # our own page
    return found


def test_a_person_signs_in_by_the_page(programs: dict[str, Any], ground: Ground) -> None:
    name, prompt = programs["begin"](ground.dsn, KEYS, "ada", DeviceFlow(provider=ground.provider))
    assert prompt.user_code
    assert programs["status"](ground.dsn, name).state == "pending"
    ground.names.append(name)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(programs["work"], ground.dsn, KEYS, (ground.provider,))
            await until(lambda: over(ground))
            tasks.cancel_scope.cancel()

    anyio.run(main)
    assert programs["status"](ground.dsn, name).state == "done"
    with programs["source_of"]("ada", ground.dsn, KEYS) as source:
        assert source.token()


def test_the_keys_of_a_file_are_read_by_the_page(programs: dict[str, Any], tmp_path: Path) -> None:
    first, second = new_key(), new_key()
    texts = [base64.urlsafe_b64encode(key.reveal()).decode().rstrip("=") for key in (first, second)]
    (tmp_path / "keys").write_text("\n".join(texts) + "\n")
    keys = programs["keys_in"](tmp_path / "keys")
    assert keys.current_id == Keys(first).current_id
    assert keys.has(Keys(second).current_id)


def statements(holding: str) -> str:
    (found,) = [block for block in code_blocks("sql") if holding in block]
    return re.sub(r"--.*", "", found)


def test_the_role_of_the_page_is_enough_and_may_not_more(migrated: str, cluster: Cluster) -> None:
    sql(migrated, statements("CREATE ROLE app"))
    try:
        name = str(conninfo_to_dict(migrated)["dbname"])
        store = store_in(Database(cluster.dsn(name, user="app")))
        store.prepare()
        put(store, sample(1))
        store.select(KEY)
        assert store.current() == KEY
        store.database.close()
    finally:
        sql(migrated, "DROP OWNED BY app")
        sql(migrated, "DROP ROLE app")


def test_tenants_with_roles_of_their_own_do_not_see_each_other(migrated: str, cluster: Cluster) -> None:
    sql(migrated, statements("ROW LEVEL SECURITY"))
    name = str(conninfo_to_dict(migrated)["dbname"])
    for role in ("north", "south"):
        sql(migrated, f"CREATE ROLE {role} LOGIN")
        sql(migrated, f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
    try:
        stores = {
            role: store_in(Database(cluster.dsn(name, user=role)), tenant=role) for role in ("north", "south")
        }
        put(stores["north"], sample(1))
        assert stores["north"].names() == (KEY,)
        spying = store_in(Database(cluster.dsn(name, user="south")), tenant="north")
        assert spying.names() == ()
        assert spying.slot(KEY).load() is None
        with pytest.raises(SignInError):
            spying.slot(KEY).lock()
        for each in (*stores.values(), spying):
            each.database.close()
    finally:
        for role in ("north", "south"):
            sql(migrated, f"DROP OWNED BY {role}")
            sql(migrated, f"DROP ROLE {role}")


def test_the_page_names_every_table(migrated: str) -> None:
    tables = sql(migrated, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert {name for (name,) in tables} == set(re.findall(r"^\| `(codex_oauth_\w+)` \|", PAGE, re.MULTILINE))
