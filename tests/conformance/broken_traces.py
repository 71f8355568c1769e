"""Worlds that leave something open, or let something out: a row for each way.

Rules of this file: as in `broken_on_the_wire`. What they leave open is closed by `close_what_was_left`.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any, Final

import attrs

from codex_oauth import HttpxWorld
from codex_oauth_core import (
    Cancelled,
    Cause,
    Event,
    RequestFailed,
    ResponseReceived,
    SendRequest,
    SignInEffect,
)
from tests.conformance.breakage import Altered, GoOn, broken, performing

_LEFT: list[Callable[[], object]] = []


def close_what_was_left() -> None:
    """For the test."""
    while _LEFT:
        _LEFT.pop()()


def leave_a_socket() -> None:
    """One that nobody closes."""
    left = socket.socket()
    _LEFT.append(left.close)


def leave_a_thread() -> None:
    """One that waits for ever."""
    over = threading.Event()
    threading.Thread(target=over.wait, daemon=True).start()
    _LEFT.append(over.set)


def leave_a_timer() -> None:
    """One that rings in an hour."""
    timer = threading.Timer(3600.0, lambda: None)
    timer.daemon = True
    timer.start()
    _LEFT.append(timer.cancel)


LEAVING: Final = {"a socket": leave_a_socket, "a thread": leave_a_thread, "a timer": leave_a_timer}


def leaving(leave: Callable[[], None], when: Callable[[SendRequest | None, Event], bool]) -> type[HttpxWorld]:
    """A world that leaves something open after what `when` says."""

    def do(world: HttpxWorld, effect: SignInEffect, go_on: GoOn) -> Event:
        event = go_on(effect)
        if when(effect if isinstance(effect, SendRequest) else None, event):
            leave()
        return event

    return performing(do)


def _failed(*causes: Cause) -> Callable[[SendRequest | None, Event], bool]:
    return lambda _, event: isinstance(event, RequestFailed) and event.cause in causes


ANSWERED: Final = "nothing_stays_whatever_was_answered"
REACHED: Final = "nothing_stays_of_what_was_not_reached"
HANDSHAKE: Final = "nothing_stays_of_a_bad_handshake"
CANCELLED: Final = "nothing_stays_of_what_was_cancelled"
AFTER: Final[tuple[tuple[str, Callable[[SendRequest | None, Event], bool], str], ...]] = (
    ("an answer", lambda _, event: isinstance(event, ResponseReceived), ANSWERED),
    ("a reset", _failed(Cause.RESET), ANSWERED),
    ("a truncated answer", _failed(Cause.TRUNCATED), ANSWERED),
    ("too large an answer", _failed(Cause.TOO_BIG), ANSWERED),
    ("a `once` request", lambda sent, _: sent is not None and sent.once, ANSWERED),
    ("a refusal", _failed(Cause.CONNECT), REACHED),
    ("a lookup", _failed(Cause.DNS), REACHED),
    ("a bad certificate", _failed(Cause.TLS_CERTIFICATE), HANDSHAKE),
    ("a bad handshake", _failed(Cause.TLS_EOF), HANDSHAKE),
    ("a cancel", lambda _, event: isinstance(event, Cancelled), CANCELLED),
)
for what, leave in LEAVING.items():
    for where, when, check in AFTER:
        broken(f"leaves {what} after {where}", leaving(leave, when), check)


class LeavesWhenItRaises(HttpxWorld):
    def __exit__(self, *exc_info: object) -> None:
        if exc_info[0] is not None:
            leave_a_socket()
        super().__exit__(*exc_info)


class LeavesInItsConstructor(HttpxWorld):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        leave_a_thread()


class LeavesInItsBlock(HttpxWorld):
    def __enter__(self) -> Any:
        leave_a_socket()
        return super().__enter__()


broken("leaves a socket when it raises", LeavesWhenItRaises, CANCELLED)
broken("leaves a thread in its constructor", LeavesInItsConstructor, CANCELLED, ANSWERED)
broken(
    "leaves a socket in its block",
    LeavesInItsBlock,
    CANCELLED,
    REACHED,
    HANDSHAKE,
    "a_cancelled_run_leaves_nothing_open",
)


# -- what is let out -----------------------------------------------------------------------------------

LOGGED: Final = "nothing_of_a_request_or_an_answer_is_logged"
FAILED: Final = "nothing_of_a_request_that_fails_is_logged"
TLS: Final = "nothing_of_a_bad_handshake_is_logged"


def _to_a_logger_that_is_made_meanwhile(text: str) -> None:
    logging.getLogger(f"made.{len(text)}").debug(text)


def _to_a_logger_that_propagates_nothing(text: str) -> None:
    logger = logging.getLogger("codex_oauth.broken.alone")
    logger.propagate = False
    logger.log(1, "%s", text)


def _beside_a_message(text: str) -> None:
    logging.getLogger("codex_oauth.broken").info("sent", extra={"sent": text})


def _to_the_process(text: str) -> None:
    os.write(2, text.encode())


def _to_pythons_own_stream(text: str) -> None:
    if sys.__stderr__ is not None:
        sys.__stderr__.write(f"{text}\n")


def _by_a_thread_that_raises(text: str) -> None:
    def work() -> None:
        raise LookupError(text)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def _in_hexadecimal(text: str) -> None:
    logging.getLogger("codex_oauth.broken").debug(text.encode().hex())


WAYS: Final[dict[str, Callable[[str], None]]] = {
    "to a logger that is made meanwhile": _to_a_logger_that_is_made_meanwhile,
    "to a logger that propagates nothing": _to_a_logger_that_propagates_nothing,
    "beside a message": _beside_a_message,
    "to the process's stream": _to_the_process,
    "to Python's own stream": _to_pythons_own_stream,
    "by a thread that raises": _by_a_thread_that_raises,
    "in hexadecimal": _in_hexadecimal,
    "as a warning": lambda text: warnings.warn(text, stacklevel=2),
    "in print": print,
}


def telling(tell: Callable[[str], None], *, what: str) -> type[HttpxWorld]:
    """A world that lets something out: an answer's headers, or of a request its query, headers or body."""

    class Telling(Altered):
        def perform(self, effect: SignInEffect) -> Event:
            if isinstance(effect, SendRequest) and what != "answer":
                tell(
                    {
                        "query": effect.request.url,
                        "headers": str(effect.request.plain_headers()),
                        "body": str(effect.request.body.reveal()),
                    }[what]
                )
            return super().perform(effect)

        def answered(self, event: ResponseReceived) -> Event:
            if what == "answer":
                tell(str(dict(event.headers)) + str(event.body.reveal()))
            return event

    return Telling


