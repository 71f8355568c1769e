"""Proxies in every world that uses them: which one is used, and that a failure there is surely `not_sent`.

Rules of this file: a case is one row, and each row is met by every world that it can be met by: see `WITH_PROXIES`
and `TLS_TO_PROXIES`.
"""

from __future__ import annotations

import base64
import socket
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from codex_oauth.transport.httpx_messages import BadProxyError, Proxy, proxy_for
from codex_oauth.transport.proxies import UnusableProxyError, http_proxy_for
from codex_oauth_core import Cause, Phase, RequestFailed
from codex_oauth_core.settings import BadSetting, SettingFault
from tests.transport.asking import LIMIT, answered, failed, performed
from tests.transport.certificates import Authority
from tests.transport.conftest import SetThem
from tests.transport.servers import (
    OK,
    Script,
    Server,
    answering,
    at_most,
    no_new_sockets,
    over_tls,
    over_tls_in_memory,
    post,
    read_request,
    silent,
    tunnel_to,
    until_closed,
)
from tests.transport.worlds import WORLDS

SHORT = 0.3
WITH_PROXIES = [world for world in WORLDS if world != "twisted"]
"""Twisted's world knows no proxies."""

TLS_TO_PROXIES = [world for world in WORLDS if world.startswith("httpx")]
"""The others speak to a proxy in plain HTTP only: see `HTTP_ONLY` in test_settings.py."""

with_proxies = pytest.mark.parametrize("world", WITH_PROXIES, indirect=True)
URL = "https://server.test/x"


def through(world: str, env: SetThem, proxy: Script, timeout: float = LIMIT) -> tuple[Phase, Cause]:
    with no_new_sockets(), Server(proxy) as server:
        env(HTTPS_PROXY=f"http://me:pass-canary@127.0.0.1:{server.port}")
        return failed(world, URL, timeout)


# -- what a proxy is asked -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("world", "scheme"),
    [*((world, "http") for world in WITH_PROXIES), *((world, "https") for world in TLS_TO_PROXIES)],
    indirect=["world"],
)
def test_https_goes_through_a_tunnel(world: str, scheme: str, env: SetThem, trusted: Authority) -> None:
    heads: list[bytes] = []
    origin = over_tls(answering(OK), trusted.server("server.test"))
    with no_new_sockets(), Server(origin) as server:
        script = tunnel_to(server.port, heads)
        if scheme == "https":
            script = over_tls_in_memory(script, trusted.server("127.0.0.1"))
        with Server(script) as proxy:
            env(HTTPS_PROXY=f"{scheme}://me:p%40ss@127.0.0.1:{proxy.port}")
            assert answered(world, URL) == b"ok"
    for head in heads:
        assert head.startswith(b"CONNECT server.test:443 ")
        assert base64.b64encode(b"me:p@ss") in head


@with_proxies
def test_a_plain_request_goes_to_the_proxy_as_a_whole(world: str, env: SetThem) -> None:
    heads: list[bytes] = []

    def script(sock: socket.socket) -> None:
        heads.append(read_request(sock)[0])
        sock.sendall(OK)

    with no_new_sockets(), Server(script) as proxy:
        env(HTTP_PROXY=f"http://me:p%40ss@127.0.0.1:{proxy.port}")
        assert answered(world, "http://server.test/x?y=1") == b"ok"
    for head in heads:
        assert head.startswith(b"POST http://server.test/x?y=1 HTTP/1.1\r\n")
        assert base64.b64encode(b"me:p@ss") in head
        assert b"\r\nhost: server.test\r\n" in head.lower() + b"\r\n"


# -- how a proxy fails ---------------------------------------------------------------------------------


def _dies(sock: socket.socket) -> None:
    del sock


def _dies_after_the_request(sock: socket.socket) -> None:
    read_request(sock)


def _ends_the_handshake_behind_it(sock: socket.socket) -> None:
    read_request(sock)
    sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    sock.recv(65536)


