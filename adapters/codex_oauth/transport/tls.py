"""The one TLS context of this library, and which certificates it trusts.

Rules of this file: verification cannot be turned off, and TLS is 1.2 or newer; trust comes from the system,
and from certifi where the user named no certificates of their own. What is named and broken is an error at
once, because OpenSSL would pass over it without a word, and every server would then look untrusted; a value
is never part of an error. No process is forked while a context is built, because OpenSSL's locks would stay
locked in the child.
"""

from __future__ import annotations

import os
import re
import ssl
import stat
from collections.abc import Mapping
from functools import lru_cache
from threading import RLock
from typing import Final

import attrs

from codex_oauth.loading import hold_over_forks
from codex_oauth.transport.bad_settings import UnusableSettingError
from codex_oauth.transport.proxies import unquoted
from codex_oauth_core.settings import BadSetting, SettingFault

__all__ = [
    "DIRECTORY",
    "FILES",
    "KEYLOG",
    "Named",
    "UnusableCertificatesError",
    "fault_of_directories",
    "fault_of_file",
    "named",
    "system_tls_context",
    "tls_context",
]


FILES: Final = ("CODEX_CA_CERTIFICATE", "SSL_CERT_FILE")
"""Variables that name a file, the first that is set counts: the Codex CLI's own, and OpenSSL's."""

DIRECTORY: Final = "SSL_CERT_DIR"
KEYLOG: Final = "SSLKEYLOGFILE"
_HASHED: Final = re.compile(r"[0-9a-f]{8}\.\d+", re.ASCII)


class UnusableCertificatesError(UnusableSettingError, OSError):
    """A variable names certificates that cannot be used. Its text names the variable, not the value."""


@attrs.frozen
class Named:
    """What the environment names: a file and directories of certificates, and a file for the keys of TLS
    connections. Empty where it names none. `file_variable` is the one that names the file.
    """

    file: str = ""
    directories: str = ""
    keylog: str = ""
    file_variable: str = FILES[-1]

    @property
    def any(self) -> bool:
        """Whether certificates are named."""
        return bool(self.file or self.directories)

    def check(self) -> None:
        """Raises `UnusableCertificatesError` for what cannot be used. Beside a file that can be, directories
        that cannot be are passed over.
        """
        if self.file and (fault := fault_of_file(self.file)) is not None:
            raise UnusableCertificatesError(BadSetting(self.file_variable, fault))
        if self.directories and not self.file and (fault := fault_of_directories(self.directories)):
            raise UnusableCertificatesError(BadSetting(DIRECTORY, fault))


def named(environ: Mapping[str, str] = os.environ) -> Named:
    """What the environment names. Blanks, line ends and quotes around a value are passed over."""
    variable = next((name for name in FILES if _path(environ, name)), FILES[-1])
    return Named(
        _path(environ, variable), _path(environ, DIRECTORY), environ.get(KEYLOG, ""), file_variable=variable
    )


def _path(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    return value if _is_there(value) else unquoted(value)


def _is_there(path: str) -> bool:
    try:
        return bool(path) and os.path.lexists(path)
    except ValueError:
        return False


def fault_of_file(path: str) -> SettingFault | None:
    """Why a file of certificates cannot be used; None if it can."""
    try:
        found = os.stat(path)  # noqa: PTH116  # a path may be no text that pathlib takes
    except (OSError, ValueError) as error:
        return _unseen(error)
    if not stat.S_ISREG(found.st_mode):
        return SettingFault.NOT_A_FILE
    if found.st_size == 0:
        return SettingFault.EMPTY
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        return SettingFault.NO_CERTIFICATE
    except (OSError, ValueError) as error:
        return _unseen(error)
    return None if context.cert_store_stats()["x509"] else SettingFault.NO_CERTIFICATE


def fault_of_directories(text: str) -> SettingFault | None:
    """Why none of the directories of a list can be used; None if one can."""
    faults = [_fault_of_directory(path) for path in text.split(os.pathsep) if path]
    return None if None in faults else next(iter(faults), SettingFault.NOT_THERE)


def _fault_of_directory(path: str) -> SettingFault | None:
    try:
        names = os.listdir(path)  # noqa: PTH208  # a text
    except NotADirectoryError:
        return SettingFault.NOT_A_DIRECTORY
    except (OSError, ValueError) as error:
        return _unseen(error)
    hashed = [os.path.join(path, name) for name in names if _HASHED.fullmatch(name)]  # noqa: PTH118
    if not hashed:
        return SettingFault.NO_CERTIFICATE if names else SettingFault.EMPTY
    faults = (fault_of_file(each) for each in hashed)
    first = next(faults)
    return None if first is None or None in faults else first


def _unseen(error: Exception) -> SettingFault:
    gone = isinstance(error, FileNotFoundError | NotADirectoryError | ValueError)
    return SettingFault.NOT_THERE if gone else SettingFault.UNREADABLE


# -- the context ---------------------------------------------------------------------------------------


_BUILDING: Final = RLock()


def tls_context() -> ssl.SSLContext:
    """The shared context: built on first use, and again only if CODEX_CA_CERTIFICATE, SSL_CERT_FILE,
    SSL_CERT_DIR or SSLKEYLOGFILE changed. Raises `UnusableCertificatesError`.

    The first three replace the system's certificates and certifi's.
    """
    with _BUILDING:
        return _built(named(), with_certifi=True)


def system_tls_context() -> ssl.SSLContext:
    """The same, for who does without certifi."""
    with _BUILDING:
        return _built(named(), with_certifi=False)


@lru_cache(maxsize=4)
def _built(found: Named, *, with_certifi: bool) -> ssl.SSLContext:
    found.check()
    try:
        context = ssl.create_default_context(cafile=_file(found), capath=_directories(found))
    except ssl.SSLError:
        raise
    except OSError as error:  # the certificates have been looked at
        fault = BadSetting(KEYLOG, SettingFault.NOT_WRITABLE)
        raise (UnusableCertificatesError(fault) if found.keylog else error) from None
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    if with_certifi and not found.any:
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _file(found: Named) -> str | None:
    """With a directory of the user's the file of OpenSSL counts, too, as OpenSSL has it; and vice versa."""
    usual = ssl.get_default_verify_paths().openssl_cafile
    return found.file or (usual if found.any and fault_of_file(usual) is None else None)


def _directories(found: Named) -> str | None:
    usual = ssl.get_default_verify_paths().openssl_capath
    return found.directories or (usual if found.any and os.path.isdir(usual) else None)  # noqa: PTH112


hold_over_forks(_BUILDING)
