"""Two authorities at one address: the Codex dialect and the official sign-in, told apart by their paths."""

from __future__ import annotations

from typing import ClassVar

import attrs

from codex_oauth.authority.authority import Authority
from codex_oauth.authority.chatgpt.peer import ChatGptAuthority
from codex_oauth.authority.messages import Answer
from codex_oauth_core.effects import Request

__all__ = ["BothAuthorities"]


@attrs.define(eq=False, kw_only=True)
class BothAuthorities:
    """Each request goes to the authority whose path it is; what is nobody's goes to `codex`."""

    max_body: ClassVar[int] = ChatGptAuthority.max_body
    codex: Authority = attrs.field(factory=Authority)
    chatgpt: ChatGptAuthority = attrs.field(factory=ChatGptAuthority)

    def handle(self, request: Request, now: float, wall: float) -> Answer:
        """The answer to a request that came at `now` (monotonic) and `wall` (Unix time), in seconds."""
        path = request.url.partition("://")[2].partition("/")[2].partition("?")[0]
        rules = self.chatgpt if self.chatgpt.serves(f"/{path}") else self.codex
        return rules.handle(request, now, wall)
