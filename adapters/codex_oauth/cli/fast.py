"""`codex-oauth token` where the stored token is current, as it mostly is: almost nothing loads.

Rules of this file: what is not plainly in order (options, files, the record, its dates) is None, and then the
usual way judges it and says so; what is read is checked by the code that the stores read with, and judged by
the arithmetic that renewals are judged with; nothing is written, and no exception leaves. A login is known
by the name of its file alone, and no other login is read: by its whole key, or by its account id where the
name of no other login's file begins so. The key is the one that the file says, for nothing is hashed here: it
counts only where the file has its name. Whose client the login is, and whether its person allows its use, is
told from its own fields where they leave no doubt; `codex_oauth_core.providers` judges the others.
"""

from __future__ import annotations

import os
import re
import sys
import time

from codex_oauth.stores.names import (
    CURRENT,
    HOME_VARIABLE,
    LOGINS,
    LONGEST_POINTER,
    key_in,
    login_name,
)
from codex_oauth.stores.plain import CLOSED_FLAGS, DIRECTORY_FLAGS, POSIX, is_open_to_others, refused_file
from codex_oauth_core.flows.lifetime import CLOCK_OFF, Freshness, freshness_of
from codex_oauth_core.reading.login_document import LONGEST_DOCUMENT, login_fields, read_document
from codex_oauth_core.registered import (
    CLIENT_ID,
    ISSUED_CLIENT_IDS,
    ISSUER,
    OFFICIAL,
    PLAN_USE_SCOPE,
    USUAL,
)

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Final

__all__ = ["ACCOUNT_VARIABLE", "current_token", "document", "leave_no_core_of_token"]

ACCOUNT_VARIABLE: Final = "CODEX_OAUTH_ACCOUNT"
_VALUES: Final = ("--store", "--account")


def current_token(arguments: Sequence[str]) -> str | None:
    """What `codex-oauth token` with these arguments prints; None if the usual way must see to it."""
    try:
        options = _options(arguments)
        login = None if options is None else _login(options)
    except Exception:  # noqa: BLE001  # whatever it is, the usual way tells it
        return None
    if options is None or login is None:
        return None
    if "--json" not in options:
        token: str = login["access_token"]
        return token
    if login["key"] is None:
        return None
    import json

    return json.dumps({"schema_version": 1, **document(**login)})


