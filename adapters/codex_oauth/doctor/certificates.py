"""Which certificate authorities are trusted, and whether what is named can be read.

Rules of this file: a setting that stops requests is found by the code that requests ask; certificates
are counted, never shown.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from typing import Final

import attrs

from codex_oauth.doctor.context import Area, Context, Finding, Verdict, ok, problem, warn
from codex_oauth.transport.bad_settings import UnusableSettingError
from codex_oauth.transport.tls import (
    DIRECTORY,
    FILES,
    KEYLOG,
    Named,
    fault_of_directories,
    fault_of_file,
    named,
    tls_context,
)
from codex_oauth_core.settings import BadSetting, SettingFault

__all__ = ["check"]

_NAME: Final = "certificates"
_AREA: Final = Area.NETWORK
_FILE: Final = FILES[-1]
_OTHERS: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""Variables in which other programs find a bundle, and this one does not."""

_BUNDLE: Final = "Set {} to a file of certificates in PEM form that you can read, or unset it."
_REHASH: Final = f"Run `openssl rehash` on the directory, or use {_FILE}."
_WRITE: Final = f"Set {KEYLOG} to a file that you can write, or unset it."


def check(context: Context) -> Iterator[Finding]:
    """The certificates of the environment, or of the system and certifi; and where keys are written."""
    found = named(context.environment)
    if found.file:
        yield _of_file(found)
        yield from _passed_over(context, found)
    if found.directories:
        yield _of_directories(found)
    if not found.any:
        yield _usual()
        for name in _OTHERS:
            if context.environment.get(name):
                advice = f"To trust those certificates here too, set {_FILE} to the same file."
                yield warn(
                    _NAME, _AREA, "is for other programs: codex-oauth does not read it", advice, subject=name
                )
    if found.keylog:
        yield _of_keylog(found.keylog)


def _usual() -> Finding:
    try:
        count = tls_context().cert_store_stats()["x509_ca"]
    except UnusableSettingError as error:
        text = f"the system's certificates and certifi's cannot be loaded: {error}"
        return problem(_NAME, _AREA, text, _WRITE)
    except (OSError, ImportError) as error:
        text = f"the system's certificates and certifi's cannot be loaded: {type(error).__name__}"
        return problem(_NAME, _AREA, text, "Install certifi again.")
    if not count:
        return problem(_NAME, _AREA, "no certificate authority is trusted", "Install certifi again.")
    return ok(_NAME, _AREA, f"{count} of the system and of certifi")


def _of_file(found: Named) -> Finding:
    variable = found.file_variable
    if (fault := fault_of_file(found.file)) is not None:
        return _broken(variable, fault, found.file, _BUNDLE.format(variable))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=found.file)
    count = context.cert_store_stats()["x509"]
    return ok(_NAME, _AREA, f"{count} in {found.file}, in place of the usual ones", variable)


def _passed_over(context: Context, found: Named) -> Iterator[Finding]:
    if found.file_variable != _FILE and context.environment.get(_FILE):
        text = f"is passed over: {found.file_variable} comes before it"
        yield ok(_NAME, _AREA, text, _FILE)


def _of_directories(found: Named) -> Finding:
    text = found.directories
    if (fault := fault_of_directories(text)) is not None:
        row = _broken(DIRECTORY, fault, text, _REHASH)
        return attrs.evolve(row, verdict=Verdict.WARN) if found.file else row
    places = [place for place in text.split(os.pathsep) if place]
    broken = [place for place in places if fault_of_directories(place) is not None]
    if broken:
        return warn(
            _NAME, _AREA, f"no certificate is found in {', '.join(broken)}", _REHASH, subject=DIRECTORY
        )
    return ok(_NAME, _AREA, f"those in {text}, in place of the usual ones", DIRECTORY)


def _of_keylog(path: str) -> Finding:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).keylog_filename = path
    except (OSError, ValueError):
        return _broken(KEYLOG, SettingFault.NOT_WRITABLE, path, _WRITE)
    text = f"whoever can read {path} can read your tokens"
    return warn(_NAME, _AREA, text, f"Unset {KEYLOG} when you no longer need it.", subject=KEYLOG)


def _broken(variable: str, fault: SettingFault, value: str, advice: str) -> Finding:
    return problem(_NAME, _AREA, f"{BadSetting(variable, fault)} ({value})", advice, subject=variable)
