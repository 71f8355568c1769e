"""What the operating system called a failure of the network: `ECONNREFUSED` and the like.

Rules of this file: the standard library alone, for every transport asks it; a name is the same everywhere.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import cast

__all__ = ["errno_name"]


def errno_name(error: BaseException) -> str | None:
    """The name of the system's reason, of `error` or of what it was raised because of; None for none."""
    for link in _links(error):
        if isinstance(link, ConnectionRefusedError):
            return "ECONNREFUSED"
        if isinstance(link, OSError) and link.errno is not None and link.errno > 0:
            name = errno.errorcode.get(link.errno)
            if name is not None:
                return name.removeprefix("WSA")
    return None


def _links(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        group: object = link  # a name of its own, for it loses its type in the look
        if isinstance(group, BaseExceptionGroup):
            for one in cast("BaseExceptionGroup[BaseException]", group).exceptions:
                yield from _links(one)
        os_error = getattr(link, "os_error", None)  # of aiohttp's ClientConnectorError
        if isinstance(os_error, OSError):
            yield os_error
        link = link.__cause__ or link.__context__
