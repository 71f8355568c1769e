"""What is remembered of the headers of a request: nothing that holds a secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from codex_oauth.transport.httpx_messages import _encoded, to_httpx
from codex_oauth.transport.writable import _check_headers, check_writable
from codex_oauth_core import Request, Secret, SendRequest

URL = "https://auth.example.com/token"


def request(value: str | Secret[str]) -> Request:
    return Request("POST", URL, (("Accept", "text/plain"), ("X-Kept", value)), Secret(b"body"))


def encode(asked: Request) -> Any:
    return to_httpx(SendRequest(asked, 15.0), None, new_connection=True).headers["X-Kept"]


@pytest.mark.parametrize(("use", "kept"), [(encode, _encoded), (check_writable, _check_headers)])
def test_headers_are_kept_for_the_next_request_unless_one_is_a_secret(
    use: Callable[[Request], Any], kept: Any
) -> None:
    kept.cache_clear()
    seen = [use(request(value)) for value in (Secret("canary-1"), "shown", "shown", Secret("canary-2"))]
    assert seen in (["canary-1", "shown", "shown", "canary-2"], [None] * 4)
    info = kept.cache_info()
    assert (info.currsize, info.hits) == (1, 1)


def test_a_secret_header_is_checked_as_any_other() -> None:
    for value in ("a\r\nb", Secret("a\r\nb")):
        for _ in range(2):
            with pytest.raises(ValueError, match="one of its headers is none"):
                check_writable(request(value))
