"""All that goes on the wire for Codex, driven out of the flows: `python -m tests.conformance.codex_wire` writes it down.

Rules of this file: a request is taken from the flow that sends it, and never from what builds it; one run for each thing
that a request depends on. Look at a difference before it is kept: it is a server that sees it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import attrs

from codex_oauth import MemoryStore, TokenSource, run
from codex_oauth.cli.status_check import ask_server
from codex_oauth.testing import FakeWorld, Reply, scripted
from codex_oauth_core import (
    CODEX,
    BrowserFlow,
    CallbackReceived,
    Cause,
    Credential,
    DeviceFlow,
    Phase,
    Pkce,
    Provider,
    Record,
    Renewal,
    Request,
    RequestFailed,
    Revocation,
    Secret,
    SendRequest,
    Started,
    Wait,
    __version__,
)
from codex_oauth_core.callback import Accepted
from codex_oauth_core.effects import BrowserPrompt
from codex_oauth_core.pkce import s256
from tests.core.storing import CURRENT, EXPIRED, StoreWorld
from tests.support import CLAIMS, PENDING, T0, W0, account_token, approved, as_json, issued, jwt, tokens

__all__ = ["RECORDED", "main", "on_the_wire"]

RECORDED: Final = Path(__file__).resolve().parent / "codex_wire.json"
OTHER: Final = CODEX.at("http://127.0.0.1:4321/tenant")
NAMED: Final = attrs.evolve(CODEX, originator="somebody's tool")
PAIR: Final = Pkce(Secret("pair-verifier".ljust(43, "-")), s256("pair-verifier".ljust(43, "-")))
STATE: Final = Secret("state&+ ".ljust(43, "="))
UNWANTED: Final = tokens(access_token=account_token("acct_other"))
WITHOUT_REFRESH: Final = tokens(refresh_token=...)
OK: Final = as_json(200, {})


def _told(request: Request) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.url,
        "headers": [[name, value.replace(__version__, "VERSION")] for name, value in request.plain_headers()],
        "body": request.body.reveal().decode("ascii"),
    }


def _device(provider: Provider, *replies: Reply, workspaces: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    world = FakeWorld(scripted((issued(user_code="ABCD-12345 "), *replies)))
    run(DeviceFlow(provider=provider, workspaces=workspaces), world)
    return [_told(sent.request) for sent in world.requests]


def _browser(provider: Provider, redirect_uri: str, workspaces: tuple[str, ...] = ()) -> dict[str, Any]:
    flow = BrowserFlow(
        provider=provider, redirect_uri=redirect_uri, pkce=PAIR, state=STATE, workspaces=workspaces
    )
    wait = flow.receive(Started(T0, W0))
    assert isinstance(wait, Wait)
    assert isinstance(wait.prompt, BrowserPrompt)
    assert wait.callback is not None
    accepted = wait.callback.judge(f"{redirect_uri}?code=c%2B1~&state=state%26%2B%20{'=' * 35}")
    assert isinstance(accepted, Accepted)
    sent = flow.receive(CallbackReceived(T0, accepted.query))
    assert isinstance(sent, SendRequest)
    return {"authorize": wait.prompt.authorize_url.reveal(), "exchange": _told(sent.request)}


def _stored(provider: Provider) -> Record:
    bound = attrs.evolve(EXPIRED.credential, issuer=provider.issuer, client_id=provider.client_id)
    return attrs.evolve(EXPIRED, credential=bound)


def _refresh(provider: Provider) -> list[dict[str, Any]]:
    world = StoreWorld(_stored(provider), [tokens()])
    world.run(Renewal(provider=provider))
    return [_told(request) for request in world.requests]


def _revocation(provider: Provider) -> list[dict[str, Any]]:
    world = StoreWorld(_stored(provider), [OK])
    world.run(Revocation(provider=provider))
    return [_told(request) for request in world.requests]


def _api(provider: Provider, credential: Credential) -> list[list[str]]:
    store = MemoryStore()
    store.slot("acct_fake").rescue(Record(credential))
    store.select("acct_fake")
    with TokenSource(store, account_id="acct_fake", provider=provider) as source:
        return [list(pair) for pair in source.headers_of(credential).items()]


def _status_check() -> dict[str, Any]:
    asked: list[Request] = []

    def transport(effect: SendRequest, stopped: Callable[[], bool]) -> RequestFailed:
        asked.append(effect.request)
        return RequestFailed(T0, Phase.NOT_SENT, Cause.CONNECT)

    ask_server(CURRENT.credential, transport)
    (request,) = asked
    return _told(request)


def _of_fedramp(**beside: Any) -> Credential:
    token = jwt({CLAIMS: {"chatgpt_account_id": "acct_fake", **beside}})
    return attrs.evolve(EXPIRED.credential, id_token=Secret(token))


def _runs() -> Iterator[tuple[str, Any]]:
    for name, provider in (("codex", CODEX), ("another issuer", OTHER), ("an originator", NAMED)):
        yield f"device, {name}", _device(provider, PENDING, approved(), tokens())
        yield f"browser, {name}", _browser(provider, "http://localhost:1455/auth/callback")
        yield f"refresh, {name}", _refresh(provider)
        yield f"logout, {name}", _revocation(provider)
        yield f"api, {name}", _api(provider, EXPIRED.credential)
    yield "device, not wanted", _device(CODEX, approved(), UNWANTED, OK, workspaces=("acct_fake",))
    yield "device, without a refresh token", _device(CODEX, approved(), WITHOUT_REFRESH, OK)
    yield "browser, workspaces", _browser(CODEX, "http://127.0.0.1:1457/auth/callback", ("ws 1", "ws2"))
    yield "api, fedramp", _api(CODEX, _of_fedramp(chatgpt_account_is_fedramp=True))
    yield "api, no fedramp", _api(CODEX, _of_fedramp())
    yield "api, status --check", _status_check()


def on_the_wire() -> dict[str, Any]:
    """What is sent now, by what is run."""
    return dict(_runs())


def main() -> int:
    """Write down what is sent now; how many runs."""
    found = on_the_wire()
    RECORDED.write_text(json.dumps(found, indent=1) + "\n", encoding="ascii", newline="\n")
    return len(found)


if __name__ == "__main__":
    print(f"{main()} runs")
    sys.exit(0)
