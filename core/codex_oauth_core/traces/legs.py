"""The requests of a sign-in: by which reader an answer is read, and how it is built again from fakes.

Rules of this file: a flow's state names its outstanding request; nothing here knows a dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import attrs

from codex_oauth_core.events import ResponseReceived
from codex_oauth_core.provider import Provider
from codex_oauth_core.rendering import Rendered, Renderers
from codex_oauth_core.traces.blinding import Blinder
from codex_oauth_core.traces.form import Gap

__all__ = ["LEGS", "Leg", "Stop"]

F = TypeVar("F")

Rebuild = Callable[[Provider, Renderers, Blinder, ResponseReceived], Rendered]


class Stop(Exception):
    """The recording ends with this gap."""

    def __init__(self, gap: Gap) -> None:
        super().__init__(gap.value)
        self.gap = gap


@attrs.frozen
class Leg:
    """One kind of request: its name in a trace, and how its answers are rebuilt. Raises Stop."""

    name: str
    rebuild: Rebuild


def _device(
    provider: Provider, renderers: Renderers, blinder: Blinder, response: ResponseReceived
) -> Rendered:
    fact = _read(lambda: provider.dialect.read_device_authorization(provider, response))
    return _rendered(lambda: renderers.device_authorization(blinder.device(fact)))


def _poll(provider: Provider, renderers: Renderers, blinder: Blinder, response: ResponseReceived) -> Rendered:
    fact = _read(lambda: provider.dialect.read_poll(response))
    return _rendered(lambda: renderers.poll(blinder.poll(fact)))


def _exchange(
    provider: Provider, renderers: Renderers, blinder: Blinder, response: ResponseReceived
) -> Rendered:
    fact = _read(lambda: provider.dialect.read_exchange(response))
    return _rendered(lambda: renderers.exchange(blinder.exchange(fact)))


def _revocation(provider: Provider, renderers: Renderers, _: Blinder, response: ResponseReceived) -> Rendered:
    fact = _read(lambda: provider.dialect.read_revocation(response))
    return _rendered(lambda: renderers.revocation(fact is True))


def _read(read: Callable[[], F]) -> F:
    try:
        return read()
    except Exception:  # noqa: BLE001  # whatever a dialect's reader does
        raise Stop(Gap.UNREADABLE) from None


def _rendered(render: Callable[[], Rendered]) -> Rendered:
    try:
        return render()
    except Exception:  # noqa: BLE001  # whatever a dialect's renderer does
        raise Stop(Gap.NOT_RENDERED) from None


LEGS: Final[Mapping[str, Leg]] = {
    "requesting_code": Leg("device_authorization", _device),
    "polling": Leg("poll", _poll),
    "exchanging": Leg("exchange", _exchange),
    "revoking": Leg("revocation", _revocation),
}
"""By the state in which the request is outstanding."""
