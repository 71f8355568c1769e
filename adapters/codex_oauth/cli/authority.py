"""`codex-oauth authority`: run a test authority on a loopback port until interrupted.

Rules of this file: stdout carries the base URL and nothing else; a printed command works as pasted; SIGINT
and SIGTERM are the way to end it, so both are exit code 0; what is wrong with the command line or the faults
file is known before a port is opened.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib.util
import json
import secrets
import shlex
import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, Final

from codex_oauth.cli.errors import OK, UNEXPECTED, USAGE
from codex_oauth.cli.missing import say_missing
from codex_oauth.cli.output import (
    complain_in_lines,
    emit,
    failure_fields,
    hint,
    printable,
    result,
    say_action,
)

if TYPE_CHECKING:
    from codex_oauth.authority import (
        Authority,
        ChatGptAuthority,
        ChatGptFault,
        Fault,
        HostileAnswer,
        ModelFault,
        Rules,
    )

__all__ = ["FAULTS_FILES", "add_arguments", "main", "run_authority"]

FAULTS_FILES: Final = {
    "codex": '{"faults": [{"endpoint": "poll", "requests": "1-3", "status": 502}]}',
    "chatgpt": '{"faults": [{"endpoint": "exchange", "requests": "1-3", "status": 502}]}',
    "both": '{"faults": [{"provider": "codex", "endpoint": "poll", "requests": "1-3", "status": 502}]}',
}
"""What a faults file may look like, for each `--provider`."""
_FAULTS: Final = f"a JSON file: {FAULTS_FILES['codex']}"
_MISSING: Final = "The authority needs the extra `authority`."
_NO_SOCKETS: Final = "The model stub needs the package websockets, of the extra `authority`."
_FAKE_LOGINS: Final = "fake-logins"
"""The directory for what signs in here: never the person's own store."""

