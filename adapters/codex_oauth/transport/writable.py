"""Whether a request can be written as HTTP at all: what is no URL, method or header is a bug, and no failure.

Rules of this file: it is looked at before anybody is called; an error tells nothing of the request. What it
lets through, a library writes as it is: nothing in it ends a line, or a request.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from codex_oauth_core.request import Request, RequestHeaders, plain

__all__ = ["check_writable", "request_target"]

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110 §5.6.2: the name of a header, and a method."""

_URL: Final = re.compile(r"[\x21-\x7e]+")
_TARGET: Final = re.compile(r"[/?#]")
_NO_VALUE: Final = re.compile(r"[\0\r\n]")
"""RFC 9110 §5.5: what ends a header, or is dangerous in one."""


def check_writable(request: Request) -> None:
    """Raises ValueError for a request that cannot be written as HTTP: a URL with a scheme other than http and
    https, without a host, with an invalid port, or with a blank, a control character or a character beyond
    ASCII; a method or a header's name that is not a token; a header's value with a line end or a zero byte.
    """
    _check_url(request.url)
    if not _TOKEN.fullmatch(request.method):
        raise ValueError("the request cannot be sent as HTTP: its method is none")
    try:
        _check_headers(request.headers)
    except TypeError:  # a `Secret` has no hash, so that it is not kept
        _check_headers.__wrapped__(request.headers)


@lru_cache(maxsize=16)
def request_target(url: str) -> str:
    """The target in the request line (RFC 9112 §3.2.1): the URL from its path on, without the fragment,
    unchanged. (URL parsers drop an empty query, and may remove dot segments.)
    """
    after = url.partition("://")[2]
    found = _TARGET.search(after)
    target = after[found.start() :].partition("#")[0] if found else ""
    return target if target.startswith("/") else f"/{target}"


@lru_cache(maxsize=16)  # the same for every request of a kind; what raises is not kept
def _check_headers(headers: RequestHeaders) -> None:
    for name, value in plain(headers):
        if not _TOKEN.fullmatch(name) or _NO_VALUE.search(value):
            raise ValueError("the request cannot be sent as HTTP: one of its headers is none")


@lru_cache(maxsize=16)  # endpoints, which hold no secret; what raises is not kept
def _check_url(url: str) -> None:
    if not (_URL.fullmatch(url) and _has_a_host(url)):
        raise ValueError("the request cannot be sent as HTTP: its URL is none")


def _has_a_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port, or an address, that is none
        return False
