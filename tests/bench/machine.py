"""What the figures were taken on, in one line."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from tests.bench.peers import add_peers

__all__ = ["described", "versions"]

_NAMED: Final = (
    *("httpx", "attrs", "transitions", "msal", "Authlib", "google-auth", "google-auth-oauthlib"),
    *("requests-oauth2client", "azure-identity", "click", "typer", "filelock"),
)


def described() -> str:
    """System, interpreter, processors, load."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return (
        f"{platform.system()} {platform.machine()}, {_processor()}, {os.cpu_count()} cores, "
        f"{platform.python_implementation()} {platform.python_version()}, load at the beginning {load:.1f}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"


def versions() -> str:
    """The versions of what is compared."""
    add_peers()
    return ", ".join(found for name in _NAMED if (found := _version(name)))


def _version(name: str) -> str:
    try:
        return f"{name} {distribution(name).version}"
    except PackageNotFoundError:
        return ""
