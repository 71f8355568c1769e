"""Which of the logins that are kept here a command is about, what that follows from, and what to call it.

Rules of this file: an account that is named is never replaced by another; a name that fits several is a
`UsageError` that lists them; an empty variable counts as unset, an empty option does not; what people see is
safe for a terminal, and what they are to type is safe for a shell.
"""

from __future__ import annotations

import argparse
import os
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

import attrs

from codex_oauth.cli.fast import ACCOUNT_VARIABLE
from codex_oauth.cli.output import printable
from codex_oauth.cli.pasteable import command
from codex_oauth.cli.usage import UsageError
from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.find import KeptLogin, find_logins, kept_logins, login_in_use, profile_of
from codex_oauth_core.codex import CODEX
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.identity import Identity, folded
from codex_oauth_core.provider import Provider
from codex_oauth_core.providers import is_of_provider
from codex_oauth_core.record import Record

__all__ = [
    "ChosenAccount",
    "account_id_of",
    "chosen",
    "chosen_record",
    "find_account",
    "name_of",
    "names_apart",
    "nobody",
    "signing_in",
    "to_type",
]

_OPTION: Final = "--account"
_NAMELESS: Final = "an account without an email"


# -- what to call a login ------------------------------------------------------------------------------


def name_of(credential: Credential) -> str:
    """What to call the login: by its email address, with the plan. One without an email address is called by
    its account, its person or its key.
    """
    profile = profile_of(credential)
    whose = None if profile.email else credential.account_id or credential.user_id or credential.key
    about = ", ".join(printable(each, 60) for each in (whose, profile.plan) if each)
    return f"{printable(profile.email or _NAMELESS)}{f' ({about})' if about else ''}"


def names_apart(logins: Sequence[KeptLogin]) -> list[str]:
    """What to call each of these logins so that no two are called alike: those that share an email address,
    or have none, also by their key, and by their server if that is not the usual one.
    """
    emails = Counter(folded(login.profile.email or "") for login in logins)
    return [_name(login, emails) for login in logins]


def _name(login: KeptLogin, emails: Counter[str]) -> str:
    credential, email = login.credential, login.profile.email
    if credential is None:
        return login.place
    name = name_of(credential)
    if email and emails[folded(email)] == 1:
        return name
    return f"{name}{_server(credential)} [{login.key}]"


_KEY: Final = re.compile(r"(?:.+-)?[a-z2-7]{16}", re.ASCII)


def account_id_of(login: KeptLogin | None) -> str | None:
    """The account of a login. Of one that cannot be read it is the name of its file, if an earlier release
    named it so.
    """
    if login is None:
        return None
    credential = login.credential
    if credential is not None:
        return credential.account_id
    return None if _KEY.fullmatch(login.place) else login.place


_TYPED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]*", re.ASCII)


def to_type(login: KeptLogin, logins: Sequence[KeptLogin]) -> str:
    """What to type to name one of these logins: its email address, if that is no other's and means nothing to
    a shell, else its key.
    """
    email = login.profile.email or ""
    alone = sum(each.is_called(email) for each in logins) == 1
    return email if alone and _TYPED.fullmatch(email) else login.key


# -- which one it is -----------------------------------------------------------------------------------


@attrs.frozen
class ChosenAccount:
    """The login that is meant, None if none is in use; `by` is the option or variable that names it, None for
    the one in use.
    """

    login: KeptLogin | None
    by: str | None = None

    @property
    def place(self) -> str | None:
        """The name that it is kept under."""
        return None if self.login is None else self.login.place


def chosen(args: argparse.Namespace, store: FileStore) -> ChosenAccount:
    """The account that a command is about. Raises SignInError, UsageError."""
    named: str | None = getattr(args, "account", None)
    if named == "":
        raise UsageError("--account is empty", f"See the logins: {command('list')}")
    by = _OPTION if named else ACCOUNT_VARIABLE
    named = named or os.environ.get(ACCOUNT_VARIABLE)
    return ChosenAccount(find_account(store, named, by), by) if named else ChosenAccount(login_in_use(store))


