"""The arguments of `codex-oauth login`, of its two steps too, and which function each of these is.

Rules of this file: what is wrong with the arguments is known before anything is loaded to sign in.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Final

from codex_oauth.cli.arguments import common, loudness
from codex_oauth.cli.colour import CHOICES

__all__ = ["check_login", "login", "run_login"]

_STEPS: Final = {
    "start": ("codex_oauth.cli.steps", "run_start"),
    "finish": ("codex_oauth.cli.steps", "run_finish"),
}


def login(command: argparse.ArgumentParser) -> None:
    """The arguments of `login`."""
    add = command.add_argument
    two = "sign in with a device code in two steps: `start` prints an id, `finish ID` waits for the end"
    add("step", metavar="start|finish", nargs="?", choices=tuple(_STEPS), help=two)
    add("id", metavar="ID", nargs="?", help="what `login start` printed")
    _add_ways(command)
    where = "another authorization server: https, or http on loopback"
    add("--issuer", metavar="URL", type=_issuer, help=where)
    whose = "the account to sign in: an account id, or one of the logins that are kept here"
    add("--account", metavar="ACCOUNT", help=whose)
    add("--yes", action="store_true", help="keep the login even if its account is not --account")
    ended = "end the login that is replaced at the server; other sessions of the account may end too"
    add("--revoke-old", action="store_true", help=ended)
    trace = "write what happens to this new file, without secrets: see `codex-oauth trace`"
    add("--trace", metavar="FILE", help=trace)
    _add_looks(command)
    common(command)
    loudness(command)


def _add_ways(command: argparse.ArgumentParser) -> None:
    way = command.add_mutually_exclusive_group()
    way.add_argument("--device", action="store_true", help="sign in with a code to type on any device")
    way.add_argument("--browser", action="store_true", help="sign in with the browser on this machine")
    add = command.add_argument
    add("--no-open", action="store_true", help="print the page's address, and open nothing")
    add("--paste", action="store_true", help="also take the address of the browser's last page, pasted here")
    ports = "the local port that the browser comes back to; for ChatGPT only 1455 or 1457"
    add("--port", metavar="N", type=_port, help=ports)


def _add_looks(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--qr", action="store_true", help="also show the page as a QR code, where the terminal can")
    add("--copy", action="store_true", help="copy the code, or the page's address, to the clipboard")
    plain = "plain lines, for screen readers; also with ACCESSIBLE=1"
    add("--accessible", action="store_true", help=plain)
    when = "colours: auto, always or never; NO_COLOR and CLICOLOR_FORCE are honoured"
    add("--color", metavar="WHEN", choices=CHOICES, default="auto", help=when)


def run_login(args: argparse.Namespace) -> int:
    """Sign in, or do one of the two steps of it."""
    module, function = _STEPS.get(args.step, ("codex_oauth.cli.login", "run_login"))
    return int(getattr(import_module(module), function)(args))


def check_login(args: argparse.Namespace) -> str | None:
    """What is wrong with the arguments of `login` together."""
    from codex_oauth_core.codex import CODEX

    if args.yes and not args.account:
        return "--yes is about --account"
    if args.step is not None:
        return _check_step(args)
    if args.device and (args.port is not None or args.no_open or args.paste):
        return "--port, --no-open and --paste belong to the browser, not to --device"
    if args.browser and args.qr:
        return "--qr belongs to the device code, not to --browser"
    if args.issuer in (None, CODEX.issuer) and args.port not in (None, *CODEX.redirect_ports):
        return f"--port: the Codex provider takes only {' and '.join(map(str, CODEX.redirect_ports))}"
    return None


def _check_step(args: argparse.Namespace) -> str | None:
    """What is wrong with the arguments of `login start` or `login finish` together."""
    if args.browser or args.no_open or args.paste or args.port is not None or args.trace is not None:
        return f"login {args.step} is for a device code, and takes no flag for the browser and no --trace"
    if args.account is not None:
        return f"login {args.step} takes no --account"
    if args.step == "finish":
        named = "login finish takes the ID that login start printed, and no --issuer"
        return named if args.id is None or args.issuer is not None else None
    if args.qr or args.copy:
        return "login start takes no --qr and no --copy: they are for login finish"
    wrong = args.id is not None or args.revoke_old
    return "login start takes no ID, and no --revoke-old: that is for login finish" if wrong else None


def _issuer(text: str) -> str:
    from codex_oauth_core.codex import CODEX

    try:
        return CODEX.at(text).issuer
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port")
