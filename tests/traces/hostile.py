"""Servers that answer anything, each text of theirs a canary, and what can be read of a trace."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from hypothesis import strategies as st

from codex_oauth.testing import Lost, Reply
from codex_oauth_core import Cause, Phase
from codex_oauth_core.pkce import s256
from codex_oauth_core.reading.json_body import as_object
from tests.support import (
    CODE,
    DEVICE_ID,
    PENDING,
    VERIFIER,
    account_token,
    approved,
    as_json,
    code,
    issued,
    tokens,
)

__all__ = ["MARK", "answers", "canaries", "claims_of", "sign_ins", "unfolded"]

MARK: Final = "canary"

_texts: Final = st.text(max_size=12).map(lambda text: f"{MARK}-{text}")
_words: Final = st.from_regex(r"[a-z0-9_]{1,16}", fullmatch=True).map(lambda text: f"{MARK}_{text}")
_codes: Final = (
    _words
    | _texts
    | st.sampled_from(
        ["slow_down", "access_denied", "expired_token", "invalid_grant", "deviceauth_not_found"]
    )
)
_numbers: Final = st.integers(-1, 10**9) | st.floats(0, 1e9) | st.sampled_from(["5", "7.5", 0, None, True])
_tokens: Final = _words | st.builds(
    account_token,
    _words,
    _words,
    exp=st.integers(0, 5 * 10**9),
    email=_words.map(lambda at: f"{at}@example.com"),
)
_values: Final = st.one_of(_texts, _words, _numbers, st.lists(_texts, max_size=2))
_bodies: Final = st.fixed_dictionaries(
    {},
    optional={
        "error": _codes
        | st.fixed_dictionaries(
            {}, optional={"code": _codes, "message": _texts, "type": _codes, "interval": _numbers}
        ),
        "error_description": _texts,
        "code": _codes,
        "device_auth_id": _words,
        "user_code": _words.map(lambda text: text[:40]) | _texts,
        "interval": _numbers,
        "expires_in": _numbers,
        "expires_at": _values,
        "authorization_code": _words,
        "code_verifier": _words.map(lambda text: text.ljust(43, "-")),
        "access_token": _tokens,
        "refresh_token": _words,
        "id_token": _tokens,
        "token_type": st.sampled_from(["Bearer", "canary"]),
        "earliest_refresh_at": _numbers,
        "canary": _values,
    },
)
_headers: Final = st.fixed_dictionaries(
    {},
    optional={
        "Retry-After": st.sampled_from(["3", "90", "0", "-1", "canary", "Fri, 15 Jan 2027 08:01:07 GMT"]),
        "Date": st.sampled_from(["Fri, 15 Jan 2027 08:00:07 GMT", "canary"]),
        "Content-Type": st.sampled_from(["application/json", "text/html; canary"]),
        "X-Canary": _texts,
        "cf-mitigated": st.just("canary"),
        "Set-Cookie": _texts,
    },
)
_statuses: Final = st.sampled_from(
    [200, 200, 201, 302, 400, 401, 403, 404, 407, 408, 429, 500, 503]
) | st.integers(100, 599)


def _as_reply(status: int, body: dict[str, Any], headers: dict[str, str]) -> Reply:
    return Reply(status, json.dumps(body).encode(), headers)


answers: Final[st.SearchStrategy[Reply | Lost]] = st.one_of(
    st.builds(_as_reply, _statuses, _bodies, _headers),
    st.builds(Reply, _statuses, st.binary(max_size=40).map(lambda data: b"canary" + data), _headers),
    st.builds(Lost, st.sampled_from(Cause), st.sampled_from(Phase)),
)
"""What may come for any request."""

_good: Final[st.SearchStrategy[Reply | Lost]] = st.sampled_from(
    [PENDING, code("slow_down", 400), code("canary_odd", 403), as_json(403, {}), Lost()]
)


@st.composite
def sign_ins(draw: st.DrawFn) -> list[Reply | Lost]:
    """The answers of a sign-in that comes some way before the server turns hostile."""
    way: list[Reply | Lost] = [issued(user_code="CANARY-1234", interval=draw(_numbers))]
    way += [*draw(st.lists(_good, max_size=4)), approved(), tokens(email="canary@example.com")]
    kept = way[: draw(st.integers(0, len(way)))]
    return [*kept, *draw(st.lists(answers, max_size=12))]


def canaries(replies: list[Reply | Lost]) -> set[str]:
    """Each text that these answers hold: of JSON every string and name, and what is in its tokens."""
    found: set[str] = set()
    for reply in replies:
        if isinstance(reply, Reply):
            found |= set(reply.headers.values())
            found |= set(_strings(reply.body))
    return found | {CODE, VERIFIER, DEVICE_ID, s256(VERIFIER)}


def _strings(body: bytes) -> list[str]:
    try:
        value = json.loads(body)
    except ValueError:
        return []
    return list(_inside(value))


def _inside(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value, *(text for part in claims_of(value) for text in _inside(part))]
    inner: list[Any] = list(as_object(value).values())
    inner += value if isinstance(value, list) else []
    return [text for each in inner for text in _inside(each)]


def claims_of(token: str) -> list[Any]:
    """The payload of what looks like a JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return []
    try:
        return [json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))]
    except ValueError:
        return []


def unfolded(text: str) -> str:
    """A trace with every body and every token in it opened, and all in lower case."""
    opened = [text]
    for line in text.splitlines():
        body = json.loads(line).get("event", {}).get("body", "")
        opened += [body, *_strings(body.encode())]
    return "\n".join(opened).lower()
