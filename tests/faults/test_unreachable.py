"""F18 to F20: the server is not reached, or not trusted. Nothing was sent, so the login is as it was.

An access token that is still usable is used at once; where there is none the request is tried four times in
all, within 30 s and without the lock, unless the certificate is what is wrong.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from codex_oauth import Store
from codex_oauth_core import ErrorKind, NotRenewed
from codex_oauth_core.renewal_times import WRITE_BY
from tests.faults.runs import Fate, Peer, Ran, SkippingClock, answer, granting, in_turn, renew
from tests.transport.certificates import Authority
from tests.transport.servers import (
    Script,
    Server,
    at_most,
    no_new_sockets,
    resetting,
    silent,
    tunnel_to,
    until_closed,
)

E = ErrorKind
AWAY = "https://auth.test"
PACE = [1.0, 2.0, 4.0]
"""Seconds between the four tries, by a jitter of one half."""
PACE_OF_SILENCE = [1.0]
"""The same if each try takes the 15 s that a connection may take: the third would be too late."""

Env = pytest.MonkeyPatch


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


def _resolved(env: Env, address: str | OSError, port: int = 443) -> None:
    """Let `auth.test` be at an address, or nowhere."""
    real = socket.getaddrinfo

    def lookup(host: str, *rest: Any, **options: Any) -> Any:
        if host != "auth.test":
            return real(host, *rest, **options)
        if isinstance(address, OSError):
            raise address
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    env.setattr(socket, "getaddrinfo", lookup)


@contextmanager
def _proxy(env: Env, script: Script, scheme: str = "http") -> Generator[str]:
    with Server(script) as proxy:
        env.setenv("HTTPS_PROXY", f"{scheme}://me:pass-canary@127.0.0.1:{proxy.port}")
        yield AWAY


@contextmanager
def nowhere(env: Env) -> Generator[str]:
    _resolved(env, socket.gaierror(socket.EAI_NONAME, "canary"))
    yield AWAY


@contextmanager
def dns_down(env: Env) -> Generator[str]:
    _resolved(env, socket.gaierror(socket.EAI_AGAIN, "canary"))
    yield AWAY


@contextmanager
def refused(env: Env) -> Generator[str]:
    yield f"http://127.0.0.1:{closed_port()}"


@contextmanager
def no_route(env: Env) -> Generator[str]:
    def unreachable(self: socket.socket, address: Any) -> int:
        return errno.ENETUNREACH

    env.setattr(socket.socket, "connect_ex", unreachable)
    yield "http://127.0.0.1:9"


@contextmanager
def proxy_407(env: Env) -> Generator[str]:
    with _proxy(env, answer(407, b"<html>canary")) as issuer:
        yield issuer


@contextmanager
def proxy_403(env: Env) -> Generator[str]:
    with _proxy(env, answer(403, b"<html>canary")) as issuer:
        yield issuer


@contextmanager
def proxy_502(env: Env) -> Generator[str]:
    with _proxy(env, answer(502)) as issuer:
        yield issuer


@contextmanager
def proxy_resets(env: Env) -> Generator[str]:
    with _proxy(env, resetting) as issuer:
        yield issuer


@contextmanager
def proxy_hangs(env: Env, clock: SkippingClock) -> Generator[str]:
    with _proxy(env, silence(clock)) as issuer:
        yield issuer


def silence(clock: SkippingClock) -> Script:
    """Take a connection, and say nothing for as long as it may take to send a request."""

    def script(sock: socket.socket) -> None:
        clock.sleep(WRITE_BY)
        silent(sock)

    return script


@contextmanager
def proxy_away(env: Env) -> Generator[str]:
    env.setenv("HTTPS_PROXY", f"http://me:pass-canary@127.0.0.1:{closed_port()}")
    yield AWAY


UNREACHABLE: dict[str, tuple[Callable[[Env], Any], str]] = {
    "F18 no such name": (nowhere, "dns"),
    "F18 no resolver": (dns_down, "dns"),
    "F18 refused": (refused, "connect"),
    "F18 no route": (no_route, "connect"),
    "F18 proxy 403": (proxy_403, "proxy"),
    "F18 proxy 502": (proxy_502, "proxy"),
    "F18 proxy resets": (proxy_resets, "proxy"),
    "F18 proxy away": (proxy_away, "proxy"),
}


BROKEN = {
    "proxy": ({"ALL_PROXY": "gopher://me:pass-canary@proxy.test"}, "ALL_PROXY", "unknown_scheme"),
    "SOCKS": ({"HTTPS_PROXY": "socks://me:pass-canary@127.0.0.1:9"}, "HTTPS_PROXY", "socksio_missing"),
    "certificates": ({"SSL_CERT_FILE": "/nowhere/canary.pem"}, "SSL_CERT_FILE", "not_there"),
    "keys": ({"SSLKEYLOGFILE": "/nowhere/canary.log"}, "SSLKEYLOGFILE", "not_writable"),
}


# F18
@pytest.mark.parametrize("usable", [True, False], ids=["usable", "expired"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_setting_that_cannot_be_used_costs_nothing_and_is_not_tried_again(
    name: str, usable: bool, store: Store, monkeypatch: Env
) -> None:
    def not_installed(package: str) -> None:
        del package

    variables, setting, reason = BROKEN[name]
    monkeypatch.setattr("codex_oauth.transport.httpx_messages.find_spec", not_installed)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    with no_new_sockets(), at_most(4):
        ran = renew(AWAY, store, usable=usable)
    assert ran.fate is Fate.INTACT
    assert isinstance(ran.outcome, NotRenewed) is usable
    assert ran.error.kind is E.MISCONFIGURED
    assert ran.error.details == {"cause": "misconfigured", "reason": reason, "setting": setting}
    assert ran.error.message.startswith(setting)
    assert "canary" not in f"{ran.error.to_dict()}"
    assert ran.waits == []


# F18
def test_a_proxy_that_asks_for_credentials_names_its_variable(store: Store, monkeypatch: Env) -> None:
    with no_new_sockets(), at_most(4), proxy_407(monkeypatch) as issuer:
        ran = renew(issuer, store, usable=False)
    assert (ran.fate, ran.error.kind) == (Fate.INTACT, E.NETWORK)
    assert ran.error.details == {"cause": "proxy_auth", "reason": "credentials", "setting": "HTTPS_PROXY"}
    assert "Put them into HTTPS_PROXY" in ran.error.message
    assert "canary" not in f"{ran.error.to_dict()}"
    assert len(ran.waits) == len(PACE)


def check(ran: Ran, *, usable: bool, kind: ErrorKind, cause: str, pauses: list[float]) -> None:
    """The login is as it was, the error names the cause, and the tries came after these pauses."""
    assert ran.fate is Fate.INTACT
    assert isinstance(ran.outcome, NotRenewed) is usable
    assert (ran.error.kind, ran.error.details) == (kind, {"cause": cause})
    assert [round(seconds, 1) for seconds, _ in ran.waits] == pauses


@pytest.mark.parametrize("usable", [True, False], ids=["usable", "expired"])
@pytest.mark.parametrize("name", UNREACHABLE)
def test_a_server_that_cannot_be_reached_costs_nothing(
    name: str, usable: bool, store: Store, monkeypatch: Env
) -> None:
    place, cause = UNREACHABLE[name]
    with no_new_sockets(), place(monkeypatch) as issuer, at_most(4):
        ran = renew(issuer, store, usable=usable)
    check(ran, usable=usable, kind=E.NETWORK, cause=cause, pauses=[] if usable else PACE)


# F18
@pytest.mark.parametrize("usable", [True, False], ids=["usable", "expired"])
def test_a_proxy_that_hangs_costs_nothing(usable: bool, store: Store, monkeypatch: Env) -> None:
    clock = SkippingClock()
    with no_new_sockets(), proxy_hangs(monkeypatch, clock) as issuer, at_most(4):
        ran = renew(issuer, store, usable=usable, clock=clock)
    check(ran, usable=usable, kind=E.NETWORK, cause="timeout", pauses=[] if usable else PACE_OF_SILENCE)


# F18
@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_the_tries_are_spread_and_end_within_30_seconds(jitter: float, store: Store) -> None:
    ran = renew(f"http://127.0.0.1:{closed_port()}", store, usable=False, jitter=jitter)
    pauses = [seconds / step for (seconds, _), step in zip(ran.waits, PACE, strict=True)]
    assert pauses == pytest.approx([0.75 + jitter / 2] * 3)
    assert ran.waited < 30


# F18
def test_a_renewal_that_must_be_tries_again_although_the_token_is_usable(store: Store) -> None:
    ran = renew(f"http://127.0.0.1:{closed_port()}", store, usable=True, forced=True)
    check(ran, usable=True, kind=E.NETWORK, cause="connect", pauses=PACE)


# F18
def test_a_server_that_comes_back_renews_the_login(store: Store, monkeypatch: Env) -> None:
    with no_new_sockets(), Peer(granting()) as peer:
        failures = iter([errno.ECONNREFUSED, errno.ENETUNREACH])
        real = socket.socket.connect_ex

        def connect(self: socket.socket, address: Any) -> int:
            return next(failures, None) or real(self, address)

        monkeypatch.setattr(socket.socket, "connect_ex", connect)
        ran = renew(peer.issuer, store, usable=False)
    assert (ran.fate, peer.sent, len(ran.waits)) == (Fate.RENEWED, 1, 2)


# -- F19: TLS ------------------------------------------------------------------------------------------


def _ends(sock: socket.socket) -> None:
    sock.recv(65536)


def _plain(sock: socket.socket) -> None:
    sock.recv(65536)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def _old(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


UNTRUSTED: dict[str, Callable[[Authority], ssl.SSLContext]] = {
    "F19 expired": lambda ca: ca.server("127.0.0.1", expired=True),
    "F19 self-signed": lambda ca: ca.server("127.0.0.1", self_signed=True),
    "F19 wrong host": lambda ca: ca.server("auth.openai.com"),
}


@pytest.fixture
def _trusting(ca: Authority, monkeypatch: Env) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca.ca_file))


@pytest.mark.usefixtures("_trusting")
@pytest.mark.parametrize("usable", [True, False], ids=["usable", "expired"])
@pytest.mark.parametrize("name", UNTRUSTED)
def test_a_certificate_that_is_not_trusted_ends_it_at_once_and_is_explained(
    name: str, usable: bool, store: Store, ca: Authority
) -> None:
    with no_new_sockets(), Peer(until_closed, UNTRUSTED[name](ca)) as peer:
        ran = renew(peer.issuer, store, usable=usable)
        assert (peer.connections, peer.sent) == (1, 0)
    check(ran, usable=usable, kind=E.TLS_UNTRUSTED, cause="tls_certificate", pauses=[])
    assert "SSL_CERT_FILE" in " ".join(ran.error.next_actions)


HANDSHAKES: dict[str, Script] = {
    "F19 EOF in the handshake": _ends,
    "F19 no TLS": _plain,
}


@pytest.mark.parametrize("usable", [True, False], ids=["usable", "expired"])
@pytest.mark.parametrize("name", HANDSHAKES)
def test_a_handshake_that_breaks_off_is_tried_again(name: str, usable: bool, store: Store) -> None:
    with no_new_sockets(), Peer(HANDSHAKES[name]) as peer, at_most(4):
        ran = renew(peer.issuer.replace("http", "https", 1), store, usable=usable)
    assert (peer.connections, peer.sent) == (1 if usable else 4, 0)
    check(ran, usable=usable, kind=E.NETWORK, cause="tls_eof", pauses=[] if usable else PACE)


# F19
@pytest.mark.parametrize("usable", [True, False], ids=["usable", "expired"])
def test_silence_in_the_handshake_is_tried_again(usable: bool, store: Store) -> None:
    clock = SkippingClock()
    with no_new_sockets(), Peer(silence(clock)) as peer, at_most(4):
        ran = renew(peer.issuer.replace("http", "https", 1), store, usable=usable, clock=clock)
    assert (peer.connections, peer.sent) == (1 if usable else 2, 0)
    check(ran, usable=usable, kind=E.NETWORK, cause="timeout", pauses=[] if usable else PACE_OF_SILENCE)


# F19
@pytest.mark.usefixtures("_trusting")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("usable", [True, False], ids=["usable", "expired"])
def test_tls_1_0_is_never_spoken(usable: bool, store: Store, ca: Authority) -> None:
    with no_new_sockets(), Peer(granting(), _old(ca.server("127.0.0.1"))) as peer:
        ran = renew(peer.issuer, store, usable=usable)
    assert peer.sent == 0
    check(ran, usable=usable, kind=E.NETWORK, cause="tls_eof", pauses=[] if usable else PACE)


# F19
def test_a_handshake_that_succeeds_at_the_second_try_renews_the_login(
    store: Store, ca: Authority, monkeypatch: Env
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca.ca_file))
    with (
        no_new_sockets(),
        Peer(granting(), ca.server("127.0.0.1")) as good,
        Server(in_turn(_ends, _relay(good.port))) as door,
    ):
        ran = renew(f"https://127.0.0.1:{door.port}", store, usable=False)
        assert door.connections == 2
    assert (ran.fate, good.sent) == (Fate.RENEWED, 1)


def _relay(port: int) -> Script:
    """Both directions of one connection, in one thread: enough for one request and its answer."""

    def script(sock: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as server:
            for end in (sock, server):
                end.settimeout(0.02)
            _carry(sock, server)

    return script


def _carry(one: socket.socket, other: socket.socket) -> None:
    while True:
        for source, sink in ((one, other), (other, one)):
            try:
                data = source.recv(65536)
            except TimeoutError:
                continue
            if not data:
                return
            sink.sendall(data)


# -- F20: a company's proxy with a certificate authority of its own -------------------------------------


@contextmanager
def company(ca: Authority, env: Env) -> Generator[Peer]:
    """A proxy that answers for `auth.test` itself, with a certificate of the company's authority."""
    with Peer(granting(), ca.server("auth.test")) as inside:
        heads: list[bytes] = []
        with _proxy(env, tunnel_to(inside.port, heads)):
            yield inside


# F20
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_company_authority_that_is_named_is_trusted(
    variable: str, store: Store, ca: Authority, tmp_path: Path, monkeypatch: Env
) -> None:
    (tmp_path / ca.ca_hashed_name).write_bytes(ca.ca_file.read_bytes())
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv(variable, str(tmp_path if variable.endswith("DIR") else ca.ca_file))
    with no_new_sockets(), company(ca, monkeypatch) as inside:
        ran = renew(AWAY, store, usable=False)
    assert (ran.fate, inside.sent) == (Fate.RENEWED, 1)


# F20
@pytest.mark.parametrize("variable", [None, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_company_authority_that_is_not_named_is_not_trusted(
    variable: str | None, store: Store, ca: Authority, monkeypatch: Env
) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    if variable is not None:
        monkeypatch.setenv(variable, str(ca.ca_file))
    with no_new_sockets(), company(ca, monkeypatch) as inside:
        ran = renew(AWAY, store, usable=False)
    assert inside.sent == 0
    check(ran, usable=False, kind=E.TLS_UNTRUSTED, cause="tls_certificate", pauses=[])
