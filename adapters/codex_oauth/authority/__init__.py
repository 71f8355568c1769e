"""Authorization servers of our own, for demos and tests, on loopback only.

`Authority` is the rules of the Codex dialect, without a socket or a clock, and `ChatGptAuthority` those of
the official "Sign in with ChatGPT" for open-source tools; `serve` puts either, or `BothAuthorities`, on a
loopback port (extra `authority`). Their tokens are fake and say so. Names load on first use (PEP 562).
"""

from __future__ import annotations

from codex_oauth.loading import lazy_names

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "codex_oauth.authority.messages": ("Answer",),
        "codex_oauth.authority.authority": ("Authority",),
        "codex_oauth.authority.both": ("BothAuthorities", "read_both_faults"),
        "codex_oauth.authority.chatgpt.hostile": (
            "HOSTILE_ANSWERS",
            "ChatGptFault",
            "Hostile",
            "HostileAnswer",
            "HostileKind",
            "read_chatgpt_faults",
        ),
        "codex_oauth.authority.chatgpt.peer": ("ChatGptAuthority",),
        "codex_oauth.authority.chatgpt.script": ("ClientFault",),
        "codex_oauth.authority.chatgpt.settings": (
            "ChatGptPolicy",
            "EarliestRefresh",
            "Person",
            "StreamEnd",
            "Workspace",
        ),
        "codex_oauth.authority.endpoints": ("Received", "Rules"),
        "codex_oauth.authority.faults": ("Fault",),
        "codex_oauth.authority.faults_file": ("read_faults",),
        "codex_oauth.authority.models.misfortunes": ("Misfortune", "ModelFault"),
        "codex_oauth.authority.models.settings": (
            "CatalogModel",
            "HeaderRules",
            "LimitKind",
            "ModelPolicy",
            "UsageLimit",
        ),
        "codex_oauth.authority.policy": ("Account", "Approve", "Policy"),
        "codex_oauth.authority.server": ("AuthorityServer", "RulesServer", "serve"),
    },
)
