"""What a loopback port gets besides the redirect: browsers' habits, scanners, and attacks by web pages."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping
from typing import Final

from tests.listener.sign_ins import CODE, STATE, get, say

Connect = Callable[[], socket.socket]
"""A connection to the listener."""

Disturbance = Callable[[Connect, int], list[socket.socket]]
"""Does its worst on a port, and returns those of its connections that are owed an answer."""


def idle(connect: Connect, port: int) -> list[socket.socket]:
    connect()
    return []


def fifty_idle(connect: Connect, port: int) -> list[socket.socket]:
    for _ in range(50):
        connect()
    return []


def partial_request_line(connect: Connect, port: int) -> list[socket.socket]:
    say(connect(), b"GET /auth/call")
    return []


def byte_by_byte(connect: Connect, port: int) -> list[socket.socket]:
    sock = connect()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in get(f"/auth/callback?code=foreign&state={STATE[:-1]}x", port):
        say(sock, bytes([byte]))
    return [sock]


def asking(target: str) -> Disturbance:
    def disturb(connect: Connect, port: int) -> list[socket.socket]:
        sock = connect()
        say(sock, get(target, port))
        return [sock]

    return disturb


def reset(connect: Connect, port: int) -> list[socket.socket]:
    sock = connect()
    say(sock, b"GET /auth/callback?code=")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    return []


def header_of_70_kb(connect: Connect, port: int) -> list[socket.socket]:
    sock = connect()
    say(sock, get("/auth/callback", port)[:-2] + b"X-Padding: " + b"x" * 70_000 + b"\r\n\r\n")
    return [sock]


def tls_hello(connect: Connect, port: int) -> list[socket.socket]:
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2
    say(connect(), hello)
    return []


DISTURBANCES: Final[Mapping[str, Disturbance]] = {
    "idle connection": idle,
    "50 idle connections": fifty_idle,
    "partial request line": partial_request_line,
    "byte by byte": byte_by_byte,
    "favicon": asking("/favicon.ico"),
    "root": asking("/"),
    "wrong state, foreign code": asking("/auth/callback?code=foreign&state=" + "x" * len(STATE)),
    "forged error without state": asking("/auth/callback?error=access_denied"),
    "right state on a wrong path": asking(f"/auth/callback/?code={CODE}&state={STATE}"),
    "TCP reset": reset,
    "70 kB header": header_of_70_kb,
    "TLS hello": tls_hello,
}
