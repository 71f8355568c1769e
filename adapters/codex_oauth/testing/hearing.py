"""What is logged, printed or warned of, wherever in the program: for checks that look for a secret in it.

Rules of this file: every logger, at every level, also one that is turned off; all is as before at the end.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Generator, Iterator

__all__ = ["heard_everywhere"]


class _Listener(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__()
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.append(f"{record.name} at {record.levelname}: {self.format(record)} {record.args!r}")


@contextlib.contextmanager
def heard_everywhere() -> Generator[list[str]]:
    """Collects what is logged by any logger at any level; after the block, what was printed or warned of."""
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
