"""For tests of code that signs in: a world in virtual time, servers that are functions, and checks of ports.

`FakeWorld(scripted([...]))` answers from a list; `FakeWorld(answered_by(authority))` by the rules of a
real authorization server. `check_store(make)`, `check_world(make)` and `check_async_world(make)` hold a
store or a world to what every one does, `check_registrations(make)` a store that keeps registrations, too,
and `check_shared_store(make, faults)` one that several hosts share to what its database may do to them.
The fixtures of `codex_oauth.testing.plugin` are there wherever pytest runs. Names load on first use (PEP
562).
"""

from __future__ import annotations

from codex_oauth.loading import lazy_names

TYPE_CHECKING = False  # as typing's, without loading typing

if TYPE_CHECKING:
    from codex_oauth.testing.answered_by import answered_by as answered_by
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

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "codex_oauth.testing.answered_by": ("answered_by",),
        "codex_oauth.testing.world_checks": (
            "ASYNC_LISTENING_CHECKS",
            "ASYNC_TLS_CHECKS",
            "ASYNC_WORLD_CHECKS",
            "AsyncListeningCheck",
            "AsyncWorldCheck",
            "LISTENING_CHECKS",
            "ListeningCheck",
            "MakeListeningWorld",
            "MakeWorld",
            "TASK_CHECKS",
            "TLS_CHECKS",
            "WORLD_CHECKS",
            "WorldCheck",
            "check_async_world",
            "check_world",
        ),
        "codex_oauth.testing.fake_world": ("FakeWorld", "Lost", "Reply", "VirtualClock", "scripted"),
        "codex_oauth.testing.performing": ("Awaited", "MakeAsyncListeningWorld", "MakeAsyncWorld"),
        "codex_oauth.testing.registration_checks": (
            "REGISTRATION_CHECKS",
            "RegistrationCheck",
            "check_registrations",
        ),
        "codex_oauth.testing.scenarios": ("SCENARIOS", "Scenario"),
        "codex_oauth.testing.shared_login": ("StoreFaults",),
        "codex_oauth.testing.shared_store_checks": (
            "SHARED_STORE_CHECKS",
            "CheckNotRun",
            "SharedStoreCheck",
            "SharedStoreReport",
            "check_shared_store",
        ),
        "codex_oauth.testing.tolerance": ("Tolerance", "tolerating"),
        "codex_oauth.testing.store_checks": ("STORE_CHECKS", "StoreCheck", "check_store"),
    },
)
