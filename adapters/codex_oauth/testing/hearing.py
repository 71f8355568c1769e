"""What a check hears: what is logged at any level, printed, or warned of, by whatever way.

Rules of this file: every logger speaks at every level while it listens, also one that is made meanwhile or
keeps what it says to itself; what a filter drops is not heard. The streams are listened to as files, too:
a library in C writes there.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Generator, Iterator
from typing import Any, Final

__all__ = ["heard_everywhere"]

_STREAMS: Final = (1, 2)


@contextlib.contextmanager
def heard_everywhere() -> Generator[list[str]]:
    """Collects it while the block lasts; what was printed or warned of comes at the end."""
    heard: list[str] = []
    printed = io.StringIO()
    with (
        warnings.catch_warnings(record=True) as warned,
        _written() as written,
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        _own_streams(printed),
        _all_loggers(heard),
        _exceptions_of_threads(heard),
    ):
        warnings.simplefilter("always")
        yield heard
    heard += [f"a warning: {warning.message}" for warning in warned]
    heard += [f"printed: {line}" for line in printed.getvalue().splitlines()]
    heard += [f"written to a standard stream: {line}" for line in written]


@contextlib.contextmanager
def _all_loggers(heard: list[str]) -> Generator[None]:
    """Every logger, at every level: what is handed to handlers, whoever these are."""
    formatter = logging.Formatter()
    theirs: Any = logging.Logger.callHandlers

    def listen(logger: logging.Logger, record: logging.LogRecord) -> None:
        extra = {key: value for key, value in vars(record).items() if key not in _USUAL}
        heard.append(
            f"{record.name} at {record.levelname}: {formatter.format(record)} {record.args!r} {extra or ''}"
        )
        theirs(logger, record)

    disabled, logging.root.manager.disable = logging.root.manager.disable, 0
    before = [(logger, logger.level, logger.disabled) for logger in _loggers()]
    for logger, _, _ in before:
        logger.disabled = False
        logger.setLevel(1)
    silenced = [(handler, handler.level) for handler in logging.root.handlers]
    logging.Logger.callHandlers = listen  # type: ignore[method-assign, assignment]  # until the block ends
    try:
        yield
    finally:
        logging.Logger.callHandlers = theirs  # type: ignore[method-assign]
        logging.root.manager.disable = disabled
        for logger, level, was_disabled in before:
            logger.disabled = was_disabled
            logger.setLevel(level)
        for handler, level in silenced:
            handler.setLevel(level)


_USUAL: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def _loggers() -> Iterator[logging.Logger]:
    yield logging.root
    for logger in tuple(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield logger


@contextlib.contextmanager
def _own_streams(printed: io.StringIO) -> Generator[None]:
    """Also those that Python keeps for itself."""
    before: Any = (sys.__stdout__, sys.__stderr__)
    streams: Any = sys
    streams.__stdout__ = streams.__stderr__ = printed
    try:
        yield
    finally:
        streams.__stdout__, streams.__stderr__ = before


@contextlib.contextmanager
def _written() -> Generator[list[str]]:
    """What goes to the standard streams without Python's own, line by line at the end."""
    lines: list[str] = []
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    with tempfile.TemporaryFile() as file, contextlib.ExitStack() as back:
        for number in _STREAMS:
            with contextlib.suppress(OSError):  # there is no such stream
                before = os.dup(number)
                back.callback(os.close, before)
                back.callback(os.dup2, before, number)
                os.dup2(file.fileno(), number)
        try:
            yield lines
        finally:
            back.close()
            file.seek(0)
            lines += file.read().decode("latin-1").splitlines()


@contextlib.contextmanager
def _exceptions_of_threads(heard: list[str]) -> Generator[None]:
    """What a thread did not catch, and what nobody could raise."""
    threads, nowhere = threading.excepthook, sys.unraisablehook

    def of_thread(args: Any) -> None:
        heard.append(f"a thread raised {args.exc_type.__name__}: {args.exc_value}")

    def of_nobody(args: Any) -> None:
        heard.append(f"nobody could raise {args.exc_type.__name__}: {args.exc_value} {args.err_msg}")

    threading.excepthook, sys.unraisablehook = of_thread, of_nobody
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook = threads, nowhere
