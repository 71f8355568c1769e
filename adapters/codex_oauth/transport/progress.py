"""How far a request has come, as httpcore's `trace` extension tells it.

Rules of this file: once a byte of the request may have left for the server, the stage never goes back; right
before one leaves, whoever keeps the time is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum, unique
from typing import Any, Final

__all__ = ["Progress", "Stage"]


@unique
class Stage(IntEnum):
    """Where a request stands. From `SENT` on the server may have seen it."""

    UNTRACED = 0
    """Nothing is known: a transport that does not trace."""
    CONNECTING = 1
    PROXY = 2
    """Talking to a proxy: connecting, TLS with the proxy itself, the tunnel."""
    HANDSHAKE = 3
    SENT = 4
    ANSWERED = 5
    """The answer's head is here."""


_STEPS: Final = {
    "connect_tcp.started": Stage.CONNECTING,
    "connect_unix_socket.started": Stage.CONNECTING,
    "setup_socks5_connection.started": Stage.PROXY,
    "start_tls.started": Stage.HANDSHAKE,
    "send_request_headers.started": Stage.SENT,
}


_WRITES: Final = frozenset({"send_request_headers.started", "send_request_body.started"})


def _always() -> None:
    """The request may go out."""


class Progress:
    """A `trace` callback that keeps the stage. `proxied`: the connection is to a proxy, which the setting
    `proxy_setting` names.

    `begin` is called right before a part of the request goes out to the server; what it raises stops that.
    """

    __slots__ = ("_begin", "proxied", "proxy_setting", "stage")

    def __init__(self, begin: Callable[[], None] = _always) -> None:
        self.stage = Stage.UNTRACED
        self.proxied = False
        self._begin = begin
        self.proxy_setting: str | None = None

    def through(self, setting: str | None) -> None:
        """The connection is to the proxy that a setting names; None: to the server."""
        self.proxied, self.proxy_setting = setting is not None, setting

    def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        """Take one step: `layer.step.started`, `.complete` or `.failed`, and what httpcore tells of it."""
        layer, _, step = name.partition(".")
        if step in _WRITES and not _is_connect(info):
            self._begin()
        stage = _STEPS.get(step)
        if stage is None or self.stage >= Stage.SENT:
            return
        self.stage = Stage.PROXY if self._is_with_proxy(layer, stage, info) else stage

    def _is_with_proxy(self, layer: str, stage: Stage, info: Mapping[str, Any]) -> bool:
        """The layers `proxy` and `socks` do TLS with the server behind; `connection` does it with the
        proxy, if there is one.
        """
        if stage is Stage.SENT:
            return _is_connect(info)
        return stage is Stage.PROXY or (self.proxied and (layer == "connection" or stage is Stage.CONNECTING))


def _is_connect(info: Mapping[str, Any]) -> bool:
    """Whether it is the request to a proxy for a tunnel, which holds nothing of ours."""
    return getattr(info.get("request"), "method", b"") == b"CONNECT"
