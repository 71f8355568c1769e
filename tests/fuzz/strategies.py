"""Byte strings for the receiver: anything, requests out of parts, and requests with edits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from hypothesis import strategies as st

from tests.fuzz.callback_requests import GENUINE, IN_A_BROWSER, ISSUER, STATE, SUFFIX, request

__all__ = ["cuts", "edited", "inputs", "requests"]

Edit = tuple[int, int, bytes]

cuts = st.lists(st.integers(0, 30_000), max_size=8)
pieces = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b"#", b"%00", b"/", b"?", b"&", b"=", b":", b"\\", b'"', b")"]
    + [b"&state=x", b"&code=d", b"&error=x", b"&iss=y", b"&" + f"state={STATE}".encode(), SUFFIX.encode()]
    + [b"Host: localhost:1455\r\n", b"Content-Length: 0\r\n", b"Content-Length: 4\r\n", b"Upgrade: x\r\n"]
    + [b"Transfer-Encoding: chunked\r\n", b"Sec-Fetch-Dest: image\r\n", b"Purpose: prefetch\r\n"]
    + [b"x" * 8200, b"X: y\r\n" * 101, b"HEAD ", b"HTTP/1.0", b"http://localhost:1455"]
) | st.binary(max_size=6)


def _apply(data: bytes, edit: Edit) -> bytes:
    place, length, new = edit
    start = place % (len(data) + 1)
    return data[:start] + new + data[start + length :]


def edited(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """One of these byte strings with a few places cut out, put in or changed."""
    edits = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 12), pieces), max_size=4)
    return st.builds(_edited, st.sampled_from(seeds), edits)


def _edited(seed: bytes, edits: list[Edit]) -> bytes:
    return reduce(_apply, edits, seed)


def _request(method: str, target: str, version: str, host: str | None, fields: list[str]) -> bytes:
    return request(target, *fields, method=method, version=version, host=host)


def _target(path: str, parts: list[str]) -> str:
    return f"{path}?{'&'.join(parts)}"


_QUERIES = (
    *(f"state={STATE}", f"state={STATE}{SUFFIX}", "state=x", "code=c", "code=", "error=access_denied"),
    *(f"iss={ISSUER}", "iss=x", "a=%FF", "st%61te=x", "", ";", "+"),
)
_targets = st.builds(
    _target,
    st.sampled_from(
        ["/auth/callback"] * 4
        + ["/", "//auth/callback", "/auth/callback/", "*", "http://localhost:1455/auth/callback"]
    ),
    st.lists(st.sampled_from(_QUERIES), max_size=4),
)
_fields = st.sampled_from(
    ["Host: localhost:1455", "Content-Length: 0", "Content-Length: 1", "Upgrade: h2c", "Expect: 100-continue"]
    + [
        "Sec-Fetch-Mode: navigate",
        "Sec-Fetch-Mode: cors",
        "Sec-Fetch-Dest: document",
        "Sec-Fetch-Dest: empty",
    ]
    + ["Purpose: prefetch", "Transfer-Encoding: chunked", " folded", "Cookie: a=b", "X", "Connection: close"]
)
requests = st.builds(
    _request,
    st.sampled_from(["GET"] * 6 + ["HEAD", "POST", "PRI", "CONNECT", "get"]),
    _targets,
    st.sampled_from(["HTTP/1.1"] * 6 + ["HTTP/1.0", "HTTP/2.0", "", "HTTP/11"]),
    st.sampled_from(
        ["localhost:1455", "127.0.0.1:1455", "[::1]:1455", "localhost", "evil.example:1455", None]
    ),
    st.lists(_fields, max_size=4),
)
"""Requests out of parts that are right or wrong."""


def inputs(seeds: Sequence[bytes] = (GENUINE, IN_A_BROWSER)) -> st.SearchStrategy[bytes]:
    """Anything that a peer may send."""
    return st.one_of(st.binary(max_size=400), requests, edited(seeds))
