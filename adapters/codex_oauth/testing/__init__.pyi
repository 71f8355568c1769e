# Where each name of this package lives: for editors and type checkers, which run nothing.
# Written by `make fmt` from the table in __init__.py; change that one.

from codex_oauth.testing.answering import answered_by as answered_by
from codex_oauth.testing.fake_world import FakeWorld as FakeWorld
from codex_oauth.testing.fake_world import Lost as Lost
from codex_oauth.testing.fake_world import Reply as Reply
from codex_oauth.testing.fake_world import VirtualClock as VirtualClock
from codex_oauth.testing.fake_world import scripted as scripted
from codex_oauth.testing.performing import Awaited as Awaited
from codex_oauth.testing.performing import MakeAsyncListeningWorld as MakeAsyncListeningWorld
from codex_oauth.testing.performing import MakeAsyncWorld as MakeAsyncWorld
from codex_oauth.testing.registration_checks import REGISTRATION_CHECKS as REGISTRATION_CHECKS
from codex_oauth.testing.registration_checks import RegistrationCheck as RegistrationCheck
from codex_oauth.testing.registration_checks import check_registrations as check_registrations
from codex_oauth.testing.scenarios import SCENARIOS as SCENARIOS
from codex_oauth.testing.scenarios import Scenario as Scenario
from codex_oauth.testing.shared_login import StoreFaults as StoreFaults
from codex_oauth.testing.shared_store_checks import SHARED_STORE_CHECKS as SHARED_STORE_CHECKS
from codex_oauth.testing.shared_store_checks import CheckNotRun as CheckNotRun
from codex_oauth.testing.shared_store_checks import SharedStoreCheck as SharedStoreCheck
from codex_oauth.testing.shared_store_checks import SharedStoreReport as SharedStoreReport
from codex_oauth.testing.shared_store_checks import check_shared_store as check_shared_store
from codex_oauth.testing.signed_in import SignedInProgram as SignedInProgram
from codex_oauth.testing.store_checks import STORE_CHECKS as STORE_CHECKS
from codex_oauth.testing.store_checks import StoreCheck as StoreCheck
from codex_oauth.testing.store_checks import check_store as check_store
from codex_oauth.testing.tolerance import Tolerance as Tolerance
from codex_oauth.testing.tolerance import tolerating as tolerating
from codex_oauth.testing.world_checks import ASYNC_LISTENING_CHECKS as ASYNC_LISTENING_CHECKS
from codex_oauth.testing.world_checks import ASYNC_TLS_CHECKS as ASYNC_TLS_CHECKS
from codex_oauth.testing.world_checks import ASYNC_WORLD_CHECKS as ASYNC_WORLD_CHECKS
from codex_oauth.testing.world_checks import LISTENING_CHECKS as LISTENING_CHECKS
from codex_oauth.testing.world_checks import TASK_CHECKS as TASK_CHECKS
from codex_oauth.testing.world_checks import TLS_CHECKS as TLS_CHECKS
from codex_oauth.testing.world_checks import WORLD_CHECKS as WORLD_CHECKS
from codex_oauth.testing.world_checks import AsyncListeningCheck as AsyncListeningCheck
from codex_oauth.testing.world_checks import AsyncWorldCheck as AsyncWorldCheck
from codex_oauth.testing.world_checks import ListeningCheck as ListeningCheck
from codex_oauth.testing.world_checks import MakeListeningWorld as MakeListeningWorld
from codex_oauth.testing.world_checks import MakeWorld as MakeWorld
from codex_oauth.testing.world_checks import WorldCheck as WorldCheck
from codex_oauth.testing.world_checks import check_async_world as check_async_world
from codex_oauth.testing.world_checks import check_world as check_world

__all__ = [
    "ASYNC_LISTENING_CHECKS",
    "ASYNC_TLS_CHECKS",
    "ASYNC_WORLD_CHECKS",
    "LISTENING_CHECKS",
    "REGISTRATION_CHECKS",
    "SCENARIOS",
    "SHARED_STORE_CHECKS",
    "STORE_CHECKS",
    "TASK_CHECKS",
    "TLS_CHECKS",
    "WORLD_CHECKS",
    "AsyncListeningCheck",
    "AsyncWorldCheck",
    "Awaited",
    "CheckNotRun",
    "FakeWorld",
    "ListeningCheck",
    "Lost",
    "MakeAsyncListeningWorld",
    "MakeAsyncWorld",
    "MakeListeningWorld",
    "MakeWorld",
    "RegistrationCheck",
    "Reply",
    "Scenario",
    "SharedStoreCheck",
    "SharedStoreReport",
    "SignedInProgram",
    "StoreCheck",
    "StoreFaults",
    "Tolerance",
    "VirtualClock",
    "WorldCheck",
    "answered_by",
    "check_async_world",
    "check_registrations",
    "check_shared_store",
    "check_store",
    "check_world",
    "scripted",
    "tolerating",
]
