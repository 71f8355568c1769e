"""For tests of code that signs in: a world in virtual time, and servers that are functions.

`FakeWorld(scripted([...]))` answers from a list; `FakeWorld(answered_by(authority))` by the rules of a
real authorization server. Names load on first use (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from codex_oauth.testing.answered_by import answered_by as answered_by
    from codex_oauth.testing.fake_world import FakeWorld as FakeWorld
    from codex_oauth.testing.fake_world import Lost as Lost
    from codex_oauth.testing.fake_world import Reply as Reply
    from codex_oauth.testing.fake_world import scripted as scripted

_HOME_OF: Final = {
    "FakeWorld": "fake_world",
    "Lost": "fake_world",
    "Reply": "fake_world",
    "answered_by": "answered_by",
    "scripted": "fake_world",
}

__all__ = sorted(_HOME_OF)  # pyright: ignore[reportUnsupportedDunderAll]  # one table serves both


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
