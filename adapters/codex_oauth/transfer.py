"""Logins from and to the Codex CLI: copied, moved, handed out.

Rules of this file: two programs that renew one login end it, so a copy has no refresh token, and a login
that is moved is stored here, durably, before it is taken from there; if it cannot be taken, only a copy
stays. A move that was cut off is finished by the next one, which never puts an older login over a newer
one. The Codex CLI's file is written by a move and by an export, and by nothing else, under its own locks:
the kernel's, on files beside it that stay, always in the same order, waited for in bounds, and held for a
moment only. Nothing here ever renews.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NoReturn

import attrs

from codex_oauth.auth_file import (
    about,
    check_target,
    codex_auth_path,
    directory_of,
    modified_at,
    read_anywhere,
    read_here,
    remove_temporaries,
    target_of,
)
from codex_oauth.loading import loading
from codex_oauth.stores.failures import shown, store_error
from codex_oauth.stores.files import Directory, Staged, stage
from codex_oauth.stores.find import KeptLogin, kept_as
from codex_oauth.stores.locks import LoginLock, take_lock
from codex_oauth.stores.names import CUT_OFF
from codex_oauth.stores.store import LockedLogin, Saved, SaveFailed, Slot, Store
from codex_oauth_core.codex.auth_json import read_auth_json, record_of, without_tokens, write_auth_json
from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import SendRequest, Wait
from codex_oauth_core.errors import Detail, ErrorKind, SignInError
from codex_oauth_core.outcomes import SignedIn
from codex_oauth_core.providers import provider_of
from codex_oauth_core.record import Record
from codex_oauth_core.secret import Secret

__all__ = ["LOCK_LIMIT", "codex_locks", "export_codex", "import_codex", "place_of"]


LOCK_LIMIT: float = 10.0
"""Seconds to wait for the locks, in all."""

_STEP: Final = 0.05
_HOME_LOCK: Final = "auth.lock"


@contextmanager
def codex_locks(where: Path, target: Path) -> Generator[None]:
    """Hold the locks of the `auth.json` at `where`, which is the file `target` or a link to it.

    Raises SignInError: `network` (`details.reason`: `lock_busy`); FileProblem (`no_locks`, or as a file that
    is to be replaced), OSError.
    """
    give_up_at = time.monotonic() + LOCK_LIMIT
    beside = (where.with_name(_HOME_LOCK), target.with_name(f"{target.name}.lock"))
    paths = dict.fromkeys(Path(os.path.realpath(path.parent), path.name) for path in beside)
    with ExitStack() as closing:
        for path in paths:
            directory = closing.enter_context(directory_of(path))
            closing.callback(_taken(directory, path, give_up_at).give_back)
        yield


def _taken(directory: Directory, path: Path, give_up_at: float) -> LoginLock:
    while True:
        lock = take_lock(directory, path.name, soft=False)
        if lock is not None:
            return lock
        if time.monotonic() >= give_up_at:
            raise _busy(path)
        time.sleep(_STEP)


def _busy(path: Path) -> SignInError:
    text = "Another program, probably the Codex CLI, uses its login, and did not end in time."
    error = SignInError.of(ErrorKind.NETWORK, text, reason="lock_busy", path=shown(path))
    return attrs.evolve(error, next_actions=("End all running sessions of the Codex CLI, and try again.",))


# -- transfer ------------------------------------------------------------------------------------------


_REREAD_AFTER: tuple[float, ...] = (0.02, 0.06, 0.12)
"""Seconds before each new look at a file that is no JSON: an older Codex CLI writes it in place."""

_MOVE_TRIES: Final = 3
_FORCE: Final = "Add --force to replace it."


def import_codex(
    store: Store,
    path: str | os.PathLike[str] | None = None,
    *,
    move: bool = False,
    force: bool = False,
    on_wait: Callable[[Wait], None] | None = None,
) -> Record:
    """Store the Codex CLI's login, and make it the current one.

    It copies the access token: that works until it expires, and cannot be renewed here. `move` takes the
    whole login over: it is removed from `path`, and the Codex CLI must sign in again; end its running
    sessions first, and renew the login right after: a renewal by the Codex CLI may have been under way, and
    whoever comes second ends the login. `path` is an `auth.json`, a link to it, or its directory, by default
    the Codex CLI's own. `force`: a login of the same account that can be renewed may be replaced; in a move,
    not by the one that it was renewed from: that one is only removed from `path`. `on_wait` gets each `Wait`
    for the lock of our own login.

    Raises SignInError: `login_required` (no such file, or its token has expired), `corrupt_auth` (see
    `read_auth_json`), `invalid_request` (`details.reason`: `renewable_login`, `no_refresh_token`),
    `network` (`details.reason`: `lock_busy`), `auth_read_failed`, `auth_write_failed`.
    """
    where = place_of(path)
    if move:
        return _moved(store, where, force=force, on_wait=on_wait)
    content, found = _login(where, lambda: read_anywhere(where))
    credential = attrs.evolve(found, refresh_token=None)
    _refuse_expired(credential, "Renew it in the program that signed in, and try again.")
    if not force:
        _refuse_to_replace(_stored(store, credential).found)
    return _kept(record_of(credential, content), store, force=force, on_wait=on_wait).record


def export_codex(
    record: Record, path: str | os.PathLike[str], *, include_refresh: bool = False, force: bool = False
) -> None:
    """Write a login as an `auth.json` that the Codex CLI can use, readable by its owner only.

    Without `include_refresh` it works until the access token expires. With it, the copy must be the only
    one that renews from now on: two programs that renew one login end it. The file says to which issuer and
    client the login belongs; a Codex CLI before 0.169 does not look at that. `force`: a file at `path` may
    be replaced.

    Raises SignInError: `login_required` (what is asked for is not usable any more), `invalid_request`
    (`details.reason`: `no_refresh_token`, `other_provider`, `other_issuer` for one to which no refresh token
    is sent, or the member of the login that the Codex CLI could not read), `network` (`details.reason`:
    `lock_busy`), `auth_write_failed` (`details.reason`: `exists` for a file at `path`).
    """
    _refuse_useless(record, include_refresh=include_refresh)
    where = Path(path)
    content = _as_auth_json(record, include_refresh=include_refresh)
    with about(where, ErrorKind.AUTH_WRITE_FAILED), directory_of(where) as directory:
        check_target(directory, where, force=force)
        with stage(directory, where.name, content) as staged, _exclusively(directory, where):
            check_target(directory, where, force=force)  # it may have come meanwhile
            staged.commit()
        remove_temporaries(directory, where, older_than=CUT_OFF)


def place_of(path: str | os.PathLike[str] | None) -> Path:
    """The `auth.json` that is meant by a path to it, or to its directory, or by none."""
    where = codex_auth_path() if path is None else Path(path)
    return where / codex_auth_path().name if os.path.isdir(where) else where  # noqa: PTH112  # never raises


def _exclusively(directory: Directory, where: Path) -> contextlib.AbstractContextManager[None]:
    """The Codex CLI's locks, if it may write that file, too. There is none where it does not look."""
    watched = where.name == codex_auth_path().name or directory.lstat(where.name) is not None
    return codex_locks(where, where) if watched else contextlib.nullcontext()


