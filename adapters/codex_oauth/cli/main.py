"""The command `codex-oauth`: which way it runs, and nothing of what the commands do.

Rules of this file: commands load when they run, and a token that is current is printed before anything else
loads; every failure ends in `errors`, which says it and has its exit code.
"""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from types import ModuleType
    from typing import Final

__all__ = ["main"]

_INTERRUPTED: Final = 130  # known before anything else has loaded
_USAGE: Final = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    own_process = argv is None
    arguments = sys.argv[1:] if argv is None else list(argv)
    _fill_streams()
    if own_process:
        gc.disable()  # until the command is loaded: to look for garbage there took a tenth of `status` (P12c)
    try:
        if arguments[:1] == ["token"] and (printed := _printed(arguments[1:])) is not None:
            return printed
        return _run(arguments, own_process=own_process)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _fill_streams() -> None:
    """Let closed descriptors 0 to 2 be the null device, for a command that is run here, too: a file that is
    opened in their place would get what is written to a stream. Best effort.
    """
    for stream in range(3):
        try:
            os.fstat(stream)
        except OSError:
            _fill(stream)


def _fill(stream: int) -> None:
    try:
        null = os.open(os.devnull, os.O_RDWR)
    except OSError:
        return
    os.dup2(null, stream)
    if null == stream:
        os.set_inheritable(stream, True)
    else:
        os.close(null)


def _printed(arguments: list[str]) -> int | None:
    """The exit code of `codex-oauth token` where the token is current; None where the usual way goes on."""
    from codex_oauth.cli.fast import current_token, leave_no_core_of_token

    leave_no_core_of_token()
    token = current_token(arguments)
    if token is None or sys.stdout is None:
        return None
    try:
        sys.stdout.write(f"{token}\n")
        sys.stdout.flush()
    except OSError as error:
        from codex_oauth.cli.errors import report_error
        from codex_oauth.cli.output import NoOutput

        gone = isinstance(error, BrokenPipeError)
        return report_error(NoOutput(error.strerror or type(error).__name__, nobody_reads=gone), ())
    return 0


def _run(arguments: list[str], *, own_process: bool) -> int:
    from codex_oauth.cli.parser import parsed

    if sys.stderr is None:
        _process().give_streams()
    _remember(None)
    try:
        args = parsed(arguments)
        if args is None:
            return _USAGE
        if own_process:
            gc.freeze()  # what has been loaded is no garbage, not even at the end
            gc.enable()
        _process().leave_no_core()
        _process().show_warnings(_warn)
        _set_loudness(args)
        _remember(args, arguments[0])
        return int(args.run(args))
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # the outermost handler
        from codex_oauth.cli.errors import report_error

        return report_error(error, arguments)


def _process() -> ModuleType:
    from codex_oauth.cli import process

    return process


def _set_loudness(args: argparse.Namespace) -> None:
    from codex_oauth.cli.output import Loudness, speak

    quiet, verbose = getattr(args, "quiet", False), getattr(args, "verbose", False)
    speak(Loudness.QUIET if quiet else Loudness.VERBOSE if verbose else Loudness.USUAL)


def _remember(args: argparse.Namespace | None, subcommand: str = "") -> None:
    from codex_oauth.cli.pasteable import remember

    remember(args, subcommand)


def _warn(text: str) -> None:
    from codex_oauth.cli.output import hint

    hint(text)


if __name__ == "__main__":
    sys.exit(main())
