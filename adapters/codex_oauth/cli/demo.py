"""`codex-oauth demo`: an authority of our own, a sign-in there, and one answer of a model, as it comes.

Rules of this file: the login is kept in a folder that is deleted at the end; no setting and no login of the
person who runs it is used; nothing leaves this machine. stdout carries what the model says, and nothing else.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shlex
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from codex_oauth.cli.errors import OK, TEMPORARY
from codex_oauth.cli.missing import say_missing
from codex_oauth.cli.output import NoOutput, complain, emit, hint, result

if TYPE_CHECKING:
    import argparse

    from codex_oauth.authority import AuthorityServer

__all__ = ["ask", "demo_arguments", "main", "texts"]

_NEEDED: Final = ("starlette", "uvicorn", "websockets")
_MISSING: Final = "The demo runs a server of its own, which needs the extra `authority`."
_KEPT: Final = frozenset({"CODEX_OAUTH_DEBUG"})
_PREFIX: Final = "CODEX_OAUTH_"
_QUESTION: Final = "Say that the sign-in worked."
_ANSWER: Final = "You are signed in, and this answer came from a model that is a stub, word by word."
_SECONDS: Final = 30.0
_AFTER: Final = 3.0
"""Seconds after which the authority approves by itself: long enough to see the screen."""
_ASKS: Final = "You approve the sign-in, on a page of this server."
_APPROVES: Final = "The server approves the sign-in by itself after 3 seconds. Do not open anything."


def demo_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `codex-oauth demo`."""
    parser.add_argument(
        "--approve",
        choices=("ask", "auto"),
        help="who approves: you, on a page of the server (ask), or the server itself; by default you, where "
        "there are a terminal and a browser",
    )
    parser.add_argument("--json", action="store_true", help="machine-readable output")


def main(args: argparse.Namespace) -> int:
    """Run the demo; its exit code."""
    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        return say_missing(_MISSING, "authority", as_json=args.json)
    asks = args.approve == "ask" or (args.approve is None and _is_at_a_desktop())
    with _own_settings(), TemporaryDirectory(prefix="codex-oauth-demo-") as home:
        return _shown(Path(home), asks=asks, as_json=args.json)


def _is_at_a_desktop() -> bool:
    from codex_oauth.browser.choose import choose_here

    is_terminal = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
    return is_terminal and choose_here().flow == "browser"


@contextmanager
def _own_settings() -> Generator[None]:
    """No variable of this program, which would choose a store, an account or a server."""
    before = {name: os.environ[name] for name in os.environ if name.startswith(_PREFIX) and name not in _KEPT}
    for name in before:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(before)


def _shown(home: Path, *, asks: bool, as_json: bool) -> int:
    from codex_oauth.authority import Approve, Authority, ModelPolicy, Policy, serve

    policy = Policy(
        approve=Approve.ASK if asks else Approve.AUTO,
        approve_after=0.0 if asks else _AFTER,
        interval=2,
        lifetime=300,
        strict_pace=False,
        any_redirect_port=True,
    )
    with serve(Authority(policy=policy, models=ModelPolicy(text=_ANSWER))) as server:
        hint(f"A server of this demo runs at {server.url}. Its logins are fake, and only")
        hint("this machine can reach it. Your own logins are not touched.")
        hint(_ASKS if asks else _APPROVES)
        way = ("--browser", "--port", "0") if asks else ("--device",)
        code = _run("login", *way, "--issuer", server.url, "--store", str(home))
        if code == OK:
            code = _run("status", "--store", str(home))
        return code if code != OK else _called(server, home, as_json=as_json)


def _run(*command: str) -> int:
    """Run a command as a person would; its exit code. Its results are none of the demo's own."""
    from codex_oauth.cli.main import main as codex_oauth

    hint(f"\n$ codex-oauth {shlex.join(command)}")
    with contextlib.redirect_stdout(sys.stderr):
        return codex_oauth(command)


# -- the call of a model -------------------------------------------------------------------------------


def _called(server: AuthorityServer, home: Path, *, as_json: bool) -> int:
    """Ask the model once, with the login, and print what it says as it comes."""
    from codex_oauth.authority import ModelPolicy
    from codex_oauth.stores.file_store import FileStore

    store, model = FileStore(home), ModelPolicy().models[0].slug
    hint("\nOne request to a model with this login. The answer, as it comes:\n")
    said: list[str] = []
    for part in ask(server.url, store, model):
        said.append(part)
        if not as_json:
            _say(part)
    text = "".join(said)
    if not text:
        complain("The model said nothing.")
        return TEMPORARY
    if as_json:
        emit({"ok": True, "url": server.url, "model": model, "text": text})
    else:
        result("")
    hint("\nThat was the demo: its server is stopped, and its login is deleted.")
    hint("To sign in yourself: codex-oauth login")
    return OK


def _say(part: str) -> None:
    """A part of a line of the result. Raises `NoOutput` where that cannot be written."""
    if sys.stdout is None:
        raise NoOutput("it is closed")
    try:
        sys.stdout.write(part)
        sys.stdout.flush()
    except OSError as error:
        raise NoOutput(error.strerror or type(error).__name__) from None


def ask(issuer: str, store: Any, model: str) -> Iterator[str]:
    """The parts of a model's answer, as they come: of the model at `issuer`, with the login of a store."""
    import httpx

    from codex_oauth.tokens.auth import TokenAuth
    from codex_oauth.tokens.token_source import TokenSource
    from codex_oauth_core.codex import CODEX

    body = {
        "model": model,
        "instructions": "Be brief.",
        "input": [{"type": "message", "role": "user", "content": _QUESTION}],
        "store": False,
        "stream": True,
    }
    hosts = [httpx.URL(issuer).netloc.decode("ascii")]
    with (
        TokenSource(store, provider=CODEX.at(issuer), hosts=hosts) as source,
        httpx.Client(auth=TokenAuth(source), trust_env=False, timeout=_SECONDS) as client,
        client.stream("POST", f"{issuer}/backend-api/codex/responses", json=body) as answer,
    ):
        answer.raise_for_status()
        yield from texts(answer.iter_lines())


def texts(lines: Iterable[str]) -> Iterator[str]:
    """The parts of the text in a stream of events of the Responses API."""
    for line in lines:
        name, _, data = line.partition(":")
        if name != "data":
            continue
        event = json.loads(data)
        if event.get("type") == "response.output_text.delta":
            yield str(event["delta"])
