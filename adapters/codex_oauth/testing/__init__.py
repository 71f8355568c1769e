"""For tests of code that signs in: a world in virtual time, servers that are functions, checks of stores.

`FakeWorld(scripted([...]))` answers from a list; `FakeWorld(answered_by(authority))` by the rules of a
real authorization server. `check_store(make)` holds a store to what every store does. Names load on first
use (PEP 562).
"""

from __future__ import annotations

from codex_oauth_core._lazy import lazy_names

TYPE_CHECKING = False  # as typing's, without loading typing

if TYPE_CHECKING:
    from codex_oauth.testing.answered_by import answered_by as answered_by
    from codex_oauth.testing.fake_world import FakeWorld as FakeWorld
    from codex_oauth.testing.fake_world import Lost as Lost
    from codex_oauth.testing.fake_world import Reply as Reply
    from codex_oauth.testing.fake_world import scripted as scripted
    from codex_oauth.testing.store_checks import STORE_CHECKS as STORE_CHECKS
    from codex_oauth.testing.store_checks import StoreCheck as StoreCheck
    from codex_oauth.testing.store_checks import check_store as check_store

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "codex_oauth.testing.answered_by": ("answered_by",),
        "codex_oauth.testing.fake_world": ("FakeWorld", "Lost", "Reply", "scripted"),
        "codex_oauth.testing.store_checks": ("STORE_CHECKS", "StoreCheck", "check_store"),
    },
)
