"""`codex-oauth status`, `whoami`, `token` and `header`: the commands that tell about a stored login.

Rules of this file: only `status --check` sends anything, and `token` and `header` where the login is due;
what these need is loaded then, because people have `status` in the prompts of their shells.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any, Final

from codex_oauth.cli.account import describe, renewing, summary
from codex_oauth.cli.accounts import ChosenAccount, chosen_record, name_of
from codex_oauth.cli.errors import EXIT_CODES, LOGIN_REQUIRED, OK
from codex_oauth.cli.fast import document
from codex_oauth.cli.output import complain_in_lines, detail, emit, hint, printable, result, say_action
from codex_oauth.cli.pasteable import as_pasted, command
from codex_oauth.cli.report import report
from codex_oauth.login_over import why_over
from codex_oauth.provider_names import plan_use, provider_called, sign_in_again
from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.find import kept_logins
from codex_oauth.stores.names import HOME_VARIABLE
from codex_oauth_core.codex import CODEX
from codex_oauth_core.credential import Credential
from codex_oauth_core.providers import identified, provider_of
from codex_oauth_core.request import plain

if TYPE_CHECKING:
    from codex_oauth.cli.status_check import Checked

__all__ = ["current_credential", "run_header", "run_status", "run_token", "run_whoami"]


_NOT_ASKED: Final = {
    "expired": "not asked: the access token has expired, and is renewed at its next use",
    "other_issuer": f"not asked: the login belongs to another server than {CODEX.texts.service}",
    "plan_use_off": "not asked: plan use is off, and the login can make no request",
}
_USUAL: Final = f"the default of this user; --store or {HOME_VARIABLE} names another"
_ACCEPTED: Final = {
    True: f"{CODEX.texts.service} accepts the access token",
    False: f"{CODEX.texts.service} does not accept the access token",
    None: f"{CODEX.texts.service} did not say whether it accepts the access token",
}


def run_status(args: argparse.Namespace) -> int:
    """Say who is signed in, without a network but for `--check`. Exit code 4 if nobody is, or the login
    cannot be used. Raises SignInError, UsageError.
    """
    store = FileStore(args.store)
    record, choice = chosen_record(args, store)
    over, others = why_over(record), len(kept_logins(store)) - 1
    checked = _checked(record.credential) if args.check and over is None else None
    code = LOGIN_REQUIRED if over is not None else _code(checked)
    if args.json:
        origins = {**_origins(args, choice), "other_logins": others, "check": _check_fields(checked)}
        emit({"ok": code == OK, **summary(record, store, str(choice.place)), **origins})
        return code
    for line in (
        *describe(record, store, str(choice.place)),
        *_origin_lines(args, choice, others),
        *_check_lines(checked),
    ):
        result(line)
    if over is not None:
        say_action(as_pasted(f"Sign in again: {sign_in_again(record.credential, store)}"), hint)
    elif plan_use(record.credential) is False:
        ask = sign_in_again(record.credential, store, "--enable-plan")
        say_action(as_pasted(f"Ask for plan use: {ask}"), hint)
    if checked is not None and checked.error is not None:
        report(checked.error, as_json=False)
    return code


def _checked(credential: Credential) -> Checked:
    from codex_oauth.cli.status_check import ask_server

    return ask_server(credential)


def _code(checked: Checked | None) -> int:
    return OK if checked is None or checked.error is None else EXIT_CODES[checked.error.kind]


def _check_fields(checked: Checked | None) -> dict[str, Any] | None:
    if checked is None:
        return None
    error = None if checked.error is None else checked.error.to_dict()["error"]
    return {"accepted": checked.accepted, "not_asked": checked.not_asked, "error": error}


def _check_lines(checked: Checked | None) -> tuple[str, ...]:
    if checked is None:
        return ()
    told = _NOT_ASKED[checked.not_asked] if checked.not_asked else _ACCEPTED[checked.accepted]
    return (f"  checked:       {told}",)


def _origins(args: argparse.Namespace, choice: ChosenAccount) -> dict[str, Any]:
    """What the store and the account follow from; None for what nobody has named."""
    home = "--store" if args.store else HOME_VARIABLE if os.environ.get(HOME_VARIABLE) else None
    return {"store_chosen_by": home, "account_chosen_by": choice.by}


def _origin_lines(args: argparse.Namespace, choice: ChosenAccount, others: int) -> list[str]:
    by = _origins(args, choice)["store_chosen_by"]
    lines = [f"  store:         {f'named by {by}' if by else _USUAL}"]
    if choice.by is not None:
        lines.append(f"  account:       named by {choice.by}")
    if others:
        lines.append(f"  other logins:  {others}; {command('list')} shows them")
    return lines


def run_whoami(args: argparse.Namespace) -> int:
    """Print whose login it is. Exit code 4 if it cannot be used. Raises SignInError, UsageError."""
    store = FileStore(args.store)
    record, choice = chosen_record(args, store)
    over, credential = why_over(record), identified(record.credential)
    code = OK if over is None else LOGIN_REQUIRED
    if args.json:
        about = summary(record, store, str(choice.place))
        emit({"ok": code == OK, **{name: about[name] for name in _WHO}})
        return code
    result(name_of(credential))
    detail(f"Account:  {printable(credential.account_id or 'none')}")
    detail(f"Provider: {provider_called(credential) or 'unknown'}, at {printable(credential.issuer)}")
    if over is not None:
        complain_in_lines(f"codex-oauth: {over}")
        say_action(as_pasted(f"Sign in again: {sign_in_again(record.credential, store)}"))
    return code


_WHO: Final = ("key", "account_id", "user_id", "email", "plan", "provider", "issuer")


def run_token(args: argparse.Namespace) -> int:
    """Print the access token and one newline, or the credential-process document with `--json`.

    It is renewed first if that is due.
    """
    credential = current_credential(args)
    token = credential.access_token.reveal()
    if args.json:
        key, account_id = credential.key, credential.account_id
        emit(
            document(
                access_token=token,
                key=key,
                account_id=account_id,
                expires_at=credential.expires_at,
                provider=provider_called(credential),
            )
        )
    else:
        result(token)
    return 0


def run_header(args: argparse.Namespace) -> int:
    """Print the Authorization header (RFC 6750 §2.1) in one line, or all headers of a request; the token is
    renewed if that is due.
    """
    credential = current_credential(args)
    headers = {"Authorization": f"Bearer {credential.access_token.reveal()}"}
    if args.all or args.curl:
        headers |= _all_headers(credential)
    if args.json:
        emit(
            {
                "ok": True,
                "key": credential.key,
                "account_id": credential.account_id,
                "provider": provider_called(credential),
                "headers": headers,
            }
        )
        return 0
    for name, value in headers.items():
        line = f"{name}: {value}"
        result(f'header = "{_escaped(line)}"' if args.curl else line)
    return 0


def _all_headers(credential: Credential) -> dict[str, str]:
    """What the service of a login wants beside its token: whose it is, and which program asks."""
    provider = provider_of(credential)
    if provider is None:
        return {}
    return dict(plain((*provider.dialect.headers(provider, credential), *provider.headers)))


def _escaped(text: str) -> str:
    """As curl reads what is within quotes (curl(1), --config)."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def current_credential(args: argparse.Namespace) -> Credential:
    """The login that a command is about, renewed where that is due. Raises SignInError, UsageError."""
    store = FileStore(args.store)
    record, choice = chosen_record(args, store)
    place = str(choice.place)
    login = identified(record.credential)
    detail(f"Account: {name_of(login)}, {f'named by {choice.by}' if choice.by else 'in use'}")
    detail(f"Login:   {printable(str(store.slot(place).path), 4096)}")
    with renewing(store, login.key) as source:
        credential = identified(source.credential())
    renewed = credential.access_token != record.credential.access_token
    detail(f"Token:   {'renewed just now' if renewed else 'not renewed'}")
    return credential
