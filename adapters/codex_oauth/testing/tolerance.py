"""What a stack cannot help, and a check then passes over: said by whoever runs the checks, and never guessed.

Rules of this file: each field is one thing that some stack does to every request, whatever its port does;
what breaks a sign-in, or tells a secret, is no field.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable
from contextvars import ContextVar
from typing import Final

import attrs

__all__ = ["Tolerance", "tolerated", "tolerating"]


def _kept(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names)


def _lowered(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)


@attrs.frozen
class Tolerance:
    """The differences that the checks accept. By default none.

    `added_headers`: names of headers that the stack adds to every request (`fetch` adds some of `Accept`,
    `Accept-Language`, `Sec-Fetch-Mode`, ...). A header with a credential is never accepted. `header_case`:
    the stack writes the names of headers with upper and lower case of its own. `header_order`: it sends
    headers in an order of its own. `unknown_names`: it does not tell an unknown host name from an unreachable
    host, so that the cause may be `connect`. `target_form`: it writes the target of a URL in an equivalent
    form of its own: escapes in capitals, no dot segments, no empty query. `tls`: whether it has TLS in the
    test. `methods`: the methods that it refuses to send.
    """

    added_headers: frozenset[str] = attrs.field(default=frozenset[str](), converter=_lowered)
    header_case: bool = False
    header_order: bool = False
    unknown_names: bool = False
    target_form: bool = False
    tls: bool = True
    methods: frozenset[str] = attrs.field(default=frozenset[str](), converter=_kept)

    def __attrs_post_init__(self) -> None:
        if credentials := self.added_headers & CREDENTIALS:
            raise ValueError(f"a stack that adds {', '.join(sorted(credentials))} cannot be used")


CREDENTIALS: Final = frozenset({"authorization", "proxy-authorization", "cookie"})
"""Headers that nobody may add."""

_TOLERATED: ContextVar[Tolerance] = ContextVar("codex_oauth_tolerated", default=Tolerance())  # noqa: B039  # it is frozen


def tolerated() -> Tolerance:
    """What the check that runs here passes over."""
    return _TOLERATED.get()


@contextlib.contextmanager
def tolerating(tolerance: Tolerance) -> Generator[None]:
    """Checks that run in the block accept these differences."""
    before = _TOLERATED.set(tolerance)
    try:
        yield
    finally:
        _TOLERATED.reset(before)
