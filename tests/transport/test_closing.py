"""Whoever closes a stream closes its connection, at every layer, and after a handshake that failed."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Generator
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import httpcore
import pytest

from codex_oauth.transport.async_network import AnyioNetwork
from codex_oauth.transport.deadline import Deadline
from codex_oauth.transport.dial import BoundedSocket
from codex_oauth.transport.network import BoundedBackend, SocketStream, TlsStream
from tests.transport.certificates import Authority
from tests.transport.servers import Server, over_tls, silent

LOOPS = ("asyncio", "trio")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.ca_file))


@pytest.fixture
def server(authority: Authority) -> Generator[Server]:
    with Server(over_tls(silent, authority.server("127.0.0.1"))) as server:
        yield server


def soon() -> Deadline:
    return Deadline(5.0, lambda: False, lambda: 0.0)


def connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port))


@attrs.frozen
class Descriptor:
    """A file of this process: its number alone may have gone to another one."""

    number: int
    inode: int

    @classmethod
    def of(cls, sock: socket.socket) -> Descriptor:
        return cls(sock.fileno(), os.fstat(sock.fileno()).st_ino)


def is_open(descriptor: Descriptor) -> bool:
    try:
        return os.fstat(descriptor.number).st_ino == descriptor.inode
    except OSError:
        return False


class Under(httpcore.NetworkStream):
    """Counts how often it is closed."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_a_plain_stream_closes_its_socket(server: Server) -> None:
    sock = connected(server)
    descriptor = Descriptor.of(sock)
    stream = SocketStream(sock, soon())
    stream.close()
    stream.close()
    assert not is_open(descriptor)


def test_a_tls_stream_closes_its_socket(server: Server, trusting: ssl.SSLContext) -> None:
    sock = connected(server)
    descriptor = Descriptor.of(sock)
    stream = SocketStream(sock, soon()).start_tls(trusting, "127.0.0.1")
    assert is_open(descriptor)
    stream.close()
    assert not is_open(descriptor)


def test_tls_within_tls_closes_what_is_under_both(trusting: ssl.SSLContext) -> None:
    under = Under()
    outer = TlsStream(under, trusting, "proxy.test")
    TlsStream(outer, trusting, "server.test").close()
    assert under.closed == 1


def test_after_a_failed_handshake_a_stream_still_closes_its_socket(server: Server) -> None:
    sock = connected(server)
    descriptor = Descriptor.of(sock)
    stream = SocketStream(sock, soon())
    with pytest.raises(httpcore.ConnectError):
        stream.start_tls(ssl.create_default_context(), "127.0.0.1")
    stream.close()
    assert not is_open(descriptor)


@pytest.mark.parametrize("trusted", [True, False])
def test_a_backend_closes_what_it_opened_whoever_forgot_it(
    server: Server,
    trusting: ssl.SSLContext,
    trusted: bool,
) -> None:
    with BoundedBackend(soon()) as backend:
        stream = backend.connect_tcp("127.0.0.1", server.port)
        descriptor = Descriptor.of(stream.get_extra_info("socket"))
        if trusted:
            stream.start_tls(trusting, "127.0.0.1")
        else:
            with pytest.raises(httpcore.ConnectError):
                stream.start_tls(ssl.create_default_context(), "127.0.0.1")
        assert is_open(descriptor)
    assert not is_open(descriptor)


@pytest.mark.parametrize("secured", ["plain", "tls", "failed"])
def test_a_bounded_socket_closes_its_socket(server: Server, trusting: ssl.SSLContext, secured: str) -> None:
    inner = connected(server)
    descriptor = Descriptor.of(inner)
    sock = BoundedSocket(inner, soon())
    if secured == "tls":
        sock.start_tls(trusting, "127.0.0.1")
    elif secured == "failed":
        with pytest.raises(ssl.SSLCertVerificationError):
            sock.start_tls(ssl.create_default_context(), "127.0.0.1")
    assert is_open(descriptor)
    sock.close()
    sock.close()
    assert not is_open(descriptor)


def _awaited(loop: str, work: Callable[[AnyioNetwork], Any]) -> None:
    async def main() -> None:
        await work(AnyioNetwork())

    anyio.run(main, backend=loop)


@pytest.mark.parametrize("secured", ["plain", "tls"])
@pytest.mark.parametrize("loop", LOOPS)
def test_an_asynchronous_stream_closes_its_socket(
    loop: str, server: Server, trusting: ssl.SSLContext, secured: str
) -> None:
    async def work(network: AnyioNetwork) -> None:
        stream = await network.connect_tcp("127.0.0.1", server.port)
        descriptor = Descriptor.of(stream.get_extra_info("socket"))
        if secured == "tls":
            stream = await stream.start_tls(trusting, "127.0.0.1")
        assert is_open(descriptor)
        await stream.aclose()
        await stream.aclose()
        await anyio.lowlevel.checkpoint()
        assert not is_open(descriptor)

    _awaited(loop, work)


@pytest.mark.parametrize("loop", LOOPS)
def test_an_asynchronous_handshake_that_fails_closes_its_socket(loop: str, server: Server) -> None:
    async def work(network: AnyioNetwork) -> None:
        stream = await network.connect_tcp("127.0.0.1", server.port)
        descriptor = Descriptor.of(stream.get_extra_info("socket"))
        with pytest.raises(httpcore.ConnectError):
            await stream.start_tls(ssl.create_default_context(), "127.0.0.1")
        await anyio.lowlevel.checkpoint()
        assert not is_open(descriptor)

    _awaited(loop, work)


@pytest.mark.parametrize("secured", ["plain", "tls"])
@pytest.mark.parametrize("loop", LOOPS)
def test_an_asynchronous_network_closes_what_it_opened_whoever_forgot_it(
    loop: str, server: Server, trusting: ssl.SSLContext, secured: str
) -> None:
    async def work(network: AnyioNetwork) -> None:
        stream = await network.connect_tcp("127.0.0.1", server.port)
        descriptor = Descriptor.of(stream.get_extra_info("socket"))
        if secured == "tls":
            await stream.start_tls(trusting, "127.0.0.1")
        await network.aclose()
        await anyio.lowlevel.checkpoint()
        assert not is_open(descriptor)

    _awaited(loop, work)
