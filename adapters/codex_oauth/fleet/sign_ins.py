"""Sign-ins that wait for a person, for the web tier of an application: begin one, and ask where it stands.

Rules of this file: the process that begins a sign-in obtains the code and shows it; from then on the sign-in
is a sealed row, and a worker's (`FleetPool`). Who reads a row past its deadline reads `failed`, though no
worker lives. The name of a sign-in is drawn at random: who knows it may ask, so keep it in the person's
session, and in no log.

    started = start_sign_in(dsn, DeviceFlow(), HttpxWorld(), keys=keys, owner="ada")   # show started.prompt
    sign_in_state(dsn, started.name)                                                   # pending, done, failed
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any, Final, Literal

import attrs

from codex_oauth.event_loops import run_blocking
from codex_oauth.fleet.database import Database
from codex_oauth.fleet.schema import require_schema
from codex_oauth.sealing import Keys, seal, unseal
from codex_oauth.worlds.world import AsyncPerformer, Performer
from codex_oauth_core.checkpoints.codec import CheckpointError
from codex_oauth_core.effect_unions import SignInEffect
from codex_oauth_core.effects import DevicePrompt, Finished, Prompt, Wait
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import Started
from codex_oauth_core.flows.device import DeviceFlow
from codex_oauth_core.secret import Secret

__all__ = [
    "SCHEMA",
    "SignInState",
    "StartedSignIn",
    "asign_in_state",
    "astart_sign_in",
    "cancel_sign_in",
    "sealed_sign_in",
    "sign_in_state",
    "start_sign_in",
    "unsealed_sign_in",
]

SCHEMA: Final = 2
"""The migration that made the tables of this file."""

MARGIN: Final = 120.0
"""Seconds after the code's end in which an approved sign-in is still finished: a poll, the tries of the
exchange, and what a worker that took it over needs.
"""

_CLOCK: Final = "SELECT extract(epoch FROM clock_timestamp())::double precision"

_INSERT: Final = """INSERT INTO codex_oauth_sign_in
    (name, tenant, owner, issuer, checkpoint, key_id, deadline)
VALUES (%(name)s, %(tenant)s, %(owner)s, %(issuer)s, %(checkpoint)s, %(key_id)s,
    clock_timestamp() + make_interval(secs => %(seconds)s))
ON CONFLICT (name) DO NOTHING"""

_STATE: Final = """SELECT
    CASE WHEN state = 'pending' AND deadline <= clock_timestamp() THEN 'failed' ELSE state END,
    login_key, error, checkpoint