def leave_no_core_of_token() -> None:
    """See `process.leave_no_core`; what that takes to load is more than all of this. Best effort."""
    try:
        import resource

        # one byte, and not none: it also stops Linux from piping a core to a program
        resource.setrlimit(resource.RLIMIT_CORE, (1, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    except (ImportError, OSError, ValueError):
        return


def document(
    *,
    access_token: str,
    key: str,
    account_id: str | None,
    expires_at: int | None,
    provider: str | None,
) -> dict[str, Any]:
    """What other programs get of a login (`token --json`)."""
    from codex_oauth.cli.output import moment

    return {
        "version": 1,
        "access_token": access_token,
        "key": key,
        "account_id": account_id,
        "provider": provider,
        "expires_at": moment(expires_at),
    }


def _options(arguments: Sequence[str]) -> dict[str, str] | None:
    """The options by name; None for anything but `--json`, `--store PATH` and `--account ACCOUNT`."""
    found: dict[str, str] = {}
    rest = iter(arguments)
    for each in rest:
        if each == "--json":
            found[each] = ""
            continue
        name, joined, value = each.partition("=")
        value = value if joined else next(rest, "")
        if name not in _VALUES or not value or value.startswith("-"):
            return None
        found[name] = value
    return found


def _login(options: Mapping[str, str]) -> dict[str, Any] | None:
    """The login that is asked for, if its token is surely to be used as it is."""
    home = _home(options.get("--store"))
    if not POSIX or home is None:
        return None
    opened: list[int] = []
    try:
        opened.append(os.open(home, DIRECTORY_FLAGS))
        opened.append(os.open(LOGINS, DIRECTORY_FLAGS, dir_fd=opened[0]))
        named = options.get("--account") or os.environ.get(ACCOUNT_VARIABLE)
        return _named(named, opened[1]) if named else _in_use(opened)
    finally:
        for fd in opened:
            os.close(fd)


def _in_use(opened: Sequence[int]) -> dict[str, Any] | None:
    """The login in use: its pointer is the name of its file."""
    home, logins = opened
    line = _read(CURRENT, home, LONGEST_POINTER)
    name = "" if line is None else line.decode("ascii", "replace").strip()
    login = _judged(login_name(name), logins)
    if login is None or login["key"] is not None:
        return login if _is_alone(login_name(name), logins) else None
    return login if login["account_id"] == name and _file_of(name, logins) == login_name(name) else None


def _named(named: str, logins: int) -> dict[str, Any] | None:
    """The login that is called so by its whole key, or by its account id."""
    try:
        login = _judged(login_name(named), logins)
    except FileNotFoundError:
        login = None
    if login is not None and login["key"] is not None:
        return login if _is_alone(login_name(named), logins) else None
    file = _file_of(named, logins)
    login = None if file is None else _judged(file, logins)
    return login if login is not None and login["account_id"] == named else None


_NO_KEY_BEGINS: Final = "-_"
_LONGEST_BEGINNING: Final = 64
_LOCKS: Final = (".lock", ".softlock")


def _is_alone(file: str, logins: int) -> bool:
    """Whether nothing but locks is beside a login's file: a sign-in that was kept there is newer than it."""
    beside = [name for name in os.listdir(logins) if name.startswith(file) and name != file]
    return all(name.endswith(_LOCKS) for name in beside)


def _file_of(account_id: str, logins: int) -> str | None:
    """The file of the one login whose file's name begins with an account id, as its key does; None if there
    are several, or if anything but locks is beside it.
    """
    if len(account_id) > _LONGEST_BEGINNING or account_id[0] in _NO_KEY_BEGINS:
        return None
    names = [name for name in os.listdir(logins) if name.startswith(account_id)]
    found = [name for name in names if not name.endswith(_LOCKS)]
    return found[0] if len(found) == 1 and key_in(found[0]) is not None else None


def _home(named: str | None) -> str | None:
    """The home of the store, as `stores.paths` finds it; None where that takes more than a look."""
    home = named or os.environ.get(HOME_VARIABLE) or _state_directory()
    if home is None or not (named or os.path.isabs(home)):  # noqa: PTH117  # pathlib takes as long as all the rest
        return None
    absolute = os.path.abspath(home)  # noqa: PTH100
    return None if os.path.dirname(absolute) == absolute else absolute  # noqa: PTH120


def _state_directory() -> str | None:
    if sys.platform != "linux":
        return None
    named = os.environ.get("XDG_STATE_HOME", "")
    person = os.path.expanduser("~")  # noqa: PTH111
    if named or person in ("", "/"):
        return os.path.join(named, "codex-oauth") if os.path.isabs(named) and named.strip("/") else None  # noqa: PTH117, PTH118
    return os.path.join(person, ".local", "state", "codex-oauth")  # noqa: PTH118


def _read(name: str, directory: int, longest: int) -> bytes | None:
    """The content of a plain and private file of ours of at most `longest` bytes."""
    if refused_file(os.stat(name, dir_fd=directory, follow_symlinks=False)) is not None:
        return None  # opening a device or a pipe may have effects of its own
    fd = os.open(name, os.O_RDONLY | CLOSED_FLAGS, dir_fd=directory)
    try:
        found = os.fstat(fd)
        if refused_file(found) is not None or is_open_to_others(found) or found.st_size > longest:
            return None
        with open(fd, "rb", closefd=False) as file:
            content = file.read(longest + 1)
    finally:
        os.close(fd)
    return content if len(content) <= longest else None


def _judged(file: str, logins: int) -> dict[str, Any] | None:
    """What is printed of a login that a renewal would keep as it is; its key is None where its file has
    another name. Raises OSError.
    """
    content = _read(file, logins, LONGEST_DOCUMENT)
    if content is None:
        return None
    stored = read_document(content)
    record = login_fields(stored)
    credential = record["credential"]
    provider = _provider(credential)
    if provider is None or record["spent"] or record["dead_code"] or _is_far_off(record["server_offset"]):
        return None
    jitter = int.from_bytes(os.urandom(4), "big") / 2**32
    dates = {name: credential[name] for name in ("expires_at", "obtained_at", "earliest_refresh_at")}
    standing = freshness_of(time.time(), **dates, server_offset=record["server_offset"], jitter=jitter)
    if standing is not Freshness.CURRENT:
        return None
    key = stored["credential"].get("key")
    told = {name: credential[name] for name in ("access_token", "account_id", "expires_at")}
    return {
        **told,
        "key": key if key is not None and file == login_name(key) else None,
        "provider": provider,
    }


_PLAIN_ISSUER: Final = (
    r"(?=.{1,70}\Z)(https://[a-z0-9]+([.-][a-z0-9]+)*|http://(127\.0\.0\.1|localhost))(:[1-9][0-9]{0,3})?"
)


def _provider(credential: Mapping[str, Any]) -> str | None:
    """What the provider of a login is called; None if that, or whether it may be used, is to be judged."""
    issuer, client_id, scopes = credential["issuer"], credential["client_id"], credential["scopes"]
    if (issuer, client_id) == (ISSUER, CLIENT_ID):
        return USUAL
    if not re.fullmatch(_PLAIN_ISSUER, issuer):
        return None
    if scopes is None:
        return None if issuer == ISSUER else USUAL
    official = PLAN_USE_SCOPE in scopes and re.fullmatch(ISSUED_CLIENT_IDS, client_id, re.ASCII)
    return OFFICIAL if official else None


def _is_far_off(server_offset: float | None) -> bool:
    """Whether something is to be said of this machine's clock."""
    return server_offset is not None and abs(server_offset) > CLOCK_OFF
