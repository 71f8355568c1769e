"""The arguments of every command but `authority`: one function for each set of options.

Rules of this file: nothing is loaded here but argparse, and what is wrong with the arguments is known
before anything is loaded to sign in.
"""

from __future__ import annotations

import argparse
import os
from importlib import import_module
from typing import Final

from codex_oauth.cli.output import CHOICES
from codex_oauth.stores.names import HOME_VARIABLE
from codex_oauth_core.registered import SERVICE

__all__ = [
    "DEFAULT_VARIABLE",
    "PROVIDER_VARIABLE",
    "account",
    "account_command",
    "check_exec",
    "check_login",
    "check_logout",
    "common",
    "doctor_arguments",
    "exec_arguments",
    "export_arguments",
    "finish_arguments",
    "header_arguments",
    "import_arguments",
    "login_arguments",
    "logout_arguments",
    "loudness",
    "provider_name",
    "refresh_arguments",
    "run_login_or_step",
    "run_trace",
    "start_arguments",
    "status_arguments",
    "store_command",
    "switch_arguments",
    "trace_arguments",
]

DEFAULT_VARIABLE: Final = "CODEX_OAUTH_TOKEN"
"""The variable in which a child finds the token."""

PROVIDER_VARIABLE: Final = "CODEX_OAUTH_PROVIDER"
"""The variable that names the provider to sign in at."""
# what `exec` sets beside the token, and what the program would not start with
_NOT_FOR_A_TOKEN: Final = (PROVIDER_VARIABLE, "CODEX_OAUTH_ACCOUNT_ID", "PATH", "HOME", "LD_PRELOAD")


def common(command: argparse.ArgumentParser) -> None:
    """The options of nearly every command."""
    where = "the directory of the logins; default: CODEX_OAUTH_HOME, else the user's state directory"
    command.add_argument("--store", metavar="PATH", type=_place, help=where)
    command.add_argument("--json", action="store_true", help="machine-readable output")


def loudness(command: argparse.ArgumentParser) -> None:
    """How much is said on stderr."""
    how = command.add_mutually_exclusive_group()
    how.add_argument("-q", "--quiet", action="store_true", help="print results and errors only")
    how.add_argument("-v", "--verbose", action="store_true", help="print more, but never a secret")


def store_command(command: argparse.ArgumentParser) -> None:
    """The options of a command about all logins."""
    common(command)
    loudness(command)


def account(command: argparse.ArgumentParser) -> None:
    """Which login it is about."""
    whose = (
        "the account: an email address, an account id, a user id, or the beginning of a key; "
        "default: CODEX_OAUTH_ACCOUNT, else the account in use"
    )
    command.add_argument("--account", metavar="ACCOUNT", help=whose)


def account_command(command: argparse.ArgumentParser) -> None:
    """The options of a command about one login."""
    account(command)
    store_command(command)


def status_arguments(command: argparse.ArgumentParser) -> None:
    """The options of `status`."""
    asks = f"also ask {SERVICE}, once, whether it takes the access token"
    command.add_argument("--check", action="store_true", help=asks)
    account_command(command)


def header_arguments(command: argparse.ArgumentParser) -> None:
    """The options of `header`."""
    form = command.add_mutually_exclusive_group()
    form.add_argument("--all", action="store_true", help="every header that the service wants, one a line")
    form.add_argument("--curl", action="store_true", help="the same as a configuration for curl -K -")
    account_command(command)


def exec_arguments(command: argparse.ArgumentParser) -> None:
    """The options of `exec`."""
    name = f"the variable for the token; default: {DEFAULT_VARIABLE}"
    command.add_argument("--env", metavar="NAME", type=_variable, default=DEFAULT_VARIABLE, help=name)
    account_command(command)


def refresh_arguments(command: argparse.ArgumentParser) -> None:
    """The options of `refresh`."""
    command.add_argument("--if-due", action="store_true", help="only if the token is about to expire")
    account_command(command)


