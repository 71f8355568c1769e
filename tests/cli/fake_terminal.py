"""A terminal of a test's own: it remembers what was written, and its window has the size that it is told."""

from __future__ import annotations

import io
from typing import Any

import attrs
import pytest

from codex_oauth.cli.views.terminal import Terminal
from codex_oauth_core import DevicePrompt

__all__ = ["PROMPT", "Stream", "Window", "on_stderr"]

PROMPT = DevicePrompt("https://auth.openai.com/codex/device", "ABCD-12345", 0.0, "https://auth.openai.com")


class Stream(io.StringIO):
    """Text that was written, by something that may say that it is a terminal."""

    def __init__(self, *, tty: bool = True, encoding: str = "utf-8") -> None:
        super().__init__(newline="")
        self._tty = tty
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]  # io's is an attribute
        return self._encoding

    def isatty(self) -> bool:
        return self._tty


@attrs.frozen(kw_only=True)
class Window(Terminal):
    """A terminal with a size of its own: `size` is columns and rows, and may be changed."""

    size: list[int] = attrs.field(factory=lambda: [80, 40])

    def columns(self) -> int:
        return self.size[0]

    def rows(self) -> int:
        return self.size[1]

    @property
    def text(self) -> str:
        """What was written."""
        assert isinstance(self.stream, Stream)
        return self.stream.getvalue()


def on_stderr(monkeypatch: pytest.MonkeyPatch, columns: int = 80, rows: int = 40, **can: Any) -> Window:
    """A window that is stderr, and can do everything unless it is told otherwise."""
    stream = Stream()
    monkeypatch.setattr("sys.stderr", stream)
    able = {
        "is_terminal": True,
        "redraws": True,
        "colour": True,
        "utf8": True,
        "links": True,
        "escapes": True,
    }
    return Window(stream=stream, size=[columns, rows], **{**able, **can})