def _as_auth_json(record: Record, *, include_refresh: bool) -> Secret[bytes]:
    try:
        return write_auth_json(record, include_refresh=include_refresh)
    except ValueError as member:
        text = "The Codex CLI could not read this login."
        raise _refused(text, "Sign in again: codex-oauth login", reason=str(member)) from None


# -- copying ----------------------------------------------------------------------------------------


def _login(
    where: Path, read: Callable[[], Secret[bytes]], *, to_move: bool = False
) -> tuple[Secret[bytes], Credential]:
    """What `read` gives, and the login in it. What is no JSON is looked at again: it may be half written."""
    for pause in (*_REREAD_AFTER, None):
        content = read()
        found = read_auth_json(content, modified=modified_at(where), to_move=to_move)
        if not isinstance(found, SignInError):
            return content, found
        if pause is None or found.details["reason"] != "not_json":
            raise attrs.evolve(found, details={**found.details, "path": shown(where)})
        time.sleep(pause)
    raise AssertionError("the last look ends it")


def _kept(
    record: Record, store: Store, *, force: bool, on_wait: Callable[[Wait], None] | None = None
) -> SignedIn:
    """Store a login, and make it the current one. The program that it is of ends it, not we."""
    with loading("codex_oauth.stored_login", "codex_oauth.worlds.sync_world"):
        from codex_oauth.stored_login import finish_sign_in
        from codex_oauth.worlds.sync_world import SyncWorld

    with SyncWorld(_sends_nothing, on_wait=on_wait) as world:
        return finish_sign_in(record, store, None, world, force=force)


