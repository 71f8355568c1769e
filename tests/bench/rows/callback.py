"""P9: how soon the browser has its answer, and how soon after that the caller has the redirect.

Rules of this file: a turn is one sign-in with a new receiver; the time runs from the browser's connect to the
end of the answer; silent connections are made before and say nothing at all.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import Final

from tests.bench.contest import Contestant, contest, figures
from tests.bench.peers import has
from tests.bench.ratios import Result, Spread, Target
from tests.bench.rows.callback_servers import STATE, HttpServer, Msal, Ours, Raw, Receiver

UNIT: Final = "raw socket"
OURS: Final = "codex-oauth"
CROWDED: Final = "codex-oauth, 32 silent"
SILENT: Final = 32
_QUERY: Final = f"code=fake-code&state={STATE}"
_GET: Final = f"GET /auth/callback?{_QUERY} HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n"
_POST: Final = (
    "POST / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    f"Content-Length: {len(_QUERY)}\r\n\r\n{_QUERY}"
)
"""MSAL takes the answer as a form and no other way."""


def answered(receiver: Receiver, timeout: float = 10.0) -> float | None:
    """Seconds from the connect to the end of the first answer; None if there is none in time."""
    request = (_POST if receiver.takes_form else _GET) % receiver.port
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", receiver.port), timeout) as browser:
        browser.sendall(request.encode())
        try:
            found = browser.recv(65_536)
        except TimeoutError:
            return None
    taken = time.perf_counter() - began
    return taken if found.startswith(b"HTTP/1.") and b" 200 " in found[:20] else None


def turn_of(make: Callable[[], Receiver], lags: list[float], silent: int = 0) -> Callable[[], float]:
    """A turn; the milliseconds until the caller has the redirect are added to `lags`."""

    def run() -> float:
        with contextlib.ExitStack() as stack:
            receiver = stack.enter_context(contextlib.closing(make()))
            for _ in range(silent):
                stack.enter_context(socket.create_connection(("127.0.0.1", receiver.port)))
            time.sleep(0.02)  # what came before is served
            taken = answered(receiver)
            at = time.perf_counter()
            assert taken is not None
            lags.append(max(0.0, receiver.received() - at) * 1000)
            return taken

    return run


def _msal_with_a_silent_one() -> bool:
    """Whether MSAL answers the browser where one connection came before and says nothing."""
    with contextlib.closing(Msal(timeout=3)) as receiver:
        with socket.create_connection(("127.0.0.1", receiver.port)):
            time.sleep(0.05)
            found = answered(receiver, timeout=2)
        return found is not None


def measure(rounds: int) -> Result:
    """The row."""
    lags: dict[str, list[float]] = {OURS: [], CROWDED: [], "MSAL": [], "": []}
    all_of = [
        Contestant(UNIT, "accept, recv, sendall, close", turn_of(Raw, lags[""])),
        Contestant("http.server", "HTTPServer.handle_request()", turn_of(HttpServer, lags[""])),
        Contestant(OURS, "CallbackListener.wait(rule, timeout)", turn_of(Ours, lags[OURS]), ours=True),
        Contestant(
            CROWDED,
            f"the same, {SILENT} silent connections first",
            turn_of(Ours, lags[CROWDED], SILENT),
            ours=True,
        ),
    ]
    if has("msal"):
        called = "AuthCodeReceiver.get_auth_response(state, timeout)"
        all_of.append(Contestant("MSAL", called, turn_of(Msal, lags["MSAL"])))
    times = contest(all_of, rounds, UNIT)
    targets = (
        Target("of the raw socket", times.ratio(OURS), 4),
        Target(f"with {SILENT} silent connections, of that without", times.ratio(CROWDED, OURS), 1.3),
        Target("the call returns after the answer", Spread.of(lags[OURS]), 5, unit="ms"),
    )
    return Result("P9", UNIT, figures(all_of, times), targets, notes=tuple(_notes(lags)))


def _notes(lags: dict[str, list[float]]) -> list[str]:
    if not lags["MSAL"]:
        return []
    word = "answers" if _msal_with_a_silent_one() else "does not answer within 2 s"
    later = Spread.of(lags["MSAL"]).median
    return [f"MSAL returns {later:.0f} ms after its answer; behind one silent connection it {word}."]
