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

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "codex_oauth.testing.answering": ("answered_by",),
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
        "codex_oauth.testing.signed_in": ("SignedInProgram",),
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
