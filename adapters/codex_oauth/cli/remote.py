"""What to do in a shell on another machine, where the browser that opens is on this side of the line.

Rules of this file: the line to copy holds nothing that a shell could take for an order; what is not plain is
left for the person to fill in.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import parse_qs, urlsplit

from codex_oauth.cli.pasteable import command
from codex_oauth_core.effects import BrowserPrompt

__all__ = ["by_tunnel", "is_remote_shell", "listening_port", "other_ways", "tunnel"]

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", re.ASCII)
_SSH_PORT: Final = "22"


def is_remote_shell(environ: Mapping[str, str]) -> bool:
    """Whether this is an SSH session."""
    return bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))


def tunnel(environ: Mapping[str, str], port: int, login_name: Callable[[], str]) -> str:
    """The command that brings what a browser there sends to `port` to this machine (ssh(1), -L).

    The address in SSH_CONNECTION is this machine's own: behind a gateway people know another name for it.
    """
    fields = environ.get("SSH_CONNECTION", "").split()
    host, ssh_port = (_host(fields[2]), fields[3]) if len(fields) == 4 else (None, _SSH_PORT)
    other_port = f"-p {ssh_port} " if _is_port(ssh_port) and ssh_port != _SSH_PORT else ""
    return f"ssh -L {port}:127.0.0.1:{port} {other_port}{_user(login_name)}{host or 'HOST'}"


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) <= 65535 if len(text) <= 5 else False


def _host(text: str) -> str | None:
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(text)
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return None if getattr(address, "scope_id", None) else str(mapped or address)
    return None


def _user(login_name: Callable[[], str]) -> str:
    try:
        name = login_name()
    except (OSError, KeyError, ImportError):  # a user without a name
        return ""
    return f"{name}@" if _NAME.fullmatch(name) else ""


def listening_port(prompt: BrowserPrompt) -> int | None:
    """The port of the redirect, on which this machine listens."""
    query = parse_qs(urlsplit(prompt.authorize_url.reveal()).query)
    with contextlib.suppress(ValueError):
        return urlsplit(query.get("redirect_uri", [""])[0]).port
    return None


def other_ways(tunnelled: str) -> tuple[str, ...]:
    """What else there is, beside the device code that was chosen."""
    return (
        "To use the browser of your own machine instead, run there:",
        f"    {tunnelled}",
        "and then here:",
        f"    {command('login', '--browser', '--no-open')}",
        "Or, without ssh, run this here, and paste the address of the last page:",
        f"    {command('login', '--browser', '--no-open', '--paste')}",
    )


def by_tunnel(tunnelled: str, *, pastes: bool, device: bool = True) -> tuple[str, ...]:
    """How a browser on the person's own machine comes back here. `device`: there is a device code, too."""
    instead = () if pastes else (f"Or stop with Ctrl-C, and add --paste{' or --device' if device else ''}.",)
    return (
        "This is a remote shell. To use the browser of your own machine, run there first:",
        f"    {tunnelled}",
        "Replace the address by another name of this machine if you use one.",
        "Then open the page below in that browser.",
        *instead,
    )
