"""What goes on the wire for Codex is byte for byte what was written down, whatever becomes of the code that sends it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from codex_oauth_core import CODEX
from tests.conformance.codex_wire import RECORDED, on_the_wire

WRITTEN: dict[str, Any] = json.loads(RECORDED.read_text(encoding="ascii"))
SENT = on_the_wire()


def test_every_run_is_written_down() -> None:
    assert list(SENT) == list(WRITTEN)


@pytest.mark.parametrize("name", WRITTEN)
def test_it_is_sent_as_it_was(name: str) -> None:
    assert json.dumps(SENT[name]) == json.dumps(WRITTEN[name])  # the order counts, too


def requests(value: Any) -> Iterator[dict[str, Any]]:
    """The requests in what was written down."""
    if hasattr(value, "keys"):
        if "method" in value:
            yield value
            return
        value = list(value.values())
    for each in value:
        if not isinstance(each, str):
            yield from requests(each)


def test_every_endpoint_and_both_hints_are_in_it() -> None:
    found = list(requests(WRITTEN))
    urls = {request["url"] for request in found}
    endpoints = {
        CODEX.device_authorization_endpoint,
        CODEX.device_token_endpoint,
        CODEX.token_endpoint,
        CODEX.revocation_endpoint,
    }
    assert endpoints <= urls
    assert {"127.0.0.1:4321/tenant" in url for url in urls} == {True, False}
    bodies = " ".join(request["body"] for request in found)
    for word in ("authorization_code&", "grant_type=refresh_token", '"access_token"', '"refresh_token"'):
        assert word in bodies
