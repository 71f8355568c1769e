"""What is wrong with a setting of this machine, as data: a proxy's variable, one of certificates, the issuer.

Rules of this file: a fault is a word of a closed list with a fixed text; of a setting only its name is known
here, never its value, because a proxy's URL may hold a password.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, unique
from typing import Final

import attrs

__all__ = ["BadSetting", "SettingFault"]


@unique
class SettingFault(StrEnum):
    """Why a setting cannot be used; the value is `details["reason"]` of the error."""

    NOT_AN_ISSUER = "not_an_issuer"
    NOT_A_URL = "not_a_url"
    UNENCODED = "unencoded"
    UNKNOWN_SCHEME = "unknown_scheme"
    HTTP_ONLY = "http_only"
    NO_HOST = "no_host"
    BAD_PORT = "bad_port"
    SOCKSIO_MISSING = "socksio_missing"
    CREDENTIALS = "credentials"
    """The proxy answered 407: it asks for credentials, or refuses the given ones."""
    NOT_THERE = "not_there"
    NOT_A_FILE = "not_a_file"
    NOT_A_DIRECTORY = "not_a_directory"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    NO_CERTIFICATE = "no_certificate"
    NOT_WRITABLE = "not_writable"


_TEXTS: Final[Mapping[SettingFault, str]] = {
    SettingFault.NOT_AN_ISSUER: (
        "{} is not the URL of an issuer: https://HOST[:PORT][/PATH], or http on a loopback address."
    ),
    SettingFault.NOT_A_URL: "{} is not the URL of a proxy, such as http://HOST:PORT.",
    SettingFault.UNENCODED: (
        "{} is not the URL of a proxy: in its user name and password, characters such as @ : / ? # must be"
        " written as %40 %3A %2F %3F %23."
    ),
    SettingFault.UNKNOWN_SCHEME: ("{} names a proxy of an unknown kind. Use http, https or socks5."),
    SettingFault.HTTP_ONLY: "{} names a proxy of another kind than http, the only one that works here.",
    SettingFault.NO_HOST: "{} is the URL of a proxy without a usable host name.",
    SettingFault.BAD_PORT: "{} is the URL of a proxy whose port is not a number from 1 to 65535.",
    SettingFault.SOCKSIO_MISSING: (
        "{} names a SOCKS proxy, and the package socksio is not installed: pip install 'httpx[socks]'."
    ),
    SettingFault.CREDENTIALS: (
        "The proxy that {0} names asks for a user name and a password, or refuses those it was given."
        " Put them into {0} before the host, as in http://USER:PASSWORD@HOST:PORT."
    ),
    SettingFault.NOT_THERE: "{} names a file or directory that does not exist.",
    SettingFault.NOT_A_FILE: "{} does not name a file.",
    SettingFault.NOT_A_DIRECTORY: "{} does not name a directory.",
    SettingFault.UNREADABLE: "{} names a file or directory that cannot be read.",
    SettingFault.EMPTY: "{} names an empty file: there is no certificate in it.",
    SettingFault.NO_CERTIFICATE: "{} names a file without a certificate that can be read.",
    SettingFault.NOT_WRITABLE: "{} names a file that cannot be opened for writing.",
}


@attrs.frozen
class BadSetting:
    """A setting that cannot be used. `name` is the name of the variable."""

    name: str
    fault: SettingFault

    def __str__(self) -> str:
        return _TEXTS[self.fault].format(self.name)
