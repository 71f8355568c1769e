"""Answers to a refresh token and stored logins for tests, and what must hold for every byte string.

Rules of this file: what a success, a refusal and a usable token are is spelled out here a second time,
without the readers' own code, so that what they conclude can be held against it.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any, Final

import attrs

from codex_oauth import MemoryStore, StoringWorld, run
from codex_oauth.testing import FakeWorld, Reply
from codex_oauth_core import CODEX, ErrorKind, Record, Renewal, Request, SignInError
from codex_oauth_core.record import LONGEST_RECORD, read_record, write_record
from tests.faults.runs import ACCOUNT, OLD, Fate, Ran, login, put
from tests.support import account_token

__all__ = ["ANSWERS", "RECORDS", "as_bytes", "check_answer", "check_record"]

ISSUER: Final = "http://127.0.0.1:9"
_USABLE: Final = re.compile(r"[\x21-\x7e]{1,16384}")


def as_bytes(status: int, body: Any, retry_after: str = "", kind: str = "application/json") -> bytes:
    """An answer as one byte string: two lines, and the body."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"{status} {kind}\n{retry_after}\n".encode() + data


_TOKENS: Final = {
    "access_token": account_token(marker="new"),
    "refresh_token": "canary-refresh-new",
    "id_token": account_token(marker="id"),
    "expires_in": 864_000,
    "token_type": "Bearer",
}
_OTHER: Final = account_token("acct_other")
ANSWERS: Final = (
    as_bytes(200, _TOKENS),
    as_bytes(200, {**_TOKENS, "access_token": _OTHER, "expires_in": "7"}),
    as_bytes(200, {"access_token": _OTHER}),
    as_bytes(400, {"error": "invalid_grant"}),
    as_bytes(401, {"error": {"code": "refresh_token_reused", "message": "canary prose"}}),
    as_bytes(403, b"<html>canary", kind="text/html"),
    as_bytes(503, {"error": {"code": "token_revoked"}}),
    as_bytes(429, {}, "7"),
    as_bytes(503, {}, "Fri, 15 Jan 2027 08:01:07 GMT"),
)


def _parsed(data: bytes) -> Reply:
    first, _, rest = data.partition(b"\n")
    second, _, body = rest.partition(b"\n")
    number, _, kind = first.decode("latin-1").partition(" ")
    status = int(number) % 1000 if re.fullmatch(r"[0-9]{1,9}", number) else 200
    headers = {"content-type": kind, "retry-after": second.decode("latin-1")}
    return Reply(status, body, {name: value for name, value in headers.items() if value})


def check_answer(data: bytes) -> None:
    """What holds for any answer: a renewal ends, tells no secret, leaves the login in one of five ways, each
    only where the answer allows it, and what it stores can be read again.
    """
    reply, requests = _parsed(data), 0

    def server(request: Request, at: float, wall: float) -> Reply:
        nonlocal requests
        requests += 1
        assert OLD in request.body.reveal().decode()
        return reply

    store, fake = MemoryStore(), FakeWorld(server)
    before = put(store, login(ISSUER, fake.wall, -1.0))
    with StoringWorld(fake, store, before.credential.key) as world:
        outcome = run(Renewal(provider=CODEX.at(ISSUER)), world)
    after = store.slot(before.credential.key).load()
    assert after is not None
    fate = Ran(outcome, before, after, []).fate
    assert fate in _allowed(reply)
    assert requests == 1 or (fate is Fate.INTACT and requests <= 4 and reply.status in (429, 503))
    _tells_nothing(f"{outcome!r} {outcome}", reply)


def _allowed(reply: Reply) -> tuple[Fate, ...]:
    over = [Fate.DEAD] if _is_over(reply.body) else []
    if 200 <= reply.status < 300:
        issued = _issued(reply.body)
        if issued is None and b"{" in reply.body:  # no JSON; a whole object is read all the same
            over = [Fate.RENEWED, Fate.SPENT, *over]
        region = b"unsupported_country_region_territory" in reply.body.lower()
        kept = [Fate.INTACT] if region or _is_for_another(reply.body) else []
        return (Fate.RENEWED, Fate.SPENT, *kept) if issued else (Fate.UNCERTAIN, *kept, *over)
    if reply.status == 429 or not 400 <= reply.status < 500 or reply.status == 408:
        return (Fate.INTACT, *over) if reply.status == 429 else (Fate.UNCERTAIN, Fate.INTACT, *over)
    return (Fate.INTACT, Fate.DEAD)


_OVER: Final = re.compile(
    "refresh_token_(expired|reused|invalidated)|invalid_(grant|refresh_token)|token_(expired|revoked|invalidated)"
    "|app_session_terminated|account_(session_expired|auth_invalidated|deactivated|suspended|deleted)",
    re.IGNORECASE,
)
"""The codes that end a login, wherever they stand."""


def _is_over(body: bytes) -> bool:
    """Whether such a code may be in a body, which may be written with escapes."""
    try:
        text = json.dumps(json.loads(body.decode()), ensure_ascii=False)
    except (ValueError, RecursionError):
        text = body.decode("latin-1")
    return _OVER.search(text) is not None


def _is_for_another(body: bytes) -> bool:
    """Whether a token in it names another account: without a new refresh token the old one is not spent then."""
    return any(_account(part) not in (None, ACCOUNT) for part in _CLAIMS.findall(body))


_CLAIMS: Final = re.compile(rb"\.([A-Za-z0-9_-]+)\.")
"""The claims of what may be a token."""


def _account(part: bytes) -> object:
    try:
        claims: Any = json.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
        return claims["https://api.openai.com/auth"]["chatgpt_account_id"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return None


class _Members(list[tuple[str, object]]):
    """The members of an object, each as often as it came."""


def _issued(body: bytes) -> bool | None:
    """Whether there is a token of use in a body; None if it is no JSON."""
    try:
        value = json.loads(body.decode(), object_pairs_hook=_Members)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, _Members):
        return False
    kind = dict(value).get("token_type")
    bearer = kind is None or (isinstance(kind, str) and kind.lower() == "bearer")
    names = ("refresh_token", "access_token") if bearer else ("refresh_token",)
    found = [each for name, each in value if name in names]
    return any(isinstance(each, str) and _USABLE.fullmatch(each) for each in found)


def _tells_nothing(told: str, reply: Reply) -> None:
    """No token and no prose; an error code is a word, and may be any."""
    assert OLD not in told
    assert "canary-refresh-new" not in told or reply.status >= 300
    assert str(_TOKENS["access_token"]) not in told
    assert "canary prose" not in told
    assert "<html" not in told


RECORDS: Final = (
    write_record(login(ISSUER, 1_800_000_000.0, 100.0)),
    write_record(
        attrs.evolve(login(ISSUER, 1_800_000_000.0, -1.0), uncertain_at=1.5, dead_code="x", spent=True)
    ),
    b'{"schema_version": 2, "credential": "canary"}',
    b"",
)


def check_record(data: bytes) -> None:
    """What holds for any file: it is a login or a typed error that repeats nothing of it, and a login that is
    written again is the same login.
    """
    found = read_record(data)
    if isinstance(found, SignInError):
        assert found.kind is ErrorKind.CORRUPT_AUTH
        assert found.details["reason"]
        assert "canary" not in f"{found!r} {found} {found.to_dict()}"
        return
    assert isinstance(found, Record)
    assert len(data) <= LONGEST_RECORD
    assert OLD not in repr(found)
    written = write_record(found)
    assert read_record(written) == found
    assert write_record(found) == written
