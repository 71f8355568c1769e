"""How hypothesis searches: `make test` is quick and repeatable, `make props` goes on for longer; and a net
under all tests.

Rules of this file: no test reaches for the real servers; signals are heard, however the tests were started;
no test sees what CI, a desktop, a remote shell or a person sets for itself; the quick profile draws the same examples in every run, so that a red run is red
again on another machine; the long one draws new ones, and keeps what it falsified in `.hypothesis/`.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
from collections.abc import Generator, MutableMapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.speeds import NIGHTLY, is_named

_SLOW_MACHINES = (HealthCheck.too_slow,)

settings.register_profile(
    "default",
    max_examples=100,
    stateful_step_count=40,
    derandomize=True,
    deadline=None,  # a busy machine is no failure
    suppress_health_check=_SLOW_MACHINES,
)
settings.register_profile(
    "long",
    max_examples=1000,
    stateful_step_count=80,
    deadline=None,
    print_blob=True,
    suppress_health_check=_SLOW_MACHINES,
)
settings.register_profile(
    "kill",  # tests.mutation: a first failure is enough, however long its example
    parent=settings.get_profile("default"),
    phases=(Phase.explicit, Phase.generate, Phase.target),
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def hear_signals() -> None:
    """Hear every signal that ends a program, and let our children hear it: who starts the tests in the
    background or with nohup(1) has them ignored, and who blocked one has them deaf.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGCHLD", "SIGUSR1"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in (signal.SIG_IGN, None):
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, usual)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_SETMASK, ())


hear_signals()

_KEPT = {
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "TEMP",
    "TMP",
    "SYSTEMROOT",
    "OPENAI2_PACKAGES",
    "CODEX_CLI",
    "CODEX_OAUTH_ARTEFACTS",
    "CODEX_OAUTH_NO_BROWSER",
    "CODEX_OAUTH_WRITE_ERRORS",
    "CODEX_OAUTH_WRITE_SCREENS",
}
_KEPT_PREFIXES = ("PYTHON", "PYTEST_", "HYPOTHESIS_", "COVERAGE_")


def forget_environment(environment: MutableMapping[str, str]) -> None:
    """Leave what programs and this run need. Much else is heard by the product: CI, a display, a proxy, colours."""
    for name in list(environment):
        if name not in _KEPT and not name.startswith(_KEPT_PREFIXES):
            del environment[name]
    environment["LANG"] = "C.UTF-8"


forget_environment(os.environ)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make nightly` runs and `make test` does not."""
    files = {name.partition("::")[0] for name in NIGHTLY}
    for item in items:
        if item.nodeid.partition("::")[0] in files and any(is_named(name, item.nodeid) for name in NIGHTLY):
            item.add_marker("nightly")


@settings(max_examples=1, database=None)
@given(st.none())
def _look_at_randomness(_: None) -> None:
    """Whatever hypothesis runs first does it."""


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the garbage collector look no more at what lives as long as the run: thousands of tests, all modules.
    What a test leaves is found as before, and some tests look for it. Hypothesis looks once at who refers to
    the sources of randomness that it seeds, which it could not see afterwards.
    """
    _look_at_randomness()
    gc.collect()
    gc.freeze()


_REAL = ("openai.com", "chatgpt.com")
_getaddrinfo = socket.getaddrinfo


def _only_ours(host: Any, *args: Any, **options: Any) -> Any:
    if str(host).rstrip(".").endswith(_REAL):
        raise AssertionError(f"a test reaches for {host}")
    return _getaddrinfo(host, *args, **options)


@pytest.fixture(autouse=True, scope="session")
def nobody_reaches_for_the_real_servers() -> Generator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", _only_ours)
        yield
