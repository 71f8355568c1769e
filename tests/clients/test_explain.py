"""What is made of an error: the backend's words, and nothing of the login."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import pytest
import requests

from codex_oauth import MemoryStore, SignInError, TokenSource, explain

LIMIT = {
    "error": {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "resets_in_seconds": 5400,
    }
}


def of_httpx(library: Any, body: object) -> Exception:
    request = library.Request("POST", "https://x.example", headers={"Authorization": "Bearer canary"})
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = library.Response(400, content=content, request=request)
    try:
        response.raise_for_status()
    except library.HTTPStatusError as error:
        found: Exception = error
        return found
    raise AssertionError


def of_requests(body: object) -> Exception:
    response = requests.Response()
    response.status_code = 400
    response._content = json.dumps(body).encode()
    return requests.HTTPError("400", response=response)


class Later:
    """An asynchronous answer."""

    @property
    async def content(self) -> bytes:
        raise AssertionError


class OfSomebody(Exception):
    def __init__(self, body: object) -> None:
        super().__init__("Error code: 400")
        self.body = body


Make = Callable[[object], Exception]
WAYS: dict[str, Make] = {
    "body": OfSomebody,
    "text": lambda body: OfSomebody(json.dumps(body)),
    "httpx": lambda body: of_httpx(httpx, body),
    "httpx2": lambda body: of_httpx(httpx2, body),
    "requests": of_requests,
}


@pytest.mark.parametrize("made", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"detail": "Stream must be set to true"}, "Stream must be set to true."),
        ({"error": {"message": "No.", "code": "x"}}, "No."),
        ({"message": "inner", "type": "x"}, "inner."),
        ({"detail": [{"loc": 1}]}, None),
        ({"error": "text"}, None),
        ({"error": {"message": ""}}, None),
        ([], None),
        (7, None),
    ],
)
def test_the_backend_s_words(made: Make, body: object, said: str | None) -> None:
    assert explain(made(body)) == said


@pytest.mark.parametrize("made", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("field", ["resets_in_seconds", "resets_at"])
def test_a_usage_limit_says_how_long_it_lasts(made: Make, field: str) -> None:
    more = {field: 5400 + (time.time() if field == "resets_at" else 0)}
    said = explain(made({"error": {"message": "The usage limit has been reached", **more}}))
    assert re.fullmatch(
        r"The usage limit has been reached\. It is over in 1 h (30|29|28) min, at 20\d\d-\d\d-\d\d \d\d:\d\d\.",
        said or "",
    )


@pytest.mark.parametrize(
    ("seconds", "length"), [(1, "1 min"), (60, "1 min"), (61, "2 min"), (3600, "1 h"), (90_000, "1 d 1 h")]
)
def test_a_length_is_in_words(seconds: float, length: str) -> None:
    assert f"It is over in {length}, at " in (
        explain(OfSomebody({"message": "m", "resets_in_seconds": seconds})) or ""
    )


@pytest.mark.parametrize("odd", [-5, 0, 1e300, "5", None, [], float("nan"), 10**400, -(10**400)])
def test_an_odd_time_is_not_told(odd: object) -> None:
    assert explain(OfSomebody({"message": "m", "resets_in_seconds": odd})) == "m."
    assert explain(OfSomebody({"message": "m", "resets_at": odd})) == "m."


def test_it_is_found_below_the_errors_of_a_framework() -> None:
    outer, middle = RuntimeError("the model failed"), ValueError("it said no")
    outer.__cause__, middle.__context__ = middle, OfSomebody(LIMIT)
    assert (explain(outer) or "").startswith("The usage limit has been reached.")


def test_nobody_signed_in_is_said_with_what_to_do() -> None:
    with pytest.raises(SignInError) as raised:
        TokenSource(MemoryStore()).token()
    said = explain(raised.value)
    assert said is not None
    assert said.startswith(raised.value.message)
    assert all(action in said for action in raised.value.next_actions)


def test_what_is_no_answer_is_not_explained() -> None:
    looped = ValueError("x")
    looped.__cause__ = looped
    unread = OfSomebody(None)
    vars(unread)["response"] = httpx.Response(400, stream=httpx.ByteStream(b"{}"))
    later = OfSomebody(None)
    vars(later)["response"] = Later()
    for error in (
        ValueError("x"),
        looped,
        unread,
        OfSomebody("no JSON"),
        of_httpx(httpx, b"<p>page"),
        KeyboardInterrupt(),
    ):
        assert explain(error) is None


def test_nothing_of_the_login_and_no_control_character_is_repeated() -> None:
    said = explain(of_httpx(httpx, {"detail": "a\x1b[31m\nb" + "x" * 9999}))
    assert said is not None
    assert said.isprintable()
    assert len(said) < 600
    assert "canary" not in said
