"""The one TLS context of this library.

Rules of this file: verification cannot be turned off, and TLS is 1.2 or newer; trust comes from the
system, and from certifi where the user named no certificates of their own; no process is forked while a
context is built, because OpenSSL's locks would stay locked in the child.
"""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from threading import RLock
from typing import Final

from codex_oauth.loading import hold_over_forks
from codex_oauth.transport.certificates import KEYLOG, Named, UnusableCertificatesError, fault_of_file, named
from codex_oauth_core.settings import BadSetting, SettingFault

__all__ = ["system_tls_context", "tls_context"]

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
