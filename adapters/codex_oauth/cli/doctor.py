"""`codex-oauth doctor`: what may stand in the way of a sign-in on this machine, and what to do about it.

Rules of this file: a finding is a line, and begins with a word; advice stands below it; all that is shown was
filtered; the exit code is the gravest problem's.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

import attrs

from codex_oauth.cli.accounts import chosen
from codex_oauth.cli.errors import LOGIN_REQUIRED, OK, REFUSED, STORAGE, TEMPORARY, UNEXPECTED
from codex_oauth.cli.output import emit, hint, paint, printable, result, wants_colour
from codex_oauth.cli.usage import UsageError
from codex_oauth.default_provider import default_provider
from codex_oauth.doctor.checks import examine
from codex_oauth.doctor.context import Area, Context, Finding, Verdict
from codex_oauth.stores.file_store import FileStore
from codex_oauth_core.codex import CODEX
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.provider import Provider

__all__ = ["code_of", "run_doctor"]

_GRAVEST: Final[tuple[tuple[Area, int], ...]] = (
    (Area.STORAGE, STORAGE),
    (Area.LOGIN, LOGIN_REQUIRED),
    (Area.REFUSED, REFUSED),
    (Area.NETWORK, TEMPORARY),
    (Area.ITSELF, UNEXPECTED),
)
"""The exit code of a problem by what it is about, the gravest first."""

_WORDS: Final[Mapping[Verdict, tuple[str, str]]] = {
    Verdict.OK: ("ok", "done"),
    Verdict.WARN: ("warning", "slower"),
    Verdict.PROBLEM: ("PROBLEM", "trouble"),
    Verdict.SKIPPED: ("skipped", "care"),
}
"""The word for people, and its look."""

_LONGEST: Final = 4096


def run_doctor(args: argparse.Namespace) -> int:
    """Look at everything. Exit code 0 if nothing is a problem."""
    provider = CODEX.at(args.issuer) if args.issuer else _usual_provider()
    in_use = partial(_in_use, args)
    context = Context(provider=provider, chosen_store=args.store, offline=args.offline, in_use=in_use)
    if args.json:
        findings = list(examine(context))
        _as_json(findings)
        return code_of(findings)
    colour = wants_colour(sys.stdout, os.environ, args.color)
    findings = _shown(context, quiet=args.quiet, colour=colour)
    hint(_summed_up(findings))
    return code_of(findings)


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
    """The exit code of the gravest problem; 0 if there is none."""
    areas = {finding.area for finding in findings if finding.verdict is Verdict.PROBLEM}
    return next((code for area, code in _GRAVEST if area in areas), OK)


def _shown(context: Context, *, quiet: bool, colour: bool) -> list[Finding]:
    """Each finding as soon as it is there; with `--quiet` only what somebody should know."""
    findings: list[Finding] = []
    for finding in examine(context):
        findings.append(finding)
        if not quiet or finding.verdict in (Verdict.WARN, Verdict.PROBLEM):
            _show(finding, colour=colour)
    return findings


def _show(finding: Finding, *, colour: bool) -> None:
    word, role = _WORDS[finding.verdict]
    subject = f"{printable(finding.subject, _LONGEST)}: " if finding.subject else ""
    said = f"{subject}{printable(finding.found, _LONGEST)}"
    result(f"{paint(f'{word:<8}', role, colour=colour)} {finding.name:<13} {said}")
    for line in finding.advice:
        result(f"         -> {printable(line, _LONGEST)}")


def _summed_up(findings: Sequence[Finding]) -> str:
    problems, warnings = _count(findings, Verdict.PROBLEM), _count(findings, Verdict.WARN)
    return f"{_times(problems, 'problem')}, {_times(warnings, 'warning')}."


def _count(findings: Sequence[Finding], verdict: Verdict) -> int:
    return sum(finding.verdict is verdict for finding in findings)


def _times(count: int, word: str) -> str:
    return f"{count or 'No'} {word}{'' if count == 1 else 's'}"


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
