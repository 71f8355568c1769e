"""Whether another tool holds a login of ours: two that renew the same one end it.

Rules of this file: refresh tokens are compared by their fingerprints, and neither is ever shown; another
tool's file is read and not changed, and what does not fit is no finding.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, cast

import attrs

from codex_oauth.auth_file import codex_auth_path, read_anywhere
from codex_oauth.doctor.context import Area, Context, Finding, ok, problem, skipped, store_of, warn
from codex_oauth.doctor.logins import records
from codex_oauth_core.codex.answers import usable_secret
from codex_oauth_core.codex.auth_json import auth_document
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.record import Record
from codex_oauth_core.secret import Secret

__all__ = ["check", "refresh_tokens"]

_NAME: Final = "shared-login"
_LONGEST: Final = 16 * 1024
_DEEPEST: Final = 6
_MEMBERS: Final = ("refresh_token", "refresh")


@attrs.frozen
class _Tool:
    """Another program that keeps a login of the same provider. `path` raises SignInError where it has none;
    `apart` is what to do so that each has its own.
    """

    name: str
    path: Callable[[], Path]
    apart: str


def _langchain() -> Path:
    return Path(os.path.expanduser("~"), ".langchain", "chatgpt-auth.json")  # noqa: PTH111  # never raises


_TOOLS: Final = (
    _Tool(
        "the Codex CLI",
        codex_auth_path,
        "Sign in there again, so that each has its own login: codex login",
    ),
    _Tool("LangChain", _langchain, "Sign in here again, so that each has its own login: codex-oauth login"),
)


def check(context: Context) -> Iterator[Finding]:
    """Each tool's file against every login of ours."""
    store = store_of(context)
    try:
        ours = {} if isinstance(store, SignInError) else records(store)
    except SignInError:
        ours = {}
    known = {account: record for account, record in ours.items() if isinstance(record, Record)}
    for tool in _TOOLS:
        yield _compared(tool, known)


def _compared(tool: _Tool, ours: Mapping[str, Record]) -> Finding:
    try:
        path = tool.path()
        theirs = refresh_tokens(read_anywhere(path))
    except SignInError as error:
        if error.kind is ErrorKind.LOGIN_REQUIRED:
            return ok(_NAME, Area.LOGIN, "no file there", tool.name)
        return skipped(_NAME, Area.LOGIN, f"not compared: {error.details.get('reason')}", tool.name)
    prints = {token.fingerprint() for token in theirs}
    for account, record in ours.items():
        if record.credential.refresh_token is not None and record.fingerprint in prints:
            text = f"{path} holds the same login as {account}: whoever renews it ends the other's"
            return problem(_NAME, Area.LOGIN, text, tool.apart, subject=tool.name)
        if record.parent in prints:
            text = f"{path} holds what {account} was renewed from: it does not work there any more"
            return warn(_NAME, Area.LOGIN, text, tool.apart, subject=tool.name)
    return ok(_NAME, Area.LOGIN, "none of ours is in its file", tool.name)


def refresh_tokens(content: Secret[bytes]) -> list[Secret[str]]:
    """Every refresh token in a JSON file, by the names that its members have in such files."""
    return list(_within(auth_document(content), _DEEPEST))


def _within(value: object, depth: int) -> Iterator[Secret[str]]:
    if depth == 0:
        return
    if isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _within(each, depth - 1)
    if isinstance(value, dict):
        for name, each in cast("dict[str, object]", value).items():
            token = usable_secret(each, _LONGEST) if name in _MEMBERS else None
            if token is not None:
                yield token
            yield from _within(each, depth - 1)
