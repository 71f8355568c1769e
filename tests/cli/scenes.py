"""The scenes of a sign-in, as they are acted on a terminal of a test: what happens, in which window.

Rules of this file: nothing here is left to chance: the time stands still, and so do the code and the addresses.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from codex_oauth.cli.guide import Guide
from codex_oauth.cli.output import hint, result, say_action
from codex_oauth.cli.parser import parsed
from codex_oauth.cli.pasteable import remember
from codex_oauth.cli.report import report
from codex_oauth.cli.views.line_view import LineView, QuietView
from codex_oauth.cli.views.live_view import LiveView
from codex_oauth_core import (
    CODEX,
    BrowserPrompt,
    DevicePrompt,
    ErrorKind,
    Request,
    Secret,
    SendRequest,
    SignInError,
    Wait,
    Why,
)
from codex_oauth_core.effects import Prompt

__all__ = ["NOW", "SCENES", "Scene"]

NOW: Final = 1_800_000_000.0
_ISSUER: Final = "https://auth.openai.com"
_CODE: Final = DevicePrompt(f"{_ISSUER}/codex/device", "WDJB-MJHT", NOW + 754, _ISSUER)
_PAGE: Final = BrowserPrompt(
    Secret(
        f"{_ISSUER}/oauth/authorize?response_type=code&client_id=app_EXAMPLE"
        "&redirect_uri=http%3A%2F%2Flocalhost%3A1455%2Fauth%2Fcallback&scope=openid+profile+email"
        "+offline_access&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWGjSstw-cM&code_challenge_method=S256"
        "&state=9u5qzXeGm1lM2t0aTqk3Zw"
    ),
    NOW + 600,
    _ISSUER,
)
_EXCHANGE: Final = SendRequest(Request("POST", f"{_ISSUER}/oauth/token", (), Secret(b"")), 30.0, once=True)

View = LineView
Act = Callable[[View, Prompt], None]


def waits(why: Why, cause: ErrorKind | None = None, trouble: str | None = None) -> Act:
    """A wait, and the first second of it."""

    def act(view: View, prompt: Prompt) -> None:
        wait = Wait(5.0, why, prompt, cause=cause, trouble=trouble)
        view.wait(wait)
        view.tick(wait, 1.0)

    return act


def beats(view: View, prompt: Prompt) -> None:
    """A minute of waiting."""
    wait = Wait(700.0, Why.PENDING, prompt)
    view.wait(wait)
    for at in range(1, 62):
        view.tick(wait, float(at))


def fails(kind: ErrorKind) -> Act:
    """The end that nobody wanted."""

    def act(view: View, prompt: Prompt) -> None:
        view.close()
        report(SignInError.by(CODEX.texts.facts(kind), kind), as_json=False)

    return act


def exchanges(view: View, prompt: Prompt) -> None:
    view.sending(_EXCHANGE)


def succeeds(view: View, prompt: Prompt) -> None:
    exchanges(view, prompt)
    view.done()
    view.close()
    result("Signed in as somebody@example.com (plus).")
    say_action("See the login: codex-oauth status", hint)


def pastes(view: View, prompt: Prompt) -> None:
    """A paste that was not the one."""
    view.warn("That is another address. Try again.")
    waits(Why.CALLBACK)(view, prompt)


@attrs.frozen(kw_only=True)
class Scene:
    """A window, what the terminal can, what is shown, and what happens then."""

    acts: tuple[Act, ...] = (waits(Why.PENDING),)
    prompt: Prompt = _CODE
    view: Callable[[Any], View] = LiveView
    columns: int = 80
    rows: int = 40
    desktop: bool = False
    """Whether a page can be opened, and somebody is at the keyboard."""
    can: Mapping[str, bool] = attrs.field(factory=dict[str, bool])
    options: tuple[str, ...] = ()
    environ: Mapping[str, str] = attrs.field(factory=dict[str, str])
    note: str = ""
    then: str = ""
    """A note that comes after the prompt."""

    @property
    def args(self) -> argparse.Namespace:
        args = parsed(["login", *self.options])
        assert args is not None
        return args

    def play(self, view: View) -> None:
        """All of it, on a terminal."""
        remember(self.args, "login")
        guide = Guide(view, self.args, CODEX)
        if self.note:
            guide.note(self.note)
        guide.prompt(self.prompt)
        if self.then:
            guide.note(self.then)
        for act in self.acts:
            act(view, self.prompt)


_PLAIN: Final = {"is_terminal": False, "redraws": False, "colour": False, "utf8": False, "escapes": False}
_ACCESSIBLE: Final = {"redraws": False, "colour": False, "links": False}
_SSH: Final = {"SSH_CONNECTION": "192.0.2.7 50000 198.51.100.4 22", "LOGNAME": "ada"}
_REMOTE_NOTE: Final = "Signing in with a device code: this is an SSH session."
_SLOWER: Final = (waits(Why.PENDING), waits(Why.SLOW_DOWN))
_REFUSED: Final = "auth.openai.com refused the connection"
_AGAIN: Final = (waits(Why.PENDING), waits(Why.RETRY, ErrorKind.NETWORK, _REFUSED))
_SIGNED_IN: Final = "You are signed in as somebody@example.com (plus). A new sign-in of this account replaces that login; --revoke-old also ends it."
_KEYS: Final = "Signing in with the browser: one can be opened here."

SCENES: Final[Mapping[str, Scene]] = {
    "device-waiting": Scene(note="Signing in with a device code: there is no display."),
    "device-slowed-down": Scene(acts=_SLOWER),
    "device-reconnecting": Scene(acts=_AGAIN),
    "device-finishing": Scene(acts=(*_AGAIN, exchanges)),
    "device-done": Scene(acts=(*_AGAIN, succeeds)),
    "device-denied": Scene(acts=(*_SLOWER, fails(ErrorKind.DENIED))),
    "device-expired": Scene(acts=(*_SLOWER, fails(ErrorKind.EXPIRED))),
    "device-remote-shell": Scene(note=_REMOTE_NOTE, environ=_SSH),
    "device-20-columns": Scene(columns=20, acts=(*_SLOWER, *_AGAIN)),
    "device-20-columns-done": Scene(columns=20, acts=(*_AGAIN, succeeds)),
    "device-ascii": Scene(can={"utf8": False}, acts=_AGAIN),
    "device-qr": Scene(can={"qr": True}),
    "device-qr-24-rows": Scene(can={"qr": True}, rows=24),
    "device-qr-23-rows": Scene(can={"qr": True}, rows=23),
    "device-desktop": Scene(desktop=True, options=("--device",), note=_SIGNED_IN),
    "device-unknown-trouble": Scene(acts=(waits(Why.PENDING), waits(Why.RETRY, ErrorKind.BLOCKED))),
    "device-rate-limited": Scene(acts=(waits(Why.PENDING), waits(Why.RATE_LIMITED))),
    "browser-desktop": Scene(
        prompt=_PAGE, acts=(waits(Why.CALLBACK),), desktop=True, can={"short_links": True}, note=_KEYS
    ),
    "browser-not-opened": Scene(
        prompt=_PAGE,
        acts=(waits(Why.CALLBACK),),
        desktop=True,
        can={"short_links": True},
        then="The browser was not opened: the browser could not be started. Open the page yourself.",
    ),
    "browser-waiting": Scene(prompt=_PAGE, acts=(waits(Why.CALLBACK),)),
    "browser-remote-shell": Scene(prompt=_PAGE, acts=(waits(Why.CALLBACK),), environ=_SSH),
    "browser-paste": Scene(prompt=_PAGE, acts=(waits(Why.CALLBACK), pastes), options=("--paste",)),
    "browser-lines": Scene(prompt=_PAGE, acts=(waits(Why.CALLBACK),), view=LineView, can=_PLAIN),
    "lines": Scene(view=LineView, can=_PLAIN, acts=(*_SLOWER, *_AGAIN, succeeds)),
    "lines-denied": Scene(view=LineView, can=_PLAIN, acts=(*_SLOWER, fails(ErrorKind.DENIED))),
    "accessible": Scene(view=LineView, can=_ACCESSIBLE, acts=(beats, waits(Why.SLOW_DOWN), succeeds)),
    "accessible-20-columns": Scene(view=LineView, can=_ACCESSIBLE, columns=20, acts=(beats, succeeds)),
    "quiet": Scene(view=QuietView, can={"colour": False}, acts=(*_AGAIN, succeeds)),
}
