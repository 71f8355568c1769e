"""The environment of a check of a world: proxies, credentials and certificates that variables name.

Rules of this file: what was there before is there again at the end, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Final

__all__ = ["environment", "proxies", "trusting"]

_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_CERTIFICATES: Final = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "CODEX_CA_CERTIFICATE"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
)


@contextlib.contextmanager
def environment(values: Mapping[str, str], without: tuple[str, ...] = ()) -> Generator[None]:
    """Variables that are set, and others that are not, until the block ends."""
    before = {name: os.environ.get(name) for name in (*values, *without)}
    for name in without:
        os.environ.pop(name, None)
    os.environ.update(values)
    try:
        yield
    finally:
        for name in before:
            os.environ.pop(name, None)
        os.environ.update({name: value for name, value in before.items() if value is not None})


@contextlib.contextmanager
def proxies(url: str, *schemes: str) -> Generator[None]:
    """Variables that name a proxy, for some schemes or for all."""
    named = [f"{scheme}_proxy" for scheme in schemes or ("http", "https", "all")]
    values = {name: url for each in named for name in (each, each.upper())}
    others = tuple(name for each in _PROXIES for name in (each, each.upper()) if name not in values)
    with environment(values, others):
        yield


@contextlib.contextmanager
def trusting(pem: str) -> Generator[None]:
    """Variables that name a certificate that is to be trusted; who reads none of them trusts it not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trusted.pem")
        path.write_text(pem, encoding="ascii")
        values = {name: str(path) for name in _CERTIFICATES if name != "SSL_CERT_DIR"}
        with environment(values, ("SSL_CERT_DIR",)):
            yield