def logout_arguments(command: argparse.ArgumentParser) -> None:
    """The options of `logout`."""
    command.add_argument("--local", action="store_true", help="only delete it here")
    command.add_argument("--all", action="store_true", help="every login that is stored here")
    account_command(command)


def switch_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `switch`."""
    whose = "an email address, an account id, a user id, or the beginning of a key"
    command.add_argument("account", metavar="ACCOUNT", nargs="?", help=whose)
    store_command(command)


def check_exec(args: argparse.Namespace) -> str | None:
    """What is wrong with the arguments of `exec` together."""
    return None if args.command and args.command[0] else "the program to run must stand after `--`"


def check_logout(args: argparse.Namespace) -> str | None:
    """What is wrong with the arguments of `logout` together."""
    return "--all and --account do not go together" if args.all and args.account else None


def _place(text: str) -> str:
    if text:
        return text
    raise argparse.ArgumentTypeError("the directory has no name")


def _variable(text: str) -> str:
    is_name = text.isascii() and text.isidentifier()
    if is_name and text not in _NOT_FOR_A_TOKEN:
        return text
    wrong = "is for something else than a token" if is_name else "is not the name of a variable"
    raise argparse.ArgumentTypeError(f"{text!r} {wrong}")


# -- login ---------------------------------------------------------------------------------------------


_STEPS: Final = {
    "start": ("codex_oauth.cli.login_steps", "run_start"),
    "finish": ("codex_oauth.cli.login_steps", "run_finish"),
}


def login_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `login`."""
    add = command.add_argument
    two = "sign in with a device code in two steps: `start` prints an id, `finish ID` stores the login"
    add("step", metavar="start|finish", nargs="?", choices=tuple(_STEPS), help=two)
    add("id", metavar="ID", nargs="?", help=_THE_ID)
    _add_provider(command)
    _add_ways(command)
    _add_issuer(command)
    _add_account(command)
    add("--yes", action="store_true", help="store the login even if it is not the one of --account")
    _add_revoke_old(command)
    trace = "write a trace to this new file, without secrets: see `codex-oauth trace`"
    add("--trace", metavar="FILE", help=trace)
    _add_looks(command)
    common(command)
    loudness(command)


def start_arguments(command: argparse.ArgumentParser) -> None:
    """What `login start` takes, for its help."""
    _add_which(command)
    _add_issuer(command)
    _add_account(command)
    common(command)
    loudness(command)


def finish_arguments(command: argparse.ArgumentParser) -> None:
    """What `login finish` takes, for its help."""
    command.add_argument("id", metavar="ID", help=_THE_ID)
    _add_revoke_old(command)
    _add_looks(command)
    common(command)
    loudness(command)


_THE_ID: Final = "the id that `login start` printed"
_PROVIDERS: Final = ("codex", "chatgpt")
_ISSUER_VARIABLE: Final = "CODEX_OAUTH_ISSUER"  # as `default_provider` has it, which loads more


def _add_issuer(command: argparse.ArgumentParser) -> None:
    where = "another authorization server: https, or http on this machine; default: CODEX_OAUTH_ISSUER"
    command.add_argument("--issuer", metavar="URL", type=_issuer, help=where)


def _add_account(command: argparse.ArgumentParser) -> None:
    whose = "the account to sign in: an email address, an account id, a user id, or the beginning of a key"
    command.add_argument("--account", metavar="ACCOUNT", help=whose)


def _add_revoke_old(command: argparse.ArgumentParser) -> None:
    ended = "end the replaced login at the server; other sessions of its account may end too"
    command.add_argument("--revoke-old", action="store_true", help=ended)


def _add_which(command: argparse.ArgumentParser) -> None:
    which = (
        "codex: the sign-in of the Codex CLI, for yourself; chatgpt: the official sign-in, for "
        f"open-source tools; default: {PROVIDER_VARIABLE}, else codex"
    )
    command.add_argument("--provider", metavar="codex|chatgpt", choices=_PROVIDERS, help=which)


