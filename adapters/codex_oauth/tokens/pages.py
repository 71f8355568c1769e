"""Whether an answer was written by an API or by something in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["is_page"]

_PAGES: Final = ("text/html", "application/xhtml+xml")


def is_page(headers: Mapping[str, str]) -> bool:
    """Whether it is a web page: of a proxy, a firewall or a captive portal. Names in any case must fit."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in _PAGES or "cf-mitigated" in headers
