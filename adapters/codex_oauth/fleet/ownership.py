"""Who drives which sign-in: a worker's lease, and what it may do while that lasts.

Rules of this file: a worker is alive while its lease is, by the database's clock; one that let it run out is
dead for ever, and begins anew under another name. A sign-in of a dead worker is taken over in one statement
that locks the dead one's lease. Before a code is exchanged the row is marked, by its owner and with more
than a second of lease left: whoever takes a marked row over never sends its code. An outcome counts only if
the row is still pending and its worker's, and the login is stored in the same statement.
"""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Collection, Sequence
from typing import Any, Final

import attrs

from codex_oauth.fleet.database import Database
from codex_oauth.fleet.rows import LoginRow
from codex_oauth.sealing import Keys
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.record import Record

__all__ = ["BATCH", "KEPT_FOR", "LEASE_SECONDS", "Ownership", "Taken"]

LEASE_SECONDS: Final = 10.0
"""How long a worker is believed to live after it was heard of."""

BATCH: Final = 500
"""Sign-ins that one statement takes."""

KEPT_FOR: Final = 86_400.0
"""Seconds for which a sign-in that is over can be asked for."""

CHANNEL: Final = "codex_oauth_sign_in"
"""What a listener listens on: the payload is the name of a sign-in that is over."""

_WRITE: Final = ErrorKind.AUTH_WRITE_FAILED
_LEASE: Final = f"clock_timestamp() + interval '{LEASE_SECONDS} s'"
_ALIVE: Final = """EXISTS (SELECT FROM codex_oauth_worker
    WHERE id = %(me)s AND alive_until > clock_timestamp() + interval '1 s')"""

_REGISTER: Final = f"""INSERT INTO codex_oauth_worker AS worker (id, host, pid, alive_until)
VALUES (%(me)s, %(host)s, %(pid)s, {_LEASE}) ON CONFLICT (id) DO UPDATE SET alive_until = worker.alive_until
RETURNING extract(epoch FROM clock_timestamp())::double precision"""

_BEAT: Final = f"""UPDATE codex_oauth_worker SET alive_until = {_LEASE}
WHERE id = %(me)s AND alive_until > clock_timestamp()
RETURNING extract(epoch FROM clock_timestamp())::double precision"""

_TAKE: Final = f"""WITH dead AS (
    SELECT id FROM codex_oauth_worker
    WHERE id <> %(me)s AND (alive_until <= clock_timestamp()
        OR alive_until > clock_timestamp() + interval '{2 * LEASE_SECONDS} s')  -- the clock was set back
    FOR UPDATE SKIP LOCKED
), waiting AS (
    SELECT name FROM codex_oauth_sign_in
    WHERE state = 'pending' AND worker IS NULL AND deadline > clock_timestamp()
      AND NOT name = ANY(%(but)s::text[])
    ORDER BY created_at LIMIT %(room)s FOR UPDATE SKIP LOCKED
), orphaned AS (
    SELECT name FROM codex_oauth_sign_in
    WHERE state = 'pending' AND worker = ANY(ARRAY(SELECT id FROM dead)) AND deadline > clock_timestamp()
      AND NOT name = ANY(%(but)s::text[])
    LIMIT %(room)s FOR UPDATE SKIP LOCKED
)
UPDATE codex_oauth_sign_in SET worker = %(me)s
WHERE name = ANY(ARRAY(SELECT name FROM orphaned UNION ALL SELECT name FROM waiting LIMIT %(room)s))
  AND {_ALIVE}
RETURNING name, tenant, owner, checkpoint, exchanging"""

_MINE: Final = "worker = %(me)s AND state = 'pending' AND deadline > clock_timestamp()"
_HOW_MANY: Final = f"SELECT count(*) FROM codex_oauth_sign_in WHERE {_MINE}"
_UNDRIVEN: Final = f"""SELECT name, tenant, owner, checkpoint, exchanging FROM codex_oauth_sign_in
WHERE {_MINE} AND NOT name = ANY(%(driven)s::text[])"""