BEHIND = "the server behind it ends the handshake"
FAILING: dict[str, tuple[Script, Cause]] = {
    "forbidden": (answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!"), Cause.PROXY),
    "bad gateway": (answering(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"), Cause.PROXY),
    "no HTTP": (answering(b"garbage\r\n\r\n"), Cause.PROXY),
    "dies": (_dies, Cause.PROXY),
    "dies after CONNECT": (_dies_after_the_request, Cause.PROXY),
    "hangs": (silent, Cause.TIMEOUT),
    BEHIND: (_ends_the_handshake_behind_it, Cause.TLS_EOF),
}

AS_THE_PROXY_S = {(world, BEHIND): Cause.PROXY for world in WORLDS if world.startswith("aiohttp")}
"""aiohttp tells it from no failure of the proxy."""


# F18
@pytest.mark.parametrize("case", FAILING)
@with_proxies
def test_a_proxy_that_fails_has_sent_nothing(world: str, case: str, env: SetThem) -> None:
    script, cause = FAILING[case]
    with at_most(3):
        found = through(world, env, script, SHORT if cause is Cause.TIMEOUT else LIMIT)
    assert found == (Phase.NOT_SENT, AS_THE_PROXY_S.get((world, case), cause))


WANTS = answering(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")


# F18
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
@with_proxies
def test_a_proxy_that_asks_for_credentials_is_told_by_its_variable(
    world: str, variable: str, env: SetThem
) -> None:
    with no_new_sockets(), Server(WANTS) as proxy:
        env(**{variable: f"http://me:pass-canary@127.0.0.1:{proxy.port}"})
        answer = performed(world, post(URL))
    setting = BadSetting(variable, SettingFault.CREDENTIALS)
    assert answer == RequestFailed(answer.at, Phase.NOT_SENT, Cause.PROXY_AUTH, setting)
    assert "canary" not in repr(answer)


@pytest.mark.parametrize("world", TLS_TO_PROXIES, indirect=True)
def test_a_proxy_with_an_untrusted_certificate(world: str, env: SetThem, authority: Authority) -> None:
    with no_new_sockets(), Server(over_tls(until_closed, authority.server("127.0.0.1"))) as server:
        env(HTTPS_PROXY=f"https://127.0.0.1:{server.port}")
        assert failed(world, URL) == (Phase.NOT_SENT, Cause.TLS_CERTIFICATE)


@with_proxies
def test_a_plain_request_that_a_proxy_has_taken_may_have_been_sent(world: str, env: SetThem) -> None:
    with no_new_sockets(), Server(_dies_after_the_request) as proxy:
        env(HTTP_PROXY=f"127.0.0.1:{proxy.port}")
        assert failed(world, "http://server.test/") == (Phase.MAYBE_SENT, Cause.RESET)


# F18
@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "http://proxy.invalid:1"])
@with_proxies
def test_a_proxy_that_is_not_there_is_a_proxy_failure(
    world: str, proxy: str, env: SetThem, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup = socket.getaddrinfo

    def offline(host: str, *args: Any, **kwargs: Any) -> object:
        if host.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return lookup(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    env(ALL_PROXY=proxy)
    assert failed(world, URL) == (Phase.NOT_SENT, Cause.PROXY)


# -- where none is asked -------------------------------------------------------------------------------


@pytest.mark.parametrize("everything", ["http://127.0.0.1:9", "rubbish://"])
def test_this_machine_is_reached_directly_whatever_the_variables_say(
    world: str, everything: str, env: SetThem
) -> None:
    with Server(answering(OK)) as server:
        env(HTTP_PROXY="http://127.0.0.1:9", HTTPS_PROXY="http://127.0.0.1:9", ALL_PROXY=everything)
        assert answered(world, server.url) == b"ok"


def test_no_proxy_names_hosts_that_are_asked_directly(world: str, env: SetThem) -> None:
    env(HTTP_PROXY="http://127.0.0.1:9", NO_PROXY="server.test")
    assert failed(world, f"http://{'x' * 64}.server.test/") == (Phase.NOT_SENT, Cause.DNS)


# -- which proxy ---------------------------------------------------------------------------------------

A, B = "http://a.test:1", "http://b.test:2"
CHOICES: list[tuple[str, dict[str, str], str | None]] = [
    ("https://server.test", {}, None),
    ("https://server.test", {"HTTPS_PROXY": A, "HTTP_PROXY": B}, A),
    ("http://server.test", {"HTTPS_PROXY": A, "HTTP_PROXY": B}, B),
    ("https://server.test", {"https_proxy": A}, A),
    ("https://server.test", {"ALL_PROXY": A}, A),
    ("https://server.test", {"ALL_PROXY": A, "HTTPS_PROXY": B}, B),
    ("https://server.test", {"HTTP_PROXY": A}, None),
    ("https://server.test", {"HTTPS_PROXY": "proxy.test:8080"}, "http://proxy.test:8080"),
    ("https://server.test", {"HTTPS_PROXY": "https://proxy.test"}, "https://proxy.test:443"),
    ("https://server.test", {"ALL_PROXY": "socks5h://proxy.test"}, "socks5h://proxy.test:1080"),
    ("https://server.test", {"HTTPS_PROXY": "http://[2001:db8::1]:1"}, "http://[2001:db8::1]:1"),
    ("https://server.test", {"HTTPS_PROXY": ""}, None),
    ("https://server.test", {"HTTPS_PROXY": f" {A}\r\n"}, A),
    ("https://server.test", {"HTTPS_PROXY": f'"{A}"'}, A),
    ("https://server.test", {"HTTPS_PROXY": f"'{A}'\r"}, A),
    ("https://server.test", {"HTTPS_PROXY": " \r", "ALL_PROXY": B}, B),
    ("https://server.test", {"HTTPS_PROXY": '""'}, None),
    ("https://server.test", {"HTTPS_PROXY": "HTTP://Proxy.Test:1/"}, "http://proxy.test:1"),
    ("https://server.test", {"ALL_PROXY": "socks://proxy.test"}, "socks5://proxy.test:1080"),
    ("https://server.test", {"HTTPS_PROXY": A, "NO_PROXY": '"server.test"\r'}, None),
    ("https://server.test", {"HTTPS_PROXY": A, "NO_PROXY": "'*'"}, None),
    ("https://server.test", {"HTTPS_PROXY": A, "NO_PROXY": "*"}, None),
    ("https://server.test", {"HTTPS_PROXY": A, "NO_PROXY": "server.test"}, None),
    ("https://x.server.test", {"HTTPS_PROXY": A, "NO_PROXY": "other, .server.test"}, None),
    ("https://myserver.test", {"HTTPS_PROXY": A, "NO_PROXY": "server.test"}, A),
    ("https://server.test:8443", {"HTTPS_PROXY": A, "NO_PROXY": "server.test:8443"}, None),
    ("https://server.test", {"HTTPS_PROXY": A, "NO_PROXY": "server.test:8443"}, A),
    ("https://server.test", {"HTTPS_PROXY": A, "NO_PROXY": "server.test:443"}, None),
    ("https://[2001:db8::2]", {"HTTPS_PROXY": A, "NO_PROXY": "2001:db8::2"}, None),
]


@pytest.mark.parametrize(("url", "variables", "expected"), CHOICES)
def test_the_environment_chooses(
    env: SetThem, url: str, variables: dict[str, str], expected: str | None
) -> None:
    env(**variables)
    proxy = proxy_for(httpx.URL(url))
    assert (str(proxy) if proxy else None) == expected


OURSELVES = [
    "http://localhost:1",
    "http://LOCALHOST",
    "http://localhost.",
    "http://api.localhost",
    "http://127.0.0.1",
    "http://127.8.9.10:99",
    "http://[::1]:1",
    "https://localhost",
    "https://127.0.0.1",
]


@pytest.mark.parametrize("url", OURSELVES)
@pytest.mark.parametrize("bypass", [None, "", "server.test"])
def test_this_machine_is_never_reached_through_a_proxy(env: SetThem, url: str, bypass: str | None) -> None:
    env(HTTP_PROXY=A, HTTPS_PROXY=A, ALL_PROXY=A, **({} if bypass is None else {"NO_PROXY": bypass}))
    assert proxy_for(httpx.URL(url)) is None
    assert proxy_for(httpx.URL("https://elsewhere.test")) is not None


CHOOSERS: dict[str, Callable[[str], object]] = {
    "any": lambda url: proxy_for(httpx.URL(url)),
    "plain HTTP only": lambda url: http_proxy_for(urlsplit(url)),
}


@pytest.mark.parametrize("chooser", CHOOSERS)
@pytest.mark.parametrize(
    "text", ["http://me:pass-canary@proxy.test:99x", "gopher://pass-canary@proxy.test", "http://"]
)
def test_the_error_names_the_setting_and_never_its_value(env: SetThem, text: str, chooser: str) -> None:
    env(HTTPS_PROXY=text)
    assert BadProxyError is UnusableProxyError
    with pytest.raises(UnusableProxyError, match="HTTPS_PROXY") as caught:
        CHOOSERS[chooser]("https://server.test")
    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "host", ["LOCALHOST", "a.localhost", "127.1", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
def test_this_machine_is_known_by_every_spelling(host: str, env: SetThem) -> None:
    env(ALL_PROXY="http://127.0.0.1:9")
    assert http_proxy_for(urlsplit(f"http://{host}:1/")) is None
    assert http_proxy_for(urlsplit("http://server.test/")) is not None


def test_credentials_are_read_and_never_shown(env: SetThem) -> None:
    env(HTTPS_PROXY="http://name-canary:pass-canary@proxy.test:1")
    proxy = proxy_for(httpx.URL("https://server.test"))
    assert isinstance(proxy, Proxy)
    assert proxy.password.reveal() == "pass-canary"
    assert "canary" not in f"{proxy} {proxy!r}"
