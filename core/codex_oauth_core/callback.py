"""What a genuine redirect back from the browser looks like, as data."""

from __future__ import annotations

import attrs

from codex_oauth_core.secret import Secret

__all__ = ["CallbackRule"]


@attrs.frozen
class CallbackRule:
    """What a redirect must match: the URI it comes to, our `state` (or it plus one of
    `state_suffixes`), and `issuer` where the redirect names one (RFC 9207).
    """

    redirect_uri: str
    state: Secret[str]
    state_suffixes: tuple[str, ...]
    issuer: str
