"""Ask a world twice, for a request that may be cut and for one that is `once`: it says the same of both.

Rules of this file: no socket is left behind by either.
"""

from __future__ import annotations

from codex_oauth.clock import instant, now
from codex_oauth_core import Cause, Phase, RequestFailed, ResponseReceived, SendRequest
from tests.transport.servers import Script, Server, no_new_sockets, post
from tests.transport.worlds import WORLDS

__all__ = ["LIMIT", "answered", "failed", "https", "over_https", "performed"]

LIMIT = 5.0
SOON = 60.0
Said = ResponseReceived | RequestFailed


def performed(world: str, effect: SendRequest) -> Said:
    """What one request comes to."""
    event = WORLDS[world](effect, now)
    assert isinstance(event, ResponseReceived | RequestFailed), event
    return event


def failed(world: str, url: str, timeout: float = LIMIT) -> tuple[Phase, Cause]:
    """How it failed."""
    said = _twice(world, url, timeout)
    assert isinstance(said, RequestFailed), said
    return said.phase, said.cause


def answered(world: str, url: str) -> bytes:
    """The body of the answer."""
    said = _twice(world, url, LIMIT)
    assert isinstance(said, ResponseReceived), said
    return said.body.reveal()


def over_https(
    world: str, script: Script, timeout: float = LIMIT, *, from_its_first_byte: bool = False
) -> bytes | tuple[Phase, Cause]:
    """What a server comes to that is asked by https, and that does what TLS it knows by itself. `from_its_first_byte`
    is from where the limit runs: else from the start.
    """
    with no_new_sockets(), Server(script) as server:
        said = _twice(world, https(server.url), timeout, SOON if from_its_first_byte else None)
        assert server.connections == 2
    return (said.phase, said.cause) if isinstance(said, RequestFailed) else said.body.reveal()


def https(url: str) -> str:
    """The same by https."""
    return url.replace("http", "https", 1)


def _twice(world: str, url: str, timeout: float, write_within: float | None = None) -> Said:
    def once_more(once: bool) -> Said:
        write_by = None if write_within is None else instant() + write_within
        return performed(world, post(url, timeout, once=once, write_by=write_by))

    with no_new_sockets():
        said, again = once_more(False), once_more(True)
    assert _outcome(said) == _outcome(again)
    return said


def _outcome(said: Said) -> tuple[object, ...]:
    if isinstance(said, RequestFailed):
        return said.phase, said.cause, said.setting
    return said.status, said.body