def _add_provider(command: argparse.ArgumentParser) -> None:
    _add_which(command)
    add = command.add_argument
    plan = "chatgpt only: ask again whether this application may use the plan"
    add("--enable-plan", action="store_true", help=plan)
    anew = "chatgpt only: register again, for another person or workspace; the old registration stays"
    add("--register-anew", action="store_true", help=anew)
    called = "chatgpt only: the name of the application, which the person sees; default: codex-oauth"
    add("--app-name", metavar="NAME", type=_app_name, help=called)


def provider_name(args: argparse.Namespace) -> str:
    """The provider that is named by the option, else by the variable, else the usual one."""
    return args.provider or os.environ.get(PROVIDER_VARIABLE) or _PROVIDERS[0]


def _app_name(text: str) -> str:
    if text.strip() and text.isprintable() and len(text) <= 100:
        return text
    raise argparse.ArgumentTypeError("the name must be 1 to 100 printable characters")


def _add_ways(command: argparse.ArgumentParser) -> None:
    way = command.add_mutually_exclusive_group()
    way.add_argument(
        "--device", action="store_true", help="sign in with a code, which you type on any device"
    )
    way.add_argument("--browser", action="store_true", help="sign in with the browser on this machine")
    add = command.add_argument
    add("--no-open", action="store_true", help="print the address of the page, and do not open it")
    add("--paste", action="store_true", help="also accept the address of the last page, pasted here")
    ports = "the local port for the answer of the browser; with codex only 1455 or 1457"
    add("--port", metavar="N", type=_port, help=ports)


