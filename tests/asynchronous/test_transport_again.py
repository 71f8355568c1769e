"""The tests of the blocking transport again, with the asynchronous one, on asyncio and trio.

Rules of this file: the same peers, the same verdicts; each request is `once`, as the blocking transport sends
all of them.
"""

from __future__ import annotations

from typing import Final

import anyio
import attrs
import pytest

from codex_oauth.transport.async_httpx_transport import AsyncHttpxTransport
from codex_oauth.transport.protocol import AsyncSendOutcome
from codex_oauth_core import SendRequest
from tests.transport import test_httpx_proxies, test_httpx_tls, test_httpx_unreachable

MODULES: Final = (test_httpx_proxies, test_httpx_tls, test_httpx_unreachable)


class Again:
    """The asynchronous transport, called by blocking code: an event loop for each request."""

    def __init__(self, backend: str) -> None:
        self._backend = backend

    def __call__(self, effect: SendRequest) -> AsyncSendOutcome:
        async def send() -> AsyncSendOutcome:
            return await AsyncHttpxTransport()(attrs.evolve(effect, once=True))

        return anyio.run(send, backend=self._backend)


@pytest.fixture(autouse=True, params=["asyncio", "trio"])
def _asynchronously(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in MODULES:
        monkeypatch.setattr(module, "HttpxTransport", lambda: Again(request.param))


for _module in MODULES:
    for _name, _found in list(vars(_module).items()):
        if _name.startswith("test_") or isinstance(_found, type(_asynchronously)):  # with its fixtures
            assert globals().get(_name, _found) is _found or _name == "authority"
            globals()[_name] = _found
