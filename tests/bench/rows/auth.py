"""P4: what `auth=CodexAuth(source)` adds to a request of httpx.

Rules of this file: a generator is driven alone, as a client drives it; the whole request goes to a transport
in the process.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx

from codex_oauth import CodexAuth, FileStore, TokenSource
from tests.bench.contest import Contestant, contest, figures, repeated
from tests.bench.logins import credential, keep
from tests.bench.ratios import Result, Target

URL: Final = "https://chatgpt.com/backend-api/codex/responses"
HOST: Final = "chatgpt.com"
HAND: Final = "by hand, alone"
NO_OP: Final = "no-op, alone"
OURS: Final = "CodexAuth, alone"


class ByHand(httpx.Auth):
    """As short as it can be written: the headers are there, the host is looked at, a 401 is noticed."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = headers

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Sign it."""
        if request.url.host != HOST:
            raise ValueError(HOST)
        headers = request.headers
        for name, value in self._headers.items():
            headers[name] = value
        response = yield request
        if response.status_code == 401:
            yield request


def driven(auth: httpx.Auth) -> Callable[[], object]:
    """Drive the generator for one request, to an answer with status 200."""
    request = httpx.Request("GET", URL)
    response = httpx.Response(200, request=request)

    def once() -> object:
        generator = auth.sync_auth_flow(request)
        signed = next(generator)
        try:
            generator.send(response)
        except StopIteration:
            return signed
        raise AssertionError

    return once


def measure(rounds: int) -> Result:
    """The row."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200))
    with TemporaryDirectory() as home:
        store = FileStore(Path(home))
        keep(store, credential())
        with TokenSource(store) as source, httpx.Client(transport=transport) as client:
            auth, nothing = CodexAuth(source), httpx.Auth()
            assert isinstance(auth, httpx.Auth)
            all_of = [
                Contestant(NO_OP, "httpx.Auth().sync_auth_flow(request)", repeated(driven(nothing))),
                Contestant(
                    OURS, "CodexAuth(source).sync_auth_flow(request)", repeated(driven(auth)), ours=True
                ),
                Contestant(
                    HAND,
                    "an httpx.Auth that sets the same headers for one host",
                    repeated(driven(ByHand(source.headers(URL)))),
                ),
                Contestant(
                    "no-op, whole request",
                    "client.get(url, auth=httpx.Auth()), MockTransport",
                    repeated(lambda: client.get(URL, auth=nothing)),
                ),
                Contestant(
                    "CodexAuth, whole request",
                    "client.get(url, auth=CodexAuth(source)), MockTransport",
                    repeated(lambda: client.get(URL, auth=auth)),
                    ours=True,
                ),
            ]
            times = contest(all_of, rounds, NO_OP)
    whole = times.ratio("CodexAuth, whole request", "no-op, whole request")
    bare = times.ratio(HAND)
    notes = (
        f"A whole request takes {whole.median:.2f} times the time of one without it.",
        f"One by hand takes {bare.median:.1f} times the no-op, so 3 times is not to be had: httpx sets a header in a "
        "third of a microsecond and more, and there are three.",
    )
    targets = (Target("the generator, of the one by hand, which is the floor", times.ratio(OURS, HAND), 1.2),)
    return Result("P4", NO_OP, figures(all_of, times), targets, notes=notes)