def _sends_nothing(effect: SendRequest, stopped: Callable[[], bool]) -> NoReturn:
    raise AssertionError("storing a login sends nothing")


def _refuse_to_replace(stored: Record | SignInError | None) -> None:
    if not isinstance(stored, Record) or not stored.is_renewable:
        return
    text = "This account has a login here that can be renewed."
    ours = stored.credential
    raise _refused(text, _FORCE, reason="renewable_login", account_id=ours.account_id, key=ours.key)


# -- moving -----------------------------------------------------------------------------------------


@attrs.frozen
class _Taken:
    """What a move has stored, or may have: by fingerprint, and the keys where it was only rescued.

    `on_wait`: who hears of its waits.
    """

    on_wait: Callable[[Wait], None] | None = None
    fingerprints: set[str] = attrs.field(factory=set[str])
    rescued: set[str] = attrs.field(factory=set[str])


def _moved(
    store: Store, where: Path, *, force: bool, on_wait: Callable[[Wait], None] | None = None
) -> Record:
    """Take a login over. Where that cannot be finished, what was stored becomes a copy."""
    taken = _Taken(on_wait)
    try:
        return _move(store, where, taken, force=force)
    except BaseException as error:
        places = _places_there(where) if taken.fingerprints else ()
        handed_back = _hand_back(store, places, taken)
        if handed_back is not None and isinstance(error, SignInError):
            raise _half_moved(error, handed_back=handed_back) from None
        raise


def _move(store: Store, where: Path, taken: _Taken, *, force: bool) -> Record:
    for _ in range(_MOVE_TRIES):
        record = _move_once(store, where, taken, force=force)
        if record is not None:
            return record
    text = "The file of the Codex CLI keeps changing. End its running sessions, and try again."
    raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, text, reason="contended", path=shown(where))


def _move_once(store: Store, where: Path, taken: _Taken, *, force: bool) -> Record | None:
    """The login that is stored here and was removed there; None if the file changed meanwhile.

    The new content of the file is on the disk, and its locks could be had, before anything is stored, so that
    little is left to fail but a rename. The locks are not held while the login is stored: that may have to
    wait for a lock of our own.
    """
    target = target_of(where)
    with about(where, ErrorKind.AUTH_WRITE_FAILED), directory_of(target) as directory:
        with codex_locks(where, target):
            content, credential = _to_move(directory, target)
        with stage(directory, target.name, _rest(content, where)) as staged:
            record = _take(record_of(credential, content), store, taken, force=force)
            with codex_locks(where, target):
                if target_of(where) != target or read_here(directory, target) != content:
                    return None
                _commit(staged)
        remove_temporaries(directory, target)  # only now: another move may still need its own
    return record


def _to_move(directory: Directory, target: Path) -> tuple[Secret[bytes], Credential]:
    content, credential = _login(target, lambda: read_here(directory, target), to_move=True)
    if credential.refresh_token is None:
        text = "The Codex CLI has no refresh token there to move."
        raise _refused(text, "Copy the access token: without --move.", reason="no_refresh_token")
    return content, credential


def _take(found: Record, store: Store, taken: _Taken, *, force: bool) -> Record:
    """Store a login, unless it, or what it was renewed to, is stored: then an earlier move was cut off."""
    kept = _stored(store, found.credential, force=force)
    stored = kept.found if isinstance(kept.found, Record) else None
    if stored is not None and _is_from(stored, found):
        if stored.fingerprint == found.fingerprint:
            taken.fingerprints.add(found.fingerprint)
        store.select(kept.place)
        return stored
    if not force and (stored is None or stored.fingerprint not in taken.fingerprints):
        _refuse_to_replace(stored)
    taken.fingerprints.add(found.fingerprint)  # before it is stored: storing may be interrupted
    if _kept(found, store, force=True, on_wait=taken.on_wait).rescued:
        taken.rescued.add(found.credential.key)
    return found


def _stored(store: Store, credential: Credential, *, force: bool = False) -> KeptLogin:
    """What is kept of this very login, under its key or a former name."""
    try:
        kept = kept_as(store, credential)
    except SignInError:
        if not force:
            raise
        kept = None
    return kept or KeptLogin(credential.key, None)


def _is_from(stored: Record, found: Record) -> bool:
    """Whether what is stored is the found login, or was renewed from it."""
    if stored.credential.refresh_token is None:
        return False
    return found.fingerprint in (stored.fingerprint, stored.parent)


