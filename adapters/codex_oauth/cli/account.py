"""The stored login as the commands see it, how it is described, and `codex-oauth list` and `switch`.

Rules of this file: a login that cannot be read is listed with the reason; nothing of a token is shown.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import attrs

from codex_oauth.cli.accounts import (
    account_id_of,
    find_account,
    name_of,
    names_apart,
    to_type,
)
from codex_oauth.cli.fast import ACCOUNT_VARIABLE
from codex_oauth.cli.output import (
    detail,
    emit,
    hint,
    hint_from_a_signal,
    left,
    moment,
    printable,
    result,
    say_action,
)
from codex_oauth.cli.pasteable import as_pasted, command, invoked_by
from codex_oauth.cli.process import interrupted_once
from codex_oauth.cli.providers import plan_use_off, what_it_uses
from codex_oauth.cli.usage import UsageError
from codex_oauth.clock import now
from codex_oauth.elsewhere import NEXT as ELSEWHERE
from codex_oauth.elsewhere import is_elsewhere, owner_of
from codex_oauth.login_over import is_expired, why_over
from codex_oauth.provider_names import plan_use, provider_called, sign_in_again
from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.find import KeptLogin, kept_login, kept_logins, login_in_use, profile_of
from codex_oauth_core.codex import CODEX
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.flows.lifetime import age_of
from codex_oauth_core.providers import identified
from codex_oauth_core.reading.iso_time import iso_date
from codex_oauth_core.record import Record
from codex_oauth_core.renewal_times import INTENT_LIFE

if TYPE_CHECKING:
    from codex_oauth.tokens.token_source import TokenSource

__all__ = [
    "STOPPING",
    "describe",
    "last_failure",
    "renewing",
    "run_list",
    "run_switch",
    "still_signed_in",
    "summary",
    "tell_of_the_variable",
    "validity",
    "with_a_command",
]


STOPPING: Final = "Stopping when the renewal that was sent is stored."


def still_signed_in() -> Credential | None:
    """The login that this invocation is about, if there is one that can be used."""
    with suppress(Exception):  # it is said beside an error, and never in its place
        store = FileStore(invoked_by("--store"))
        named = invoked_by("--account") or os.environ.get(ACCOUNT_VARIABLE)
        login = find_account(store, named) if named else login_in_use(store)
        record = None if login is None else login.found
        if login is not None and isinstance(record, Record) and why_over(record) is None:
            return record.credential
    return None


def last_failure(record: Record) -> dict[str, str | None] | None:
    """The last renewal that failed for good, or may have: its `code`, a server's or a word of ours, and when,
    if that is known. None if there is none since the tokens were obtained.
    """
    if record.dead_code is not None:
        return {"code": record.dead_code, "at": None}
    if record.spent:
        return {"code": "account_changed", "at": None}
    if record.uncertain_at is not None:
        return {"code": "answer_lost", "at": _when(record.uncertain_at)}
    if record.intent is not None and not _is_under_way(record):
        return {"code": "answer_lost", "at": _when(record.intent.at)}
    return None


def _when(wall: float | None) -> str | None:
    return None if wall is None else moment(round(wall * 1000))


@contextmanager
def renewing(store: FileStore, key: str) -> Generator[TokenSource, None, None]:
    """A login's tokens, renewed where that is due. At the end, and on Ctrl-C or SIGTERM, what was sent to the
    server is awaited and stored.
    """
    from codex_oauth.cli.waiting import WaitNotice
    from codex_oauth.tokens.token_source import TokenSource

    source = TokenSource(store, account=key, on_note=hint, on_wait=WaitNotice().wait)
    with interrupted_once(lambda: hint_from_a_signal(STOPPING)):
        try:
            yield source
        except SignInError as error:
            raise with_a_command(error, kept_login(store, key).credential, store) from None
        finally:
            source.close()


def with_a_command(error: SignInError, credential: Credential | None, store: FileStore) -> SignInError:
    """The error of a login, with the command that signs it in again, if that is what is to be done."""
    if error.kind is not ErrorKind.LOGIN_REQUIRED:
        return plan_use_off(error, credential, store)
    again = command("login") if credential is None else sign_in_again(credential, store)
    return attrs.evolve(error, next_actions=(f"Sign in: {again}",))


def summary(record: Record, store: FileStore, place: str) -> dict[str, Any]:
    """The login that is kept under the name `place` as JSON fields. No secret is among them."""
    credential = identified(record.credential)
    profile = profile_of(credential)
    return {
        "key": credential.key,
        "account_id": credential.account_id,
        "user_id": credential.user_id,
        "email": profile.email,
        "plan": profile.plan,
        "issuer": credential.issuer,
        "provider": provider_called(credential),
        "plan_use": plan_use(credential),
        "obtained_at": _when(iso_date(credential.obtained_at)),
        "expires_at": moment(credential.expires_at),
        "expired": is_expired(credential),
        "renewable": record.is_renewable and not is_elsewhere(credential),
        "uncertain": record.in_doubt,
        "ended_by": record.dead_code,
        "last_failure": last_failure(record),
        "path": str(store.slot(place).path),
    }


def describe(record: Record, store: FileStore, place: str) -> list[str]:
    """The login that is kept under the name `place` as lines for a person."""
    credential = identified(record.credential)
    lines = [
        f"Signed in as {name_of(credential)}",
        f"  access token:  {validity(credential)}",
        f"  renewal:       {_renewal(record)}",
        f"  {'renewed at:' if record.generation else 'signed in at:':<15}{_since(record)}",
        f"  provider:      {provider_called(credential) or 'unknown'}",
        *([f"  plan use:      {uses}"] if (uses := what_it_uses(credential)) else []),
        *([f"  workspace:     {printable(credential.account_id)}"] if credential.account_id else []),
        f"  stored in:     {printable(str(store.slot(place).path), 4096)}",
    ]
    if failure := last_failure(record):
        lines.append(f"  last failure:  {failure['code']}{f', {at}' if (at := failure['at']) else ''}")
    if credential.issuer != CODEX.issuer:
        lines.append(f"  issuer:        {printable(credential.issuer)}")
    if is_elsewhere(credential):
        lines.append(f"  client:        {printable(credential.client_id)}")
        lines += [f"  -> {as_pasted(line)}" for line in ELSEWHERE]
    return lines


def _since(record: Record) -> str:
    """When the tokens were obtained, and how long ago that is."""
    ago = age_of(record.credential.obtained_at, time.time())
    said = printable(record.credential.obtained_at, 40)
    return said if ago is None else f"{said}, {left(ago)} ago"


def _renewal(record: Record) -> str:
    if record.credential.refresh_token is None:
        return "no: the access token was copied from another program"
    if not record.is_renewable:
        return f"no: {why_over(record)}"
    if is_elsewhere(record.credential):
        return f"not here: the login belongs to {owner_of(record.credential)}"
    if _is_under_way(record):
        return "under way, by another process"
    if record.in_doubt:
        return "in doubt: an answer was lost; codex-oauth tries again when the token is about to expire"
    return "automatic"


def _is_under_way(record: Record) -> bool:
    return record.intent is not None and abs(time.time() - record.intent.at) < INTENT_LIFE


def validity(credential: Credential) -> str:
    """How long the access token works, in words."""
    if credential.expires_at is None:
        return "valid until an unknown time"
    until = moment(credential.expires_at)
    if is_expired(credential):
        return f"expired at {until}"
    return f"valid for {left(credential.expires_at / 1000 - time.time())}, until {until}"


# -- list and switch -----------------------------------------------------------------------------------


def run_list(args: argparse.Namespace) -> int:
    """List all logins. None at all is an empty list."""
    store = FileStore(args.store)
    logins, in_use = kept_logins(store), login_in_use(store)
    current = None if in_use is None else in_use.key
    if args.json:
        rows = [_row(login, store, current=login.key == current) for login in logins]
        emit({"ok": True, "current": account_id_of(in_use), "current_key": current, "accounts": rows})
        return 0
    for login, name in zip(logins, names_apart(logins), strict=True):
        result(f"{'*' if login.key == current else ' '} {name}{_of_which(login)}: {_state(login.found)}")
        detail(f"    {login.key}, in {printable(str(store.slot(login.place).path), 4096)}")
    if not logins:
        hint(f"No login is stored in {printable(str(store.home), 4096)}.")
        say_action(f"Sign in: {command('login')}", hint)
    elif current is None:
        hint("None of them is in use.")
        say_action(f"Use one: {command('switch', to_type(logins[0], logins))}", hint)
    tell_of_the_variable()
    return 0


def _of_which(login: KeptLogin) -> str:
    """The provider, where it is not the usual one."""
    name = None if login.credential is None else provider_called(login.credential)
    return "" if name in (None, "codex") else f", {name}"


def run_switch(args: argparse.Namespace) -> int:
    """Put another login in use. Raises SignInError, UsageError."""
    store = FileStore(args.store)
    if not args.account:
        raise _which(store)
    login = find_account(store, args.account)
    store.select(login.place)
    if args.json:
        emit({"ok": True, "key": login.key, "account_id": account_id_of(login)})
    else:
        result(f"Now in use: {_name(login)}")
        detail(f"Stored in {printable(str(store.slot(login.place).path), 4096)}.")
    tell_of_the_variable()
    return 0


def tell_of_the_variable() -> None:
    """That commands use another login than the one in use, if they do."""
    if named := os.environ.get(ACCOUNT_VARIABLE):
        hint(f"{ACCOUNT_VARIABLE} is set: commands use {printable(named, 130)} while it is.")


def _which(store: FileStore) -> UsageError:
    logins = kept_logins(store)
    if not logins:
        return UsageError("no login is stored here", f"Sign in: {command('login')}")
    names = zip(names_apart(logins), logins, strict=True)
    lines = (f"{name}: {command('switch', to_type(login, logins))}" for name, login in names)
    return UsageError("name the account to use", *lines)


def _row(login: KeptLogin, store: FileStore, *, current: bool) -> dict[str, Any]:
    found = login.found
    if isinstance(found, Record):
        about = summary(found, store, login.place)
        return {"ok": why_over(found) is None, "current": current, **about}
    error = found.to_dict()["error"] if found else None
    about = {"key": login.key, "account_id": account_id_of(login)}
    return {"ok": False, "current": current, **about, "error": error}


def _name(login: KeptLogin) -> str:
    return login.place if login.credential is None else name_of(login.credential)


def _state(found: Record | SignInError | None) -> str:
    if not isinstance(found, Record):
        return "deleted meanwhile" if found is None else found.message
    if over := why_over(found):
        return over
    expires_at = found.credential.expires_at
    if expires_at is None:
        return "valid until an unknown time"
    if plan_use(found.credential) is False:
        return "plan use is off"
    if is_elsewhere(found.credential):
        until = moment(expires_at)
        return f"valid until {until}; not renewed here: it belongs to {owner_of(found.credential)}"
    if is_expired(found.credential):
        return f"expired at {moment(expires_at)}; renewed at its next use"
    return f"valid for {left(expires_at / 1000 - now()[1])}, until {moment(expires_at)}"