_FENCE: Final = f"""UPDATE codex_oauth_sign_in SET exchanging = true
WHERE name = %(name)s AND worker = %(me)s AND state = 'pending' AND deadline > clock_timestamp() AND {_ALIVE}
RETURNING true"""

_OVER: Final = """checkpoint = NULL, key_id = NULL, worker = NULL, ended_at = clock_timestamp()"""
_OURS: Final = (
    """name = %(name)s AND worker = %(me)s AND state = 'pending' AND deadline > clock_timestamp()"""
)

_FAIL: Final = f"""WITH ended AS (
    UPDATE codex_oauth_sign_in SET state = 'failed', error = %(error)s, {_OVER}
    WHERE {_OURS} RETURNING name
)
SELECT pg_notify('{CHANNEL}', name) FROM ended"""

_DONE: Final = f"""WITH ended AS (
    UPDATE codex_oauth_sign_in SET state = 'done', login_key = %(key)s, {_OVER}
    WHERE {_OURS} RETURNING name
), kept AS (
    INSERT INTO codex_oauth_rescued (tenant, owner, key, id, body, key_id, is_sign_in)
    SELECT %(tenant)s, %(owner)s, %(key)s, %(id)s, %(body)s, %(seal_key_id)s, true FROM ended
    RETURNING true
), selected AS (
    INSERT INTO codex_oauth_selected (tenant, owner, key)
    SELECT %(tenant)s, %(owner)s, %(key)s FROM ended
    ON CONFLICT (tenant, owner) DO UPDATE SET key = excluded.key
)
SELECT pg_notify('{CHANNEL}', name) FROM ended"""

_STATE: Final = "SELECT state, login_key, error FROM codex_oauth_sign_in WHERE name = %(name)s"

_GIVE_BACK: Final = """UPDATE codex_oauth_sign_in AS row
SET worker = NULL, exchanging = false, checkpoint = back.checkpoint, key_id = %(key_id)s
FROM unnest(%(names)s::text[], %(checkpoints)s::bytea[]) AS back (name, checkpoint)
WHERE row.name = back.name AND row.worker = %(me)s AND row.state = 'pending'"""

_LET_GO: Final = """UPDATE codex_oauth_sign_in SET worker = NULL
WHERE name = ANY(%(names)s::text[]) AND worker = %(me)s AND state = 'pending' AND NOT exchanging"""

_RETIRE: Final = """WITH mine AS (
    UPDATE codex_oauth_sign_in SET worker = NULL
    WHERE worker = %(me)s AND state = 'pending' AND NOT exchanging
)
UPDATE codex_oauth_worker SET alive_until = '-infinity' WHERE id = %(me)s"""

_GIVEN_UP: Final = """UPDATE codex_oauth_sign_in SET worker = NULL
WHERE worker = %(me)s AND state <> 'pending' RETURNING name"""

_CLEAN: Final = f"""WITH overdue AS (
    UPDATE codex_oauth_sign_in SET state = 'failed', {_OVER}
    WHERE name IN (SELECT name FROM codex_oauth_sign_in
                   WHERE state = 'pending' AND deadline <= clock_timestamp() - interval '1 minute'
                   LIMIT {BATCH} FOR UPDATE SKIP LOCKED)
), buried AS (
    DELETE FROM codex_oauth_worker WHERE alive_until < clock_timestamp() - interval '1 hour'
      AND NOT EXISTS (SELECT FROM codex_oauth_sign_in AS row WHERE row.worker = id AND row.state = 'pending')
)
DELETE FROM codex_oauth_sign_in WHERE name IN (
    SELECT name FROM codex_oauth_sign_in WHERE ended_at < clock_timestamp() - interval '{KEPT_FOR} s'
    LIMIT {BATCH} FOR UPDATE SKIP LOCKED)"""


@attrs.frozen
class Taken:
    """A sign-in that a worker took. `exchanging`: its code may have been sent, by a worker that is dead."""

    name: str = attrs.field(repr=False)
    tenant: str
    owner: str
    checkpoint: bytes = attrs.field(repr=False)
    exchanging: bool


