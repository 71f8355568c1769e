"""Every way in which a token leaves asks for the host first, and carries the same headers.

Rules of this file: a way is a function here; one that is added to the library without being added here fails
the first test. The requests are stand-ins, so that a URL comes to the check as it was written, and no library
repairs or refuses it before.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

import anyio
import attrs
import pytest

from codex_oauth import HostNotAllowed, MemoryStore, TokenAuth, TokenRequestsAuth, TokenSource
from codex_oauth_core import Secret
from codex_oauth_core.codex.claims import is_fedramp
from tests.support import CLAIMS, jwt
from tests.tokens.rig import Rig, put, rig

Way = Callable[[TokenSource, str], dict[str, str]]
BACKENDS: Final = ("asyncio", "trio")


class _Url(str):
    """A URL as it was written, which no library has taken apart: each is an origin of its own."""

    __slots__ = ()
    userinfo = netloc = b""

    @property
    def scheme(self) -> str:
        return str(self)


class _Request(SimpleNamespace):
    """As much of a request as an auth needs: a URL, headers, and what `requests` calls a hook."""

    def register_hook(self, *_: Any) -> None: ...


def _request(url: str) -> Any:
    return _Request(url=_Url(url), headers={}, extensions={})


def _headers(source: TokenSource, url: str) -> dict[str, str]:
    return source.headers(url)


def _aheaders(backend: str) -> Way:
    return lambda source, url: anyio.run(source.aheaders, url, backend=backend)


def _blocking_auth(source: TokenSource, url: str) -> dict[str, str]:
    request = _request(url)
    try:
        next(TokenAuth(source).sync_auth_flow(request))
    except HostNotAllowed:
        assert request.headers == {}
        raise
    return dict(request.headers)


def _asynchronous_auth(backend: str) -> Way:
    async def sign(source: TokenSource, request: Any) -> None:
        flow = TokenAuth(source).async_auth_flow(request)
        await anext(flow)
        await flow.aclose()

    def way(source: TokenSource, url: str) -> dict[str, str]:
        request = _request(url)
        try:
            anyio.run(sign, source, request, backend=backend)
        except HostNotAllowed:
            assert request.headers == {}
            raise
        return dict(request.headers)

    return way


def _requests_auth(source: TokenSource, url: str) -> dict[str, str]:
    request = _request(url)
    try:
        TokenRequestsAuth(source)(request)
    except HostNotAllowed:
        assert request.headers == {}
        raise
    return dict(request.headers)


WAYS: Final[dict[str, Way]] = {
    "headers": _headers,
    **{f"aheaders {backend}": _aheaders(backend) for backend in BACKENDS},
    "TokenAuth.sync_auth_flow": _blocking_auth,
    **{f"TokenAuth.async_auth_flow {backend}": _asynchronous_auth(backend) for backend in BACKENDS},
    "TokenRequestsAuth": _requests_auth,
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())

ANOTHER_PROVIDERS: Final = "https://api.openai.com/v1"
"""Known here, and not of the login that is tried: that is known when the login has been looked up."""

NOWHERE: Final = [
    # another host, or another scheme
    *(
        "https://evil.example/",
        ANOTHER_PROVIDERS,
        "https://chat.openai.com/",
        "https://openai.com/",
    ),
    *(
        "http://chatgpt.com/",
        "ws://chatgpt.com/",
        "ftp://chatgpt.com/",
        "file://chatgpt.com/",
        "wsss://chatgpt.com/",
    ),
    *(
        "",
        "/",
        "chatgpt.com",
        "//chatgpt.com/",
        "https:chatgpt.com/",
        "https:///chatgpt.com/",
        "https:/chatgpt.com",
    ),
    # hosts that look alike
    *(
        "https://chatgpt.com.evil.example/",
        "https://evilchatgpt.com/",
        "https://chatgpt.co/",
        "https://chatgpt.comm/",
    ),
    *(
        "https://api.chatgpt.com/",
        "https://chat-gpt.com/",
        "https://evil.example/chatgpt.com",
        "https://chatgpt/",
    ),
    *(
        "https://evil.example?chatgpt.com",
        "https://evil.example#https://chatgpt.com/",
        "https://[chatgpt.com]/",
    ),
    # user information
    *(
        "https://chatgpt.com@evil.example/",
        "https://user@chatgpt.com/",
        "https://u:p@chatgpt.com/",
        "wss://u@chatgpt.com/",
    ),
    *(
        "https://@chatgpt.com/",
        "https://chatgpt.com:443@evil.example/",
        "https://chatgpt.com%40evil.example/",
    ),
    # ports
    *(
        "https://chatgpt.com:80/",
        "https://chatgpt.com:8443/",
        "https://chatgpt.com:/",
        "https://chatgpt.com:99999/",
    ),
    *(
        "wss://chatgpt.com:80/",
        "https://chatgpt.com:-443/",
        "https://chatgpt.com:443:443/",
        "https://chatgpt.com:4 43/",
    ),
    # a dot at the end, letters of other alphabets, escapes, control characters
    *("https://chatgpt.com./", "wss://chatgpt.com./", "https://.chatgpt.com/", "https://chatgpt..com/"),
    *(
        "https://xn--chatgpt-9za.com/",
        "https://ch\u0430tgpt.com/",
        "https://chatgpt\u3002com/",
        "https://\uff43hatgpt.com/",
    ),
    *(
        "https://chatgpt.c\u00f6m/",
        "https://%63hatgpt.com/",
        "https://chatgpt%2ecom/",
        "https://chatgpt.com%00.evil.example/",
    ),
    *(
        " https://chatgpt.com/",
        "https://chatgpt.com\n.evil.example/",
        "https://chat\tgpt.com/",
        "https://chatgpt.com\x00/",
    ),
    # backslashes, which some parsers take for slashes
    *(
        "https://evil.example\\@chatgpt.com/",
        "https://chatgpt.com\\.evil.example/",
        "https:\\\\chatgpt.com\\",
    ),
    *("https://chatgpt.com\\@evil.example/", "https:/\\chatgpt.com/", "wss://evil.example\\chatgpt.com/"),
]
ALLOWED: Final = [
    *(
        "https://chatgpt.com",
        "https://chatgpt.com/backend-api/codex/responses?a=b#c",
        "HTTPS://ChatGPT.COM/x",
    ),
    *(
        "https://chatgpt.com:443/",
        "https://chatgpt.com?x=@evil.example",
        "wss://chatgpt.com/backend-api/codex/responses",
    ),
    *("WSS://CHATGPT.COM/x", "wss://chatgpt.com:443/x", "wss://chatgpt.com"),
]


@pytest.fixture(scope="module")
def made() -> Rig:
    return rig()


def test_no_way_out_is_left_out() -> None:
    taking = {name for name, method in vars(TokenSource).items() if "url" in _parameters(method)}
    assert taking == {"check", "headers", "aheaders"}
    signing = {name for name in dir(TokenAuth) if name.endswith("auth_flow")}
    assert {f"TokenAuth.{name}" for name in signing} <= {name.partition(" ")[0] for name in WAYS} | {
        "TokenAuth.auth_flow"  # of a base class: it signs nothing
    }


def _parameters(method: Any) -> tuple[str, ...]:
    return tuple(inspect.signature(method).parameters) if inspect.isfunction(method) else ()


def _is_refused(way: Way, source: TokenSource, url: str) -> bool:
    try:
        way(source, url)
    except HostNotAllowed:
        return True
    return False


@every_way
def test_no_token_leaves_for_any_other_host_and_none_is_looked_up(
    way: Way, made: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touched(_: MemoryStore) -> str:
        raise AssertionError("it was looked up")

    monkeypatch.setattr(MemoryStore, "current", touched)
    source = made.source()
    assert [url for url in NOWHERE if url != ANOTHER_PROVIDERS and not _is_refused(way, source, url)] == []


@every_way
def test_no_token_leaves_after_one_has_been_given_out(way: Way, made: Rig) -> None:
    source = made.source()
    for url in ALLOWED:
        way(source, url)
    assert [url for url in NOWHERE if not _is_refused(way, source, url)] == []


@every_way
def test_the_listed_host_gets_the_token_by_https_and_by_wss(way: Way, made: Rig) -> None:
    source = made.source()
    for url in ALLOWED:
        assert way(source, url) == {
            "Authorization": f"Bearer {made.stored_token}",
            "ChatGPT-Account-Id": made.stored.credential.account_id,
            "originator": "codex-oauth",
        }, url


@every_way
@pytest.mark.parametrize(
    ("listed", "url", "allowed"),
    [
        ("127.0.0.1", "ws://127.0.0.1:8123/x", True),
        ("127.0.0.1", "wss://127.0.0.1/x", True),
        ("127.0.0.1", "ws://localhost:8123/x", False),
        ("gateway.example", "ws://gateway.example/", False),
        ("gateway.example", "wss://gateway.example/", True),
        ("gateway.example:8443", "wss://gateway.example:8443/", True),
        ("gateway.example:8443", "wss://gateway.example/", False),
    ],
)
def test_ws_counts_as_http(way: Way, listed: str, url: str, allowed: bool, made: Rig) -> None:
    source = made.source(hosts=(listed,))
    if allowed:
        assert "Authorization" in way(source, url)
        return
    with pytest.raises(HostNotAllowed):
        way(source, url)


# -- FedRAMP ---------------------------------------------------------------------------------------------


def _of(made: Rig, id_token: str | None) -> Rig:
    hidden = None if id_token is None else Secret(id_token)
    put(made.store, attrs.evolve(made.stored.credential, id_token=hidden))
    return made


@every_way
def test_a_login_of_the_government_says_so(way: Way) -> None:
    source = _of(rig(), jwt({CLAIMS: {"chatgpt_account_is_fedramp": True}})).source()
    for _ in range(2):
        assert way(source, ALLOWED[0])["x-openai-fedramp"] == "true"


@every_way
@pytest.mark.parametrize("claim", [False, None, "true", 1, "yes", [True], {}])
def test_nothing_but_true_is_true(way: Way, claim: object) -> None:
    source = _of(rig(), jwt({CLAIMS: {"chatgpt_account_is_fedramp": claim}})).source()
    assert "x-openai-fedramp" not in way(source, ALLOWED[0])


@pytest.mark.parametrize(
    ("id_token", "access", "expected"),
    [
        ({CLAIMS: {"chatgpt_account_is_fedramp": True}}, {}, True),
        ({"chatgpt_account_is_fedramp": True}, {}, True),
        ({}, {CLAIMS: {"chatgpt_account_is_fedramp": True}}, False),
        (None, {CLAIMS: {"chatgpt_account_is_fedramp": True}}, True),
        (None, {}, False),
        ({CLAIMS: ["chatgpt_account_is_fedramp"]}, {}, False),
    ],
)
def test_the_id_token_says_it_else_the_access_token(
    id_token: Any, access: Any, expected: bool, made: Rig
) -> None:
    credential = attrs.evolve(
        made.stored.credential,
        id_token=None if id_token is None else Secret(jwt(id_token)),
        access_token=Secret(jwt(access)),
    )
    assert is_fedramp(credential) is expected
    assert not is_fedramp(attrs.evolve(credential, id_token=Secret("opaque")))


def test_a_renewal_or_another_login_is_looked_at_anew() -> None:
    made = _of(rig(), jwt({CLAIMS: {"chatgpt_account_is_fedramp": True}}))
    source = made.source()
    before, plain = made.stored.credential, attrs.evolve(made.stored.credential, id_token=None)
    assert "x-openai-fedramp" in source.headers_of(before)
    assert "x-openai-fedramp" not in source.headers_of(plain)
    assert "x-openai-fedramp" in source.headers_of(before)
