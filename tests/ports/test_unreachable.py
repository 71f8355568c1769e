"""Failures before a byte of a request is out, in each port: phase `not_sent`, and within the limit."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import struct
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from codex_oauth.transport.proxies import UnusableProxyError, http_proxy_for
from codex_oauth.worlds.aiohttp_world import AiohttpWorld
from codex_oauth_core import Cause, Phase, RequestFailed, ResponseReceived
from codex_oauth_core.settings import BadSetting, SettingFault
from tests.ports.ports import PORTS, Perform
from tests.transport.certificates import Authority
from tests.transport.servers import (
    OK,
    Script,
    Server,
    _open_files,
    answering,
    at_most,
    no_new_sockets,
    over_tls,
    post,
    read_request,
    silent,
)
from tests.transport.test_httpx_proxies import REFUSALS, UNUSABLE, VARIABLES, WANTS, tunnel_to

WITH_PROXIES = ["urllib", "aiohttp"]


@pytest.fixture(autouse=True)
def env(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets exactly these proxy variables."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)

    def set_them(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_them


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def verdict(perform: Perform, url: str, timeout: float = 5.0) -> tuple[Phase, Cause]:
    with no_new_sockets():
        answer = perform(post(url, timeout))
    assert isinstance(answer, RequestFailed), answer
    return answer.phase, answer.cause


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


# F18
@pytest.mark.parametrize("port", PORTS)
def test_a_closed_port(port: str) -> None:
    assert verdict(PORTS[port], f"http://127.0.0.1:{closed_port()}/") == (Phase.NOT_SENT, Cause.CONNECT)


# F18
@pytest.mark.parametrize("port", WITH_PROXIES)
def test_a_name_that_does_not_exist(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    assert verdict(PORTS[port], "http://nowhere.test/") == (Phase.NOT_SENT, Cause.DNS)


@pytest.mark.parametrize("port", PORTS)
def test_a_name_that_cannot_be_one(port: str) -> None:
    assert verdict(PORTS[port], f"http://{'x' * 64}.test/") == (Phase.NOT_SENT, Cause.DNS)


@pytest.mark.parametrize("port", WITH_PROXIES)
def test_slow_dns_is_abandoned_at_the_limit(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(*args: Any, **kwargs: Any) -> Any:
        time.sleep(3)
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with at_most(2):
        assert verdict(PORTS[port], "http://slow.test/", timeout=0.3) == (Phase.NOT_SENT, Cause.TIMEOUT)


@pytest.mark.parametrize("port", WITH_PROXIES)
def test_no_thread_for_the_resolver_is_a_failure_and_not_a_crash(
    port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*args: object) -> None:
        raise RuntimeError("can't start new thread")

    name = {"urllib": "transport.dial", "aiohttp": "worlds.aiohttp_world"}[port]
    monkeypatch.setattr(f"codex_oauth.{name}.Thread.start", start)
    assert verdict(PORTS[port], "http://name.test/") == (Phase.NOT_SENT, Cause.CONNECT)


@pytest.mark.parametrize("port", WITH_PROXIES)
def test_the_next_address_is_tried_after_a_refused_one(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with no_new_sockets(), Server(answering(OK)) as server:
        addresses = [("127.0.0.1", closed_port()), ("127.0.0.1", server.port)]

        def lookup(*args: Any, **kwargs: Any) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", lookup)
        if port == "aiohttp":  # it takes the port of the URL
            addresses = [("127.0.0.2", 0), ("127.0.0.1", 0)]
        answer = PORTS[port](post(f"http://two.test:{server.port}/"))
    assert isinstance(answer, ResponseReceived)


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("url", ["gopher://127.0.0.1/", "http:///path", "http://127.0.0.1:99999/"])
def test_what_is_no_http_url_is_a_bug_and_no_failure(port: str, url: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        PORTS[port](post(url))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("port", PORTS)
def test_a_line_break_in_a_header_is_never_sent(port: str) -> None:
    heads: list[bytes] = []

    def script(sock: socket.socket) -> None:
        heads.append(read_request(sock)[0])
        sock.sendall(OK)

    with no_new_sockets(), Server(script) as server:
        effect = post(server.url)
        object.__setattr__(effect.request, "headers", (("X-One", "1\r\nX-Two: 2"),))
        try:
            PORTS[port](effect)
        except ValueError:
            assert heads == []
    assert b"\nX-Two" not in b"".join(heads)


# -- TLS -----------------------------------------------------------------------------------------------


def over_https(port: str, script: Script, timeout: float = 5.0) -> object:
    with no_new_sockets(), Server(script) as server:
        answer = PORTS[port](post(server.url.replace("http", "https", 1), timeout))
    return (answer.phase, answer.cause) if isinstance(answer, RequestFailed) else answer


@pytest.mark.parametrize("port", PORTS)
def test_a_long_answer_comes_whole_through_tls(
    port: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    answer = over_https(port, over_tls(answering(head, b"x" * 1_000_000), authority.server("127.0.0.1")))
    assert isinstance(answer, ResponseReceived)
    assert len(answer.body.reveal()) == 1_000_000


# F19
@pytest.mark.parametrize("fault", ["expired", "wrong host", "self-signed", "unknown authority"])
@pytest.mark.parametrize("port", PORTS)
def test_a_bad_certificate_ends_it_before_anything_is_sent(
    port: str, fault: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "unknown authority":
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    else:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    host = "wrong.test" if fault == "wrong host" else "127.0.0.1"
    context = authority.server(host, expired=fault == "expired", self_signed=fault == "self-signed")
    heads: list[bytes] = []

    def script(sock: socket.socket) -> None:
        heads.append(read_request(sock)[0])

    assert over_https(port, over_tls(script, context)) == (Phase.NOT_SENT, Cause.TLS_CERTIFICATE)
    assert heads == []


ALERT = b"\x15\x03\x03\x00\x02\x02\x28"  # handshake_failure
HALF = b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + bytes(32)  # a ServerHello that is cut


def _ends_in_the_handshake(sock: socket.socket) -> None:
    sock.recv(65536)


# F19
@pytest.mark.parametrize("port", PORTS)
def test_an_end_in_the_handshake(port: str) -> None:
    assert over_https(port, _ends_in_the_handshake) == (Phase.NOT_SENT, Cause.TLS_EOF)


@pytest.mark.parametrize("port", PORTS)
def test_silence_in_the_handshake_ends_at_the_limit(port: str) -> None:
    with at_most(2):
        assert over_https(port, silent, timeout=0.4) == (Phase.NOT_SENT, Cause.TIMEOUT)


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("ended", ["cut", "reset", "garbage", "an alert", "after the hello"])
def test_however_a_handshake_ends_nothing_was_sent(port: str, ended: str) -> None:
    def script(sock: socket.socket) -> None:
        if ended != "cut":
            sock.recv(65536)
        if ended == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.sendall(
            {"garbage": b"220 mail ESMTP\r\n", "an alert": ALERT, "after the hello": HALF}.get(ended, b"")
        )

    assert over_https(port, script) == (Phase.NOT_SENT, Cause.TLS_EOF)


@pytest.mark.parametrize("port", PORTS)
def test_a_server_that_offers_no_certificate(port: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert over_https(port, over_tls(silent, context)) == (Phase.NOT_SENT, Cause.TLS_EOF)


@pytest.mark.parametrize("once", [True, False])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("user", ["me", "me:canary", "me:can%40ary", "me:c@nary", ":"])
@pytest.mark.parametrize("port", PORTS)
# S16
def test_user_information_of_a_url_is_never_sent(
    port: str,
    user: str,
    scheme: str,
    once: bool,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    heads: list[bytes] = []

    def script(sock: socket.socket) -> None:
        heads.append(read_request(sock)[0])
        sock.sendall(OK)

    secured = over_tls(script, authority.server("127.0.0.1")) if scheme == "https" else script
    with no_new_sockets(), Server(secured) as server:
        url = server.url.replace("http://", f"{scheme}://{user}@", 1)
        answer = PORTS[port](post(url, once=once))
    assert isinstance(answer, ResponseReceived), answer
    (head,) = heads
    assert head.startswith(b"POST /path?q=1 HTTP/1.1\r\n")
    assert b"\r\nhost: 127.0.0.1:%d\r\n" % server.port in head.lower() + b"\r\n"
    assert b"authorization" not in head.lower()
    assert b"nary" not in head


def test_twisted_without_its_tls_libraries_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "twisted.internet.ssl", None)
    with pytest.raises(RuntimeError, match=r"pip install 'twisted\[tls\]'"):
        PORTS["twisted"](post("https://127.0.0.1:1/"))


# -- proxies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", WITH_PROXIES)
def test_https_goes_through_a_tunnel(
    port: str, env: Callable[..., None], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    heads: list[bytes] = []
    origin = over_tls(answering(OK), authority.server("server.test"))
    with no_new_sockets(), Server(origin) as server, Server(tunnel_to(server.port, heads)) as proxy:
        env(HTTPS_PROXY=f"http://me:p%40ss@127.0.0.1:{proxy.port}")
        answer = PORTS[port](post("https://server.test/x"))
    assert isinstance(answer, ResponseReceived), answer
    assert heads[0].startswith(b"CONNECT server.test:443 ")
    assert base64.b64encode(b"me:p@ss") in heads[0]


@pytest.mark.parametrize("port", WITH_PROXIES)
def test_a_plain_request_goes_to_the_proxy_as_a_whole(port: str, env: Callable[..., None]) -> None:
    heads: list[bytes] = []

    def script(sock: socket.socket) -> None:
        heads.append(read_request(sock)[0])
        sock.sendall(OK)

    with no_new_sockets(), Server(script) as proxy:
        env(HTTP_PROXY=f"http://me:p%40ss@127.0.0.1:{proxy.port}")
        answer = PORTS[port](post("http://server.test/x?y=1"))
    assert isinstance(answer, ResponseReceived), answer
    assert heads[0].startswith(b"POST http://server.test/x?y=1 HTTP/1.1\r\n")
    assert base64.b64encode(b"me:p@ss") in heads[0]
    assert b"\r\nhost: server.test\r\n" in heads[0].lower()


# F18
@pytest.mark.parametrize("case", REFUSALS)
@pytest.mark.parametrize("port", WITH_PROXIES)
def test_a_proxy_that_refuses_or_dies(port: str, case: str, env: Callable[..., None]) -> None:
    with no_new_sockets(), Server(REFUSALS[case]) as proxy:
        env(HTTPS_PROXY=f"http://me:pass-canary@127.0.0.1:{proxy.port}")
        answer = PORTS[port](post("https://server.test/"))
    assert isinstance(answer, RequestFailed)
    assert (answer.phase, answer.cause) == (Phase.NOT_SENT, Cause.PROXY)


# F18
@pytest.mark.parametrize("port", WITH_PROXIES)
def test_a_proxy_that_asks_for_credentials_is_told_by_its_variable(
    port: str, env: Callable[..., None]
) -> None:
    with no_new_sockets(), Server(WANTS) as proxy:
        env(https_proxy=f"http://me:pass-canary@127.0.0.1:{proxy.port}")
        answer = PORTS[port](post("https://server.test/"))
    assert isinstance(answer, RequestFailed)
    assert (answer.phase, answer.cause) == (Phase.NOT_SENT, Cause.PROXY_AUTH)
    assert answer.setting == BadSetting("https_proxy", SettingFault.CREDENTIALS)


@pytest.mark.parametrize("case", UNUSABLE)
@pytest.mark.parametrize("port", WITH_PROXIES)
def test_a_proxy_that_is_not_there_is_a_proxy_failure(
    port: str, case: str, env: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup = socket.getaddrinfo

    def offline(host: str, *args: Any, **kwargs: Any) -> object:
        if host.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return lookup(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    env(ALL_PROXY=UNUSABLE[case])
    assert verdict(PORTS[port], "https://server.test/") == (Phase.NOT_SENT, Cause.PROXY)


@pytest.mark.parametrize("port", WITH_PROXIES)
def test_this_machine_is_never_asked_for_through_a_proxy(port: str, env: Callable[..., None]) -> None:
    with no_new_sockets(), Server(answering(OK)) as server:
        env(ALL_PROXY="http://127.0.0.1:9", HTTP_PROXY="http://127.0.0.1:9")
        assert isinstance(PORTS[port](post(server.url)), ResponseReceived)


@pytest.mark.parametrize(
    "host", ["LOCALHOST", "a.localhost", "127.1", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
def test_this_machine_is_known_by_every_spelling(host: str, env: Callable[..., None]) -> None:
    env(ALL_PROXY="http://127.0.0.1:9")
    assert http_proxy_for(urlsplit(f"http://{host}:1/")) is None
    assert http_proxy_for(urlsplit("http://server.test/")) is not None


@pytest.mark.parametrize(
    "text", ["http://me:pass-canary@proxy.test:99x", "gopher://pass-canary@proxy.test", "http://"]
)
def test_the_error_names_the_setting_and_never_its_value(env: Callable[..., None], text: str) -> None:
    env(HTTPS_PROXY=text)
    with pytest.raises(UnusableProxyError, match="HTTPS_PROXY") as caught:
        http_proxy_for(urlsplit("https://server.test"))
    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("port", WITH_PROXIES)
def test_no_proxy_names_hosts_that_are_asked_directly(port: str, env: Callable[..., None]) -> None:
    env(HTTP_PROXY="http://127.0.0.1:9", NO_PROXY="server.test")
    url = f"http://{'x' * 64}.server.test/"
    assert verdict(PORTS[port], url) == (Phase.NOT_SENT, Cause.DNS)


def test_aiohttp_does_not_wait_for_a_servers_farewell(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS ends by a message of both sides; a server that never sends its own must hold up nothing."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))

    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(OK)
        time.sleep(1)  # it neither reads nor ends

    async def main(url: str) -> int:
        async with AiohttpWorld() as world:
            assert isinstance(await world.perform(post(url)), ResponseReceived)
            await asyncio.sleep(0.1)
            return len(_open_files() - before)

    before = _open_files()
    with Server(over_tls(script, authority.server("127.0.0.1"))) as server:
        mine = asyncio.run(main(server.url.replace("http", "https", 1)))
    listener, server_side, loop_and_its_socket_pair = 1, 1, 3
    assert mine <= listener + server_side + loop_and_its_socket_pair