@attrs.define
class Ownership:
    """One worker's lease, and the sign-ins that it owns. Every method asks the database once, and raises
    SignInError (`auth_write_failed`) where that fails.
    """

    database: Database
    keys: Keys
    me: str = attrs.field(factory=lambda: uuid.uuid4().hex)

    def _run(self, statement: str, *, durable: bool = False, **values: Any) -> list[tuple[Any, ...]]:
        return self.database.run(_WRITE, statement, {"me": self.me, **values}, durable=durable)

    def begin(self) -> float:
        """Become a worker, under a new name: Unix time by the database."""
        self.me = uuid.uuid4().hex
        ((now,),) = self._run(_REGISTER, host=socket.gethostname(), pid=os.getpid())
        return float(now)

    def beat(self) -> float | None:
        """Go on living: Unix time by the database. None if the lease has run out: nothing is ours then."""
        found = self._run(_BEAT)
        return found[0][0] if found else None

    def take(self, room: int, *, but: Sequence[str] = ()) -> list[Taken]:
        """Take sign-ins that nobody drives, the oldest first, at most `room` and `BATCH`; none of `but`."""
        return [Taken(*row) for row in self._run(_TAKE, room=min(room, BATCH), but=list(but))]

    def undriven(self, driven: Collection[str]) -> list[Taken]:
        """What is ours and is none of `driven`: it was taken, and the answer to that was lost."""
        ((count,),) = self._run(_HOW_MANY)
        if count == len(driven):
            return []
        return [Taken(*row) for row in self._run(_UNDRIVEN, driven=list(driven))]

    def let_go(self, names: Sequence[str]) -> None:
        """Let others drive these sign-ins, which were taken and never begun."""
        if names:
            self._run(_LET_GO, names=list(names))

    def may_exchange(self, name: str) -> bool:
        """Mark a sign-in as being exchanged. False: its code must not be sent."""
        return bool(self._run(_FENCE, durable=True, name=name))

    def given_up(self) -> list[str]:
        """Which of our sign-ins their people gave up since this was asked."""
        return [name for (name,) in self._run(_GIVEN_UP)]

    def end(self, taken: Taken, outcome: Credential | SignInError) -> bool:
        """End a sign-in. A login is stored beside its place and put in use by the same statement. False if
        the sign-in is not ours any more: nothing was changed, and the login is nobody's.
        """
        if isinstance(outcome, SignInError):
            error = json.dumps(outcome.to_dict()["error"])
            ours = self._run(_FAIL, durable=True, name=taken.name, error=error)
            return bool(ours) or self._ended(taken) == ("failed", None, error)
        return self._done(taken, outcome)

    def _done(self, taken: Taken, credential: Credential) -> bool:
        row = LoginRow(taken.tenant, taken.owner, credential.key, self.keys)
        values = row.values(Record(credential))
        ours = self._run(
            _DONE,
            durable=True,
            name=taken.name,
            tenant=taken.tenant,
            owner=taken.owner,
            key=credential.key,
            id=uuid.uuid4().hex,
            body=values["body"],
            seal_key_id=values["key_id"],
        )
        return bool(ours) or self._ended(taken) == ("done", credential.key, None)

    def _ended(self, taken: Taken) -> tuple[str, str | None, str | None] | None:
        """How a sign-in has ended: by us, if that is what we said, and the answer to it was lost."""
        found = self._run(_STATE, name=taken.name)
        return (found[0][0], found[0][1], found[0][2]) if found else None

    def give_back(self, checkpoints: dict[str, bytes]) -> None:
        """Let others drive these sign-ins, from where they stand."""
        if checkpoints:
            names, bodies = list(checkpoints), list(checkpoints.values())
            self._run(_GIVE_BACK, durable=True, names=names, checkpoints=bodies, key_id=self.keys.current_id)

    def retire(self) -> None:
        """Be a worker no more: others may take over what is left at once."""
        self._run(_RETIRE)

    def clean(self) -> None:
        """End what is overdue, and forget what has been over for a day; some of it."""
        self._run(_CLEAN)