def chosen_record(args: argparse.Namespace, store: FileStore) -> tuple[Record, ChosenAccount]:
    """The login that a command is about.

    Raises SignInError (`login_required` if there is none), UsageError.
    """
    choice = chosen(args, store)
    found = None if choice.login is None else choice.login.found
    if found is None:
        raise nobody(store)
    if isinstance(found, SignInError):
        raise found
    return found, choice


def nobody(store: FileStore) -> SignInError:
    """The error where no login is in use."""
    others = len(kept_logins(store)) or None
    error = SignInError.of(
        ErrorKind.LOGIN_REQUIRED, "No one is signed in.", path=str(store.home), other_logins=others
    )
    see = (f"Or use one of the logins here: {command('list')}",) if others else ()
    return attrs.evolve(error, next_actions=(_sign_in(), *see))


def _sign_in() -> str:
    return f"Sign in: {command('login')}"


def find_account(store: FileStore, named: str, by: str | None = None) -> KeptLogin:
    """The one login that people call `named`, or so at its beginning; `by` is what names it.

    Raises SignInError, UsageError.
    """
    found = find_logins(store, named)
    if not found:
        raise _unknown(store, named, by)
    return _only(found, named)


def _only(found: Sequence[KeptLogin], named: str) -> KeptLogin:
    if len(found) == 1:
        return found[0]
    message = f"{printable(named, 60)} fits {len(found)} logins: name one by its key"
    at_several = len({each.credential.issuer for each in found if each.credential}) > 1
    raise UsageError(message, *(_listed(each, with_server=at_several) for each in found))


def _listed(login: KeptLogin, *, with_server: bool) -> str:
    """A line that begins with what to type."""
    credential = login.credential
    if credential is None:
        return login.key
    return f"{login.key}  {name_of(credential)}{_server(credential) if with_server else ''}"


def _server(credential: Credential) -> str:
    """Where a login is from, if that is not the usual server."""
    return "" if credential.issuer == CODEX.issuer else f" at {printable(credential.issuer)}"


def _unknown(store: FileStore, named: str, by: str | None) -> SignInError:
    who = printable(named, 130)
    by_variable = f" ({by} names it)" if by == ACCOUNT_VARIABLE else ""
    text = f"No login of {who} is stored here{by_variable}."
    error = SignInError.of(
        ErrorKind.LOGIN_REQUIRED, text, account=printable(named, 130), named_by=by, path=str(store.home)
    )
    see = f"See the logins: {command('list')}"
    if by != ACCOUNT_VARIABLE:
        return attrs.evolve(error, next_actions=(see, _sign_in()))
    unset = f"Unset {ACCOUNT_VARIABLE}, or set it to one of the logins here."
    return attrs.evolve(error, next_actions=(unset, see, _sign_in()))


# -- who is to sign in ---------------------------------------------------------------------------------


def signing_in(
    args: argparse.Namespace, store: FileStore, provider: Provider
) -> tuple[Identity | str | None, tuple[str, ...]]:
    """The login that a sign-in at `provider` is for, and the workspaces that it may be of: those of the login
    that `--account` names, if one of that provider is kept here, else what people call it. None, and any, if
    nobody is named, or if anybody will be kept. Raises SignInError, UsageError.
    """
    from codex_oauth_core.flows.sign_in import LONGEST_NAME

    named: str | None = args.account
    if named is not None and not (0 < len(named) <= LONGEST_NAME and named.isprintable()):
        raise UsageError("--account names no account", f"See the logins: {command('list')}")
    if named is None or args.yes:
        return None, ()
    found = [login for login in find_logins(store, named) if _is_of(login, provider)]
    credential = _only(found, named).credential if found else None
    if credential is None:
        return named, ()
    workspaces = () if credential.account_id is None else (credential.account_id,)
    email = profile_of(credential).email
    if credential.user_id is None and email is not None:  # by the workspace alone it may be anybody's
        return email, workspaces
    return credential.identity, workspaces


def _is_of(login: KeptLogin, provider: Provider) -> bool:
    credential = login.credential
    if provider.issued_client_ids is not None:
        return is_of_provider(credential, provider)
    bound = None if credential is None else (credential.issuer, credential.client_id)
    return bound == (provider.issuer, provider.client_id)
