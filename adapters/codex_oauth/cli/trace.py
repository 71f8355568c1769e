"""`codex-oauth trace show` and `trace replay`, and the file that `login --trace` writes.

Rules of this file: a file that is no trace is the caller's mistake (exit code 2), never a failure of ours;
no text of a file reaches the terminal unfiltered. A trace is its owner's alone (0600) and never takes the
place of a file; each line is on its way to the disk before the sign-in goes on; nothing that happens to the
file ends a sign-in.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

import attrs

from codex_oauth.cli.errors import OK, UNEXPECTED, USAGE
from codex_oauth.cli.output import complain, emit, failure_fields, hint, printable, result
from codex_oauth.cli.trace_rows import replay_lines, rows_of, timeline
from codex_oauth.cli.usage import UsageError
from codex_oauth.sign_in import Recording
from codex_oauth_core.credential import Credential
from codex_oauth_core.effect_unions import SignInEffect
from codex_oauth_core.flows.machine import Drivable
from codex_oauth_core.flows.sign_in import SignInFlow
from codex_oauth_core.traces import Replay, Trace, read_trace, replay

__all__ = ["Text", "read_text", "run_replay", "run_show", "tracing"]


_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_LONGEST: Final = 64 * 1024 * 1024


@attrs.define(eq=False)
class _TraceFile:
    """A file that a recorder writes."""

    file: TextIO
    failure: str | None = None

    def record(self, flow: SignInFlow) -> Drivable[SignInEffect, Credential]:
        """The flow, recorded here."""
        from codex_oauth_core.traces import Recorder

        return Recorder(flow=flow, write=self.write)

    def write(self, line: str) -> None:
        """Write a line. Raises OSError, and remembers why."""
        try:
            self.file.write(line)
            self.file.flush()
        except OSError as error:
            self.failure = _reason(error)
            raise

    def close(self) -> None:
        """Close the file, whatever has become of it."""
        try:
            self.file.close()
        except OSError as error:
            self.failure = self.failure or _reason(error)


@contextmanager
def tracing(path: str | None, on_note: Callable[[str], None]) -> Generator[Recording | None, None, None]:
    """What records a sign-in at `path`; None if there is no path. `on_note` is told what goes wrong later.
    Raises UsageError if no file can be made there.
    """
    trace = None if path is None else _created(path)
    if trace is None:
        yield None
        return
    try:
        yield trace.record
    finally:
        trace.close()
        if trace.failure is not None:
            on_note(f"The trace {printable(str(path), 4096)} is not complete: {trace.failure}.")


def _created(path: str) -> _TraceFile:
    try:
        descriptor = os.open(path, _NEW | getattr(os, "O_CLOEXEC", 0), 0o600)
    except FileExistsError:
        raise UsageError(f"--trace: {printable(path, 4096)} exists already", "Name a new file.") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise UsageError(f"--trace: {printable(path, 4096)} cannot be written: {_reason(error)}") from None
    return _TraceFile(os.fdopen(descriptor, "w", encoding="ascii", newline="\n"))


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


@attrs.frozen
class Text:
    """The lines of a trace file; `cut`: its last line is not whole, and is left out."""

    lines: list[str]
    cut: bool


def read_text(path: str) -> Text:
    """The lines of a file. Raises ValueError, with the reason, for one that cannot be read as text."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # a name with a zero byte is the caller's ValueError
            data = file.read(_LONGEST + 1)
        if len(data) > _LONGEST:
            raise ValueError("The file is too long for a trace.")
        lines = data.decode("utf-8").split("\n")
    except OSError as error:
        raise ValueError(f"{_reason(error)}.") from None
    except UnicodeDecodeError:
        raise ValueError("The file is not UTF-8 text.") from None
    last = lines.pop()
    cut = bool(last) and not _is_json(last)
    return Text(lines + ([last] if last and not cut else []), cut)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


# -- the command ---------------------------------------------------------------------------------------


_CUT = "codex-oauth: the last line of the trace is not complete, and was left out."


def run_show(args: argparse.Namespace) -> int:
    """Show a trace; with `--html` also, or only, as a page."""
    try:
        trace = read_trace(_lines(args))
        if args.html is not None:
            _write_page(args.html, args.file, trace)
    except ValueError as error:
        return _unusable(args, str(error))
    except OSError as error:
        why = f"{printable(str(args.html), 4096)} could not be written: {_reason(error)}."
        if args.json:
            emit(failure_fields("unusable_trace", why))
        else:
            complain(f"codex-oauth: {why}")
        return UNEXPECTED
    if args.json:
        emit({"ok": True, **_about(trace), "rows": [row.to_dict() for row in rows_of(trace)]})
    elif args.html is None:
        for line in timeline(trace):
            result(line)
    else:
        result(f"Written to {printable(args.html, 4096)}.")
    return OK


def run_replay(args: argparse.Namespace) -> int:
    """Replay a trace: 0 if today's code does the same, 1 if not."""
    try:
        replayed = replay(_lines(args))
    except ValueError as error:
        return _unusable(args, str(error))
    if not replayed.trace.steps:
        return _unusable(args, "The trace has no step that could be replayed.")
    if args.json:
        emit({"ok": replayed.same, **_about(replayed.trace), "differences": _differences(replayed)})
    else:
        for line in replay_lines(replayed):
            result(line)
        if replayed.trace.gap is not None:
            hint("codex-oauth: the trace ends before its sign-in does.")
    return OK if replayed.same else UNEXPECTED


def _lines(args: argparse.Namespace) -> Sequence[str]:
    """The lines of the file. Raises ValueError with the reason."""
    text = read_text(args.file)
    if text.cut and not args.json:
        hint(_CUT)
    return text.lines


def _about(trace: Trace) -> dict[str, Any]:
    header = {name: value for name, value in attrs.asdict(trace.header).items() if value is not None}
    return {"trace": {**header, "steps": len(trace.steps), "gap": trace.gap and trace.gap.value}}


def _differences(replayed: Replay) -> list[dict[str, Any]]:
    return [attrs.asdict(each) for each in replayed.differences]


def _write_page(path: str, source: str, trace: Trace) -> None:
    """Write the page, for its owner alone. Raises OSError, ValueError with the reason."""
    from codex_oauth.cli.trace_page import page_of

    text = page_of(trace)
    if os.path.realpath(path) == os.path.realpath(source):
        raise ValueError("The page would replace the trace.")
    descriptor = os.open(Path(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _unusable(args: argparse.Namespace, why: str) -> int:
    if args.json:
        emit(failure_fields("unusable_trace", why))
    else:
        complain(f"codex-oauth: {printable(args.file, 200)}: {printable(why)}")
    return USAGE
