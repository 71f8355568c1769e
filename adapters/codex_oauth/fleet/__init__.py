"""Logins and sign-ins that many machines share, in PostgreSQL. Needs the extra `postgres`; see docs/fleet.md.

`PostgresStore` keeps the logins of one owner, `start_sign_in` and `sign_in_state` are for the web tier, and a
`FleetPool` is a worker that drives what was started. Names load on first use (PEP 562).
"""

from __future__ import annotations

from codex_oauth.loading import lazy_names

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
