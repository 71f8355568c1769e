"""An authorization server of our own that speaks the Codex dialect: for demos and tests, on loopback only.

`Authority` is the rules, without a socket or a clock; `serve` puts it on a loopback port (extra
`authority`). Its tokens are fake and say so. Names load on first use (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from codex_oauth.authority.answer import Answer as Answer
    from codex_oauth.authority.authority import Authority as Authority
    from codex_oauth.authority.faults import Fault as Fault
    from codex_oauth.authority.faults import read_faults as read_faults
    from codex_oauth.authority.journal import Received as Received
    from codex_oauth.authority.policy import Account as Account
    from codex_oauth.authority.policy import Approve as Approve
    from codex_oauth.authority.policy import Policy as Policy
    from codex_oauth.authority.server import AuthorityServer as AuthorityServer
    from codex_oauth.authority.server import serve as serve

_HOME_OF: Final = {
    "Account": "policy",
    "Answer": "answer",
    "Approve": "policy",
    "Authority": "authority",
    "AuthorityServer": "server",
    "Fault": "faults",
    "Policy": "policy",
    "Received": "journal",
    "read_faults": "faults",
    "serve": "server",
}

__all__ = sorted(_HOME_OF)  # pyright: ignore[reportUnsupportedDunderAll]  # one table serves both


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
