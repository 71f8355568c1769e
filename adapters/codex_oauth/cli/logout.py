"""`codex-oauth logout`: end a login at the server, best effort, and delete it here.

Rules of this file: where a server can be asked, what is here is deleted whatever it says, and the person is
told what that was; where it was not confirmed, there is something to do next.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, Final

import attrs

from codex_oauth.cli.accounts import account_id_of, chosen, names_apart, to_type
from codex_oauth.cli.output import counted, detail, emit, hint, printable, result, say_action
from codex_oauth.cli.pasteable import command
from codex_oauth.cli.report import in_place_of_stored
from codex_oauth.elsewhere import is_elsewhere, owner_of
from codex_oauth.provider_names import is_official
from codex_oauth.stored_login import end_login
from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.find import KeptLogin, kept_login, kept_logins
from codex_oauth_core.codex import CODEX
from codex_oauth_core.errors import SignInError
from codex_oauth_core.provider import Provider
from codex_oauth_core.providers import provider_of
from codex_oauth_core.record import Record

__all__ = ["run_logout"]

_SAID: Final = {
    None: "Signed out here.",
    True: "Signed out, here and at the server.",
    False: "Signed out here. The server did not confirm that it ended the login.",
}
_OTHERS: Final = "Other sessions of the account may have ended too."
_REGISTERED: Final = "The registration of this application stays: the next sign-in does not ask again."


def run_logout(args: argparse.Namespace) -> int:
    """Revoke a login at the server, best effort, then delete it here. Raises SignInError, UsageError."""
    store = FileStore(args.store)
    if args.all:
        return _run_all(args, store)
    login = chosen(args, store).login
    if login is None:
        _say(args, {"revoked": None, "message": "No one was signed in."})
    else:
        ended = _ended(args, store, login)
        _say(args, ended)
        _tell_more([(login, ended["revoked"])])
        _tell_of_registrations([login])
    _tell_of_others(store)
    return 0


def _run_all(args: argparse.Namespace, store: FileStore) -> int:
    """End every login; one that cannot be ended does not keep the others."""
    ended: list[dict[str, Any]] = []
    lines: list[str] = []
    failed: SignInError | None = None
    logins = kept_logins(store)
    for login, name in zip(logins, names_apart(logins), strict=True):
        ids = {"key": login.key, "account_id": account_id_of(login)}
        try:
            ended.append({**ids, **_ended(args, store, login)})
            lines.append(f"{name}: {ended[-1]['message']}")
        except SignInError as error:
            failed = failed or error
    if failed is not None:
        for line in lines:
            hint(line)
        raise failed
    if args.json:
        emit({"ok": True, "accounts": ended})
    else:
        for line in lines or ["No one was signed in."]:
            result(line)
    _tell_more([(login, each["revoked"]) for login, each in zip(logins, ended, strict=True)])
    _tell_of_registrations(logins)
    return 0


def _ended(args: argparse.Namespace, store: FileStore, login: KeptLogin) -> dict[str, Any]:
    """End one login, wherever it is kept; whether the server confirmed it, and what to say."""
    record, current = _readable(login), store.current()
    provider = _provider(record, local=args.local)
    if provider is not None and record is not None and record.is_renewable and not _is_elsewhere(record):
        _check(provider)
    detail(f"Ending the login {login.key} at {'no server' if provider is None else provider.issuer}")
    places = _places(store, login)
    answers = [_end(store, each, provider) for each in places]
    revoked = next((each for each in (False, True) if each in answers), None)
    if current is None or current in [each.place for each in places]:
        store.select(None)
    return {"revoked": revoked, "message": _farewell(record, revoked=revoked)}


def _tell_more(ended: Sequence[tuple[KeptLogin, bool | None]]) -> None:
    """What the end of these logins means elsewhere, each thing once."""
    lines: list[str] = []
    for login, revoked in ended:
        record = _readable(login)
        official = record is not None and is_official(_provider(record, local=False) or CODEX)
        if revoked and not official:
            lines.append(_OTHERS)
        elif revoked is False:
            lines.append(_unconfirmed(record))
    for line in dict.fromkeys(lines):
        hint(line)


def _check(provider: Provider) -> None:
    """Before anything is deleted: with other settings of this machine it can still be ended."""
    from codex_oauth.transport.httpx_messages import check_settings

    try:
        check_settings(provider)
    except SignInError as error:
        local = f"Or only delete the login here: {command('logout', '--local')}"
        raise attrs.evolve(error, next_actions=(*error.next_actions, local)) from None


def _places(store: FileStore, login: KeptLogin) -> list[KeptLogin]:
    """The login in every place: one that is also kept under a former name would else come back."""
    others = (kept_login(store, place) for place in store.names() if place != login.place)
    return [login, *(each for each in others if each.key == login.key)]


def _readable(login: KeptLogin) -> Record | None:
    """The login; what cannot be read is deleted all the same."""
    return login.found if isinstance(login.found, Record) else None


def _provider(record: Record | None, *, local: bool) -> Provider | None:
    """Where the login is to be ended; None for nowhere."""
    if local:
        return None
    return (record and provider_of(record.credential)) or CODEX


def _is_elsewhere(record: Record) -> bool:
    return record.credential.refresh_token is not None and is_elsewhere(record.credential)


def _unconfirmed(record: Record | None) -> str:
    """What to do next: ChatGPT's settings know nothing of a login at another server."""
    if record is not None and _is_elsewhere(record):
        return f"A program of {owner_of(record.credential)} can end it."
    if record is None or record.credential.issuer == CODEX.issuer:
        texts = (_provider(record, local=False) or CODEX).texts
        return f"You can end it {texts.end_sessions}."
    return f"You can end it in the settings of the account at {printable(record.credential.issuer)}."


