"""Two authorities at one address: the Codex dialect and the official sign-in, told apart by their paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from codex_oauth.authority.authority import Authority
from codex_oauth.authority.chatgpt.hostile import ChatGptFault, HostileAnswer, chatgpt_fault
from codex_oauth.authority.chatgpt.peer import ChatGptAuthority
from codex_oauth.authority.faults import Fault, read_rows
from codex_oauth.authority.messages import Answer
from codex_oauth_core.effects import Request

__all__ = ["BothAuthorities", "read_both_faults"]


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


_Row = tuple[Fault | None, ChatGptFault | HostileAnswer | None]


def read_both_faults(
    text: str | bytes,
) -> tuple[tuple[Fault, ...], tuple[ChatGptFault | HostileAnswer, ...]]:
    """The faults of each authority in one JSON file, whose rows say which: `{"provider": "codex", …}`.

    The rest of a row is as in `read_faults` or `read_chatgpt_faults`. ValueError that names the place for
    anything else.
    """
    rows = read_rows(text, _row)
    codex = tuple(fault for fault, _ in rows if fault is not None)
    return codex, tuple(fault for _, fault in rows if fault is not None)


def _row(row: Mapping[str, Any]) -> _Row:
    rest = {name: value for name, value in row.items() if name != "provider"}
    match row.get("provider"):
        case "codex":
            return Fault.of_row(rest), None
        case "chatgpt":
            return None, chatgpt_fault(rest)
        case _:
            raise ValueError("provider: codex or chatgpt")
