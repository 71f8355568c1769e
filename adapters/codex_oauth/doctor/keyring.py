"""Whether the operating system's keyring answers: only sealed stores need it.

Rules of this file: one visit, bounded in time, that reads a name under which nothing is kept, and writes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from codex_oauth.doctor.context import Area, Context, Finding, ok, skipped, warn
from codex_oauth.stores.failures import ADVICE
from codex_oauth.stores.file_checks import Bounded, Unfinished
from codex_oauth.stores.keyring_key import usable_keyring
from codex_oauth.stores.login_file import SealBroken

__all__ = ["check"]

_NAME: Final = "keyring"
_SERVICE: Final = "codex-oauth doctor"
_USERNAME: Final = "nothing is kept here"
_SAID: Final[Mapping[str, str]] = {
    "extra_missing": "the extra `keyring` is not installed; only sealed stores need it",
    "keyring_unavailable": "none found; only sealed stores need one",
    "keyring_timeout": "did not answer in {limit:.0f} s; only sealed stores need it",
}


def check(context: Context) -> Iterator[Finding]:
    """Visit the keyring once."""
    try:
        kind = Bounded(context.keyring_limit, told=(SealBroken,)).call(lambda: _visit(context))
    except SealBroken as broken:
        yield _broken(context, broken.reason)
    except Unfinished:
        yield _broken(context, "keyring_timeout")
    except RuntimeError:  # of the backend, or no thread could be started
        yield _broken(context, "keyring_unavailable")
    else:
        yield ok(_NAME, Area.STORAGE, f"answers: {kind}")


def _visit(context: Context) -> str:
    keyring = usable_keyring(context.keyring)
    keyring.get_password(_SERVICE, _USERNAME)
    return type(keyring).__module__


def _broken(context: Context, reason: str) -> Finding:
    text = _SAID[reason].format(limit=context.keyring_limit)
    if reason == "keyring_timeout":
        return warn(_NAME, Area.STORAGE, text, ADVICE[reason])
    return skipped(_NAME, Area.STORAGE, text)  # servers and containers have none, and need none
