"""What a browser at the authority must prove: that a form was sent from the authority's own page.

Rules of this file: the CSRF token is a keyed hash of the browser's session cookie, so that nothing has
to be remembered; every POST of a page is checked before anything else is looked at.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final

import attrs

from codex_oauth.authority.answer import Answer
from codex_oauth.authority.reading import Call, Rejected
from codex_oauth_core.pkce import base64url
from codex_oauth_core.secret import Secret

__all__ = ["Session", "check_form", "session_of"]

_COOKIE: Final = "authority_session"
_SESSION: Final = re.compile(rf"(?:^|;\s*){_COOKIE}=([A-Za-z0-9_-]{{43}})(?:;|$)", re.ASCII)


@attrs.frozen
class Session:
    """One browser, by its cookie, and the CSRF token of its forms."""

    cookie: Secret[str]
    csrf: Secret[str]
    new: bool

    def remembered(self, answer: Answer) -> Answer:
        """The answer, with the cookie if the browser does not have it yet."""
        if not self.new:
            return answer
        value = f"{_COOKIE}={self.cookie.reveal()}; Path=/; HttpOnly; SameSite=Lax"
        return attrs.evolve(answer, headers=(*answer.headers, ("Set-Cookie", value)))


def session_of(call: Call, key: Secret[bytes], fresh: bytes) -> Session:
    """The session of a request, or a new one made of 32 `fresh` random bytes."""
    found = _SESSION.search(call.headers.get("cookie", ""))
    cookie = found[1] if found else base64url(fresh)
    csrf = base64url(hmac.digest(key.reveal(), cookie.encode(), hashlib.sha256))
    return Session(Secret(cookie), Secret(csrf), new=found is None)


def check_form(call: Call, fields: Mapping[str, str], session: Session) -> None:
    """`Rejected` unless the form came from a page that this browser got from this authority."""
    site = call.headers.get("sec-fetch-site", "same-origin")
    origin = call.headers.get("origin", "null")  # a page with `no-referrer` sends null
    ours = site == "same-origin" and origin in ("null", call.origin)
    if not ours or session.new or Secret(fields.get("csrf", "")) != session.csrf:
        raise Rejected("csrf", "This form is out of date. Open the page again.", 403)
