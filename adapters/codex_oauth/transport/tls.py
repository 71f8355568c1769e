"""The one TLS context of this library.

Rules of this file: verification cannot be turned off, and TLS is 1.2 or newer; trust comes from the
system, and from certifi where the user named no certificates of their own.
"""

from __future__ import annotations

import os
import ssl
from functools import lru_cache

__all__ = ["tls_context"]


def tls_context() -> ssl.SSLContext:
    """The shared context: built on first use, and again only if SSL_CERT_FILE or SSL_CERT_DIR changed.

    Those two replace the system's certificates (OpenSSL reads them) and certifi's.
    """
    return _built(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@lru_cache(maxsize=4)
def _built(cert_file: str | None, cert_dir: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    if not (cert_file or cert_dir):
        import certifi

        context.load_verify_locations(certifi.where())
    return context