def _commit(staged: Staged) -> None:
    try:
        staged.commit()
    except OSError:
        if staged.is_pending:  # else only the directory could not be made durable
            raise


def _rest(content: Secret[bytes], where: Path) -> Secret[bytes]:
    try:
        return without_tokens(content)
    except ValueError:
        raise store_error(ErrorKind.AUTH_WRITE_FAILED, "not_storable", where) from None


def _places_there(where: Path) -> tuple[str, ...]:
    """Where the login may be kept that the Codex CLI can still renew: under its key, or a former name. None
    if that cannot be told: then the login is ours.
    """
    try:
        _, credential = _login(where, lambda: read_anywhere(where))
    except SignInError:
        return ()
    return () if credential.refresh_token is None else credential.identity.names


def _hand_back(store: Store, places: Sequence[str], taken: _Taken) -> bool | None:
    """Give up in each place what was taken: whether that could be done in all of them; None if nothing that
    was taken is stored.
    """
    slots = [store.slot(place) for place in places]
    given_up = [_hand_back_from(slot, taken) for slot in slots if _may_be_kept(slot, taken)]
    return next((each for each in (False, True) if each in given_up), None)


def _may_be_kept(slot: Slot, taken: _Taken) -> bool:
    return slot.key in taken.rescued or _is_stored(slot, taken)


def _hand_back_from(slot: Slot, taken: _Taken) -> bool | None:
    """Give up what was taken, for the Codex CLI has that login, or its renewal: whether that could be done;
    None if nothing that was taken is stored. The lock comes first: what was rescued is stored by then.
    """
    with contextlib.suppress(SignInError, SaveFailed):
        held = slot.lock()
        if held is not None:
            with held:
                return _give_up(held, taken)
    return False if _may_be_kept(slot, taken) else None


def _give_up(held: LockedLogin, taken: _Taken) -> bool | None:
    stored = held.load()
    if stored is None or stored.fingerprint not in taken.fingerprints:
        return None
    borrowed = Record(attrs.evolve(stored.credential, refresh_token=None))
    return isinstance(held.save(borrowed, stored.fingerprint), Saved)


def _is_stored(slot: Slot, taken: _Taken) -> bool:
    with contextlib.suppress(SignInError):
        stored = slot.load()
        return stored is not None and stored.fingerprint in taken.fingerprints
    return False


def _half_moved(error: SignInError, *, handed_back: bool) -> SignInError:
    if handed_back:
        text = "The login could not be moved from the Codex CLI. Only its access token was copied."
        return attrs.evolve(error, message=text)
    text = "The login was copied, but is still in the file of the Codex CLI: now both would renew it."
    delete = "Delete it here before one of them renews it: codex-oauth logout --local"
    return attrs.evolve(error, message=text, next_actions=(delete, *error.next_actions))


# -- what is good enough ----------------------------------------------------------------------------


def _refuse_expired(credential: Credential, action: str) -> None:
    if credential.expires_at is None or credential.expires_at / 1000 > time.time():
        return
    error = SignInError.of(ErrorKind.LOGIN_REQUIRED, "The access token has expired.", reason="expired")
    raise attrs.evolve(error, next_actions=(action,))


def _refuse_useless(record: Record, *, include_refresh: bool) -> None:
    """Refuse to export what would not work, or not there."""
    credential = record.credential
    provider = provider_of(credential)
    if provider is not None and provider.issued_client_ids is not None:
        text = "The Codex CLI cannot use this login, which is for another API."
        action = "Sign in for the Codex CLI: codex-oauth login --provider codex"
        raise _refused(text, action, reason="other_provider")
    without = "Export it without the refresh token."
    if not include_refresh:
        _refuse_expired(credential, "Renew it, and try again: codex-oauth token")
    elif credential.refresh_token is None:
        raise _refused("This login is a copy without a refresh token.", without, reason="no_refresh_token")
    elif not record.is_renewable:
        raise SignInError.of(ErrorKind.LOGIN_REQUIRED, code=record.dead_code)
    elif provider is None:
        text = "The authorization server of this login has an address that gets no refresh token."
        raise _refused(text, without, reason="other_issuer")


def _refused(text: str, action: str, **details: Detail) -> SignInError:
    error = SignInError.of(ErrorKind.INVALID_REQUEST, text, **details)
    return attrs.evolve(error, next_actions=(action,))
