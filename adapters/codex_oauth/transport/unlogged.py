"""Keeps a request and its answer out of the logs of the HTTP library that carries it (ADR 0020).

Rules of this file: levels, handlers and other people's requests are left alone: a filter on the libraries'
loggers drops what is logged in the context of a request of ours, and nothing else, whatever the level.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator
from contextvars import ContextVar
from typing import Final

__all__ = ["LOGGERS", "unlogged"]

LOGGERS: Final = (
    "aiohttp.client",
    "aiohttp.internal",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
    "httpx",
)
"""What aiohttp, httpcore and httpx log a request by. httpcore writes an answer's headers, and any line that
is no HTTP, at DEBUG. A filter is not inherited: each logger has its own."""

_FILTERED: Final = tuple(map(logging.getLogger, LOGGERS))  # found once: to look for them took 10 µs a request
_OURS: Final[ContextVar[bool]] = ContextVar("codex_oauth_unlogged", default=False)


@contextlib.contextmanager
def unlogged(*others: str) -> Generator[None]:
    """In this block these libraries log nothing, in this thread, or in this task and the tasks that it
    starts. `others` are the names of all loggers of another library: a logger does not inherit a filter.
    """
    for logger in (*_FILTERED, *map(logging.getLogger, others)):
        if _drops not in logger.filters:
            logger.filters.insert(0, _drops)  # before filters that look at what is logged
    before = _OURS.set(True)
    try:
        yield
    finally:
        _OURS.reset(before)


def _drops(record: logging.LogRecord) -> bool:
    return not _OURS.get()
