"""Each login that is kept here: whether it can be read, and whether it is good.

Rules of this file: logins are read as every command reads them, and nobody is asked; of a login that is not
the one in use nothing is worse than a warning; accounts are told by their ids.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from shlex import quote
from typing import Final

from codex_oauth.doctor.context import Area, Context, Finding, Verdict, ok, problem, skipped, store_of, warn
from codex_oauth.elsewhere import NEXT as ELSEWHERE
from codex_oauth.elsewhere import is_elsewhere, owner_of
from codex_oauth.login_over import is_expired, why_over
from codex_oauth.provider_names import plan_use, provider_called, sign_in_again
from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.store import StoreWarning
from codex_oauth_core.errors import SignInError
from codex_oauth_core.record import Record

__all__ = ["check", "records"]

_NAME: Final = "login"


def records(store: FileStore) -> dict[str, Record | SignInError]:
    """What can be read of every login. Raises SignInError if it is not even known which there are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreWarning)  # that a file was open to others is told elsewhere
        return {account: found for account in store.names() if (found := _loaded(store, account))}


def _loaded(store: FileStore, account_id: str) -> Record | SignInError | None:
    try:
        return store.slot(account_id).load()
    except SignInError as error:
        return error


def check(context: Context) -> Iterator[Finding]:
    """Which login is in use, and each one."""
    store = store_of(context)
    if isinstance(store, SignInError):
        yield skipped(_NAME, Area.LOGIN, "not read: there is no directory for logins")
        return
    try:
        found = records(store)
    except SignInError as error:
        yield _unreadable(error, None, in_use=True)
        return
    if not found:
        yield warn(_NAME, Area.LOGIN, "nobody is signed in", "Sign in: codex-oauth login")
        return
    in_use = None
    try:
        in_use = context.in_use(store)
    except SignInError as error:
        yield problem(_NAME, Area.LOGIN, f"{error.message}", *error.next_actions, subject="in use")
    else:
        if in_use is None:
            one = f"Use one: codex-oauth switch {quote(next(iter(found)))}"
            yield warn(_NAME, Area.LOGIN, "none is in use", one)
    for account, each in found.items():
        yield _judged(store, account, each, in_use=account == in_use)


def _judged(store: FileStore, account: str, found: Record | SignInError, *, in_use: bool) -> Finding:
    if isinstance(found, SignInError):
        return _unreadable(found, account, in_use=in_use)
    if over := why_over(found):
        verdict = Verdict.PROBLEM if in_use else Verdict.WARN
        return Finding(_NAME, Area.LOGIN, verdict, over, (_again(found, store),), account)
    if found.in_doubt:
        text = "the answer to a renewal was lost, or a renewal is under way"
        advice = "codex-oauth tries again when the token is about to expire. If that fails: codex-oauth login"
        return warn(_NAME, Area.LOGIN, text, advice, subject=account)
    if found.credential.refresh_token is not None and is_elsewhere(found.credential):
        text = f"{_validity(found)}, and not renewed here: it belongs to {owner_of(found.credential)}"
        return warn(_NAME, Area.LOGIN, text, *ELSEWHERE, subject=account)
    if plan_use(found.credential) is False:
        ask = sign_in_again(found.credential, store, "--enable-plan")
        text = "plan use is off: the login can make no request"
        return warn(_NAME, Area.LOGIN, text, f"Ask for it: {ask}", subject=account)
    which = provider_called(found.credential)
    of = "" if which in (None, "codex") else f", {which}"
    return ok(_NAME, Area.LOGIN, f"{_validity(found)}{of}{', in use' if in_use else ''}", account)


def _again(record: Record, store: FileStore) -> str:
    return f"Sign in again: {sign_in_again(record.credential, store)}"


def _unreadable(error: SignInError, account: str | None, *, in_use: bool) -> Finding:
    reason = error.details.get("reason")
    text = f"{error.message} ({reason})" if reason else error.message
    verdict = Verdict.PROBLEM if in_use else Verdict.WARN
    return Finding(_NAME, Area.STORAGE, verdict, text, error.next_actions, account)


def _validity(record: Record) -> str:
    expires_at = record.credential.expires_at
    if expires_at is None:
        return "good until an unknown time"
    if is_expired(record.credential):
        return "the access token has expired, and is renewed at its next use"
    try:
        return f"good until {datetime.fromtimestamp(expires_at / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (OverflowError, ValueError, OSError):
        return "good until a time that cannot be shown"
