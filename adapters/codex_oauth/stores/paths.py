"""Where logins live: one directory, the home of a store.

Rules of this file: a home is an absolute path that is never the root; what the environment leaves open
is an error and never the current directory; nothing is created here.

    <home>/logins/<key>.json    a login; of an earlier release, <account_id>.json
    <home>/current              one line: the key of the login in use
    <home>/registrations/<client_id>.json   what an authorization server issued to us
    <home>/host-id              one line: what this machine is called there
"""

from __future__ import annotations

import os
from pathlib import Path

from codex_oauth.loading import loading
from codex_oauth.stores.failures import store_error
from codex_oauth.stores.names import CURRENT, HOME_VARIABLE, LOGINS, key_in, login_name
from codex_oauth_core.errors import ErrorKind

__all__ = ["CURRENT", "HOME_VARIABLE", "LOGINS", "default_home", "key_in", "login_name", "usable_home"]


def default_home() -> Path:
    """`CODEX_OAUTH_HOME` (empty counts as unset), else the user's state directory for this program.

    Raises SignInError of kind `auth_read_failed` if neither is an absolute path to a directory of its
    own: `details.reason` is `relative_home`, `no_home`, `root_home` or `unusable_path`.
    """
    chosen = os.environ.get(HOME_VARIABLE)
    if not chosen:
        return _state_directory()
    if not Path(chosen).is_absolute():
        raise store_error(ErrorKind.AUTH_READ_FAILED, "relative_home", chosen)
    return usable_home(chosen)


def usable_home(home: str | os.PathLike[str]) -> Path:
    """A home that the caller names, relative to the current directory as paths are.

    Raises SignInError of kind `auth_read_failed` for the root, an empty path and one with a NUL, and for a
    relative one where there is no current directory.
    """
    text = os.fspath(home)
    if not text or "\0" in text or not _encodable(text):
        raise store_error(ErrorKind.AUTH_READ_FAILED, "unusable_path", text)
    try:
        absolute = Path(os.path.abspath(text))  # noqa: PTH100  # Path.absolute() would keep `/..`, which is the root
    except OSError as error:
        raise store_error(ErrorKind.AUTH_READ_FAILED, "no_current_directory", text, error.errno) from None
    if _is_root(absolute):
        raise store_error(ErrorKind.AUTH_READ_FAILED, "root_home", text)
    return absolute


def _state_directory() -> Path:
    with loading("platformdirs"):
        from platformdirs import user_state_dir

    person = os.path.expanduser("~")  # noqa: PTH111  # Path.expanduser() raises where there is no home
    named_elsewhere = Path(os.environ.get("XDG_STATE_HOME", "")).is_absolute()
    if not (named_elsewhere or Path(person).is_absolute()):
        raise store_error(ErrorKind.AUTH_READ_FAILED, "no_home", person)
    if not named_elsewhere and _is_root(Path(person)):
        raise store_error(ErrorKind.AUTH_READ_FAILED, "root_home", person)
    found = Path(user_state_dir("codex-oauth", appauthor=False))
    if not found.is_absolute():
        raise store_error(ErrorKind.AUTH_READ_FAILED, "relative_home", found)
    if _is_root(found.parent):
        raise store_error(ErrorKind.AUTH_READ_FAILED, "root_home", found)
    return found


def _encodable(text: str | bytes) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:  # a lone surrogate that no file name has
        return False
    return True


def _is_root(path: Path) -> bool:
    return path.parent == path
