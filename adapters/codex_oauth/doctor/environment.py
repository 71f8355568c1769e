"""The variables that change what codex-oauth does.

Rules of this file: of a variable whose value may be a secret only the name is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from codex_oauth.default_provider import ISSUER_VARIABLE
from codex_oauth.doctor.context import Area, Context, Finding, Verdict, ok, problem, warn
from codex_oauth.provider_names import PROVIDERS
from codex_oauth_core.codex import CODEX
from codex_oauth_core.settings import BadSetting, SettingFault

__all__ = ["check"]

_NAME: Final = "environment"
_PREFIX: Final = "CODEX_OAUTH_"
_PROVIDER: Final = "CODEX_OAUTH_PROVIDER"


@attrs.frozen
class _Meaning:
    """What a variable does. `shows`: its value is no secret. `advice`: there is a reason to unset it."""

    does: str
    shows: bool = False
    advice: str | None = None


_KNOWN: Final[Mapping[str, _Meaning]] = {
    "CODEX_OAUTH_HOME": _Meaning("names the directory of the logins", shows=True),
    "CODEX_OAUTH_ACCOUNT": _Meaning("names the account to use", shows=True),
    _PROVIDER: _Meaning("names the provider to sign in at", shows=True),
    ISSUER_VARIABLE: _Meaning("names the authorization server to sign in at", shows=True),
    "CODEX_OAUTH_DSN": _Meaning("names the database of `codex-oauth fleet`"),
    "CODEX_OAUTH_KEYS": _Meaning("holds the keys of `codex-oauth fleet`"),
    "CODEX_OAUTH_TOKEN": _Meaning(
        "holds a token for a program of `codex-oauth exec`; codex-oauth does not read it"
    ),
    "CODEX_OAUTH_ACCOUNT_ID": _Meaning(
        "holds an account for a program of `codex-oauth exec`; codex-oauth does not read it", shows=True
    ),
    "CODEX_OAUTH_DEBUG": _Meaning(
        "shows a traceback after an unexpected error",
        advice="Unset it when you no longer need it. Look through a traceback before you share it.",
    ),
}


def check(context: Context) -> Iterator[Finding]:
    """Each variable that is set; one finding if none is."""
    names = sorted(name for name, value in context.environment.items() if name.startswith(_PREFIX) and value)
    if not names:
        yield ok(_NAME, Area.ITSELF, f"no {_PREFIX}* variable is set")
    for name in names:
        yield _told(name, context.environment[name])


def _is_issuer(value: str) -> bool:
    try:
        CODEX.at(value)
    except ValueError:
        return False
    return True


def _told(name: str, value: str) -> Finding:
    if name == ISSUER_VARIABLE and not _is_issuer(value):
        fault = BadSetting(name, SettingFault.NOT_AN_ISSUER)
        return problem(_NAME, Area.ITSELF, str(fault), "Correct it, or unset it.", subject=name)
    if name == _PROVIDER and value not in PROVIDERS:
        use = f"Use {' or '.join(PROVIDERS)}, or unset it."
        return problem(_NAME, Area.ITSELF, "names no provider", use, subject=name)
    meaning = _KNOWN.get(name)
    if meaning is None:
        known = f"Unset it, or use one of {', '.join(_KNOWN)}."
        return warn(_NAME, Area.ITSELF, "is set, but codex-oauth knows no such variable", known, subject=name)
    said = f"{meaning.does}: {value}" if meaning.shows else meaning.does
    verdict = Verdict.OK if meaning.advice is None else Verdict.WARN
    return Finding(_NAME, Area.ITSELF, verdict, said, (meaning.advice,) if meaning.advice else (), name)
