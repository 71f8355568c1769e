"""How often a program waits for PostgreSQL: requests are counted where they pass."""

from __future__ import annotations

from collections.abc import Callable

from tests.fleet.cutter import Cutter, Loss

__all__ = ["Meter"]


class Meter(Cutter):
    """A network that counts the requests after which a client waits for an answer."""

    requests = 0

    def count(self, work: Callable[[], object]) -> int:
        """How many there are in `work`."""
        before = self.requests
        work()
        return self.requests - before

    def _judge(self, request: bytes) -> Loss | None:
        self.requests += 1
        return super()._judge(request)
