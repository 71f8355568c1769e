"""Where a sign-in goes when nobody says it: to Codex, at its own issuer or at the one that a variable names.

Rules of this file: a provider that the caller names is never moved; a login that is stored stays with the
issuer that granted it, whatever the variable says; of the variable only the name is told, never the value.
"""

from __future__ import annotations

import os
from typing import Final

from codex_oauth_core.codex import CODEX
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.provider import Provider
from codex_oauth_core.settings import BadSetting, SettingFault

__all__ = ["ISSUER_VARIABLE", "default_provider", "issuer_of_environment"]

ISSUER_VARIABLE: Final = "CODEX_OAUTH_ISSUER"


def issuer_of_environment() -> str | None:
    """The issuer that `CODEX_OAUTH_ISSUER` names; None where it is not set, or empty.

    Raises SignInError, `misconfigured`, unless it is `https`, or `http` on a loopback address.
    """
    named = os.environ.get(ISSUER_VARIABLE)
    if not named:
        return None
    try:
        return CODEX.at(named).issuer
    except ValueError:
        bad = BadSetting(ISSUER_VARIABLE, SettingFault.NOT_AN_ISSUER)
    raise SignInError.of(ErrorKind.MISCONFIGURED, str(bad), reason=bad.fault.value, setting=bad.name)


def default_provider(provider: Provider | None = None) -> Provider:
    """`provider`; where that is None `CODEX`, at the issuer that `CODEX_OAUTH_ISSUER` names, if it names one.
    Raises SignInError as `issuer_of_environment()` does.
    """
    if provider is not None:
        return provider
    issuer = issuer_of_environment()
    return CODEX if issuer is None else CODEX.at(issuer)
