"""A request's head as values. The only place that knows h11.

Rules of this file: what h11 refuses is None, never an exception; the target may hold a code and the
state, and headers may hold cookies, so no repr shows either.
"""

from __future__ import annotations

import attrs
import h11

from codex_oauth_core.secret import Secret

__all__ = ["Head", "parse"]


@attrs.frozen
class Head:
    """A request's method, target, HTTP version and header fields, their names in lower case."""

    method: bytes
    target: Secret[bytes]
    version: bytes
    fields: tuple[tuple[bytes, bytes], ...] = attrs.field(repr=False)

    def all(self, *names: bytes) -> list[bytes]:
        """The values of the fields with these names, in lower case."""
        return [value.lower() for name, value in self.fields if name in names]


def parse(head: bytes) -> Head | None:
    """Read a whole head, the empty line included (RFC 9112). None if it is malformed."""
    connection = h11.Connection(h11.SERVER)
    try:
        connection.receive_data(head)
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    if not isinstance(event, h11.Request):
        return None
    return Head(event.method, Secret(event.target), event.http_version, tuple(event.headers))
