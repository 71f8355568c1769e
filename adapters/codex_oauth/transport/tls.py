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

__all__ = ["tls_context"]

_BUILDING: Final = RLock()


def tls_context() -> ssl.SSLContext:
    """The shared context: built on first use, and again only if SSL_CERT_FILE or SSL_CERT_DIR changed.

    Those two replace the system's certificates (OpenSSL reads them) and certifi's.
    """
    with _BUILDING:
        return _built(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@lru_cache(maxsize=4)
def _built(cert_file: str | None, cert_dir: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    if not (cert_file or cert_dir):
        import certifi

        context.load_verify_locations(certifi.where())
    return context


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(
        before=_BUILDING.acquire, after_in_parent=_BUILDING.release, after_in_child=_BUILDING.release
    )
