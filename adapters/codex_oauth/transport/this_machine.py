"""Whether a host is this machine, however it is spelled: it is never asked for through a proxy."""

from __future__ import annotations

import ipaddress
import socket

from codex_oauth_core.provider import is_loopback

__all__ = ["is_this_machine"]


def is_this_machine(host: str) -> bool:
    """Whether a host is this machine by any spelling of a loopback, or of the unspecified, address."""
    name = host.rstrip(".").lower()
    if is_loopback(name) or name.endswith(".localhost") or name in ("ip6-localhost", "ip6-loopback"):
        return True
    address = _address(name)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped is not None and (mapped.is_loopback or mapped.is_unspecified)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a name is, also in the short and the numeric forms (`127.1`, `0x7f000001`)."""
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(name))
    except (OSError, UnicodeError, ValueError):
        return None
