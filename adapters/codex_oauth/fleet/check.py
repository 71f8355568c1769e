"""What can be said of a database of logins by looking at it: whether it can be used, and what is in it.

Rules of this file: it only reads; no row's content is looked at, and no login is named; a finding is said in
plain words, with what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, unique
from typing import Final

import attrs

from codex_oauth.clock import Clock, now
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.schema import MIGRATIONS, applied_schema
from codex_oauth.sealing import Keys
from codex_oauth.stores.failures import ADVICE
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.renewal_times import INTENT_LIFE

__all__ = ["FleetFinding", "Level", "Overview", "check"]

_READ: Final = ErrorKind.AUTH_READ_FAILED
_CLOCK_OFF: Final = 30.0  # seconds

_SERVER: Final = """SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean,
    extract(epoch FROM clock_timestamp())::double precision"""
_RIGHTS: Final = """SELECT name FROM pg_tables CROSS JOIN LATERAL (SELECT tablename::text AS name) AS named
WHERE schemaname = ANY(current_schemas(false)) AND name LIKE 'codex\\_oauth\\_%%'
  AND name <> 'codex_oauth_migration'
  AND NOT (SELECT bool_and(has_table_privilege(quote_ident(schemaname) || '.' || name, verb))
           FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS verb)
ORDER BY name"""
_COUNTS: Final = f"""SELECT count(*), count(*) FILTER (WHERE renew_at <= statement_timestamp()),
    count(*) FILTER (WHERE renew_at IS NULL),
    count(*) FILTER (WHERE intent_owner IS NOT NULL),
    count(*) FILTER (WHERE to_timestamp(intent_at) < statement_timestamp() - interval '{INTENT_LIFE} s'),
    (SELECT count(*) FROM codex_oauth_rescued)
