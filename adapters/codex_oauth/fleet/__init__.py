"""Logins and sign-ins that many machines share, in PostgreSQL. Needs the extra `postgres`; see docs/fleet.md.

`PostgresStore` keeps the logins of one owner, `start_sign_in` and `sign_in_state` are for the web tier, and a
`FleetPool` is a worker that drives what was started. Names load on first use (PEP 562).
"""

from __future__ import annotations

from codex_oauth.loading import lazy_names

TYPE_CHECKING = False  # as typing's, without loading typing

if TYPE_CHECKING:
    from codex_oauth.fleet.database import Database as Database
    from codex_oauth.fleet.fleet_pool import FleetPool as FleetPool
    from codex_oauth.fleet.postgres_store import PostgresStore as PostgresStore
    from codex_oauth.fleet.schema import migrate as migrate
    from codex_oauth.fleet.sign_ins import SignInState as SignInState
    from codex_oauth.fleet.sign_ins import StartedSignIn as StartedSignIn
    from codex_oauth.fleet.sign_ins import asign_in_state as asign_in_state
    from codex_oauth.fleet.sign_ins import astart_sign_in as astart_sign_in
    from codex_oauth.fleet.sign_ins import cancel_sign_in as cancel_sign_in
    from codex_oauth.fleet.sign_ins import sign_in_state as sign_in_state
    from codex_oauth.fleet.sign_ins import start_sign_in as start_sign_in
    from codex_oauth.sealing import Keys as Keys
    from codex_oauth.sealing import new_key as new_key

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "codex_oauth.fleet.database": ("Database",),
        "codex_oauth.fleet.fleet_pool": ("FleetPool",),
        "codex_oauth.fleet.schema": ("migrate",),
        "codex_oauth.fleet.postgres_store": ("PostgresStore",),
        "codex_oauth.fleet.sign_ins": (
            "SignInState",
            "StartedSignIn",
            "asign_in_state",
            "astart_sign_in",
            "cancel_sign_in",
            "sign_in_state",
            "start_sign_in",
        ),
        "codex_oauth.sealing": ("Keys", "new_key"),
    },
)
