"""`codex-oauth fleet`: the tables of a shared database, what is in them, and what is due.

Rules of this file: the database says what there is, and this file says it; keys and a password are never
shown, and never taken from the arguments without a warning. A sweep that is asked to end stores what it has
sent first.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import os
import re
import signal
import stat
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

import attrs

from codex_oauth.cli.errors import INTERRUPTED, OK, STORAGE
from codex_oauth.cli.fleet_arguments import DSN_VARIABLE, KEYS_VARIABLE
from codex_oauth.cli.output import complain, detail, emit, hint, hint_in_lines, printable, result
from codex_oauth.cli.usage import UsageError
from codex_oauth.sealing import KEY_LENGTH, Keys, new_key
from codex_oauth.stores.failures import reporting, store_error
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from codex_oauth.fleet.check import Overview
    from codex_oauth.fleet.database import Database
    from codex_oauth.fleet.sweep import Swept

__all__ = ["run_check", "run_migrate", "run_new_key", "run_reseal", "run_sign_ins", "run_sweep"]

_EXTRA: Final = "pip install 'codex-oauth[postgres]'"
_LONGEST: Final = 64 * 1024  # bytes of a key file
_READ: Final = ErrorKind.AUTH_READ_FAILED
_MAKE: Final = "Make a key: codex-oauth fleet new-key >> keys"
_UNREADABLE: Final = "The key file could not be read."
_NO_FILE: Final = ("Check the path of the key file.", _MAKE)
_MESSAGE: Final = "The database of logins could not be used."


# -- the actions ---------------------------------------------------------------------------------------


def run_new_key(args: argparse.Namespace) -> int:
    """Print a key."""
    key = new_key()
    key_id, text = Keys(key).current_id, base64.urlsafe_b64encode(key.reveal()).decode().rstrip("=")
    if args.json:
        emit({"ok": True, "key_id": key_id, "key": text})
    else:
        result(text)
    hint(f"Key {key_id}. It is a secret: let only yourself read its file (chmod 600), and keep a copy.")
    hint_in_lines(
        "First add it at the end of every key file. Then move it to the first line, to encrypt with it."
    )
    return OK


def run_migrate(args: argparse.Namespace) -> int:
    """Make the tables, or bring them up to date. Raises SignInError, UsageError."""
    from codex_oauth.fleet.schema import applied_schema, migrate

    with _database(args) as database:
        applied = migrate(database)
        schema = applied_schema(database, _READ)
    if args.json:
        emit({"ok": True, "schema": schema, "applied": [f"{each.number:04}_{each.name}" for each in applied]})
        return OK
    for each in applied:
        result(f"Applied {each.number:04}_{each.name}.")
    if not applied:
        result(f"Nothing to do: the tables have schema {schema}.")
    return OK


def run_check(args: argparse.Namespace) -> int:
    """Say what there is. Raises SignInError, UsageError."""
    from codex_oauth.fleet.check import Level, check

    keys = _keys(args.keys) if args.keys or os.environ.get(KEYS_VARIABLE) else None
    with _database(args) as database:
        checked = check(database, keys)
    code = OK if checked.is_usable else STORAGE
    if args.json:
        fields = attrs.asdict(checked, recurse=False)
        listed = [{**attrs.asdict(each), "level": each.level.value} for each in checked.findings]
        emit({"ok": code == OK, **fields, "keys": dict(checked.keys), "findings": listed})
        return code
    for line in _described(checked, keys):
        result(line)
    for finding in checked.findings:
        result(f"{'PROBLEM' if finding.level is Level.PROBLEM else 'warning'}: {finding.text}")
    return code


def run_sweep(args: argparse.Namespace) -> int:
    """Renew what is due. Raises SignInError, UsageError."""
    from codex_oauth.fleet.sweep import sweep

    keys = _keys(args.keys)
    with _database(args) as database, _asked_to_end() as ended:
        swept = sweep(
            database,
            keys,
            max_per_second=args.max_per_second,
            tenant=args.tenant,
            every=args.every,
            until=lambda: bool(ended),
            spool=args.spool,
            on_swept=_tell,
            on_trouble=lambda error: hint(f"{_in_words(error).message} {' '.join(error.next_actions)}"),
        )
    counts = attrs.asdict(swept)
    if args.json:
        emit({"ok": True, **counts, "ended_by": ended[0].name if ended else None})
    else:
        told = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)
        result(f"{told or 'nothing was due'}.".capitalize())
    return INTERRUPTED if signal.SIGINT in ended else OK


def run_reseal(args: argparse.Namespace) -> int:
    """Seal anew what older keys have sealed; exit code 6 if something is left. Raises SignInError,
    UsageError.
    """
    from codex_oauth.fleet.reseal import reseal

    keys = _keys(args.keys)
    with _database(args) as database, _asked_to_end() as ended:
        done = reseal(database, keys, until=lambda: bool(ended))
    is_all = not (ended or done.left or done.damaged)
    if args.json:
        by = ended[0].name if ended else None
        emit({"ok": is_all, **attrs.asdict(done, recurse=False), "left": dict(done.left), "ended_by": by})
    else:
        counts = {"login": done.logins, "rescued login": done.rescued, "pending sign-in": done.sign_ins}
        told = ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items())
        result(f"Sealed with {keys.current_id}: {told}.")
        for key_id, count in done.left.items():
            result(f"Left: {count} of key {printable(key_id)}, which was not given.")
        if done.damaged:
            result(f"Left: {done.damaged} that no key opens.")
    if signal.SIGINT in ended:
        return INTERRUPTED
    return STORAGE if done.left or done.damaged else OK


def run_sign_ins(args: argparse.Namespace) -> int:
    """Be a worker until a signal. Raises SignInError, UsageError."""
    from codex_oauth.cli.fleet_worker import work

    keys = _keys(args.keys)
    with _database(args) as database:
        worked = work(
            database,
            keys,
            issuers=args.issuer,
            room=args.room,
            max_requests=args.max_requests,
            on_trouble=lambda error: hint(f"{_in_words(error).message} {' '.join(error.next_actions)}"),
        )
    ended_by = worked.ended_by
    if args.json:
        by = None if ended_by is None else ended_by.name
        emit({"ok": True, "done": worked.done, "failed": worked.failed, "ended_by": by})
    else:
        result(f"{worked.done} signed in, {worked.failed} did not.")
    return INTERRUPTED if ended_by is signal.SIGINT else OK


def _described(checked: Overview, keys: Keys | None) -> Generator[str]:
    yield f"database:  {printable(checked.database)}"
    yield f"schema:    {checked.schema}"
    yield f"server:    {'primary' if checked.writable else 'read-only, or a standby'}"
    yield f"clock:     {checked.clock_offset:+.3f} s from this machine's"
    over = f", {checked.over} not renewed any more" if checked.over else ""
    yield f"logins:    {checked.logins}, {checked.due} due{over}"
    yield f"renewals:  {checked.intents} begun, {checked.interrupted} of them interrupted"
    yield f"rescued:   {checked.rescued}"
    yield f"sign-ins:  {checked.sign_ins} pending"
    for key_id, count in checked.keys.items():
        given = "" if keys is None else ", given" if keys.has(key_id) else ", not given"
        seals = ", seals" if keys is not None and key_id == keys.current_id else ""
        yield f"key:       {printable(key_id)} has sealed {count}{given}{seals}"


def _tell(each: Swept) -> None:
    why = "" if each.error is None else f" ({each.error.details.get('reason') or each.error.kind.value})"
    whose = f"{printable(each.owner, 60)} {printable(each.key, 60)}"
    detail(f"{whose}: {each.end.value.replace('_', ' ')}{why}")


# -- the database --------------------------------------------------------------------------------------


@contextmanager
def _database(args: argparse.Namespace) -> Generator[Database]:
    """The database that is named. What goes wrong with it is said in its own words."""
    dsn = args.dsn or os.environ.get(DSN_VARIABLE)
    if not dsn:
        raise UsageError("no database was given", f"Name it with --dsn, or in {DSN_VARIABLE}.")
    try:
        import_module("cryptography")
        from psycopg import Error
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise UsageError("the fleet commands need an extra", f"Install it: {_EXTRA}") from None
    from codex_oauth.fleet.database import Database

    if args.dsn:
        with suppress(Error):  # its text may repeat the DSN
            if conninfo_to_dict(args.dsn).get("password"):
                complain(f"codex-oauth: others can see the password in --dsn: put the DSN in {DSN_VARIABLE}.")
    database = Database(Secret(dsn))
    try:
        yield database
    except SignInError as error:
        raise _in_words(error) from None
    finally:
        database.close()


def _in_words(error: SignInError) -> SignInError:
    return attrs.evolve(error, message=_MESSAGE) if "path" not in error.details else error


@contextmanager
def _asked_to_end() -> Generator[list[signal.Signals]]:
    """What gets the signals that ask for the end: the first ends the work in order, and so do all others."""
    asked = list[signal.Signals]()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def end(number: int, _frame: FrameType | None) -> None:
        asked.append(signal.Signals(number))

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# -- the keys ------------------------------------------------------------------------------------------


def _keys(path: str | None) -> Keys:
    """The keys of a file, else of the environment. Raises UsageError, and SignInError for the file."""
    if path:
        try:
            content = _content(Path(path))
        except SignInError as error:
            missing = error.details.get("reason") == "missing"
            next_actions = _NO_FILE if missing else error.next_actions
            raise attrs.evolve(error, message=_UNREADABLE, next_actions=next_actions) from None
        return _parsed(content, "the key file", str.splitlines)
    text = os.environ.get(KEYS_VARIABLE)
    if not text:
        raise UsageError("no key was given", f"Name a file with --keys, or set {KEYS_VARIABLE}.", _MAKE)
    return _parsed(Secret(text.encode()), KEYS_VARIABLE, lambda each: re.split(r"[\s,]+", each))


def _content(path: Path) -> Secret[bytes]:
    """What is in a file of secrets: of ours or of root's, and nobody else's to read."""
    with reporting(_READ, path):
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise store_error(_READ, "not_a_regular_file", path)
            if hasattr(os, "geteuid"):
                _make_private(path, fd, found, os.geteuid())
            with open(fd, "rb", closefd=False) as file:
                return Secret(file.read(_LONGEST))
        finally:
            os.close(fd)


def _make_private(path: Path, fd: int, found: os.stat_result, us: int) -> None:
    if found.st_uid not in (us, 0):
        raise store_error(_READ, "wrong_owner", path)
    if found.st_mode & 0o077 == 0:
        return
    if found.st_uid != us:
        raise store_error(_READ, "too_open", path)
    os.fchmod(fd, 0o600)
    hint_in_lines("Others could read the key file. Now only its owner can. Change the key if someone did.")


def _parsed(content: Secret[bytes], where: str, lines_of: Callable[[str], list[str]]) -> Keys:
    lines = [line.strip() for line in lines_of(content.reveal().decode("ascii", "replace"))]
    found = list[Secret[bytes]]()
    for number, line in enumerate(lines, 1):
        if line and not line.startswith("#"):
            key = _key(line)
            if key is None:
                what = f"a key has {KEY_LENGTH} bytes, in base64url or hexadecimal digits"
                raise UsageError(f"number {number} of {where} is no key: {what}")
            found.append(key)
    if not found:
        raise UsageError(f"there is no key in {where}", _MAKE)
    return Keys(*found)


def _key(text: str) -> Secret[bytes] | None:
    with suppress(ValueError, binascii.Error):
        if len(text) == 2 * KEY_LENGTH:
            return Secret(bytes.fromhex(text))
        data = base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), "-_", validate=True)
        return Secret(data) if len(data) == KEY_LENGTH else None
    return None
