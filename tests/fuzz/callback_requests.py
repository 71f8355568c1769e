"""Requests to the callback receiver for tests, and what must hold for every byte string.

Rules of this file: the genuine request is spelled out here a second time, without the receiver's own
code, so that what was accepted can be held against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final
from urllib.parse import parse_qsl

from codex_oauth_core import CallbackRule, Secret
from codex_oauth_core.receiver import CallbackGate, CallbackReceiver

STATE: Final = "canary-state-0123456789-0123456789-012345678"
SUFFIX: Final = ".onboarding_entrypoint=life_sciences"
ISSUER: Final = "https://auth.openai.com"
RULE: Final = CallbackRule("http://localhost:1455/auth/callback", Secret(STATE), (SUFFIX,), ISSUER)
TARGET: Final = f"/auth/callback?code=canary-code&state={STATE}"
BROWSER: Final = (
    "Connection: keep-alive",
    "Upgrade-Insecure-Requests: 1",
    "User-Agent: canary-agent",
    "Accept: text/html",
    "Sec-Fetch-Site: cross-site",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Dest: document",
    "Referer: https://auth.openai.com/",
    "Accept-Language: de",
)


def request(
    target: str = TARGET,
    *fields: str,
    method: str = "GET",
    version: str = "HTTP/1.1",
    host: str | None = "localhost:1455",
) -> bytes:
    """One request; the genuine one unless told otherwise."""
    hosts = () if host is None else (f"Host: {host}",)
    lines = (f"{method} {target} {version}", *hosts, *fields, "", "")
    return "\r\n".join(lines).encode("latin-1")


GENUINE: Final = request()
IN_A_BROWSER: Final = request(TARGET, *BROWSER)


def gate(rule: CallbackRule = RULE) -> CallbackGate:
    return CallbackGate(rule)


def answer(data: bytes, to: CallbackGate | None = None) -> bytes:
    """What one connection answers to these bytes and a close."""
    return answer_in_pieces([data], to)


def answer_in_pieces(pieces: Iterable[bytes], to: CallbackGate | None = None) -> bytes:
    """The same, with the bytes cut."""
    receiver = CallbackReceiver(to or gate())
    sent = b"".join([*map(receiver.receive, filter(None, pieces)), receiver.receive(b"")])
    assert receiver.closed
    assert receiver.receive(b"more") == b""
    return sent


def status(sent: bytes) -> int | None:
    """The status of an answer; None where nothing was sent."""
    return int(sent[9:12]) if sent else None


def cut(data: bytes, places: Iterable[int]) -> Iterator[bytes]:
    """These bytes in pieces."""
    ends = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    yield from (data[start:end] for start, end in pairwise(ends))


_GENUINE: Final = re.compile(
    rb"GET /auth/callback\?([\x21\x22\x24-\x7e]*) HTTP/1\.1\r\n((?:[!-9;-~]+:[^\r\n\0]*\r\n){1,100})\r\n"
)
_HOST: Final = re.compile(rb"^host:[ \t]*(.*?)[ \t]*\r$", re.IGNORECASE | re.MULTILINE)
_FORBIDDEN: Final = re.compile(
    rb"^(upgrade|transfer-encoding):|^content-length:(?![ \t]*0[ \t]*\r)", re.IGNORECASE | re.MULTILINE
)
_HOSTS: Final = (b"localhost:1455", b"127.0.0.1:1455", b"[::1]:1455")


def may_be_accepted(data: bytes) -> bool:
    """Whether the bytes begin with a request that meets what every genuine one meets."""
    match = _GENUINE.match(data)
    if match is None:
        return False
    fields = match[2]
    hosts = [host.lower() for host in _HOST.findall(fields)]
    states = [value for name, value in parse_qsl(match[1].decode()) if name == "state"]
    ours = len(hosts) == 1 and hosts[0] in _HOSTS and states in ([STATE], [STATE + SUFFIX])
    return ours and _FORBIDDEN.search(fields) is None


def check(data: bytes, places: Iterable[int]) -> None:
    """What holds for any bytes: they end in an answer or a close, the cuts change nothing, only the
    genuine request is accepted, and the next connection finds the gate as it must be.
    """
    whole, pieces, single = gate(), gate(), gate()
    sent = answer(data, whole)
    assert answer_in_pieces(cut(data, places), pieces) == sent
    assert answer_in_pieces((bytes([byte]) for byte in data), single) == sent
    assert status(sent) in {None, 200, 400, 403, 404, 405, 414, 421, 431, 503}
    accepted = whole.accepted is not None
    assert accepted == (pieces.accepted is not None) == (single.accepted is not None) == (status(sent) == 200)
    assert may_be_accepted(data) or not accepted
    assert b"canary" not in sent
    assert status(answer(GENUINE, whole)) == (410 if accepted else 200)