def _add_looks(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--qr", action="store_true", help="also show a QR code of the page, if the terminal can")
    add("--copy", action="store_true", help="copy the code, or the address of the page, to the clipboard")
    plain = "plain lines, for screen readers; also with ACCESSIBLE=1"
    add("--accessible", action="store_true", help=plain)
    when = "colours: auto, always or never; default: auto, with NO_COLOR and CLICOLOR_FORCE"
    add("--color", metavar="WHEN", choices=CHOICES, default="auto", help=when)


def run_login_or_step(args: argparse.Namespace) -> int:
    """Sign in, or do one of the two steps of it."""
    module, function = _STEPS.get(args.step, ("codex_oauth.cli.login", "run_login"))
    return int(getattr(import_module(module), function)(args))


def check_login(args: argparse.Namespace) -> str | None:
    """What is wrong with the arguments of `login` together."""
    from codex_oauth_core.codex import CODEX

    if args.yes and not args.account:
        return "--yes needs --account"
    if (mistake := _check_provider(args)) is not None:
        return mistake
    if args.step is not None:
        return _check_step(args) or _check_store(args)
    if args.device and (args.port is not None or args.no_open or args.paste):
        return "--port, --no-open and --paste are for the browser: leave out --device"
    if args.browser and args.qr:
        return "--qr is for the device code: leave out --browser"
    usual = _issuer_named(args) in (None, CODEX.issuer) and provider_name(args) == "codex"
    if usual and args.port not in (None, *CODEX.redirect_ports):
        return f"--port: {CODEX.texts.service} takes only {' and '.join(map(str, CODEX.redirect_ports))}"
    return _check_store(args)


def _issuer_named(args: argparse.Namespace) -> str | None:
    """The issuer that the option names, else the variable."""
    named: str | None = args.issuer or os.environ.get(_ISSUER_VARIABLE)
    return named or None


def _check_store(args: argparse.Namespace) -> str | None:
    """What is wrong with where the login of a server on this machine is to go: such logins are fake."""
    from urllib.parse import urlsplit

    from codex_oauth_core.provider import is_loopback

    issuer = _issuer_named(args)
    if issuer is None or args.store or os.environ.get(HOME_VARIABLE):
        return None
    try:
        host = urlsplit(issuer).hostname or ""
    except ValueError:  # whoever reads it says what is wrong with it
        return None
    if not is_loopback(host):
        return None
    return "a server on this machine is for tests: add --store PATH, so that its login stays apart from yours"


def _check_provider(args: argparse.Namespace) -> str | None:
    """What is wrong with what is said about the provider."""
    name = provider_name(args)
    if name not in _PROVIDERS:
        return f"{PROVIDER_VARIABLE} is {name!a}: use {' or '.join(_PROVIDERS)}"
    if args.step == "finish" and args.provider is not None:
        return "login finish takes no --provider: login start was told it"
    given = {
        "--enable-plan": args.enable_plan,
        "--register-anew": args.register_anew,
        "--app-name": args.app_name,
    }
    option = next((option for option, value in given.items() if value), None)
    if option is not None and (name != "chatgpt" or args.step is not None):
        return f"{option} is for --provider chatgpt"
    return None


def _check_step(args: argparse.Namespace) -> str | None:
    """What is wrong with the arguments of `login start` or `login finish` together."""
    if args.browser or args.no_open or args.paste or args.port is not None or args.trace is not None:
        return f"login {args.step} takes no --trace, and none of the flags for the browser"
    if args.step == "finish":
        if args.id is None:
            return "login finish needs the ID that login start printed"
        known = args.issuer is not None or args.account is not None
        return "login finish takes no --issuer and no --account: login start was told them" if known else None
    if args.qr or args.copy:
        return "--qr and --copy are for login finish"
    if args.id is not None:
        return "login start takes no ID"
    return "--revoke-old is for login finish" if args.revoke_old else None


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


# -- import and export ---------------------------------------------------------------------------------


def import_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `import`."""
    add = command.add_argument
    where = "the auth.json of the Codex CLI; default: in CODEX_HOME, else in ~/.codex"
    add("--from-codex", metavar="PATH", nargs="?", const="", required=True, help=where)
    whole = "take over the whole login, and renew it: the Codex CLI must sign in again"
    add("--move", action="store_true", help=whole)
    add("--force", action="store_true", help="replace a login of the same account that can be renewed")
    add("--yes", action="store_true", help="do not ask")
    store_command(command)


def export_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `export`."""
    add = command.add_argument
    what = "the auth.json to write; it works until the access token expires"
    add("--to-codex", metavar="PATH", required=True, help=what)
    whole = "also write the refresh token: from then on only that copy may renew the login"
    add("--include-refresh", action="store_true", help=whole)
    add("--force", action="store_true", help="replace the file if it exists")
    add("--yes", action="store_true", help="do not ask")
    account(command)
    store_command(command)


# -- trace ---------------------------------------------------------------------------------------------


def trace_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `trace`."""
    actions = command.add_subparsers(metavar="ACTION", title="actions", required=True)
    show = actions.add_parser(
        "show",
        help="show what happened, and when",
        description="Show what happened, and when.\n\nexamples:\n"
        "  codex-oauth trace show FILE\n"
        "  codex-oauth trace show --html page.html FILE",
        formatter_class=command.formatter_class,
        allow_abbrev=False,
    )
    page = "write an HTML page with the states and the times to this file instead"
    show.add_argument("--html", metavar="OUT", help=page)
    replay = actions.add_parser(
        "replay",
        help="check that this version does the same",
        description="Run the sign-in of the trace again with this version, without a network: exit code\n"
        "0 if it does the same, 1 if not.\n\nexamples:\n"
        "  codex-oauth trace replay FILE",
        formatter_class=command.formatter_class,
        allow_abbrev=False,
    )
    for action, function in ((show, "run_show"), (replay, "run_replay")):
        action.add_argument("file", metavar="FILE", help="the trace to read")
        action.add_argument("--json", action="store_true", help="machine-readable output")
        action.set_defaults(function=function)


def run_trace(args: argparse.Namespace) -> int:
    """Show a trace, or replay it."""
    return int(getattr(import_module("codex_oauth.cli.trace"), args.function)(args))


# -- doctor --------------------------------------------------------------------------------------------


def doctor_arguments(command: argparse.ArgumentParser) -> None:
    """The options of `doctor`."""
    add = command.add_argument
    add("--offline", action="store_true", help="send no request: skip the server and the clock")
    _add_issuer(command)
    when = "colours: auto, always or never; default: auto, with NO_COLOR and CLICOLOR_FORCE"
    add("--color", metavar="WHEN", choices=CHOICES, default="auto", help=when)
    store_command(command)
