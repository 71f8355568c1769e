"""What all connections of one sign-in share: where the redirect comes, and whether it has come.

Rules of this file: only the genuine redirect changes a gate, and only once (RFC 9700 §4.7.1).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlsplit

import attrs

from codex_oauth_core.callback import Accepted, CallbackRule
from codex_oauth_core.secret import Secret

__all__ = ["CallbackGate"]

_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_HTTP_PORT: Final = 80
_AS_SENT: Final = "!#$%&*+,/:;=?@[]^{|}"
"""What a target holds besides letters, digits and `-._~`. A paste may hold other characters as well, from
a terminal's wraps and quotes, and there they do not count; in a target everything counts.
"""


@attrs.define(eq=False)
class CallbackGate:
    """One sign-in's gate, shared by its connections. Not thread-safe by itself.

    `accepted` is the genuine redirect once it has come; afterwards nothing is judged any more.
    Raises ValueError for a rule whose redirect URI is no URI.
    """

    rule: CallbackRule = attrs.field(on_setattr=attrs.setters.frozen)
    accepted: Accepted | None = attrs.field(default=None, init=False)
    path: bytes = attrs.field(init=False, repr=False)
    hosts: frozenset[bytes] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        uri = urlsplit(self.rule.redirect_uri)
        port = uri.port or _HTTP_PORT
        names = [f"{name}:{port}" for name in _LOOPBACK]
        names += _LOOPBACK if port == _HTTP_PORT else ()
        self.path = uri.path.encode()
        self.hosts = frozenset(name.encode() for name in names)

    def admit(self, target: Secret[bytes]) -> Accepted | None:
        """The redirect that a request target is, the first time it is the genuine one; else None."""
        if self.accepted is not None:
            return None
        verdict = self.rule.judge_redirect(quote(target.reveal(), safe=_AS_SENT))
        if isinstance(verdict, Accepted):
            self.accepted = verdict
        return self.accepted