FROM codex_oauth_sign_in WHERE name = %(name)s"""

_CANCEL: Final = """UPDATE codex_oauth_sign_in
SET state = 'failed', error = %(error)s, checkpoint = NULL, key_id = NULL, ended_at = clock_timestamp()
WHERE name = %(name)s AND state = 'pending' AND NOT exchanging
RETURNING true"""

_LONGEST_NAME: Final = 100


@attrs.frozen
class StartedSignIn:
    """A sign-in that has begun: its name, for `sign_in_state`, and the prompt that the person must see."""

    name: str = attrs.field(repr=False)
    prompt: DevicePrompt


@attrs.frozen
class SignInState:
    """The state of a sign-in. `key`: the key of the login that it granted. `error`: why it failed (its kind,
    message, details and next actions, as in `SignInError.to_dict()`). `prompt`: what the person must see;
    only if you gave `keys`.
    """

    state: Literal["pending", "done", "failed"]
    key: str | None = None
    error: dict[str, Any] | None = None
    prompt: DevicePrompt | None = None


def start_sign_in(
    dsn: str | Secret[str] | Database,
    flow: DeviceFlow,
    world: Performer,
    *,
    keys: Keys,
    owner: str,
    tenant: str = "",
) -> StartedSignIn:
    """Obtain a code with a flow that has not begun, and hand the sign-in to the workers. `world` sends the
    request; use an `HttpxWorld` in its `with` block, for example. The login will belong to `owner`, as in a
    `PostgresStore`. Show the prompt, then call `sign_in_state` with the name every few seconds.

    Raises SignInError: the error of the flow, or `auth_write_failed` if the database fails.
    """
    database = _database(dsn)
    require_schema(database, ErrorKind.AUTH_WRITE_FAILED, needs=SCHEMA)
    effect = _unfinished(flow.receive(Started(*world.now())))
    while not isinstance(effect, Wait) or effect.prompt is None:
        effect = _unfinished(flow.receive(world.perform(effect)))
    begun = _Begun(flow, effect.prompt, *world.now(), keys)
    return begun.handed_over(database, owner, tenant)


async def astart_sign_in(
    dsn: str | Secret[str] | Database,
    flow: DeviceFlow,
    world: AsyncPerformer,
    *,
    keys: Keys,
    owner: str,
    tenant: str = "",
) -> StartedSignIn:
    """`start_sign_in()` for asyncio and trio. It asks the database on a thread."""
    database = _database(dsn)
    await run_blocking(lambda: require_schema(database, ErrorKind.AUTH_WRITE_FAILED, needs=SCHEMA))
    effect = _unfinished(flow.receive(Started(*world.now())))
    while not isinstance(effect, Wait) or effect.prompt is None:
        effect = _unfinished(flow.receive(await world.perform(effect)))
    begun = _Begun(flow, effect.prompt, *world.now(), keys)
    return await run_blocking(lambda: begun.handed_over(database, owner, tenant))


def sign_in_state(
    dsn: str | Secret[str] | Database, name: str, *, keys: Keys | None = None
) -> SignInState | None:
    """The state of the sign-in `name`; None if there is none, or if it ended a day ago or earlier. With
    `keys`, a pending sign-in has its prompt. Raises SignInError: `auth_read_failed`.
    """
    if not _is_name(name):
        return None
    found = _database(dsn).run(ErrorKind.AUTH_READ_FAILED, _STATE, {"name": name})
    if not found:
        return None
    state, key, error, body = found[0]
    if state == "failed" and error is None:
        error = json.dumps(SignInError.of(ErrorKind.EXPIRED).to_dict()["error"])
    prompt = None
    if keys is not None and state == "pending":
        prompt = unsealed_sign_in(body, keys, name)[1]
    return SignInState(state, key, None if error is None else json.loads(error), prompt)


async def asign_in_state(
    dsn: str | Secret[str] | Database, name: str, *, keys: Keys | None = None
) -> SignInState | None:
    """`sign_in_state()` for asyncio and trio. It asks the database on a thread."""
    return await run_blocking(lambda: sign_in_state(dsn, name, keys=keys))


def cancel_sign_in(dsn: str | Secret[str] | Database, name: str) -> bool:
    """End a sign-in that its person gave up. Its worker stops within seconds. Returns False if the sign-in is
    over, if there is none, or if its code is being exchanged: then it ends by itself. Raises SignInError if
    the database fails.
    """
    if not _is_name(name):
        return False
    error = json.dumps(SignInError.of(ErrorKind.CANCELLED).to_dict()["error"])
    values = {"name": name, "error": error}
    return bool(_database(dsn).run(ErrorKind.AUTH_WRITE_FAILED, _CANCEL, values, durable=True))


# -- what the row holds --------------------------------------------------------------------------------


def sealed_sign_in(
    checkpoint: Mapping[str, Any], prompt: DevicePrompt | None, keys: Keys, name: str
) -> bytes:
    """The body of a row. Raises CheckpointError (`extra_missing`)."""
    shown = None if prompt is None else attrs.asdict(prompt)
    return seal({"checkpoint": dict(checkpoint), "prompt": shown}, keys, belongs_to=name)


def unsealed_sign_in(body: bytes, keys: Keys, name: str) -> tuple[dict[str, Any], DevicePrompt | None]:
    """The checkpoint and the prompt of a row. Raises CheckpointError."""
    found = unseal(body, keys, belongs_to=name)
    try:
        checkpoint, prompt = found["checkpoint"], found["prompt"]
        return dict(checkpoint), None if prompt is None else DevicePrompt(**prompt)
    except (KeyError, TypeError):
        raise CheckpointError("malformed", "sign_in") from None


def _is_name(name: str) -> bool:
    return 0 < len(name) <= _LONGEST_NAME and "\0" not in name


def _database(dsn: str | Secret[str] | Database) -> Database:
    return dsn if isinstance(dsn, Database) else Database.shared(dsn)


def _unfinished(effect: SignInEffect | Finished) -> SignInEffect:
    """What a flow asks for. Raises SignInError if it is over."""
    if isinstance(effect, Finished):
        assert isinstance(effect.outcome, SignInError)  # nobody can have approved it yet
        raise effect.outcome
    return effect


@attrs.frozen
class _Begun:
    """A flow that waits for its person."""

    flow: DeviceFlow
    prompt: Prompt
    at: float
    wall: float
    keys: Keys

    def handed_over(self, database: Database, owner: str, tenant: str) -> StartedSignIn:
        """Write the row that a worker takes. Raises SignInError, CheckpointError."""
        prompt = self.prompt
        assert isinstance(prompt, DevicePrompt)  # a DeviceFlow's
        name = secrets.token_urlsafe(32)
        ((wall,),) = database.run(ErrorKind.AUTH_WRITE_FAILED, _CLOCK)  # the one clock that all hosts have
        checkpoint = self.flow.checkpoint(at=self.at, wall=wall, handed_over=True)
        values = {
            "name": name,
            "tenant": tenant,
            "owner": owner,
            "issuer": self.flow.provider.issuer,
            "checkpoint": sealed_sign_in(checkpoint, prompt, self.keys, name),
            "key_id": self.keys.current_id,
            "seconds": max(0.0, prompt.expires_at - self.wall) + MARGIN,
        }
        database.run(ErrorKind.AUTH_WRITE_FAILED, _INSERT, values, durable=True)
        return StartedSignIn(name, prompt)