_LOOK: Final = 0.5  # seconds; on Windows a wait without a limit would not see Ctrl-C


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `codex-oauth authority`."""
    add = parser.add_argument
    add(
        "--provider",
        choices=("codex", "chatgpt", "both"),
        default="codex",
        help="whose rules: codex (default), chatgpt (the official sign-in), or both",
    )
    add("--port", type=_port, default=0, metavar="N", help="loopback port; 0 is any free one (default)")
    add("--url-file", type=Path, metavar="PATH", help="also write the base URL to this file")
    add(
        "--approve",
        choices=("ask", "auto", "deny", "never"),
        default="ask",
        help="who decides: a person on the page (ask, default), or the authority itself",
    )
    add(
        "--approve-after",
        type=_seconds,
        default=0.0,
        metavar="SECONDS",
        help="for auto and deny: decide this long after the sign-in began (default 0)",
    )
    add(
        "--interval",
        type=_interval,
        default=5,
        metavar="SECONDS",
        help="how long to wait between polls (default 5)",
    )
    add(
        "--lifetime",
        type=_lifetime,
        default=900.0,
        metavar="SECONDS",
        help="how long a code is valid (default 900)",
    )
    add(
        "--faults",
        type=Path,
        metavar="FILE",
        help=_FAULTS,
    )
    add(
        "--models",
        nargs="?",
        choices=("lenient", "usual", "exact"),
        const="usual",
        metavar="HEADERS",
        help="also be the model backends, which demand these headers: lenient, usual (default) or exact",
    )
    add("--json", action="store_true", help="machine-readable output")


def main(args: argparse.Namespace) -> int:
    """Run the command with the options of `add_arguments`. Returns its exit code."""
    if any(importlib.util.find_spec(name) is None for name in ("starlette", "uvicorn")):
        return say_missing(_MISSING, "authority", as_json=args.json)
    if args.models is not None and importlib.util.find_spec("websockets") is None:
        return say_missing(_NO_SOCKETS, "authority", as_json=args.json)
    try:
        authority = _authority(args)
    except OSError as error:
        text = f"The faults file {args.faults} could not be read: {error.strerror}."
        return _complain(text, USAGE, "Check the path of --faults.", as_json=args.json)
    except ValueError as error:
        text = f"The faults file {args.faults} cannot be used: {printable(str(error))}."
        return _complain(text, USAGE, f"Write it like this: {FAULTS_FILES[args.provider]}", as_json=args.json)
    return run_authority(
        authority,
        provider=args.provider,
        port=args.port,
        url_file=args.url_file,
        as_json=args.json,
        models=args.models is not None,
    )


def run_authority(
    authority: Rules,
    *,
    provider: str = "codex",
    port: int = 0,
    url_file: Path | None = None,
    as_json: bool = False,
    models: bool = False,
) -> int:
    """Serve `authority`, whose rules are those of `provider`, until SIGINT or SIGTERM. `models`: whether it
    has the model backends.

    For the main thread only. Returns the exit code.
    """
    from codex_oauth.authority.server import serve

    with _signals() as ended:
        try:
            with (
                serve(authority, port=port) as server,
                _announced(server.url, provider, url_file, as_json=as_json, models=models),
            ):
                _wait(ended)
        except OSError as error:
            return _complain(*_trouble(error, port), as_json=as_json)
    return OK


def _authority(args: argparse.Namespace) -> Rules:
    text = b'{"faults":[]}' if args.faults is None else args.faults.read_bytes()
    if args.provider == "codex":
        from codex_oauth.authority import read_faults

        return _codex(args, read_faults(text))
    from codex_oauth.authority import BothAuthorities, read_both_faults, read_chatgpt_faults

    if args.provider == "chatgpt":
        return _chatgpt(args, read_chatgpt_faults(text))
    codex, chatgpt = read_both_faults(text)
    return BothAuthorities(codex=_codex(args, codex), chatgpt=_chatgpt(args, chatgpt))


def _codex(args: argparse.Namespace, faults: tuple[Fault | ModelFault, ...]) -> Authority:
    from codex_oauth.authority import Approve, Authority, ModelPolicy, Policy

    policy = Policy(
        interval=args.interval,
        lifetime=args.lifetime,
        approve=Approve(args.approve),
        approve_after=args.approve_after,
        strict_pace=False,
    )
    models = None if args.models is None else ModelPolicy(headers=args.models)
    return Authority(policy=policy, faults=faults, models=models)


def _chatgpt(args: argparse.Namespace, faults: tuple[ChatGptFault | HostileAnswer, ...]) -> ChatGptAuthority:
    from codex_oauth.authority import ChatGptAuthority, ChatGptPolicy

    policy = ChatGptPolicy(approve=args.approve, approve_after=args.approve_after)
    return ChatGptAuthority(policy=policy, faults=faults)


@contextmanager
def _signals() -> Generator[SimpleQueue[int]]:
    """A queue that gets the signals which end the command."""
    ended: SimpleQueue[int] = SimpleQueue()

    def end(number: int, _frame: FrameType | None) -> None:
        ended.put(number)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(ended: SimpleQueue[int]) -> None:
    while True:
        with contextlib.suppress(Empty):
            ended.get(timeout=_LOOK)
            return


@contextmanager
def _announced(
    url: str, provider: str, url_file: Path | None, *, as_json: bool, models: bool
) -> Generator[None]:
    """Say where the authority is; at the end, take the file back."""
    if url_file is not None:
        _write(url_file, f"{url}\n")
    try:
        if as_json:
            device = {} if provider == "chatgpt" else {"verification_uri": f"{url}/codex/device"}
            whose = {} if provider == "codex" else {"provider": provider}
            emit({"ok": True, "url": url, **device, **whose, **_model_urls(url, provider, models=models)})
        else:
            result(url)
        hint("This is a test authority: its tokens are fake. Only this machine can reach it.")
        if provider != "chatgpt":
            hint("Sign in:")
            hint(f"  codex-oauth login --device --issuer {url} --store {_FAKE_LOGINS}")
            hint(f"Enter code: {url}/codex/device")
        if provider != "codex":
            hint(f"Authorize:  {url}/api/accounts/authorize")
            hint(f"Model API:  {url}/v1")
        for line in _about_models(url, provider) if models else ():
            hint(line)
        hint("Ctrl-C stops it.")
        yield
    finally:
        if url_file is not None:
            url_file.unlink(missing_ok=True)


def _model_urls(url: str, provider: str, *, models: bool) -> dict[str, dict[str, str]]:
    codex = {} if provider == "chatgpt" else {"codex": f"{url}/backend-api/codex"}
    return {"models": {**codex, "official": f"{url}/v1"}} if models else {}


def _about_models(url: str, provider: str) -> Generator[str]:
    """Where the models are, and a command that asks one, once somebody has signed in."""
    from codex_oauth.authority import Account, ModelPolicy

    urls = _model_urls(url, provider, models=True)["models"]
    if "codex" in urls:
        yield f"Models:     {urls['codex']}"
        if provider == "codex":
            yield f"Public API: {urls['official']}"
    item = {"role": "user", "content": "Hello"}
    body = {
        "model": ModelPolicy().models[0].slug,
        "instructions": "Be brief.",
        "input": [item],
        "store": False,
        "stream": True,
    }
    whose = f" --account {Account().email}" if "codex" in urls else ""
    ours = f"{whose} --store {_FAKE_LOGINS}"
    asked = shlex.join(["--json", json.dumps(body), f"{urls.get('codex', urls['official'])}/responses"])
    yield f"Ask one:    codex-oauth header --curl{ours} | curl -sN -K - {asked}"


def _write(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or nothing. An OSError names the file that was meant."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def _trouble(error: OSError, port: int) -> tuple[str, int, *tuple[str, ...]]:
    """What went wrong, the exit code, and what to do."""
    another = "Choose another port with --port; 0 takes any that is free."
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use by another program.", UNEXPECTED, another
    if error.errno in (errno.EACCES, errno.EPERM) and error.filename is None:
        return f"This user may not open port {port}.", UNEXPECTED, another
    where = f": {error.filename}" if error.filename else ""
    return f"The authority could not run: {error.strerror or error}{where}.", UNEXPECTED


def _complain(text: str, code: int, *advice: str, as_json: bool) -> int:
    if as_json:
        emit(failure_fields("authority", text, *advice))
        return code
    complain_in_lines(f"codex-oauth: {text}")
    for line in advice:
        say_action(line)
    return code


def _port(text: str) -> int:
    return int(_number(text, 0, 65535, whole=True))


def _interval(text: str) -> int:
    return int(_number(text, 1, 300, whole=True))


def _lifetime(text: str) -> float:
    return _number(text, 1, 86400)


def _seconds(text: str) -> float:
    return _number(text, 0, 86400)


def _number(text: str, low: float, high: float, *, whole: bool = False) -> float:
    kind = "a whole number" if whole else "a number"
    try:
        value = float(int(text) if whole else float(text))
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not {kind} from {low} to {high}")
    return value
