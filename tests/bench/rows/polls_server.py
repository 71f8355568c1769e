"""`python -m tests.bench.rows.polls_server SECONDS`: answers every poll with pending, after so many seconds.

Rules of this file: it costs as little as a server in Python can, so that its client is what is measured; it prints
its port, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from typing import Final

from tests.support import PENDING

_HEAD: Final = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nDate: Fri, 15 Jan 2027 08:00:00 GMT\r\nContent-Length: %d\r\n\r\n"
_NUMBERS: Final = itertools.count()


def _answer(status: bytes, body: bytes) -> bytes:
    return _HEAD % (status, len(body)) + body


def _issued() -> bytes:
    number = next(_NUMBERS)
    login = {"device_auth_id": f"deviceauth_{number:036d}", "user_code": f"ABCD-{number:05d}"}
    return json.dumps({**login, "interval": "1", "expires_in": 900}).encode()


_PENDING: Final = _answer(b"403 Forbidden", json.dumps(json.loads(PENDING.body)).encode())


class _Connection(asyncio.Protocol):
    """One request after the other; each has a Content-Length."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._left = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._left += data
        head, found, body = self._left.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if not found or len(body) < length:
            return
        self._left = body[length:]
        answer = _answer(b"200 OK", _issued()) if b"/usercode HTTP" in head else _PENDING
        asyncio.get_running_loop().call_later(self._latency, self._write, answer)

    def _write(self, answer: bytes) -> None:
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.write(answer)


async def main(latency: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(latency), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
