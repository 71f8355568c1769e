"""An authorization server of our own that speaks the Codex dialect: for demos and tests, on loopback only.

`Authority` is the rules, without a socket or a clock; `serve` puts it on a loopback port (extra
`authority`). Its tokens are fake and say so. Names load on first use (PEP 562).
"""

from __future__ import annotations

from codex_oauth.loading import lazy_names

TYPE_CHECKING = False  # as typing's, without loading typing

if TYPE_CHECKING:
    from codex_oauth.authority.authority import Authority as Authority
    from codex_oauth.authority.authority import Received as Received
    from codex_oauth.authority.faults import Fault as Fault
    from codex_oauth.authority.faults import read_faults as read_faults
    from codex_oauth.authority.messages import Answer as Answer
    from codex_oauth.authority.policy import Account as Account
    from codex_oauth.authority.policy import Approve as Approve
    from codex_oauth.authority.policy import Policy as Policy
    from codex_oauth.authority.server import AuthorityServer as AuthorityServer
    from codex_oauth.authority.server import serve as serve

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "codex_oauth.authority.messages": ("Answer",),
        "codex_oauth.authority.authority": ("Authority", "Received"),
        "codex_oauth.authority.faults": ("Fault", "read_faults"),
        "codex_oauth.authority.policy": ("Account", "Approve", "Policy"),
        "codex_oauth.authority.server": ("AuthorityServer", "serve"),
    },
)
