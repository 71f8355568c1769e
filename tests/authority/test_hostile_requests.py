"""Whatever a client sends, the authority answers: it never raises, and never shows a secret."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.authority import Authority, Policy
from codex_oauth_core import CODEX, Request, Secret
from tests.authority.peer import BASE, FORM, JSON, POLL, REVOKE, TOKEN, USERCODE, Peer, text

NAMES = (
    "client_id",
    "grant_type",
    "code",
    "code_verifier",
    "redirect_uri",
    "refresh_token",
    "token",
    "token_type_hint",
    "device_auth_id",
    "user_code",
    "state",
    "csrf",
    "decision",
    "ticket",
    "scope",
    "response_type",
)
VALUES = (
    CODEX.client_id,
    CODEX.redirect_uri(),
    "authorization_code",
    "refresh_token",
    "code",
    "approve",
    "v" * 43,
    "\ud800",
    "\r\nX: y",
)
paths = st.sampled_from(
    (USERCODE, POLL, TOKEN, REVOKE, "/oauth/authorize", "/codex/device", "/", "/favicon.ico")
)
values = st.sampled_from(VALUES) | st.text(max_size=6)
fields = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), values, max_size=8)
anything = st.recursive(st.none() | st.booleans() | st.floats() | values, lambda s: st.lists(s, max_size=2))
bodies = st.one_of(
    st.binary(max_size=40),
    fields.map(lambda body: json.dumps(body).encode()),
    st.dictionaries(st.sampled_from(NAMES), anything, max_size=4).map(lambda body: json.dumps(body).encode()),
    fields.map(lambda body: "&".join(f"{k}={v}" for k, v in body.items()).encode("utf-8", "surrogatepass")),
)
queries = st.sampled_from(("", "?")) | st.text(st.characters(min_codepoint=33, max_codepoint=126)).map(
    lambda query: f"?{query}"
)
headers = st.lists(
    st.tuples(
        st.sampled_from(("Content-Type", "cookie", "Origin", "Sec-Fetch-Site", "X")),
        st.sampled_from((FORM, JSON, f"authority_session={'a' * 43}", "null")) | st.text(max_size=5),
    ),
    max_size=3,
)
methods = st.sampled_from(("GET", "POST", "POST", "PUT", ""))


@given(methods, paths, queries, headers, bodies)
def test_every_request_gets_a_whole_answer(
    method: str, path: str, query: str, given_headers: list[tuple[str, str]], body: bytes
) -> None:
    authority = Authority()
    request = Request(method, BASE + path + query, tuple(given_headers), Secret(body))
    answer = authority.handle(request, 1_000_003.25, 1_800_000_007.5)
    assert 200 <= answer.status < 500
    for name, value in answer.headers:
        assert (name + value).isprintable()
        assert (name + value).isascii()
    assert len(authority.requests) == 1


@given(st.text())
def test_nothing_that_a_person_types_becomes_markup(typed: str) -> None:
    peer = Peer()
    page = text(peer.browse("GET", "/codex/device"))
    csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
    answer = peer.browse("POST", "/codex/device", {"csrf": csrf, "user_code": f"<i>'\"{typed}"})
    assert answer.status == 404
    field = (
        text(answer).partition('<input id="user_code" name="user_code" value="')[2].partition('" required')[0]
    )
    assert not set("<>\"'") & set(field)


def test_no_repr_shows_a_secret() -> None:
    peer = Peer(approve="auto")
    tokens = peer.sign_in()
    back = peer.authorize(state="canary-state")
    shown = repr((back, peer.authority, peer.authority.requests, peer.authority.policy, Policy()))
    for secret in ("canary", "fake-code", "fake-refresh", tokens["access_token"]):
        assert secret not in shown


def test_a_body_nested_to_the_limit_is_refused_and_does_not_raise() -> None:
    for depth in range(900, 1100):
        body = b'{"a":' * depth + b"1" + b"}" * depth
        assert Peer().send("POST", USERCODE, body, (("Content-Type", JSON),)).status == 400
