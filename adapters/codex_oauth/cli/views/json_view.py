"""The view for programs: events on stdout, one JSON document a line (NDJSON)."""

from __future__ import annotations

from typing import assert_never

from codex_oauth.cli.output import emit, hint, printable
from codex_oauth.cli.views.view import NO_OFFERS, Offers
from codex_oauth_core.effects import BrowserPrompt, DevicePrompt, Prompt, SendRequest, Wait, Why
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.reading.times import rfc3339

__all__ = ["JsonView"]


class JsonView:
    """One JSON document a line. `docs/schemas/login.json` describes them."""

    def __init__(self) -> None:
        self._said: tuple[Why, ErrorKind | None] | None = None

    def whole_page(self) -> None:
        """Nothing: the address was given whole."""

    def prompt(self, prompt: Prompt, offers: Offers = NO_OFFERS) -> None:
        shared = {"expires_at": rfc3339(prompt.expires_at), "issuer": prompt.issuer}
        match prompt:
            case DevicePrompt():
                page, code = prompt.verification_uri, prompt.user_code
                whole = prompt.verification_uri_complete
                more = {} if whole is None else {"verification_uri_complete": whole}
                emit({"event": "device_code", "verification_uri": page, "user_code": code, **more, **shared})
            case BrowserPrompt():
                emit({"event": "browser_url", "url": prompt.authorize_url.reveal(), **shared})
            case _:
                assert_never(prompt)

    def note(self, note: str) -> None:
        emit({"event": "note", "text": note})

    def warn(self, text: str) -> None:
        self.note(text)

    def detail(self, text: str) -> None:
        hint(printable(text))

    def sending(self, effect: SendRequest) -> None:
        """Nothing: `--verbose` says it."""

    def wait(self, wait: Wait) -> None:
        if (wait.why, wait.cause) != self._said:
            self._said = (wait.why, wait.cause)
            emit({"event": "waiting", "why": wait.why.value, "cause": wait.cause and wait.cause.value})

    def tick(self, wait: Wait, at: float) -> None:
        """Nothing: a program counts down by itself."""

    def done(self) -> None:
        """Nothing: the last event is the command's."""

    def close(self) -> None:
        """Nothing: what was said stays."""
