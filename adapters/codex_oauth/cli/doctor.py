"""`codex-oauth doctor`: why a sign-in may fail on this machine, and what to do about it.

Rules of this file: what needs somebody is shown, group by group, with the advice below it, and the rest with
`--verbose`; all that is shown was filtered; the exit code is the one of the worst problem.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

import attrs

from codex_oauth.cli.accounts import chosen
from codex_oauth.cli.errors import LOGIN_REQUIRED, OK, REFUSED, STORAGE, TEMPORARY, UNEXPECTED
from codex_oauth.cli.output import (
    action_lines,
    counted,
    emit,
    hint,
    lines_of,
    paint,
    printable,
    result,
    say_action,
    wants_colour,
)
from codex_oauth.cli.pasteable import as_pasted, command
from codex_oauth.cli.usage import UsageError
from codex_oauth.default_provider import default_provider
from codex_oauth.doctor.checks import examine
from codex_oauth.doctor.context import Area, Context, Finding, Verdict
from codex_oauth.stores.file_store import FileStore
from codex_oauth_core.codex import CODEX
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.provider import Provider

__all__ = ["code_of", "run_doctor"]

_WORST_FIRST: Final[tuple[tuple[Area, int], ...]] = (
    (Area.STORAGE, STORAGE),
    (Area.LOGIN, LOGIN_REQUIRED),
    (Area.REFUSED, REFUSED),
    (Area.NETWORK, TEMPORARY),
    (Area.ITSELF, UNEXPECTED),
)
"""The exit code of a problem by what it is about, the worst first."""

_WORDS: Final[Mapping[Verdict, tuple[str, str]]] = {
    Verdict.OK: ("ok", "done"),
    Verdict.WARN: ("warning", "slower"),
    Verdict.PROBLEM: ("PROBLEM", "trouble"),
    Verdict.SKIPPED: ("skipped", "care"),
}
"""The word for people, and its look."""

_GROUPS: Final[Mapping[str, tuple[Area, ...]]] = {
    "This program": (Area.ITSELF,),
    "Network": (Area.NETWORK, Area.REFUSED),
    "Storage": (Area.STORAGE,),
    "Logins": (Area.LOGIN,),
}
"""What is told together, in this order."""

_LONGEST: Final = 4096
_WIDEST: Final = 100  # columns; longer lines are hard to read
_NAME: Final = 13  # columns of a finding's name


def run_doctor(args: argparse.Namespace) -> int:
    """Look at everything. Exit code 0 if nothing is a problem."""
    provider = CODEX.at(args.issuer) if args.issuer else _usual_provider()
    in_use = partial(_in_use, args)
    context = Context(provider=provider, chosen_store=args.store, offline=args.offline, in_use=in_use)
    findings = [_with_commands(finding) for finding in examine(context)]
    if args.json:
        _as_json(findings)
        return code_of(findings)
    colour = wants_colour(sys.stdout, os.environ, args.color)
    shown = [finding for finding in findings if args.verbose or finding.verdict in _TOLD]
    for line in _report(shown, _width(), colour=colour):
        result(line)
    _sum_up(findings, verbose=args.verbose, quiet=args.quiet, offline=args.offline)
    return code_of(findings)


_TOLD: Final = (Verdict.WARN, Verdict.PROBLEM)
"""What somebody should know; the rest is told with `--verbose`."""


def _with_commands(finding: Finding) -> Finding:
    return attrs.evolve(finding, advice=tuple(map(as_pasted, finding.advice)))


def _usual_provider() -> Provider:
    with suppress(SignInError):  # the check of the environment says what is wrong
        return default_provider()
    return CODEX


def _in_use(args: argparse.Namespace, store: FileStore) -> str | None:
    try:
        return chosen(args, store).place
    except UsageError as mistake:
        error = SignInError.of(ErrorKind.LOGIN_REQUIRED, str(mistake))
        raise attrs.evolve(error, next_actions=mistake.advice) from None


def code_of(findings: Sequence[Finding]) -> int:
    """The exit code of the worst problem; 0 if there is none."""
    areas = {finding.area for finding in findings if finding.verdict is Verdict.PROBLEM}
    return next((code for area, code in _WORST_FIRST if area in areas), OK)


def _width() -> int:
    return max(40, min(_WIDEST, shutil.get_terminal_size().columns))


def _report(findings: Sequence[Finding], width: int, *, colour: bool) -> Iterator[str]:
    """The findings group by group, in two columns: what it is about, and what was found."""
    first = True
    for title, areas in _GROUPS.items():
        rows = [finding for finding in findings if finding.area in areas]
        if not rows:
            continue
        if not first:
            yield ""
        first = False
        yield paint(title, "title", colour=colour)
        for finding in rows:
            yield from _lines(finding, width, colour=colour)


def _lines(finding: Finding, width: int, *, colour: bool) -> Iterator[str]:
    word, role = _WORDS[finding.verdict]
    name = f"{finding.name:<{_NAME}}"
    column = len(f"  {word:<8}{name} ")
    subject = f"{printable(finding.subject, _LONGEST)}: " if finding.subject else ""
    said = f"{subject}{printable(finding.found, _LONGEST)}"
    first, *rest = lines_of(said, width - column, "")
    yield f"  {paint(f'{word:<8}', role, colour=colour)}{name} {first}"
    for line in rest:
        yield f"{' ' * column}{line}"
    for advice in finding.advice:
        yield from action_lines(printable(advice, _LONGEST), width, " " * column)


def _sum_up(findings: Sequence[Finding], *, verbose: bool, quiet: bool, offline: bool) -> None:
    """How many there were of what; where all is well that is the whole result."""
    problems, warnings = _count(findings, Verdict.PROBLEM), _count(findings, Verdict.WARN)
    fine, skipped = _count(findings, Verdict.OK), _count(findings, Verdict.SKIPPED)
    left_out = f", {skipped} skipped" if skipped else ""
    if not (problems or warnings):
        if not quiet:
            result(f"No problems found ({counted(fine, 'check')} passed{left_out}).")
    else:
        told = [counted(problems, "problem")] if problems else []
        told += [counted(warnings, "warning")] if warnings else []
        hint("")
        hint(f"{', '.join(told)}; {counted(fine, 'check')} passed{left_out}.")
    if not verbose:
        say_action(f"See all checks: {command('doctor', *(['--offline'] if offline else []), '-v')}", hint)


def _count(findings: Sequence[Finding], verdict: Verdict) -> int:
    return sum(finding.verdict is verdict for finding in findings)


def _as_json(findings: Sequence[Finding]) -> None:
    problems, warnings = _count(findings, Verdict.PROBLEM), _count(findings, Verdict.WARN)
    rows = [_row(finding) for finding in findings]
    emit({"ok": not problems, "problems": problems, "warnings": warnings, "findings": rows})


def _row(finding: Finding) -> dict[str, Any]:
    return {
        "name": finding.name,
        "subject": finding.subject,
        "area": finding.area.value,
        "verdict": finding.verdict.value,
        "found": finding.found,
        "advice": list(finding.advice),
    }
