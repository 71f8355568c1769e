"""Which certificate authorities are trusted, and whether what is named can be read.

Rules of this file: OpenSSL passes over a file or directory that is not there without a word, so it is looked
at here; certificates are counted, never shown.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from codex_oauth.doctor.case import Case
from codex_oauth.doctor.finding import Area, Finding, ok, problem, warn
from codex_oauth.transport.tls import tls_context

__all__ = ["check"]

_NAME: Final = "certificates"
_AREA: Final = Area.NETWORK
_FILE: Final = "SSL_CERT_FILE"
_DIR: Final = "SSL_CERT_DIR"
_OTHERS: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""Variables in which other programs find a bundle, and this one does not."""

_HASHED: Final = re.compile(r"[0-9a-f]{8}\.\d+", re.ASCII)
_BUNDLE: Final = f"Point {_FILE} at a file of certificates in PEM form that you can read, or unset it."
_REHASH: Final = f"Name a directory that `openssl rehash` went over, or use {_FILE}."


def check(case: Case) -> Iterator[Finding]:
    """The certificates of the environment, or of the system and certifi."""
    file, directory = case.environment.get(_FILE), case.environment.get(_DIR)
    if file:
        yield _of_file(Path(file))
    if directory:
        yield _of_directories(directory)
    if not file and not directory:
        yield _usual()
        for name in _OTHERS:
            if case.environment.get(name):
                advice = f"To trust those certificates here too, set {_FILE} to the same file."
                yield warn(_NAME, _AREA, "is for other programs, and not read", advice, subject=name)


def _usual() -> Finding:
    try:
        count = tls_context().cert_store_stats()["x509_ca"]
    except (OSError, ImportError) as error:
        text = f"the system's certificates and certifi's cannot be loaded: {type(error).__name__}"
        return problem(_NAME, _AREA, text, "Install certifi again.")
    if not count:
        return problem(_NAME, _AREA, "no authority is trusted at all", "Install certifi again.")
    return ok(_NAME, _AREA, f"{count} of the system and of certifi")


def _of_file(path: Path) -> Finding:
    if not path.is_file():
        return problem(_NAME, _AREA, f"there is no file {path}", _BUNDLE, subject=_FILE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        why = "holds no certificate" if isinstance(error, ssl.SSLError) else "cannot be read"
        return problem(_NAME, _AREA, f"{path} {why}", _BUNDLE, subject=_FILE)
    return ok(_NAME, _AREA, f"{len(context.get_ca_certs())} in {path}, in place of the usual ones", _FILE)


def _of_directories(text: str) -> Finding:
    places = [place for place in text.split(os.pathsep) if place]
    try:
        hashed = sum(bool(_HASHED.fullmatch(name)) for place in places for name in os.listdir(place))  # noqa: PTH208  # a text
    except OSError as error:
        why = error.strerror or type(error).__name__
        return problem(_NAME, _AREA, f"{error.filename}: {why}", _REHASH, subject=_DIR)
    if not hashed:
        found = f"{text} holds no certificate that OpenSSL would find"
        return problem(_NAME, _AREA, found, _REHASH, subject=_DIR)
    return ok(_NAME, _AREA, f"{hashed} in {text}, in place of the usual ones", _DIR)
