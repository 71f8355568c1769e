"""Binding the redirect URI's port on the loopback interface (RFC 8252 §7.3, §8.3).

Rules of this file: loopback addresses and nothing else; a port counts only if nobody else can be reached
through the redirect URI; nothing is ever sent to whoever holds a port; who is left out is closed.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Mapping, Sequence
from enum import StrEnum, unique
from typing import Final

import attrs

from codex_oauth_core.errors import ErrorKind, SignInError

__all__ = ["Bound", "Trouble", "bind"]


@unique
class Trouble(StrEnum):
    """Why a port cannot be used; the value is what an error's details say."""

    IN_USE = "in_use"
    FORBIDDEN = "forbidden"
    ABSENT = "absent"
    """This machine has no such loopback address."""


_SENTENCES: Final[Mapping[Trouble, str]] = {
    Trouble.IN_USE: "Port {} is in use by another program.",
    Trouble.FORBIDDEN: "Port {} is reserved or forbidden by the system.",
    Trouble.ABSENT: "Port {} cannot be opened: this machine has no loopback address.",
}
_TROUBLES: Final[Mapping[int, Trouble]] = {
    errno.EADDRINUSE: Trouble.IN_USE,
    errno.EACCES: Trouble.FORBIDDEN,
    errno.EPERM: Trouble.FORBIDDEN,
    10013: Trouble.FORBIDDEN,  # WSAEACCES: Windows reserves whole ranges of ports
    errno.EAFNOSUPPORT: Trouble.ABSENT,
    errno.EADDRNOTAVAIL: Trouble.ABSENT,
    errno.EPROTONOSUPPORT: Trouble.ABSENT,
}
_FAMILIES: Final = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}
_ADDRESSES: Final[Mapping[str, tuple[str, ...]]] = {
    "localhost": ("127.0.0.1", "::1"),  # in this order: whoever has the first has the port
    "127.0.0.1": ("127.0.0.1",),
    "[::1]": ("::1",),
}
_EXCLUSIVE: Final[int | None] = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)  # Windows has it
_BACKLOG: Final = 128
_TRIES: Final = 20
"""How many free ports are looked at for one that is free in every family."""


@attrs.frozen(eq=False)
class Bound:
    """Listening sockets on one port, and the redirect URI that leads to them and to nobody else."""

    sockets: tuple[socket.socket, ...]
    host: str
    port: int
    path: str

    @property
    def redirect_uri(self) -> str:
        """The value for the authorize URL and for the exchange."""
        return f"http://{self.host}:{self.port}{self.path}"

    def close(self) -> None:
        """Stop listening. Any number of times."""
        for sock in self.sockets:
            with contextlib.suppress(
                OSError
            ):  # a fork's copy must not go on listening; not all systems do it
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


def bind(ports: Sequence[int], path: str, host: str = "localhost") -> Bound:
    """Listen on the first of `ports` that can be used; 0 stands for any free one.

    `host` is the redirect URI's: `localhost`, `127.0.0.1` or `[::1]`. For `localhost` every address family
    that exists must be had, because a browser tries both; where another program holds only `::1`, the
    redirect URI says `127.0.0.1` instead. Raises SignInError: `callback_port_unavailable`, with `in_use`,
    `forbidden` or `absent` for each port in its details (`port_1455`); `callback_server_failed` when the
    system has no sockets left. Raises ValueError for arguments that no redirect URI can have.
    """
    if host not in _ADDRESSES or not path.startswith("/") or not ports:
        raise ValueError("a redirect URI is http://HOST:PORT/PATH on a loopback host")
    troubles: dict[int, Trouble] = {}
    for port in ports:
        try:
            found = _on_any_port(host, path) if port == 0 else _on_port(port, host, path)
        except OSError as error:
            reason = errno.errorcode.get(error.errno or 0)
            raise SignInError.of(ErrorKind.CALLBACK_SERVER_FAILED, reason=reason) from error
        if isinstance(found, Bound):
            return found
        troubles[port] = found
    raise _unavailable(troubles)


def _unavailable(troubles: Mapping[int, Trouble]) -> SignInError:
    message = " ".join(_SENTENCES[trouble].format(port) for port, trouble in troubles.items())
    details = {f"port_{port}": trouble.value for port, trouble in troubles.items()}
    return SignInError.of(ErrorKind.CALLBACK_PORT_UNAVAILABLE, message, **details)


def _on_any_port(host: str, path: str) -> Bound | Trouble:
    """A free port; rather one that is free in every family. Raises OSError."""
    found = _on_port(0, host, path)
    for _ in range(_TRIES):
        if found is not Trouble.IN_USE and (not isinstance(found, Bound) or found.host == host):
            break
        if isinstance(found, Bound):
            found.close()
        found = _on_port(0, host, path)
    return found


def _on_port(port: int, host: str, path: str) -> Bound | Trouble:
    """Sockets on one port, or why not. Raises OSError."""
    sockets: list[socket.socket] = []
    reachable = host
    try:
        for address in _ADDRESSES[host]:
            found = _listen(address, port)
            if isinstance(found, socket.socket):
                sockets.append(found)
                port = int(found.getsockname()[1])
            elif found is not Trouble.ABSENT:
                if not sockets:
                    return found
                reachable = "127.0.0.1"  # `localhost` would lead some browsers to the other program
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return Bound(tuple(sockets), reachable, port, path) if sockets else Trouble.ABSENT


def _listen(address: str, port: int) -> socket.socket | Trouble:
    """A listening socket, or why not. Raises OSError for anything that is not the port's fault."""
    try:
        return _listening(address, port)
    except OSError as error:
        trouble = _TROUBLES.get(error.errno or 0)
        if trouble is None:
            raise
        return trouble


def _listening(address: str, port: int) -> socket.socket:
    # the protocol is named, because asyncio turns Nagle's algorithm off only where it is
    sock = socket.socket(_FAMILIES[address], socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if _EXCLUSIVE is not None:
            sock.setsockopt(socket.SOL_SOCKET, _EXCLUSIVE, 1)  # there, SO_REUSEADDR would share the port
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the last sign-in's TIME_WAIT
        if address == "::1":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(_BACKLOG)  # only now is the port ours: two may bind it, one may listen
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock
