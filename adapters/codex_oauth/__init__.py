"""Sign in with ChatGPT (Codex).

`login()` is the front door, and `TokenSource` keeps the login alive. `DeviceFlow` with `run()` and a world of
your own is the way under it. Names load on first use (PEP 562), so that importing this package costs next to
nothing.
"""

from __future__ import annotations

from codex_oauth.loading import lazy_names

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "codex_oauth.worlds.world": ("AsyncWorld", "World", "arun", "run"),
        "codex_oauth.worlds.storing": ("AsyncStoringWorld", "StoringWorld"),
        "codex_oauth.worlds.prompted": ("AsyncPromptedWorld", "PromptedWorld"),
        "codex_oauth.worlds.async_httpx_world": ("AsyncHttpxWorld",),
        "codex_oauth.worlds.anyio_world": ("AnyioWorld",),
        "codex_oauth.fleet.fleet_pool": ("FleetPool",),
        "codex_oauth.fleet.postgres_store": ("PostgresStore",),
        "codex_oauth.pool.flow_pool": ("FlowPool",),
        "codex_oauth.asign_in": ("alogin",),
        "codex_oauth.stored_login": ("afinish_sign_in", "astore_login", "finish_sign_in", "store_login"),
        "codex_oauth.clients.aiohttp_middleware": ("aiohttp_middleware",),
        "codex_oauth.clients.langchain_provider": ("langchain_provider",),
        "codex_oauth.clients.openai_client": ("async_openai_client", "openai_client"),
        "codex_oauth.clients.transport": ("AsyncCodexTransport", "CodexTransport"),
        "codex_oauth.browser.paste": ("PasteSource",),
        "codex_oauth.entropy": ("new_pkce", "new_state"),
        "codex_oauth.listener.async_listener": ("AsyncCallbackListener",),
        "codex_oauth.listener.sync_listener": ("CallbackListener",),
        "codex_oauth.sign_in": ("login",),
        "codex_oauth.stores.file_store": ("FileStore",),
        "codex_oauth.stores.memory_store": ("MemoryStore",),
        "codex_oauth.stores.sealed_file_store": ("SealedFileStore",),
        "codex_oauth.stores.store": ("Store",),
        "codex_oauth.tokens.hosts": ("HostNotAllowed",),
        "codex_oauth.tokens.auth": (
            "AsyncTokenRequestsAuth",
            "CodexAuth",
            "CodexRequestsAuth",
            "TokenAuth",
            "TokenRequestsAuth",
        ),
        "codex_oauth.tokens.notes": ("CodexOAuthWarning",),
        "codex_oauth.tokens.refresh": ("RefreshIncomplete", "arefresh", "refresh"),
        "codex_oauth.tokens.token_source": ("TokenSource",),
        "codex_oauth.tokens.token_sources": ("TokenSources",),
        "codex_oauth.worlds.httpx_world": ("HttpxWorld",),
        "codex_oauth_core": (
            "BrowserFlow",
            "restore",
            "Resumed",
            "Recorder",
            "CheckpointError",
            "BrowserPrompt",
            "CHATGPT",
            "CODEX",
            "Credential",
            "Deposit",
            "StoreLogin",
            "DeviceFlow",
            "DevicePrompt",
            "ErrorKind",
            "FinishSignIn",
            "Finished",
            "IllegalEvent",
            "Provider",
            "Record",
            "Renewal",
            "RenewalPolicy",
            "Revocation",
            "Secret",
            "SendRequest",
            "SignInError",
            "SignedIn",
            "Started",
            "Wait",
            "__version__",
            "provider_of",
        ),
    },
)