def _end(store: FileStore, login: KeptLogin, provider: Provider | None) -> bool | None:
    """End the login in one place, unless that is somebody else's by now."""
    from codex_oauth.cli.waiting import WaitNotice
    from codex_oauth.worlds.httpx_world import HttpxWorld

    try:
        with HttpxWorld(on_wait=WaitNotice().wait) as world:
            return end_login(store, login.place, provider, world, expected=_readable(login))
    except SignInError as error:
        raise in_place_of_stored(error, "The login could not be deleted.") from None


def _farewell(record: Record | None, *, revoked: bool | None) -> str:
    if record is None and revoked is False:
        return "Deleted the login here. It could not be read, so the server was not asked to end it."
    if record is not None and record.credential.refresh_token is None:
        return "Deleted the copied token here. The program that it came from stays signed in."
    if revoked is False and record is not None and _is_elsewhere(record):
        owner = owner_of(record.credential)
        return f"Deleted the login here. It was not ended at the server: it belongs to {owner}."
    return _SAID[revoked]


def _say(args: argparse.Namespace, ended: dict[str, Any]) -> None:
    if args.json:
        emit({"ok": True, **ended})
    else:
        result(ended["message"])


def _tell_of_registrations(logins: Sequence[KeptLogin]) -> None:
    """What outlives a login, and where only the person can end it."""
    for login in logins:
        credential = login.credential
        provider = None if credential is None else provider_of(credential)
        if provider is not None and is_official(provider):
            hint(_REGISTERED)
            if provider.texts.end_sessions and provider.issuer == CODEX.issuer:
                hint(f"You can remove it {provider.texts.end_sessions}.")
            return


def _tell_of_others(store: FileStore) -> None:
    if others := kept_logins(store):
        one = len(others) == 1
        hint(f"{counted(len(others), 'other login')} {'stays' if one else 'stay'} here.")
        say_action(f"See {'it' if one else 'them'}: {command('list')}", hint)
        if store.current() not in {each.place for each in others}:
            say_action(f"Use {'it' if one else 'one'}: {command('switch', to_type(others[0], others))}", hint)
