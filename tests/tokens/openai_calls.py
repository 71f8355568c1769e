"""What the OpenAI client does with a token source: one program for version 2 and version 3 of the client.

Run as a program it prints what came of every call, as JSON: version 2 lives in a directory of its own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

import openai

from codex_oauth import TokenAuth, TokenSource
from tests.tokens.backend import Backend, serving
from tests.tokens.rig import Rig, rig

__all__ = ["CALLS", "EXPECTED", "main", "outcome"]

MAJOR: Final = openai.__version__.partition(".")[0]
_HTTP: Final[Any] = import_module({"2": "httpx", "3": "httpx2"}[MAJOR])


def _asked(ask: Callable[[], Any]) -> str:
    try:
        return str(ask().object)
    except openai.APIStatusError as error:
        return f"{error.status_code}"


def _blocking(backend: Backend, **options: Any) -> str:
    with openai.OpenAI(base_url=f"{backend.url}/v1", max_retries=0, **options) as client:
        return _asked(client.models.list)


def _asynchronous(backend: Backend, **options: Any) -> str:
    async def call() -> Any:
        async with openai.AsyncOpenAI(base_url=f"{backend.url}/v1", max_retries=0, **options) as client:
            return await client.models.list()

    return _asked(lambda: asyncio.run(call()))


def key(backend: Backend, source: TokenSource) -> str:
    return _blocking(backend, api_key=source.token)


def akey(backend: Backend, source: TokenSource) -> str:
    return _asynchronous(backend, api_key=source.atoken)


def auth(backend: Backend, source: TokenSource) -> str:
    client = _HTTP.Client(auth=TokenAuth(source), trust_env=False)
    return _blocking(backend, api_key="canary-key", http_client=client)


def aauth(backend: Backend, source: TokenSource) -> str:
    client = _HTTP.AsyncClient(auth=TokenAuth(source), trust_env=False)
    return _asynchronous(backend, api_key="canary-key", http_client=client)


CALLS: Final = {"key": key, "akey": akey, "auth": auth, "aauth": aauth}

EXPECTED: Final = {
    ("key", False): ("list", ["stored"], 0),
    ("akey", False): ("list", ["stored"], 0),
    ("auth", False): ("list", ["stored"], 0),
    ("aauth", False): ("list", ["stored"], 0),
    # an api_key has no second chance; the auth has one
    ("key", True): ("401", ["old"], 0),
    ("akey", True): ("401", ["old"], 0),
    ("auth", True): ("list", ["old", "stored"], 1),
    ("aauth", True): ("list", ["old", "stored"], 1),
}
"""By the name of a call, and whether the backend refuses the first token: what came back, which tokens were
sent, and how many refreshes that took.
"""


def outcome(name: str, *, refuse: bool) -> tuple[str, list[str], int]:
    """What came of one call."""
    made = rig()
    old = made.stored_token
    with serving() as backend, made.source(hosts=("127.0.0.1",)) as source:
        if refuse:
            backend.refused.add(old)
        got = CALLS[name](backend, source)
    return got, [_called(token, old, made, refuse=refuse) for token in backend.tokens], made.refreshes


def _called(token: str | None, old: str, made: Rig, *, refuse: bool) -> str:
    if token == old and refuse:
        return "old"
    return "stored" if token == made.stored_token else "something else"


def main() -> None:
    """Print the version and every outcome."""
    outcomes = [[name, refuse, outcome(name, refuse=refuse)] for name, refuse in EXPECTED]
    print(json.dumps({"version": MAJOR, "outcomes": outcomes}))


if __name__ == "__main__":
    main()
