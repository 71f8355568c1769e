"""An authority as the server of a fake world: its real rules, in virtual time."""

from __future__ import annotations

from codex_oauth.authority.endpoints import Rules
from codex_oauth.authority.messages import Answer
from codex_oauth.testing.fake_world import Lost, Reply, Server
from codex_oauth_core.effects import Request
from codex_oauth_core.events import Cause, Phase

__all__ = ["answered_by"]


def answered_by(authority: Rules) -> Server:
    """A server that answers by the rules of `authority` and with scripted faults."""

    def respond(request: Request, at: float, wall: float) -> Reply | Lost:
        return _as_seen(authority.handle(request, at, wall))

    return respond


def _as_seen(answer: Answer) -> Reply | Lost:
    """The answer as a client sees it, after what befalls it on the way."""
    if answer.reset or answer.truncate is not None:
        cause = Cause.RESET if answer.reset else Cause.TRUNCATED
        return Lost(cause, Phase.MAYBE_SENT, answer.delay)
    return Reply(answer.status, answer.body.reveal(), dict(answer.headers), answer.duration)
