"""The views on a terminal: what is shown, at which width, and that nothing is left behind."""

from __future__ import annotations

import re
import time
from typing import Any

import attrs
import pytest

from codex_oauth.cli.views import choose_view
from codex_oauth.cli.views.line_view import LineView, QuietView
from codex_oauth.cli.views.live_view import LiveView
from codex_oauth.cli.views.terminal import ViewOptions
from codex_oauth.cli.views.view import View
from codex_oauth_core import BrowserPrompt, DevicePrompt, ErrorKind, Request, Secret, SendRequest, Wait, Why
from tests.cli.emulator import Emulator, screen_of
from tests.cli.fake_terminal import PROMPT, Window, on_stderr

EXCHANGE = SendRequest(Request("POST", "https://a/token", (), Secret(b"")), 30.0, once=True)


def prompt(**changes: Any) -> DevicePrompt:
    return attrs.evolve(PROMPT, expires_at=time.time() + 899.5, **changes)


def written(window: Window) -> str:
    """What was written, as a terminal's line discipline passes it on."""
    return re.sub(r"(?<!\r)\n", "\r\n", window.text)


def shown(window: Window) -> list[str]:
    return screen_of(written(window), window.columns())


def signed_in(view: View, shown_prompt: DevicePrompt | BrowserPrompt) -> None:
    """A whole sign-in: slowed down, interrupted, and done."""
    view.sending(attrs.evolve(EXCHANGE, once=False))
    view.prompt(shown_prompt)
    news = [(Why.PENDING, None), (Why.SLOW_DOWN, None), (Why.RETRY, ErrorKind.TLS_UNTRUSTED)]
    for at, (why, cause) in enumerate(news):
        wait = Wait(at + 1.0, why, shown_prompt, cause=cause)
        view.wait(wait)
        view.tick(wait, float(at))
    view.sending(EXCHANGE)
    view.done()
    view.close()


@pytest.mark.parametrize("utf8", [True, False])
@pytest.mark.parametrize("columns", [14, 20, 40, 80, 200])
def test_u7_the_code_is_whole_and_alone_on_its_line_at_every_width(
    monkeypatch: pytest.MonkeyPatch, columns: int, utf8: bool
) -> None:
    window = on_stderr(monkeypatch, columns, utf8=utf8)
    signed_in(LiveView(window), prompt())
    assert [line.strip() for line in shown(window)].count("ABCD-12345") == 1
    assert utf8 or written(window).isascii()


