"""What the tests with a real Chromium share: a sign-in that waits for its browser, and a look at a picture.

Rules of this file: a sign-in that a test gives up is cancelled, so that no thread and no socket outlives it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from urllib.parse import parse_qs, urlsplit

import attrs

from codex_oauth import CODEX, BrowserPrompt, Credential, HttpxWorld, login
from codex_oauth.authority import AuthorityServer
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth_core.effects import Prompt
from codex_oauth_core.receiver.pages import PageAnswer

PATIENCE = 20
"""Seconds for what takes a fraction of one on a machine that has nothing else to do."""


@attrs.frozen
class SignIn:
    """A `login()` that runs in a thread of its own. `url` is the page to open."""

    url: str
    _outcome: Future[Credential]

    @property
    def redirect_uri(self) -> str:
        return self._field("redirect_uri")

    @property
    def state(self) -> str:
        return self._field("state")

    @property
    def waiting(self) -> bool:
        return not self._outcome.done()

    def credential(self) -> Credential:
        """What `login()` returned. Raises what it raised."""
        return self._outcome.result(PATIENCE)

    def _field(self, name: str) -> str:
        (value,) = parse_qs(urlsplit(self.url).query)[name]
        return value


@contextmanager
def signing_in(server: AuthorityServer) -> Generator[SignIn]:
    """A sign-in at `server` whose listener awaits the browser; cancelled at the end, if it still does."""
    shown: SimpleQueue[Prompt] = SimpleQueue()
    worlds: list[HttpxWorld] = []

    def world(sources: Sequence[CallbackSource]) -> HttpxWorld:
        worlds.append(HttpxWorld(callbacks=sources))
        return worlds[0]

    def run() -> Credential:
        return login(
            device=False,
            provider=CODEX.at(server.url),
            open_browser=False,
            ports=(0,),
            on_prompt=shown.put,
            make_world=world,
        )

    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(run)
        try:
            prompt = shown.get(timeout=PATIENCE)
            assert isinstance(prompt, BrowserPrompt)
            yield SignIn(prompt.authorize_url.reveal(), outcome)
        finally:
            for each in worlds:
                each.cancel()


def headers_of(answer: PageAnswer) -> dict[str, str]:
    """The header fields of one of the receiver's answers, by lower-case name."""
    lines = answer.head.decode("ascii").split("\r\n")[1:-2]
    pairs = (line.partition(": ") for line in lines)
    return {name.lower(): value for name, _, value in pairs}


@attrs.frozen
class Picture:
    """What a PNG shows, as far as a test can tell (PNG third edition §11.2.1, §12)."""

    width: int
    height: int
    corner: int
    """The brightest channel of its first pixel, 0 to 255."""
    rows: int
    """How many of its lines differ."""


def look_at(png: bytes) -> Picture:
    """Read a PNG with 8 bits a channel, not interlaced. Raises AssertionError for any other."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, depth, colours, *_, interlaced = struct.unpack(">IIBBBBB", png[16:29])
    assert (depth, interlaced) == (8, 0)
    channels = {2: 3, 6: 4}[colours]
    lines = zlib.decompress(b"".join(_image_data(png)))
    stride = 1 + width * channels
    rows = {lines[at + 1 : at + stride] for at in range(0, len(lines), stride)}
    return Picture(width, height, max(lines[1:4]), len(rows))  # no filter changes the first pixel


def _image_data(png: bytes) -> Generator[bytes]:
    at = 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        if kind == b"IDAT":
            yield png[at + 8 : at + 8 + length]
        at += 12 + length
