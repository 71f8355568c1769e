"""What is kept beside logins, in a home: the registrations of this client, and what this machine is called.

Rules of this file: a registration is written as a login is, complete and private before it has its name, and
outlives the logins that were made with it; the name of the machine is made once, by whoever has its lock,
and is the same for all who ask. Neither holds a secret, and neither is ever handed out with a login.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Final

import attrs

from codex_oauth.loading import loading
from codex_oauth.stores.failures import reporting, store_error
from codex_oauth.stores.file_checks import directory_place, file_place
from codex_oauth.stores.files import Directory, read_file, stage
from codex_oauth.stores.locks import lock_name, take_lock
from codex_oauth.stores.names import HOST_ID, REGISTRATIONS, client_id_in, registration_name
from codex_oauth.stores.paths import default_home
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.registration import Registration, read_registration, write_registration
from codex_oauth_core.secret import Secret

__all__ = ["HomeFiles", "host_id", "new_host_id"]

_LONGEST: Final = 16 * 1024  # bytes
_LONGEST_HOST_ID: Final = 512  # bytes
_HOST_ID: Final = re.compile(
    r"(?:urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|urn:ietf:params:oauth:jwk-thumbprint:[!-~]+|did:key:[!-~]+)",
    re.ASCII,
)
_PATIENCE: Final = 10.0  # seconds for another process to make the name of this machine
_POLL: Final = 0.02  # seconds between two looks at its lock


def new_host_id() -> str:
    """A new name for a machine, drawn at random: a UUID says nothing about anybody (RFC 9562 §5.4)."""
    with loading("uuid"):
        from uuid import uuid4

    return uuid4().urn


def host_id(home: Path | None = None) -> str:
    """The name of this machine for authorization servers, from `home`, by default the home of the default
    store. See `stores.store.KeepsRegistrations.host_id`.
    """
    return HomeFiles(default_home() if home is None else home).host_id()


@attrs.frozen
class HomeFiles:
    """The registrations and the name of the machine in a home. The parameters are those of `FileStore`."""

    home: Path
    soft_lock: bool = False
    follow_symlinks: bool = False

    # -- registrations ----------------------------------------------------------------------------------

    def registrations(self) -> tuple[Registration, ...]:
        """See `KeepsRegistrations.registrations`."""
        path = self.home / REGISTRATIONS
        place = directory_place(self.home, REGISTRATIONS, follow=self.follow_symlinks)
        with reporting(ErrorKind.AUTH_READ_FAILED, path), place.reading() as directory:
            names = [] if directory is None else directory.names()
            contents = {
                client_id: content
                for name in names
                if directory is not None
                and (client_id := client_id_in(name)) is not None
                and (content := read_file(directory, name, _LONGEST)) is not None
            }
        found = [self._read(client_id, content) for client_id, content in contents.items()]
        return tuple(sorted(found, key=lambda each: (each.registered_at, each.client_id)))

    def register(self, registration: Registration) -> None:
        """See `KeepsRegistrations.register`."""
        name = registration_name(registration.client_id)
        place = file_place(self.home, REGISTRATIONS, name, follow=self.follow_symlinks)
        content = Secret(write_registration(registration))
        with (
            reporting(ErrorKind.AUTH_WRITE_FAILED, self.home / REGISTRATIONS / name),
            place.writable() as directory,
            stage(directory, place.name, content) as staged,
        ):
            staged.commit()

    def _read(self, client_id: str, content: Secret[bytes]) -> Registration:
        found = read_registration(content.reveal())
        path = self.home / REGISTRATIONS / registration_name(client_id)
        if isinstance(found, SignInError):
            raise store_error(ErrorKind.CORRUPT_AUTH, str(found.details.get("reason")), path)
        if found.client_id != client_id:
            raise store_error(ErrorKind.CORRUPT_AUTH, "other_client", path)
        return found

    # -- the name of the machine ------------------------------------------------------------------------

    def host_id(self) -> str:
        """See `KeepsRegistrations.host_id`."""
        path = self.home / HOST_ID
        place = file_place(self.home, HOST_ID, follow=self.follow_symlinks)
        with reporting(ErrorKind.AUTH_READ_FAILED, path), place.reading() as directory:
            found = None if directory is None else _host_id_in(directory, place.name)
        if found is not None:
            return found
        with reporting(ErrorKind.AUTH_WRITE_FAILED, path), place.writable() as directory:
            return self._made(directory, place.name)

    def _made(self, home: Directory, name: str) -> str:
        give_up_at = time.monotonic() + _PATIENCE
        while (lock := take_lock(home, lock_name(name, soft=self.soft_lock), soft=self.soft_lock)) is None:
            if (found := _host_id_in(home, name)) is not None:  # its holder has made it
                return found
            if time.monotonic() >= give_up_at:
                raise store_error(ErrorKind.AUTH_WRITE_FAILED, "host_id_locked", self.home / HOST_ID)
            time.sleep(_POLL)
        try:
            if (found := _host_id_in(home, name)) is not None:
                return found
            made = new_host_id()
            with stage(home, name, Secret(f"{made}\n".encode())) as staged:
                staged.commit()
            return made
        finally:
            lock.give_back()


def _host_id_in(home: Directory, name: str) -> str | None:
    """What a file says, in one of the forms that servers take; None if there is none, or something else."""
    content = read_file(home, name, _LONGEST_HOST_ID)
    if content is None or len(content.reveal()) > _LONGEST_HOST_ID:
        return None
    text = content.reveal().decode("ascii", "replace").strip()
    return text if _HOST_ID.fullmatch(text) else None