@pytest.mark.parametrize("columns", [20, 200])
def test_the_status_line_never_reaches_the_last_column(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    window = on_stderr(monkeypatch, columns)
    view, given = LiveView(window), prompt()
    view.prompt(given)
    for why in Why:
        wait = Wait(1.0, why, given, cause=ErrorKind.TLS_UNTRUSTED)
        before = len(written(window))
        view.tick(wait, 0.0)
        screen = screen_of(written(window)[before:], 1000)
        assert len(screen) == 1
        assert len(screen[0]) < columns
        assert re.search(r"\d:\d\d  \S", screen[0])


def test_news_that_a_narrow_window_cannot_hold_is_said_above(monkeypatch: pytest.MonkeyPatch) -> None:
    window = on_stderr(monkeypatch, 30)
    view = LiveView(window)
    given = prompt()
    view.prompt(given)
    wait = Wait(1.0, Why.RETRY, given, cause=ErrorKind.TLS_UNTRUSTED)
    view.wait(wait)
    view.tick(wait, 0.0)
    view.wait(wait)
    screen = shown(window)
    assert screen[-3:-1] == ["The certificate of the server", "is not trusted."]
    assert screen[-1].endswith("Trying again")
    assert " ".join(screen).count("is not trusted") == 1


def test_it_ends_with_an_empty_line_and_no_mode_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    window = on_stderr(monkeypatch)
    view = LiveView(window)
    signed_in(view, prompt())
    emulator = Emulator(80)
    emulator.feed(written(window))  # raises for an order that changes a mode
    screen = emulator.screen()
    assert screen[-1] == "● Done"
    assert emulator.cursor == (len(screen), 0)


def test_a_tick_writes_over_the_line_in_one_go_and_erases_only_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = on_stderr(monkeypatch, colour=False)
    view, given = LiveView(window), prompt()
    writes: list[str] = []
    monkeypatch.setattr(window.stream, "write", writes.append)
    view.tick(Wait(1.0, Why.PENDING, given), 0.0)
    assert writes == ["\r● 14:59  Waiting for your approval\x1b[K"]


@pytest.mark.parametrize(("columns", "again"), [(30, 0), (14, 0), (13, 1)])
def test_a_window_that_becomes_too_narrow_for_the_code_gets_it_all_again_once_it_rests(
    monkeypatch: pytest.MonkeyPatch, columns: int, again: int
) -> None:
    window = on_stderr(monkeypatch, 90)
    view, given = LiveView(window), prompt()
    view.prompt(given)
    wait = Wait(1.0, Why.PENDING, given)
    view.tick(wait, 0.0)
    before = len(written(window))
    window.size[0] = columns
    for _ in range(4):
        view.tick(wait, 0.0)
    screen = screen_of(written(window)[before:], columns)
    assert [line.strip() for line in screen].count("ABCD-12345") == again
    assert screen[-1].startswith("14:59")


def test_the_page_is_a_link_and_visible_and_a_long_one_is_in_one_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = f"https://auth.openai.com/oauth/authorize?state={'x' * 300}"
    window = on_stderr(monkeypatch, 80)
    LiveView(window).prompt(BrowserPrompt(Secret(url), time.time() + 600, "https://auth.openai.com"))
    emulator = Emulator(80)
    emulator.feed(written(window))
    assert [order.partition(";")[2].partition(";")[2] for order in emulator.orders] == [url, ""]
    assert url in re.sub(r"\x1b\][^\x1b]*\x1b\\|\x1b\[[0-9;]*m", "", written(window))


@pytest.mark.parametrize("can", ["links", "colour"])
def test_a_terminal_without_links_or_colours_gets_none(monkeypatch: pytest.MonkeyPatch, can: str) -> None:
    window = on_stderr(monkeypatch, **{can: False})
    signed_in(LiveView(window), prompt())
    emulator = Emulator(80)
    emulator.feed(written(window))
    if can == "links":
        assert emulator.orders == []
    else:
        assert not any(re.search(r"(^|;)(3[0-8]|4[0-8]|9\d)", style) for style in emulator.styles)


def test_a_terminal_that_is_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    window = on_stderr(monkeypatch)

    def gone(text: str) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(window.stream, "write", gone)
    signed_in(LiveView(window), prompt())


def test_lines_are_plain_complete_and_only_appended(monkeypatch: pytest.MonkeyPatch) -> None:
    window = on_stderr(monkeypatch, is_terminal=False, redraws=False, colour=False, utf8=False)
    signed_in(LineView(window), prompt())
    text = window.text
    assert not {"\x1b", "\r"} & set(text)
    assert text.isascii()
    wanted = (
        "    https://auth.openai.com/codex/device\n",
        "\n    ABCD-12345\n",
        "Only go on if you started this sign-in yourself.\n",
        "Waiting for your approval (the server asks for fewer requests).\n",
        "The certificate of the server is not trusted.\n",
        "Finishing the sign-in.\n",
    )
    assert [line for line in wanted if line not in text] == []


def test_u24_the_heartbeat_comes_each_half_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    window = on_stderr(monkeypatch, is_terminal=False)
    view, given = LineView(window), prompt()
    wait = Wait(400.0, Why.PENDING, given)
    for at in range(1, 92):
        view.tick(wait, float(at))
    assert shown(window) == ["Waiting for your approval; 15 minutes left."] * 3


def test_u25_quiet_leaves_the_page_the_code_and_what_went_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    window = on_stderr(monkeypatch, colour=False)
    view = QuietView(window)
    view.note("Signing in with a device code.")
    signed_in(view, prompt())
    view.warn("The trace is not whole.")
    assert shown(window) == [
        "    https://auth.openai.com/codex/device",
        "    ABCD-12345",
        "The trace is not whole.",
    ]


@pytest.mark.parametrize(
    ("environ", "wishes", "kind"),
    [
        ({"TERM": "xterm"}, ViewOptions(), LiveView),
        ({"TERM": "dumb"}, ViewOptions(), LineView),
        ({"TERM": ""}, ViewOptions(), LineView),
        ({"TERM": "xterm", "ACCESSIBLE": "1"}, ViewOptions(), LineView),
        ({"TERM": "xterm", "ACCESSIBLE": "0"}, ViewOptions(), LiveView),
        ({"TERM": "xterm"}, ViewOptions(accessible=True), LineView),
        ({"TERM": "xterm"}, ViewOptions(quiet=True), QuietView),
        ({"TERM": "", "WT_SESSION": "1"}, ViewOptions(), LiveView),
    ],
)
def test_which_view_suits(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], wishes: ViewOptions, kind: type
) -> None:
    on_stderr(monkeypatch)
    for name in ("ACCESSIBLE", "WT_SESSION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert type(choose_view(as_json=False, wishes=wishes)) is kind