FROM codex_oauth_login WHERE body IS NOT NULL"""
_SIGN_INS: Final = "SELECT count(*) FROM codex_oauth_sign_in WHERE state = 'pending'"
_KEY_IDS: Final = "SELECT key_id FROM codex_oauth_login UNION ALL SELECT key_id FROM codex_oauth_rescued"
_MORE_KEY_IDS: Final = " UNION ALL SELECT key_id FROM codex_oauth_sign_in"


@unique
class Level(StrEnum):
    """How grave a finding is."""

    PROBLEM = "problem"
    """The database cannot be used as it is."""
    WARNING = "warning"


@attrs.frozen
class FleetFinding:
    """Something that is not as it should be: a word for programs, and a text for people."""

    level: Level
    reason: str
    text: str


@attrs.frozen(kw_only=True)
class Overview:
    """What there is. `over`: logins that are not renewed any more. `interrupted`, among `intents`: renewals
    that nobody finished. `keys`: how much each key has sealed, by its `key_id`. `clock_offset`: the
    database's clock less this machine's, in seconds.
    """

    database: str
    schema: int
    writable: bool
    clock_offset: float
    logins: int
    due: int
    over: int
    intents: int
    interrupted: int
    rescued: int
    sign_ins: int
    keys: Mapping[str, int]
    findings: tuple[FleetFinding, ...]

    @property
    def is_usable(self) -> bool:
        """Whether nothing is a problem."""
        return all(finding.level is not Level.PROBLEM for finding in self.findings)


def check(database: Database, keys: Keys | None = None, *, now: Clock = now) -> Overview:
    """Look at a database; with `keys` also whether they open what is in it. Counts take a moment where there
    are millions of logins.

    Raises SignInError, `auth_read_failed`, where it cannot be reached or has no tables.
    """
    schema = applied_schema(database, _READ)
    asked_at = now()[1]
    ((is_read_only, theirs),) = database.run(_READ, _SERVER)
    offset = theirs - (asked_at + now()[1]) / 2
    denied = [name for (name,) in database.run(_READ, _RIGHTS, {})]
    ((logins, due, over, intents, interrupted, rescued),) = database.run(_READ, _COUNTS)
    has_sign_ins = schema >= 2
    sign_ins = database.run(_READ, _SIGN_INS)[0][0] if has_sign_ins else 0
    ids = _KEY_IDS + (_MORE_KEY_IDS if has_sign_ins else "")
    counted = f"SELECT key_id, count(*) FROM ({ids}) AS ids WHERE key_id IS NOT NULL GROUP BY 1 ORDER BY 1"
    found = dict[str, int](database.run(_READ, counted))
    findings = (
        *_of_schema(schema),
        *_of_server(is_read_only, offset),
        *_of_rights(denied),
        *_of_keys(found, keys),
        *_of_logins(interrupted, rescued),
    )
    return Overview(
        database=database.address,
        schema=schema,
        writable=not is_read_only,
        clock_offset=round(offset, 3),
        logins=logins,
        due=due,
        over=over,
        intents=intents,
        interrupted=interrupted,
        rescued=rescued,
        sign_ins=sign_ins,
        keys=found,
        findings=findings,
    )


def _of_schema(schema: int) -> list[FleetFinding]:
    ours = MIGRATIONS[-1].number
    if schema > ours + 1 or schema < ours - 1:
        reason = "new_schema" if schema > ours else "old_schema"
        text = f"The tables have schema {schema}, and this release works with {ours - 1} to {ours + 1}."
        return [FleetFinding(Level.PROBLEM, reason, f"{text} {ADVICE[reason]}")]
    if schema < ours:
        text = f"The tables have schema {schema}; this release brings {ours}. {ADVICE['old_schema']}"
        return [FleetFinding(Level.WARNING, "old_schema", text)]
    return []


def _of_server(is_read_only: bool, offset: float) -> list[FleetFinding]:
    found = list[FleetFinding]()
    if is_read_only:
        text = f"Nothing can be written here. {ADVICE['database_read_only']}"
        found.append(FleetFinding(Level.PROBLEM, "database_read_only", text))
    if abs(offset) > _CLOCK_OFF:
        way = "ahead of" if offset > 0 else "behind"
        text = (
            f"The database's clock is {round(abs(offset))} seconds {way} this machine's: set the wrong one."
        )
        found.append(FleetFinding(Level.WARNING, "clock", text))
    return found


def _of_rights(denied: list[str]) -> list[FleetFinding]:
    if not denied:
        return []
    text = f"This user may not read and write {', '.join(denied)}: grant SELECT, INSERT, UPDATE, DELETE."
    return [FleetFinding(Level.PROBLEM, "database_denied", text)]


def _of_keys(found: Mapping[str, int], keys: Keys | None) -> list[FleetFinding]:
    if keys is None:
        return []
    unknown = {key_id: count for key_id, count in found.items() if not keys.has(key_id)}
    older = {key_id for key_id in found if keys.has(key_id)} - {keys.current_id}
    listed = list[FleetFinding]()
    if unknown:
        sealed = ", ".join(f"{key_id} ({count})" for key_id, count in unknown.items())
        text = f"Keys that were not given have sealed something: {sealed}. Add them to the key file."
        listed.append(FleetFinding(Level.PROBLEM, "other_seal_key", text))
    if older:
        text = "Older keys have sealed something still. Seal it anew: codex-oauth fleet reseal"
        listed.append(FleetFinding(Level.WARNING, "older_key", text))
    return listed


def _of_logins(interrupted: int, rescued: int) -> list[FleetFinding]:
    found = list[FleetFinding]()
    if interrupted:
        text = f"Renewals that nobody finished: {interrupted}. The next use of each login settles it."
        found.append(FleetFinding(Level.WARNING, "interrupted", text))
    if rescued:
        text = f"Logins that are kept beside their place: {rescued}. The next lock of each adopts it."
        found.append(FleetFinding(Level.WARNING, "rescued", text))
    return found
