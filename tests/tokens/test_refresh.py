"""`refresh()` and `arefresh()`: one exchange without a store, and nothing that was issued is lost."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable
from typing import Any

import anyio
import attrs
import pytest

from codex_oauth import HttpxWorld, RefreshIncomplete, arefresh, refresh
from codex_oauth.authority import Fault, serve
from codex_oauth.testing import FakeWorld, Lost, Reply, scripted
from codex_oauth_core import (
    CODEX,
    Cause,
    Credential,
    ErrorKind,
    Phase,
    Provider,
    ResponseReceived,
    Secret,
    SendRequest,
    SignInError,
)
from codex_oauth_core.facts import Granted, Refusal, Tokens
from tests.support import as_json, code, page, tokens
from tests.tokens.rig import eventually, renewals, rig, signed_in, when_sent

OLD = "canary-refresh-token-old"
NEW = "canary-refresh-token-5566"

Refresh = Callable[..., Credential]


def _in(backend: str) -> Refresh:
    async def call(token: str | Secret[str], options: dict[str, Any]) -> Credential:
        return await arefresh(token, **options)

    def way(token: str | Secret[str], **options: Any) -> Credential:
        return anyio.run(call, token, options, backend=backend)

    return way


everywhere = pytest.mark.parametrize(
    "way", [refresh, _in("asyncio"), _in("trio")], ids=["sync", "asyncio", "trio"]
)


def world_of(*replies: Reply | Lost) -> FakeWorld:
    return FakeWorld(scripted(replies))


@everywhere
def test_a_refresh_token_becomes_a_credential(way: Refresh) -> None:
    made = rig()
    old = made.stored.credential
    assert old.refresh_token is not None
    new = way(old.refresh_token, make_world=lambda: made.world)
    assert (new.account_id, new.issuer, new.client_id) == (old.account_id, old.issuer, old.client_id)
    assert new.access_token != old.access_token
    assert new.refresh_token not in (None, old.refresh_token)
    assert new.expires_at is not None
    assert made.refreshes == 1


@everywhere
@pytest.mark.parametrize("wrap", [str, Secret])
def test_it_is_one_exchange_that_nothing_cuts(way: Refresh, wrap: Callable[[str], Any]) -> None:
    world = world_of(tokens())
    assert way(wrap(OLD), make_world=lambda: world).refresh_token == Secret(NEW)
    (effect,) = (effect for _, effect in world.performed)
    assert isinstance(effect, SendRequest)
    assert effect.once
    assert OLD.encode() in effect.request.body.reveal()
    assert CODEX.client_id.encode() in effect.request.body.reveal()


def test_without_a_new_refresh_token_the_old_one_stays() -> None:
    got = refresh(OLD, make_world=lambda: world_of(tokens(refresh_token=...)))
    assert got.refresh_token == Secret(OLD)


@pytest.mark.parametrize("value", ["", "a b", ["canary"], 7])
def test_with_a_new_refresh_token_of_no_use_none_is_left(value: Any) -> None:
    got = refresh(OLD, make_world=lambda: world_of(tokens(refresh_token=value)))
    assert got.refresh_token is None


def test_the_account_may_be_told_where_the_tokens_do_not() -> None:
    opaque = tokens(access_token="canary-opaque", id_token=...)
    got = refresh(OLD, account_id="acct_told", make_world=lambda: world_of(opaque))
    assert got.account_id == "acct_told"


def test_a_login_of_no_account_is_a_login() -> None:
    got = refresh(OLD, make_world=lambda: world_of(tokens(access_token="canary-opaque", id_token=...)))
    assert (got.account_id, got.user_id) == (None, None)


@pytest.mark.parametrize(
    ("reply", "account_id", "kind"),
    [
        (tokens(), "acct_other", ErrorKind.ACCOUNT_CHANGED),
        (tokens(access_token=...), None, ErrorKind.INVALID_RESPONSE),
        (tokens(access_token="canary with spaces"), None, ErrorKind.INVALID_RESPONSE),
        (tokens(token_type="mac"), None, ErrorKind.INVALID_RESPONSE),
    ],
)
def test_what_was_issued_is_in_the_error_where_it_is_no_credential(
    reply: Reply, account_id: str | None, kind: ErrorKind
) -> None:
    with pytest.raises(RefreshIncomplete) as raised:
        refresh(OLD, account_id=account_id, make_world=lambda: world_of(reply))
    assert raised.value.kind is kind
    assert raised.value.refresh_token == Secret(NEW)
    assert (raised.value.access_token is None) == (kind is ErrorKind.INVALID_RESPONSE)
    assert isinstance(raised.value, SignInError)
    _shows_nothing(raised.value)


@everywhere
@pytest.mark.parametrize(
    ("reply", "kind", "uncertain"),
    [
        (code("refresh_token_reused", 401), ErrorKind.LOGIN_REQUIRED, None),
        (code("invalid_client", 401), ErrorKind.CLIENT_REJECTED, None),
        (code("canary-refresh-token-old", 400), ErrorKind.INVALID_RESPONSE, None),
        (page(403), ErrorKind.BLOCKED, None),
        (as_json(429, {}), ErrorKind.RATE_LIMITED, None),
        (as_json(500, {}), ErrorKind.NETWORK, True),
        (as_json(200, {}), ErrorKind.INVALID_RESPONSE, True),
        (Lost(Cause.DNS, Phase.NOT_SENT), ErrorKind.NETWORK, None),
        (Lost(Cause.TLS_CERTIFICATE, Phase.NOT_SENT), ErrorKind.TLS_UNTRUSTED, None),
        (Lost(Cause.RESET, Phase.MAYBE_SENT), ErrorKind.NETWORK, True),
        (Reply(200, b"{}", delay=60), ErrorKind.NETWORK, True),
    ],
)
def test_a_failure_is_raised_and_says_whether_the_token_may_be_spent(
    way: Refresh, reply: Reply | Lost, kind: ErrorKind, uncertain: bool | None
) -> None:
    world = world_of(reply)
    with pytest.raises(SignInError) as raised:
        way(OLD, make_world=lambda: world)
    assert raised.value.kind is kind
    assert raised.value.details.get("uncertain") is uncertain
    assert not isinstance(raised.value, RefreshIncomplete)
    assert len(world.requests) == 1
    _shows_nothing(raised.value)


def _shows_nothing(error: SignInError) -> None:
    frames = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [line for line in frames.format() if "codex_oauth" in line]
    shown = f"{error!r} {error} {error.to_dict()} {ours}"
    assert "canary" not in shown


def test_over_http_with_the_usual_world() -> None:
    made = rig(Fault(endpoint="usercode", requests="2"))
    with serve(made.authority) as server:
        provider = CODEX.at(server.url)
        credential = signed_in(made.world)
        assert credential.refresh_token is not None
        got = refresh(credential.refresh_token, provider)
        assert got.issuer == server.url
        assert got.refresh_token is not None
        assert anyio.run(arefresh, got.refresh_token, provider).account_id == got.account_id


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_scope_still_gets_what_was_issued(backend: str) -> None:
    made = rig()
    made.gate.clear()
    token = made.stored.credential.refresh_token
    assert token is not None
    got: list[Credential] = []

    async def main() -> None:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(cancel, scope)
                got.append(await arefresh(token, make_world=lambda: made.world))

    async def cancel(scope: anyio.CancelScope) -> None:
        await anyio.to_thread.run_sync(eventually, lambda: made.sent)
        scope.cancel()
        made.gate.set()

    anyio.run(main, backend=backend)
    assert [credential.account_id for credential in got] == [made.stored.credential.account_id]


def test_an_interrupt_does_not_cut_the_request() -> None:
    made = rig()
    made.gate.clear()
    token = made.stored.credential.refresh_token
    assert token is not None
    interrupting = when_sent(made, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        refresh(token, make_world=lambda: made.world)
    interrupting.join()
    made.gate.set()
    eventually(lambda: renewals() == [])
    assert made.refreshes == 1


def test_the_usual_world_is_httpx() -> None:
    from codex_oauth.clock import now
    from codex_oauth.worlds.lazy_world import UsualWorld

    assert isinstance(UsualWorld(now)(), HttpxWorld)


def test_a_grant_that_the_dialect_refuses_is_handed_out_as_an_error() -> None:
    refusal = Refusal(ErrorKind.INVALID_RESPONSE, reason="audience")

    def read(provider: Provider, answer: ResponseReceived) -> Granted:
        return Granted(Tokens(Secret("new-access"), Secret(NEW), refusal=refusal))

    provider = attrs.evolve(CODEX, dialect=attrs.evolve(CODEX.dialect, read_refresh=read))
    with pytest.raises(RefreshIncomplete) as raised:
        refresh(OLD, provider, make_world=lambda: world_of(tokens()))
    assert (raised.value.kind, raised.value.details) == (ErrorKind.INVALID_RESPONSE, {"reason": "audience"})
    assert (raised.value.refresh_token, raised.value.access_token) == (Secret(NEW), Secret("new-access"))
