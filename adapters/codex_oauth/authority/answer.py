"""What the authority answers, and how that answer travels: late, cut short, or not at all."""

from __future__ import annotations

import attrs

from codex_oauth_core.codex.render import Rendered
from codex_oauth_core.events import Cause, Phase, RequestFailed, ResponseReceived
from codex_oauth_core.secret import Secret

__all__ = ["Answer"]


@attrs.frozen(kw_only=True)
class Answer:
    """A status, headers and a body, and what befalls them on the way.

    `delay` is seconds before the first byte. `truncate` is how many bytes of the body are sent, fewer
    than its Content-Length says. `reset`: the connection is then reset; without `truncate`, before any
    byte. The body is secret, because it may hold tokens; a Location may hold a code.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    body: Secret[bytes] = attrs.field(factory=lambda: Secret(b""))
    delay: float = 0.0
    reset: bool = False
    truncate: int | None = None

    @classmethod
    def of(cls, rendered: Rendered) -> Answer:
        """The answer that a dialect rendered."""
        return cls(status=rendered.status, headers=rendered.headers, body=rendered.body)

    def header(self, name: str) -> str | None:
        """A header's value by its name in any case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def received(self, sent_at: float, at: float, wall: float) -> ResponseReceived | RequestFailed:
        """The event at a client that began its request at `sent_at` and whose last byte came at `at`."""
        if self.reset or self.truncate is not None:
            return RequestFailed(at, Phase.MAYBE_SENT, Cause.RESET if self.reset else Cause.TRUNCATED)
        headers = {name.lower(): value for name, value in self.headers}
        return ResponseReceived(sent_at, at, wall, self.status, headers, self.body)
