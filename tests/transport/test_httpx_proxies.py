"""Proxies: which one is used, and that a failure there is surely `not_sent`."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
import traceback
from collections.abc import Callable

import httpx
import pytest

from codex_oauth.transport.httpx_messages import BadProxyError, Proxy, proxy_for
from codex_oauth.transport.httpx_transport import HttpxTransport
from codex_oauth_core import Cause, Phase, RequestFailed, ResponseReceived
from codex_oauth_core.settings import BadSetting, SettingFault
from tests.transport.certificates import Authority
from tests.transport.servers import (
    OK,
    Script,
    Server,
    answering,
    at_most,
    no_new_sockets,
    over_tls,
    post,
    read_request,
    silent,
    until_closed,
)

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture
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


def through(env: Callable[..., None], proxy: Script, timeout: float = 5.0) -> RequestFailed:
    with no_new_sockets(), Server(proxy) as server:
        env(HTTPS_PROXY=f"http://me:pass-canary@127.0.0.1:{server.port}")
        answer = HttpxTransport()(post("https://server.test/x", timeout))
    assert isinstance(answer, RequestFailed)
    return answer


def tunnel_to(port: int, heads: list[bytes]) -> Script:
    """A proxy that connects every tunnel to one port of this machine."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def script(sock: socket.socket) -> None:
        heads.append(read_request(sock)[0])
        with socket.create_connection(("127.0.0.1", port)) as server:
            sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(server, sock))
            back.start()
            pump(sock, server)
            back.join()

    return script


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_https_goes_through_a_tunnel(
    env: Callable[..., None], authority: Authority, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    heads: list[bytes] = []
    origin = over_tls(answering(OK), authority.server("server.test"))
    with no_new_sockets(), Server(origin) as server:
        script = tunnel_to(server.port, heads)
        with Server(
            over_tls_in_memory(script, authority.server("127.0.0.1")) if scheme == "https" else script
        ) as proxy:
            env(HTTPS_PROXY=f"{scheme}://me:p%40ss@127.0.0.1:{proxy.port}")
            answer = HttpxTransport()(post("https://server.test/x"))
    assert isinstance(answer, ResponseReceived), answer
    assert heads[0].startswith(b"CONNECT server.test:443 ")
    assert base64.b64encode(b"me:p@ss") in heads[0]


def over_tls_in_memory(script: Script, context: ssl.SSLContext) -> Script:
    """`script` behind TLS, on a plain socket: its other end is pumped, so two threads may use it."""

    def secured(sock: socket.socket) -> None:
        ours, theirs = socket.socketpair()
        worker = threading.Thread(target=_and_close, args=(script, theirs))
        worker.start()
        with ours, context.wrap_socket(sock, server_side=True) as tls:
            ours.settimeout(0.01)
            tls.settimeout(0.01)
            _exchange(tls, ours)
        worker.join()

    return secured


def _and_close(script: Script, sock: socket.socket) -> None:
    with sock:
        script(sock)


def _exchange(one: socket.socket, other: socket.socket) -> None:
    while True:
        for source, sink in ((one, other), (other, one)):
            try:
                data = source.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            if not data:
                return
            sink.sendall(data)


def _dies(sock: socket.socket) -> None:
    del sock


def _dies_after_the_request(sock: socket.socket) -> None:
    read_request(sock)


REFUSALS: dict[str, Script] = {
    "forbidden": answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!"),
    "bad gateway": answering(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"),
    "no HTTP": answering(b"garbage\r\n\r\n"),
    "dies": _dies,
    "dies after CONNECT": _dies_after_the_request,
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_proxy_that_refuses_or_dies(env: Callable[..., None], case: str) -> None:
    answer = through(env, REFUSALS[case])
    assert (answer.phase, answer.cause) == (Phase.NOT_SENT, Cause.PROXY)
    assert "canary" not in repr(answer)


WANTS = answering(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")


def test_a_proxy_that_asks_for_credentials_is_told_by_its_variable(env: Callable[..., None]) -> None:
    answer = through(env, WANTS)
    setting = BadSetting("HTTPS_PROXY", SettingFault.CREDENTIALS)
    assert answer == RequestFailed(answer.at, Phase.NOT_SENT, Cause.PROXY_AUTH, setting)
    assert "canary" not in repr(answer)


def test_a_proxy_that_hangs(env: Callable[..., None]) -> None:
    with at_most(2):
        answer = through(env, silent, timeout=0.4)
    assert (answer.phase, answer.cause) == (Phase.NOT_SENT, Cause.TIMEOUT)


def test_a_server_that_ends_the_handshake_behind_a_proxy(env: Callable[..., None]) -> None:
    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        sock.recv(65536)

    answer = through(env, script)
    assert (answer.phase, answer.cause) == (Phase.NOT_SENT, Cause.TLS_EOF)


def test_a_proxy_with_an_untrusted_certificate(env: Callable[..., None], authority: Authority) -> None:
    with no_new_sockets(), Server(over_tls(until_closed, authority.server("127.0.0.1"))) as server:
        env(HTTPS_PROXY=f"https://127.0.0.1:{server.port}")
        answer = HttpxTransport()(post("https://server.test/"))
    assert isinstance(answer, RequestFailed)
    assert (answer.phase, answer.cause) == (Phase.NOT_SENT, Cause.TLS_CERTIFICATE)


def test_a_plain_request_that_a_proxy_has_taken_may_have_been_sent(env: Callable[..., None]) -> None:
    with no_new_sockets(), Server(_dies_after_the_request) as proxy:
        env(HTTP_PROXY=f"127.0.0.1:{proxy.port}")
        answer = HttpxTransport()(post("http://server.test/"))
    assert isinstance(answer, RequestFailed)
    assert (answer.phase, answer.cause) == (Phase.MAYBE_SENT, Cause.RESET)


UNUSABLE = {
    "closed port": "http://127.0.0.1:9",
    "unknown host": "http://proxy.invalid:1",
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_proxy_that_is_not_there_is_a_proxy_failure(
    env: Callable[..., None], case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup = socket.getaddrinfo

    def offline(host: str, *args: int, **kwargs: int) -> object:
        if host.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return lookup(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    env(ALL_PROXY=UNUSABLE[case])
    answer = HttpxTransport()(post("https://server.test/"))
    assert isinstance(answer, RequestFailed)
    assert (answer.phase, answer.cause) == (Phase.NOT_SENT, Cause.PROXY)


@pytest.mark.parametrize(
    "text", ["http://me:pass-canary@proxy.test:99x", "gopher://pass-canary@proxy.test", "http://"]
)
def test_the_error_names_the_setting_and_never_its_value(env: Callable[..., None], text: str) -> None:
    env(HTTPS_PROXY=text)
    with pytest.raises(BadProxyError, match="HTTPS_PROXY") as caught:
        proxy_for(httpx.URL("https://server.test"))
    assert "canary" not in "".join(traceback.format_exception(caught.value))


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
    env: Callable[..., None], url: str, variables: dict[str, str], expected: str | None
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
def test_this_machine_is_never_reached_through_a_proxy(
    env: Callable[..., None], url: str, bypass: str | None
) -> None:
    env(HTTP_PROXY=A, HTTPS_PROXY=A, ALL_PROXY=A, **({} if bypass is None else {"NO_PROXY": bypass}))
    assert proxy_for(httpx.URL(url)) is None
    assert proxy_for(httpx.URL("https://elsewhere.test")) is not None


def test_a_loopback_request_reaches_its_server_whatever_the_variables_say(env: Callable[..., None]) -> None:
    with no_new_sockets(), Server(answering(OK)) as server:
        env(HTTP_PROXY=A, HTTPS_PROXY=A, ALL_PROXY="rubbish://")
        assert isinstance(HttpxTransport()(post(server.url)), ResponseReceived)


def test_credentials_are_read_and_never_shown(env: Callable[..., None]) -> None:
    env(HTTPS_PROXY="http://name-canary:pass-canary@proxy.test:1")
    proxy = proxy_for(httpx.URL("https://server.test"))
    assert isinstance(proxy, Proxy)
    assert proxy.password.reveal() == "pass-canary"
    assert "canary" not in f"{proxy} {proxy!r}"