for way, tell in WAYS.items():
    broken(f"tells an answer {way}", telling(tell, what="answer"), LOGGED)
    broken(f"tells a query {way}", telling(tell, what="query"), LOGGED, FAILED, TLS)
for part in ("headers", "body"):
    broken(f"prints the {part}", telling(print, what=part), LOGGED, FAILED, TLS)


class TellsWhatFailed(HttpxWorld):
    """Explains a failure."""

    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        if isinstance(event, RequestFailed) and isinstance(effect, SendRequest):
            logging.getLogger("codex_oauth.broken").warning("%s: %s", effect.request.url, event.cause)
        return event


class TellsItsProxy(HttpxWorld):
    """Says by which way it went."""

    def perform(self, effect: SignInEffect) -> Event:
        if isinstance(effect, SendRequest) and (proxy := os.environ.get("https_proxy")):
            logging.getLogger("codex_oauth.broken").debug("by %s", proxy)
        return super().perform(effect)


@attrs.frozen
class Explained(RequestFailed):
    """A failure that says what failed."""

    request: str = ""


class ExplainsInItsEvents(HttpxWorld):
    def perform(self, effect: SignInEffect) -> Event:
        event = super().perform(effect)
        if isinstance(event, RequestFailed) and isinstance(effect, SendRequest):
            return Explained(event.at, event.phase, event.cause, event.setting, effect.request.url)
        return event


broken("tells what failed", TellsWhatFailed, FAILED, TLS)
broken("tells its proxy", TellsItsProxy, FAILED)
broken("explains in its events", ExplainsInItsEvents, FAILED, TLS)
