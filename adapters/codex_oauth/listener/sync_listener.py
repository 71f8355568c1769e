"""The callback listener of a blocking program: bound when it is made, unbound when it is closed.

Rules of this file: the caller is never held up by whoever connects; the thread is a daemon and ends with
`close()`; an exception of the caller's, Ctrl-C among them, passes through and leaves no socket.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Final, Self

from codex_oauth.clock import instant
from codex_oauth.listener.ports import bind
from codex_oauth.listener.service import Service
from codex_oauth_core.callback import Accepted, CallbackRule
from codex_oauth_core.errors import ErrorKind, SignInError

__all__ = ["CallbackListener"]

_SLICE: Final = 0.5 if sys.platform == "win32" else 5.0
"""Seconds that a wait blocks at most, so that a resume from suspend and (on Windows) Ctrl-C are noticed."""


class CallbackListener:
    """Listens on a loopback port for the redirect of one sign-in (RFC 8252 §7.3). A context manager.

    It listens from the start: make it before the page is shown, and put its `redirect_uri` into the
    flow. Then either give it to a world (it is a `CallbackSource`), or call `wait()`. The defaults are
    the ports, host and path that are registered for Codex; port 0 stands for any free one. Raises
    SignInError and ValueError as `bind` does.
    """

    def __init__(
        self,
        ports: Sequence[int] = (1455, 1457),
        host: str = "localhost",
        path: str = "/auth/callback",
    ) -> None:
        self._bound = bind(ports, path, host)
        self._rule: CallbackRule | None = None
        self._service: Service | None = None
        self._thread: threading.Thread | None = None
        self._accepted: Accepted | None = None
        self._woken = threading.Event()
        self._closed = False

    @property
    def redirect_uri(self) -> str:
        """Where the browser comes back to."""
        return self._bound.redirect_uri

    @property
    def port(self) -> int:
        """The port of the redirect URI."""
        return self._bound.port

    def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        """Judge whoever connects by `rule`, on a thread; `accept` is called there for the genuine
        redirect, once at most and after the browser has been answered. It must not block.

        Raises RuntimeError if it has served a rule already, or is closed; ValueError if the rule is for
        another redirect URI; SignInError (`callback_server_failed`) if the system gives no thread or socket.
        """
        if self._closed or self._rule is not None:
            raise RuntimeError("a listener serves one sign-in, and none once it is closed")
        if rule.redirect_uri != self.redirect_uri:
            raise ValueError("the rule is for another redirect URI")
        self._rule = rule
        try:
            service = self._service = Service(self._bound, rule, accept)
            self._thread = threading.Thread(
                target=self._run, args=(service,), name="codex-oauth callback", daemon=True
            )
            self._thread.start()
        except (OSError, RuntimeError) as error:  # RuntimeError: no more threads
            self.close()
            raise SignInError.of(ErrorKind.CALLBACK_SERVER_FAILED, reason=type(error).__name__) from error

    def stop(self) -> None:
        """Stop listening; whoever has connected is answered within a second. Does not wait for that."""
        if self._service is not None:
            self._service.stop()

    def wait(self, rule: CallbackRule, timeout: float) -> Accepted | None:
        """Block until the genuine redirect has come, or for `timeout` seconds: None. Ctrl-C ends it.

        After None it goes on listening: call it again with the same rule, or close the listener. Raises
        what `start` raises, and SignInError (`callback_server_failed`) if the listener is closed meanwhile.
        """
        if self._rule is not rule:
            self.start(rule, self._accept)
        until = instant() + timeout
        while not self._woken.wait(max(0.0, min(until - instant(), _SLICE))):
            if instant() >= until:
                return None
        if self._accepted is None:
            raise SignInError.of(ErrorKind.CALLBACK_SERVER_FAILED, reason="closed")
        return self._accepted

    def _accept(self, accepted: Accepted) -> None:
        self._accepted = accepted
        self._woken.set()

    def _run(self, service: Service) -> None:
        try:
            service.run()
        finally:
            self._woken.set()

    def close(self) -> None:
        """Close every socket, and end the thread. Any number of times, from any thread."""
        self._closed = True
        service, thread = self._service, self._thread
        if service is None:
            self._bound.close()
            return
        service.close()
        if thread is threading.current_thread():  # an `accept` that closes: the thread ends by itself
            return
        if thread is not None and thread.is_alive():
            thread.join()
        service.release()  # where Ctrl-C came between: it waits for a thread that has only just begun

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
