"""What the checks of a world stand on: a clock, a server, and a certificate that is fine but for trust."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
import urllib.request

import pytest
from cryptography import x509

from codex_oauth.testing.loopback import OK_ANSWER, LoopbackServer, answer, chunked, in_turn, silent
from codex_oauth.testing.performing import CheckedClock, completed
from codex_oauth.testing.untrusted import untrusted_context
from tests.transport.servers import BUSY


def test_a_clock_runs_steps_and_stands_and_never_goes_back() -> None:
    clock = CheckedClock()
    seen = [clock.instant()]
    with clock.standing():
        seen.append(clock.instant())
        assert clock.instant() == seen[-1]
        clock.step(5.0)
        clock.step(-50.0)
        assert clock.instant() == seen[-1] + 5.0
        with clock.running():
            time.sleep(0.02)
        seen.append(clock.instant())
        assert clock.instant() == seen[-1]
    time.sleep(0.02)
    seen.append(clock.instant())
    assert seen == sorted(seen)
    assert 5.04 <= seen[-1] - seen[0] < 5.04 + BUSY
    at, wall = clock()
    assert wall - at == pytest.approx(1_800_000_007.5 - 1_000_003.25)


def test_a_server_keeps_what_came_and_is_gone_at_the_end() -> None:
    before = threading.active_count()
    with LoopbackServer(in_turn(OK_ANSWER, answer(200, b"second"), chunked(b"third" * 3000))) as server:
        found = [urllib.request.urlopen(f"{server.url}/{number}").read() for number in range(3)]
        assert found == [b"ok", b"second", b"third" * 3000]
        assert [request.target for request in server.received] == ["/0", "/1", "/2"]
        assert [request.connection for request in server.received] == [1, 2, 3]
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=2)


def test_a_server_ends_at_once_whoever_is_still_connected() -> None:
    server = LoopbackServer(silent)
    with socket.socket() as client:
        with server:
            client.connect(("127.0.0.1", server.port))
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            deadline = time.monotonic() + BUSY
            while not server.received and time.monotonic() < deadline:
                time.sleep(0.005)
            assert server.open_connections == 1
            begun = time.monotonic()
        assert time.monotonic() - begun < BUSY
        assert server.open_connections == 0


def test_the_certificate_is_well_made_and_nobody_trusts_it() -> None:
    everybody = ssl.create_default_context()
    everybody.check_hostname = False
    everybody.verify_mode = ssl.CERT_NONE
    with LoopbackServer(in_turn(OK_ANSWER), untrusted_context()) as server:
        with urllib.request.urlopen(server.url, context=everybody) as answered:
            assert answered.read() == b"ok"
        pem = ssl.get_server_certificate(("127.0.0.1", server.port))
        with pytest.raises(OSError, match="self-signed certificate"):
            urllib.request.urlopen(server.url)
    certificate = x509.load_pem_x509_certificate(pem.encode())
    certificate.verify_directly_issued_by(certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name) for name in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_each_certificate_has_a_key_of_its_own() -> None:
    def key() -> bytes:
        with LoopbackServer(in_turn(OK_ANSWER), untrusted_context()) as server:
            pem = ssl.get_server_certificate(("127.0.0.1", server.port))
        return x509.load_pem_x509_certificate(pem.encode()).signature

    assert key() != key()


def test_what_gives_control_away_is_no_blocking_world() -> None:
    with pytest.raises(RuntimeError, match="gave control away"):
        completed(asyncio.sleep(0))
