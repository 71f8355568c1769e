"""What happens by script, and what is noted: counts, the faults that are due, and the mistakes of clients.

Rules of this file: everything is counted here, once, before it is answered; a count never goes down.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from codex_oauth.authority.chatgpt.hostile import ChatGptFault, Hostile, HostileAnswer
from codex_oauth.authority.faults import Fault, first_fault

__all__ = ["ClientFault", "Script"]


@attrs.frozen(kw_only=True)
class ClientFault:
    """A rule that a client broke. `endpoint` and `number` are those of the request in `requests`.

    `code` is the error that the client received, or would have received: the authority only notes some
    mistakes. `why` is a text for a person.
    """

    endpoint: str
    number: int
    code: str
    why: str


@attrs.define(eq=False)
class Script:
    """The faults of one authority, what was counted, and what clients did wrong."""

    faults: tuple[ChatGptFault | HostileAnswer, ...] = ()
    counts: dict[str, int] = attrs.field(factory=dict[str, int], init=False)
    client_faults: list[ClientFault] = attrs.field(factory=list[ClientFault], init=False)

    def count(self, *names: str) -> dict[str, int]:
        """One more of each; the new numbers by their names."""
        for name in names:
            self.counts[name] = self.counts.get(name, 0) + 1
        return {name: self.counts[name] for name in names}

    def fault(self, numbers: Mapping[str, int]) -> Fault | None:
        """The misfortune that a request with these numbers meets."""
        return first_fault((one for one in self.faults if isinstance(one, ChatGptFault)), numbers)

    def hostile(self, *stages: str) -> frozenset[Hostile]:
        """The hostile answers that are due at the latest of each stage."""
        numbers = {stage: self.counts.get(stage, 0) for stage in stages}
        return frozenset(
            one.name for one in self.faults if isinstance(one, HostileAnswer) and one.fits(numbers)
        )

    def accuse(self, endpoint: str, code: str, why: str) -> None:
        """Note a mistake in the latest request to an endpoint."""
        number = self.counts.get(endpoint, 0)
        self.client_faults.append(ClientFault(endpoint=endpoint, number=number, code=code, why=why))
