"""The authority over real HTTP on loopback: Host, CSRF, headers, and faults as a socket sees them."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
import time
from collections.abc import Iterator, MutableMapping

import httpx
import pytest

from codex_oauth.authority import Authority, AuthorityServer, Fault, Policy, serve
from codex_oauth.authority.server import Front
from codex_oauth_core import CODEX
from tests.authority.peer import JSON, POLL, USERCODE
from tests.transport.servers import BUSY

CLIENT = {"client_id": CODEX.client_id}


@pytest.fixture
def server() -> Iterator[AuthorityServer]:
    with serve() as running:
        yield running


@pytest.fixture
def client(server: AuthorityServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False) as one:
        yield one


def raw(port: int, request: bytes) -> tuple[bytes, bool]:
    """Everything that comes back to a request, and whether the connection was reset."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(request)
        try:
            while chunk := sock.recv(65_536):
                received += chunk
        except ConnectionResetError:
            return received, True
    return received, False


def usercode(port: int, host: str | None = None, close: bool = True) -> bytes:
    body = b'{"client_id":"%s"}' % CODEX.client_id.encode()
    lines = [
        f"POST {USERCODE} HTTP/1.1",
        f"Host: {host or f'127.0.0.1:{port}'}",
        f"Content-Type: {JSON}",
        f"Content-Length: {len(body)}",
        *(["Connection: close"] if close else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


# -- where it listens, and to whom --------------------------------------------------------------------


def test_it_listens_on_loopback_only(server: AuthorityServer) -> None:
    assert server.url == f"http://127.0.0.1:{server.port}"
    for address in ("127.0.0.2", _outside_address()):
        with socket.socket() as sock:
            sock.settimeout(1)
            assert sock.connect_ex((address, server.port)) != 0


def _outside_address() -> str:
    """This machine's address on its way out, if there is one (nothing is sent)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        reached = probe.connect_ex(("192.0.2.1", 9)) == 0
        return str(probe.getsockname()[0]) if reached else "127.0.0.2"


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}", "LOCALHOST:{}", "[::1]:{}"])
def test_it_answers_to_its_loopback_names(server: AuthorityServer, host: str) -> None:
    answer, _ = raw(server.port, usercode(server.port, host.format(server.port)))
    assert status_of(answer) == 200


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "localhost:1", "evil.example", "evil.example:{}", "127.0.0.1.:{}"]
)
def test_it_answers_to_no_other_name(server: AuthorityServer, host: str) -> None:
    answer, _ = raw(server.port, usercode(server.port, host.format(server.port)))
    assert status_of(answer) == 421
    assert server.authority.requests == []


def test_two_host_headers_are_refused(server: AuthorityServer) -> None:
    request = usercode(server.port).replace(b"\r\nContent-Type", b"\r\nHost: evil\r\nContent-Type", 1)
    answer, _ = raw(server.port, request)
    assert status_of(answer) in (400, 421)
    assert server.authority.requests == []


@pytest.mark.parametrize(("port", "host", "ours"), [(80, "localhost", True), (8123, "localhost", False)])
def test_the_default_port_is_not_named_in_a_host(port: int, host: str, ours: bool) -> None:
    authority = Authority()
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    async def send(message: MutableMapping[str, object]) -> None:
        sent.append(dict(message))

    scope = {
        "method": "GET",
        "raw_path": b"/codex/device",
        "query_string": b"",
        "headers": [(b"host", host.encode())],
    }
    front = Front(authority, port, time.monotonic, time.time, lambda: False)
    asyncio.run(front(scope, receive, send))
    assert sent[0]["status"] == (200 if ours else 421)


def test_both_loopback_families_are_served_where_they_exist(server: AuthorityServer) -> None:
    if not _has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    with socket.create_connection(("::1", server.port), timeout=5) as sock:
        sock.sendall(usercode(server.port))
        assert sock.recv(12) == b"HTTP/1.1 200"


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_a_port_in_use_is_an_os_error(server: AuthorityServer) -> None:
    with pytest.raises(OSError) as caught, serve(port=server.port):  # noqa: PT011  # the number says it
        pass
    assert caught.value.errno == errno.EADDRINUSE


def test_a_port_is_free_again_at_once() -> None:
    with serve() as first, httpx.Client(base_url=first.url, trust_env=False) as client:
        assert client.get("/codex/device").status_code == 200
    with serve(port=first.port) as second:
        assert second.port == first.port


def test_it_ends_fast_with_connections_open_and_an_answer_delayed() -> None:
    authority = Authority(faults=[Fault(endpoint="usercode", delay=60)])
    with serve(authority) as server:
        idle = socket.create_connection(("127.0.0.1", server.port))
        busy = socket.create_connection(("127.0.0.1", server.port))
        busy.sendall(usercode(server.port))
        while not authority.requests:
            time.sleep(0.005)
        begun = time.monotonic()
    assert time.monotonic() - begun < BUSY
    assert not [one for one in threading.enumerate() if one.name == "codex-oauth authority"]
    idle.close()
    busy.close()


def test_the_clocks_are_the_callers() -> None:
    with serve(clock=lambda: 1_000_003.25, wall=lambda: 0.0) as server:
        answer = httpx.get(server.url, trust_env=False)
        assert answer.headers["Date"] == "Thu, 01 Jan 1970 00:00:00 GMT"
        assert server.authority.requests[0].at == 1_000_003.25


# -- what answers look like ---------------------------------------------------------------------------


def test_no_header_names_the_server_and_none_is_doubled(client: httpx.Client) -> None:
    for answer in (client.get("/codex/device"), client.post(USERCODE, json=CLIENT)):
        names = [name for name, _ in answer.headers.multi_items()]
        assert "server" not in names
        assert len(names) == len(set(names))
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_the_path_is_not_decoded(client: httpx.Client) -> None:
    assert client.get("/codex%2fdevice").status_code == 404
    assert client.get("/codex/device").status_code == 200


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_that_is_too_large_is_refused(client: httpx.Client, chunked: bool) -> None:
    body = b" " * 100_000
    content = iter([body]) if chunked else body
    answer = client.post(USERCODE, content=content, headers={"Content-Type": JSON})
    assert answer.status_code == 413


def test_approval_needs_the_own_page(server: AuthorityServer, client: httpx.Client) -> None:
    code = client.post(USERCODE, json=CLIENT).json()["user_code"]
    form = {"user_code": code, "decision": "approve", "csrf": "guess"}
    assert client.post("/codex/device", data=form).status_code == 403
    page = client.get("/codex/device").text
    form["csrf"] = page.partition('name="csrf" value="')[2].partition('"')[0]
    with httpx.Client(base_url=server.url, trust_env=False) as other:
        assert other.post("/codex/device", data=form).status_code == 403
    cross = client.post("/codex/device", data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert cross.status_code == 403
    assert "Sign-in approved" in client.post("/codex/device", data=form).text


def test_a_test_may_decide_while_it_runs(server: AuthorityServer, client: httpx.Client) -> None:
    device = client.post(USERCODE, json=CLIENT).json()
    assert server.decide(device["user_code"], approve=True)
    body = {name: device[name] for name in ("device_auth_id", "user_code")}
    assert "authorization_code" in client.post(POLL, json=body).json()


# -- faults -------------------------------------------------------------------------------------------


def faulty(**fault: object) -> Authority:
    return Authority(faults=[Fault(endpoint="usercode", requests=1, **fault)])  # type: ignore[arg-type]  # a table


def test_a_reset_is_a_real_reset() -> None:
    with serve(faulty(reset=True)) as server:
        assert raw(server.port, usercode(server.port)) == (b"", True)
        assert status_of(raw(server.port, usercode(server.port))[0]) == 200


@pytest.mark.parametrize("sent", [0, 5])
def test_a_truncated_body_is_shorter_than_its_content_length(sent: int) -> None:
    with serve(faulty(body="0123456789", truncate=sent)) as server:
        answer, reset = raw(server.port, usercode(server.port, close=False))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert not reset
    assert b"content-length: 10" in head.lower()
    assert body == b"0123456789"[:sent]


def test_a_truncation_past_the_end_still_misses_something() -> None:
    with serve(faulty(body="0123", truncate=10)) as server:
        answer, _ = raw(server.port, usercode(server.port, close=False))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (b"content-length: 5" in head.lower(), body) == (True, b"0123")


def test_a_truncated_body_may_end_in_a_reset() -> None:
    with serve(faulty(body="0123456789", truncate=4, reset=True)) as server:
        answer, reset = raw(server.port, usercode(server.port, close=False))
    assert reset
    assert not answer.endswith(b"0123456789")


def test_a_delay_is_a_real_delay() -> None:
    with serve(faulty(delay=0.15)) as server:
        begun = time.monotonic()
        assert status_of(raw(server.port, usercode(server.port))[0]) == 200
    assert time.monotonic() - begun >= 0.15


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none(status: int) -> None:
    with serve(faulty(status=status, body="text")) as server:
        answer, _ = raw(server.port, usercode(server.port))
    assert status_of(answer) == status
    assert answer.endswith(b"\r\n\r\n")


def test_headers_and_bytes_arrive_as_scripted() -> None:
    with serve(faulty(status=503, headers={"Retry-After": "7"}, body=b"\xff\x00")) as server:
        answer = httpx.post(server.url + USERCODE, json=CLIENT, trust_env=False)
    assert (answer.status_code, answer.headers["Retry-After"], answer.content) == (503, "7", b"\xff\x00")


def test_requests_from_several_threads_are_all_answered() -> None:
    authority = Authority(policy=Policy(interval=1))
    with serve(authority) as server:
        threads = [threading.Thread(target=raw, args=(server.port, usercode(server.port))) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(one.number for one in authority.received("usercode")) == list(range(1, 21))
