# Where each name of this package lives: for editors and type checkers, which run nothing.
# Written by `make fmt` from the table in __init__.py; change that one.

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

__all__ = [
    "Database",
    "FleetPool",
    "Keys",
    "PostgresStore",
    "SignInState",
    "StartedSignIn",
    "asign_in_state",
    "astart_sign_in",
    "cancel_sign_in",
    "migrate",
    "new_key",
    "sign_in_state",
    "start_sign_in",
]
