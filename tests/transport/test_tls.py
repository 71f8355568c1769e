"""TLS in every world: whom it trusts, and what a failed handshake is called.

Rules of this file: a case is one row, and each row is met by every world; where a handshake fails, nothing is sent.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_oauth.transport.tls import DIRECTORY, FILES, tls_context
from codex_oauth_core import Cause, Phase, RequestFailed, ResponseReceived
from tests.transport.asking import LIMIT, https, over_https, performed
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
    trickling,
)

SHORT = 0.3
LONG = b"x" * 1_000_000


@pytest.fixture
def _nobody_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*FILES, DIRECTORY):
        monkeypatch.delenv(name, raising=False)


# -- whom it trusts ------------------------------------------------------------------------------------

TRUSTED: dict[str, tuple[Script, bytes]] = {
    "a short answer": (answering(OK), b"ok"),
    "a long one": (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", LONG), LONG),
    "one that ends with the connection, without close_notify": (
        answering(b"HTTP/1.0 200 OK\r\n\r\n", b"ab"),
        b"ab",
    ),
}


@pytest.mark.parametrize("case", TRUSTED)
def test_a_certificate_named_by_ssl_cert_file_is_trusted(world: str, case: str, trusted: Authority) -> None:
    script, body = TRUSTED[case]
    assert over_https(world, over_tls(script, trusted.server("127.0.0.1"))) == body


EMPTY = {"twisted": Cause.TLS_CERTIFICATE}
"""Twisted hands the folder to OpenSSL, which looks into it when it needs a certificate, and finds none."""


@pytest.mark.usefixtures("_nobody_named")
def test_a_folder_of_certificates_is_trusted(
    world: str, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with no_new_sockets(), Server(over_tls(answering(OK), authority.server("127.0.0.1"))) as server:
        empty = performed(world, post(https(server.url)))
        assert server.connections == (world in EMPTY)
        (tmp_path / authority.ca_hashed_name).write_bytes(authority.ca_file.read_bytes())
        assert isinstance(performed(world, post(https(server.url))), ResponseReceived)
    assert isinstance(empty, RequestFailed)
    assert (empty.phase, empty.cause) == (Phase.NOT_SENT, EMPTY.get(world, Cause.MISCONFIGURED))


BAD: dict[str, Callable[[Authority], ssl.SSLContext]] = {
    "expired": lambda authority: authority.server("127.0.0.1", expired=True),
    "wrong host": lambda authority: authority.server("wrong.test"),
    "self-signed": lambda authority: authority.server("127.0.0.1", self_signed=True),
    "unknown authority": lambda authority: authority.server("127.0.0.1"),
}


# F19
@pytest.mark.parametrize("fault", BAD)
def test_a_bad_certificate_ends_it_before_anything_is_sent(
    world: str, fault: str, trusted: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "unknown authority":
        monkeypatch.delenv("SSL_CERT_FILE")
    heads: list[bytes] = []

    def script(sock: socket.socket) -> None:
        heads.append(read_request(sock)[0])

    assert over_https(world, over_tls(script, BAD[fault](trusted))) == (Phase.NOT_SENT, Cause.TLS_CERTIFICATE)
    assert heads == []


def test_the_context_verifies_is_shared_and_has_a_floor() -> None:
    context = tls_context()
    assert context is tls_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.usefixtures("_nobody_named")
def test_certifi_is_trusted_unless_the_user_names_certificates(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as named:
        named.setenv("SSL_CERT_FILE", str(authority.ca_file))
        assert len(tls_context().get_ca_certs()) == 1
    assert len(tls_context().get_ca_certs()) > 50


# -- how a handshake fails -----------------------------------------------------------------------------


def hello(*answers: bytes, reset: bool = False) -> Script:
    """Read a ClientHello, say something, and end."""

    def script(sock: socket.socket) -> None:
        sock.recv(65536)
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for answer in answers:
            sock.sendall(answer)

    return script


def _hangs_up(sock: socket.socket) -> None:
    del sock


HANDSHAKES: dict[str, Script] = {
    "the end": hello(),
    "cut": _hangs_up,
    "reset": hello(reset=True),
    "garbage": hello(b"220 mail ESMTP\r\n"),
    "plain HTTP": hello(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "an alert": hello(b"\x15\x03\x03\x00\x02\x02\x28"),  # handshake_failure
    "a ServerHello that is cut": hello(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + bytes(32)),
    "no certificate": over_tls(silent, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)),
}


# F19
@pytest.mark.parametrize("case", HANDSHAKES)
def test_however_a_handshake_ends_nothing_was_sent(world: str, case: str, trusted: Authority) -> None:
    assert over_https(world, HANDSHAKES[case]) == (Phase.NOT_SENT, Cause.TLS_EOF)


# F19
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_a_server_that_speaks_only_tls_1_1_is_refused(world: str, trusted: Authority) -> None:
    context = trusted.server("127.0.0.1")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    assert over_https(world, over_tls(answering(OK), context)) == (Phase.NOT_SENT, Cause.TLS_EOF)


# F19
def test_silence_in_the_handshake_ends_at_the_limit(world: str, trusted: Authority) -> None:
    with at_most(2):
        assert over_https(world, silent, SHORT) == (Phase.NOT_SENT, Cause.TIMEOUT)


# -- what fails behind it ------------------------------------------------------------------------------


def _garbage_after_the_request(tls: socket.socket) -> None:
    read_request(tls)
    with socket.socket(fileno=socket.dup(tls.fileno())) as raw:
        raw.sendall(b"plain text")
        raw.recv(65536)


def _cut_short(tls: socket.socket) -> None:
    read_request(tls)
    tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")


BEHIND: dict[str, tuple[Script, Cause]] = {
    "a trickled head": (trickling(b"HTTP/1.1 200 OK\r\nX: ", b"x"), Cause.TIMEOUT),
    "a body cut short": (_cut_short, Cause.TRUNCATED),
    "no record of TLS": (_garbage_after_the_request, Cause.RESET),
}


@pytest.mark.parametrize("case", BEHIND)
def test_what_fails_behind_a_handshake_may_have_been_sent(world: str, case: str, trusted: Authority) -> None:
    script, cause = BEHIND[case]
    limit = SHORT if cause is Cause.TIMEOUT else LIMIT
    with at_most(2):
        secured = over_tls(script, trusted.server("127.0.0.1"))
        found = over_https(world, secured, limit, from_its_first_byte=True)
    assert found == (Phase.MAYBE_SENT, cause)


# -- user information ----------------------------------------------------------------------------------


@pytest.mark.parametrize("once", [True, False])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("user", ["me", "me:canary", "me:can%40ary", "me:c@nary", ":"])
# S16
def test_user_information_of_a_url_is_never_sent(
    world: str, user: str, scheme: str, once: bool, trusted: Authority
) -> None:
    heads: list[bytes] = []

    def script(sock: socket.socket) -> None:
        heads.append(read_request(sock)[0])
        sock.sendall(OK)

    secured = over_tls(script, trusted.server("127.0.0.1")) if scheme == "https" else script
    with no_new_sockets(), Server(secured) as server:
        url = server.url.replace("http://", f"{scheme}://{user}@", 1)
        answer = performed(world, post(url, once=once))
    assert isinstance(answer, ResponseReceived), answer
    (head,) = heads
    assert head.startswith(b"POST /path?q=1 HTTP/1.1\r\n")
    assert b"\r\nhost: 127.0.0.1:%d\r\n" % server.port in head.lower() + b"\r\n"
    assert b"authorization" not in head.lower()
    assert b"nary" not in head
