"""TLS: whom it trusts, and what a failed handshake is called. Nothing is sent in any of these failures."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from codex_oauth.transport.httpx_transport import HttpxTransport
from codex_oauth.transport.tls import tls_context
from codex_oauth_core import Cause, Phase, RequestFailed, ResponseReceived
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


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def _trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)


def answer_of(script: Script, timeout: float = 5.0) -> ResponseReceived | tuple[Phase, Cause]:
    with no_new_sockets(), Server(script) as server:
        answer = HttpxTransport()(post(server.url.replace("http", "https", 1), timeout))
    if isinstance(answer, RequestFailed):
        return answer.phase, answer.cause
    assert isinstance(answer, ResponseReceived)
    return answer


@pytest.mark.usefixtures("_trusted")
def test_a_certificate_named_by_ssl_cert_file_is_trusted(authority: Authority) -> None:
    answer = answer_of(over_tls(answering(OK), authority.server("127.0.0.1")))
    assert isinstance(answer, ResponseReceived)
    assert answer.body.reveal() == b"ok"


@pytest.mark.usefixtures("_trusted")
def test_a_long_answer_comes_whole_through_tls(authority: Authority) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    answer = answer_of(over_tls(answering(head, b"x" * 1_000_000), authority.server("127.0.0.1")))
    assert isinstance(answer, ResponseReceived)
    assert len(answer.body.reveal()) == 1_000_000


def test_a_folder_of_certificates_is_trusted(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    server = over_tls(answering(OK), authority.server("127.0.0.1"))
    assert answer_of(server) == (Phase.NOT_SENT, Cause.MISCONFIGURED)  # an empty folder
    (tmp_path / authority.ca_hashed_name).write_bytes(authority.ca_file.read_bytes())
    assert isinstance(answer_of(server), ResponseReceived)


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize("fault", ["expired", "wrong host", "self-signed"])
def test_a_bad_certificate_ends_it_before_anything_is_sent(authority: Authority, fault: str) -> None:
    context = authority.server(
        "wrong.test" if fault == "wrong host" else "127.0.0.1",
        expired=fault == "expired",
        self_signed=fault == "self-signed",
    )
    heads: list[bytes] = []

    def script(sock: socket.socket) -> None:
        heads.append(read_request(sock)[0])

    assert answer_of(over_tls(script, context)) == (Phase.NOT_SENT, Cause.TLS_CERTIFICATE)
    assert heads == []


def test_an_unknown_authority_is_not_trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    script = over_tls(answering(OK), authority.server("127.0.0.1"))
    assert answer_of(script) == (Phase.NOT_SENT, Cause.TLS_CERTIFICATE)


def _ends_in_the_handshake(sock: socket.socket) -> None:
    sock.recv(65536)


def _speaks_plain_http(sock: socket.socket) -> None:
    sock.recv(65536)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.usefixtures("_trusted")
@pytest.mark.parametrize("script", [_ends_in_the_handshake, _speaks_plain_http])
def test_a_handshake_that_ends_early(script: Script) -> None:
    assert answer_of(script) == (Phase.NOT_SENT, Cause.TLS_EOF)


@pytest.mark.usefixtures("_trusted")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_a_server_that_speaks_only_tls_1_1_is_refused(authority: Authority) -> None:
    context = authority.server("127.0.0.1")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    assert answer_of(over_tls(answering(OK), context)) == (Phase.NOT_SENT, Cause.TLS_EOF)


@pytest.mark.usefixtures("_trusted")
def test_silence_in_the_handshake_ends_at_the_limit() -> None:
    with at_most(2):
        assert answer_of(silent, timeout=0.4) == (Phase.NOT_SENT, Cause.TIMEOUT)


@pytest.mark.usefixtures("_trusted")
def test_the_total_limit_holds_against_trickles_in_tls(authority: Authority) -> None:
    script = over_tls(trickling(b"HTTP/1.1 200 OK\r\nX: ", b"x"), authority.server("127.0.0.1"))
    with at_most(2):
        assert answer_of(script, timeout=0.6) == (Phase.MAYBE_SENT, Cause.TIMEOUT)


@pytest.mark.usefixtures("_trusted")
def test_a_body_that_ends_with_the_connection_needs_no_close_notify(authority: Authority) -> None:
    script = over_tls(answering(b"HTTP/1.0 200 OK\r\n\r\n", b"ab"), authority.server("127.0.0.1"))
    answer = answer_of(script)
    assert isinstance(answer, ResponseReceived)
    assert answer.body.reveal() == b"ab"


@pytest.mark.usefixtures("_trusted")
def test_a_body_cut_short_in_tls_is_truncated(authority: Authority) -> None:
    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")

    context = authority.server("127.0.0.1")
    assert answer_of(over_tls(script, context)) == (Phase.MAYBE_SENT, Cause.TRUNCATED)


@pytest.mark.usefixtures("_trusted")
def test_garbage_instead_of_a_tls_record_after_the_request_is_a_reset(authority: Authority) -> None:
    def script(sock: socket.socket) -> None:
        with authority.server("127.0.0.1").wrap_socket(
            sock, server_side=True, suppress_ragged_eofs=True
        ) as tls:
            read_request(tls)
            with socket.socket(fileno=socket.dup(tls.fileno())) as raw:
                raw.sendall(b"plain text")
                raw.recv(65536)

    assert answer_of(script) == (Phase.MAYBE_SENT, Cause.RESET)


def test_the_context_verifies_is_shared_and_has_a_floor() -> None:
    context = tls_context()
    assert context is tls_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_certifi_is_trusted_unless_the_user_names_certificates(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    assert len(tls_context().get_ca_certs()) == 1
    monkeypatch.delenv("SSL_CERT_FILE")
    assert len(tls_context().get_ca_certs()) > 50
