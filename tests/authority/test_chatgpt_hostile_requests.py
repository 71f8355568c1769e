"""Whatever a client sends to the official sign-in, it is answered: nothing raises, and nothing shows a secret."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.authority import ChatGptAuthority, ChatGptPolicy
from codex_oauth_core import Request, Secret
from tests.authority.chatgpt_client import (
    API,
    ASKED,
    AUTHORIZE,
    DISCOVERY,
    FIRST,
    ISSUER,
    KEYS,
    MODEL,
    REVOKE,
    TOKEN,
    Client,
    way_back,
)
from tests.authority.peer import text
from tests.authority.test_hostile_requests import bodies, headers, methods, queries

PATHS = (
    AUTHORIZE,
    TOKEN,
    REVOKE,
    DISCOVERY,
    KEYS,
    "/v1/models",
    "/v1/responses",
    "/v1/x",
    "/attacker/keys.json",
    "/",
)
values = st.sampled_from((FIRST, "consent", "\ud800", "\r\nX: y", "")) | st.text(max_size=6)
asked = st.dictionaries(st.sampled_from((*ASKED, "client_id", "prompt", "id_token_hint")), values, max_size=3)
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | values, lambda inner: st.lists(inner, max_size=2)
)
bodies_of_models = st.dictionaries(
    st.sampled_from(("model", "input", "store", "stream", "tools", "user", "prompt")),
    json_values | st.lists(st.dictionaries(st.sampled_from(("type", "role")), json_values), max_size=2),
    max_size=3,
)


def whole(client: Client, request: Request) -> int:
    """The status of the answer, which can be sent as it is."""
    answer = client.authority.handle(request, client.now, client.wall)
    assert 200 <= answer.status < 500
    for name, value in answer.headers:
        assert (name + value).isprintable()
        assert (name + value).isascii()
    return answer.status


@given(methods, st.sampled_from(PATHS), queries, headers, bodies)
def test_every_request_gets_a_whole_answer(
    method: str, path: str, query: str, given_headers: list[tuple[str, str]], body: bytes
) -> None:
    client = Client()
    whole(client, Request(method, ISSUER + path + query, tuple(given_headers), Secret(body)))
    assert len(client.authority.requests) == 1


@given(asked)
def test_every_authorization_request_gets_a_whole_answer(changes: dict[str, str]) -> None:
    client = Client()
    query = {**ASKED, "client_id": FIRST, "agent_name_hint": "x", **changes}
    url = f"{ISSUER}{AUTHORIZE}?{urlencode(query, errors='surrogatepass')}"
    assert whole(client, Request("GET", url, (), Secret(b""))) in (303, 400)


SIGNED_IN = Client()
SIGNED_IN.walk_in()


@given(bodies_of_models)
def test_every_model_request_gets_a_whole_answer(changes: dict[str, object]) -> None:
    sent = (
        ("Authorization", f"Bearer {SIGNED_IN.tokens['access_token']}"),
        ("Content-Type", "application/json"),
    )
    body = Secret(json.dumps({**MODEL, **changes}).encode())
    assert whole(SIGNED_IN, Request("POST", f"{API}/v1/responses", sent, body)) in (200, 400)


@given(st.text(min_size=1))
def test_no_name_of_a_program_becomes_markup(name: str) -> None:
    page = text(Client(approve="ask").authorize(agent_name_hint=f"<i>'\"{name}"))
    field = page.partition('name="agent_name" value="')[2].partition('" required')[0]
    assert field
    assert not set("<>\"'") & set(field)


def test_no_repr_shows_a_secret() -> None:
    client = Client()
    tokens = client.walk_in()
    code = dict(way_back(client.authorize(state="canary-state", nonce="canary-nonce")))["code"]
    client.exchange("canary-code", code_verifier="canary" * 8)
    shown = repr(
        (client.authority, client.authority.requests, client.authority.client_faults, ChatGptPolicy())
    )
    shown += repr((client.authority.registrations, ChatGptAuthority()))
    for secret in ("canary", code, tokens["access_token"], tokens["refresh_token"], tokens["id_token"]):
        assert secret not in shown


def test_a_body_nested_to_the_limit_is_refused_and_does_not_raise() -> None:
    for depth in (900, 1000, 100_000):
        body = Secret(b'{"a":' * depth + b"1" + b"}" * depth)
        sent = (
            ("Authorization", f"Bearer {SIGNED_IN.tokens['access_token']}"),
            ("Content-Type", "application/json"),
        )
        assert whole(SIGNED_IN, Request("POST", f"{API}/v1/responses", sent, body)) == 400
