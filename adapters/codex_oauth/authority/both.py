"""Two authorities at one address: the Codex dialect and the official sign-in, told apart by their paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from codex_oauth.authority.authority import Authority
from codex_oauth.authority.chatgpt.hostile import ChatGptFault, HostileAnswer, chatgpt_fault
from codex_oauth.authority.chatgpt.peer import ChatGptAuthority
from codex_oauth.authority.faults import Fault, read_rows
from codex_oauth.authority.faults_file import codex_fault
from codex_oauth.authority.messages import Answer
from codex_oauth.authority.models.conversation import Conversation
from codex_oauth.authority.models.misfortunes import ModelFault
from codex_oauth_core.effects import Request

__all__ = ["BothAuthorities", "read_both_faults"]


@attrs.define(eq=False, kw_only=True)
class BothAuthorities:
    """Serves two authorities: each request goes to the authority that has its path, and any other request
    goes to `codex`.
    """

    max_body: ClassVar[int] = ChatGptAuthority.max_body
    codex: Authority = attrs.field(factory=Authority)
    chatgpt: ChatGptAuthority = attrs.field(factory=ChatGptAuthority)

    def handle(self, request: Request, now: float, wall: float) -> Answer:
        """Answer a request that came at `now` (monotonic) and `wall` (Unix time), in seconds."""
        rules = self.chatgpt if self._is_chatgpts(request) else self.codex
        return rules.handle(request, now, wall)

    def upgrade(self, request: Request, now: float, wall: float) -> Answer | Conversation:
        """The WebSocket that a request opens, or the answer that refuses it: see `handle`."""
        if self._is_chatgpts(request):
            return self.chatgpt.handle(request, now, wall)
        return self.codex.upgrade(request, now, wall)

    def _is_chatgpts(self, request: Request) -> bool:
        path = request.url.partition("://")[2].partition("/")[2].partition("?")[0]
        return self.chatgpt.serves(f"/{path}")


_Row = tuple[Fault | ModelFault | None, ChatGptFault | HostileAnswer | None]


def read_both_faults(
    text: str | bytes,
) -> tuple[tuple[Fault | ModelFault, ...], tuple[ChatGptFault | HostileAnswer, ...]]:
    """The faults of both authorities in one JSON file. Each row names its authority: `{"provider": "codex",
    …}`.

    The rest of a row is as in `read_faults` or `read_chatgpt_faults`. For anything else, ValueError with the
    place.
    """
    rows = read_rows(text, _row)
    codex = tuple(fault for fault, _ in rows if fault is not None)
    return codex, tuple(fault for _, fault in rows if fault is not None)


def _row(row: Mapping[str, Any]) -> _Row:
    rest = {name: value for name, value in row.items() if name != "provider"}
    match row.get("provider"):
        case "codex":
            return codex_fault(rest), None
        case "chatgpt":
            return None, chatgpt_fault(rest)
        case _:
            raise ValueError("provider: codex or chatgpt")
