"""A Windows console, polled: the same pastes, from keys."""

from __future__ import annotations

import threading
from collections import deque

import pytest

from codex_oauth.browser.paste import ConsoleInput, pastes
from codex_oauth_core.callback import Accepted
from tests.browser.redirects import RULE, URL


class FakeKeys:
    """The two functions of `msvcrt`, with keys that wait already."""

    def __init__(self, keys: str) -> None:
        self.waiting = deque(keys)

    def kbhit(self) -> bool:
        return bool(self.waiting)

    def getwch(self) -> str:
        return self.waiting.popleft()


def console(keys: str) -> tuple[ConsoleInput, FakeKeys, list[str]]:
    interrupts: list[str] = []
    fake = FakeKeys(keys)
    return ConsoleInput(fake, lambda: interrupts.append("Ctrl-C")), fake, interrupts


def test_a_paste_of_keys_is_the_redirect() -> None:
    typing, _, _ = console(f"\xe0H{URL}\r")
    text = next(pastes(typing.read))
    assert isinstance(RULE.judge(text), Accepted)


def test_silence_is_told_from_the_end() -> None:
    typing, _, _ = console("")
    assert typing.read(0.01) == b""
    typing.wake()
    assert typing.read(0.01) is None


def test_the_end_of_input_is_ctrl_z() -> None:
    assert console("\x1a")[0].read(1) is None


def test_ctrl_c_as_a_key_interrupts() -> None:
    typing, _, interrupts = console("a\x03b")
    assert typing.read(1) == b"ab"
    assert interrupts == ["Ctrl-C"]


@pytest.mark.parametrize("prefix", ["\x00", "\xe0"])
def test_the_second_half_of_a_special_key_is_no_text(prefix: str) -> None:
    assert console(f"a{prefix}Hb")[0].read(1) == b"ab"


def test_stopping_ends_a_read_and_leaves_the_keys_to_the_host() -> None:
    typing, keys, _ = console("")
    thread = threading.Thread(target=typing.read, args=(60,))
    thread.start()
    typing.close()
    thread.join(10)
    assert not thread.is_alive()
    keys.waiting.extend("next\r")
    assert typing.read(0.01) is None
    assert "".join(keys.waiting) == "next\r"
