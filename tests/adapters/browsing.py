"""What a person's browser does in a sign-in: it follows the page, or its address is pasted; and ports, free and taken.

Rules of this file: no browser is started; nothing but this machine is asked.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack

import httpx

from codex_oauth_core import CallbackRule
from codex_oauth_core.callback import Accepted

__all__ = ["Pasting", "browse", "free_port", "location", "taken"]


def browse(url: str, seen: list[httpx.Response] | None = None) -> None:
    """Follow the page as a browser does; the authority approves by itself."""
    with httpx.Client(follow_redirects=True, trust_env=False) as client:
        answer = client.get(url, headers={"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
        if seen is not None:
            seen.append(answer)


def location(url: str) -> str:
    """Where the page leads a browser that does not follow."""
    with httpx.Client(trust_env=False) as client:
        return client.get(url).headers["location"]


def free_port() -> int:
    """A port that nobody holds."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def taken(stack: ExitStack) -> int:
    """A port that another program holds."""
    sock = stack.enter_context(socket.socket())
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    return int(sock.getsockname()[1])


class Pasting:
    """A source that brings what a browser was redirected to, as a paste does."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.rule: CallbackRule | None = None
        self.stopped = 0
        self._accept: Callable[[Accepted], None] | None = None

    def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        self.rule, self._accept = rule, accept

    def stop(self) -> None:
        self.stopped += 1

    def paste(self, text: str) -> None:
        assert self.rule is not None
        assert self._accept is not None
        verdict = self.rule.judge(text)
        self.texts.append(type(verdict).__name__)
        if isinstance(verdict, Accepted):
            self._accept(verdict)
