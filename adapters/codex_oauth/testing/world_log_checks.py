"""Checks of a world: nothing of a request or an answer is logged, printed or warned of.

Rules of this file: every logger that exists speaks at every level while the check listens; answers are good
and bad, and hold what to look for wherever a library may quote it.
"""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import warnings
from collections.abc import Generator, Iterator
from typing import Final

from codex_oauth.testing.checked_clock import CheckedClock
from codex_oauth.testing.checking import fail
from codex_oauth.testing.loopback import LoopbackServer
from codex_oauth.testing.loopback_acts import closing
from codex_oauth.testing.performing import HEADERS, MakeAsyncWorld, wait
from codex_oauth_core.effects import Request, SendRequest
from codex_oauth_core.secret import Secret

__all__ = ["LOG_CHECKS"]

_MARK: Final = "kanarie"
_NO_BODY: Final = "Content-Length: 0\r\n\r\n"
_OK: Final = "HTTP/1.1 200 OK\r\n"
_CHUNKS: Final = f"{_OK}Transfer-Encoding: chunked\r\n\r\n"
_FINE: Final = f"{_OK}X-Token: {_MARK}\r\nContent-Length: 7\r\n\r\n{_MARK}"
_ANSWERS: Final = {
    "a good answer": _FINE,
    "a reason phrase": f"HTTP/1.1 200 {_MARK}\r\n{_NO_BODY}",
    "a Location": f"HTTP/1.1 302 Found\r\nLocation: http://[{_MARK}/?code={_MARK}\r\n{_NO_BODY}",
    "a cookie": f"{_OK}Set-Cookie: {_MARK}={_MARK}; Expires={_MARK}\r\n{_NO_BODY}",
    "a cookie that is none": f"{_OK}Set-Cookie: a[{_MARK}]=1\r\n{_NO_BODY}",
    "a status line that is none": f'{{"access_token":"{_MARK}"}}\r\n\r\n',
    "a version that is none": f"HTTP/{_MARK} 200 OK\r\n\r\n",
    "a status that is none": f"HTTP/1.1 {_MARK}\r\n\r\n",
    "a header that is none": f"{_OK}{_MARK} {_MARK}\r\n{_NO_BODY}",
    "a header's value that is none": f"{_OK}X: \0{_MARK}\r\n{_NO_BODY}",
    "a length that is none": f"{_OK}Content-Length: {_MARK}\r\n\r\n",
    "an encoding that is none": f"{_OK}Transfer-Encoding: {_MARK}\r\n\r\n",
    "a chunk that is none": f"{_CHUNKS}{_MARK}\r\n{_MARK}",
    "a chunk that does not end": f"{_CHUNKS}3\r\nabc{_MARK}",
    "a trailer": f"{_CHUNKS}0\r\n{_MARK} {_MARK}\r\n\r\n",
    "a body cut short": f"{_OK}Content-Length: 99\r\n\r\n{_MARK}",
    "an answer after the answer": f"{_FINE}{_FINE}HTTP/1.1 {_MARK}",
    "an upgrade": f"HTTP/1.1 101 Switching\r\nUpgrade: {_MARK}\r\nConnection: Upgrade\r\n\r\n{_MARK}",
}
"""By where the mark is. What becomes of an answer is the business of other checks."""


class _Listener(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__()
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.append(f"{record.name} at {record.levelname}: {self.format(record)} {record.args!r}")


async def nothing_of_a_request_or_an_answer_is_logged(make: MakeAsyncWorld) -> None:
    with _heard_everywhere() as heard:
        for where, sent in _ANSWERS.items():
            heard.append(f"-- with {where}")
            for once in (False, True):
                with LoopbackServer(closing(sent.encode("latin-1"))) as server:
                    async with make(now=CheckedClock()) as world:
                        await world.perform(_marked(server.url, once=once))
        clock = CheckedClock()
        async with make(now=clock) as world:  # what the event loop still has to say
            await world.perform(wait(clock, 0.01))
        gc.collect()
    where = ""
    for text in heard:
        where = text if text.startswith("-- ") else where
        if _MARK in text:
            fail(f"{where.removeprefix('-- ')}, this came out: {text[:300]}")


def _marked(url: str, *, once: bool) -> SendRequest:
    headers = (*HEADERS, ("X-Token", _MARK))
    body = Secret(_MARK.encode())
    return SendRequest(Request("POST", f"{url}/path?code={_MARK}", headers, body), 3.0, once)


@contextlib.contextmanager
def _heard_everywhere() -> Generator[list[str]]:
    """Collects what is logged by any logger at any level, printed, or warned of."""
    heard: list[str] = []
    printed = io.StringIO()
    with (
        warnings.catch_warnings(record=True) as warned,
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        _all_loggers(_Listener(heard)),
    ):
        warnings.simplefilter("always")
        yield heard
    heard.append("-- with one of the answers")
    heard += [f"a warning: {warning.message}" for warning in warned]
    heard += [f"printed: {line}" for line in printed.getvalue().splitlines()]


@contextlib.contextmanager
def _all_loggers(handler: logging.Handler) -> Generator[None]:
    disabled, logging.root.manager.disable = logging.root.manager.disable, 0
    before = [(logger, logger.level, logger.disabled) for logger in _loggers()]
    for logger, _, _ in before:
        logger.disabled = False
        logger.setLevel(1)
        logger.addHandler(handler)
    try:
        yield
    finally:
        logging.root.manager.disable = disabled
        for logger, level, was_disabled in before:
            logger.disabled = was_disabled
            logger.setLevel(level)
            logger.removeHandler(handler)


def _loggers() -> Iterator[logging.Logger]:
    yield logging.root
    for logger in tuple(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield logger


LOG_CHECKS: Final = (nothing_of_a_request_or_an_answer_is_logged,)
