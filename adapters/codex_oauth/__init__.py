"""Sign in with ChatGPT (Codex).

`login()` is the front door, and `TokenSource` keeps the login alive. `DeviceFlow` with `run()` and a world of
your own is the way under it. Names load on first use (PEP 562), so that importing this package costs next to
nothing.
"""

from __future__ import annotations

from codex_oauth.loading import lazy_names

TYPE_CHECKING = False  # as typing's, without loading typing

if TYPE_CHECKING:
    from codex_oauth.asign_in import alogin as alogin
    from codex_oauth.browser.paste import PasteSource as PasteSource
    from codex_oauth.clients.aiohttp_middleware import aiohttp_middleware as aiohttp_middleware
    from codex_oauth.clients.explain import explain as explain
    from codex_oauth.clients.langchain_provider import langchain_provider as langchain_provider
    from codex_oauth.clients.openai_client import async_openai_client as async_openai_client
    from codex_oauth.clients.openai_client import openai_client as openai_client
    from codex_oauth.clients.transport import AsyncCodexTransport as AsyncCodexTransport
    from codex_oauth.clients.transport import CodexTransport as CodexTransport
    from codex_oauth.entropy import new_pkce as new_pkce
    from codex_oauth.entropy import new_state as new_state
    from codex_oauth.fleet.fleet_pool import FleetPool as FleetPool
    from codex_oauth.fleet.postgres_store import PostgresStore as PostgresStore
    from codex_oauth.listener.async_listener import AsyncCallbackListener as AsyncCallbackListener
    from codex_oauth.listener.sync_listener import CallbackListener as CallbackListener
    from codex_oauth.pool.flow_pool import FlowPool as FlowPool
    from codex_oauth.sign_in import login as login
    from codex_oauth.store_login import afinish_sign_in as afinish_sign_in
    from codex_oauth.store_login import finish_sign_in as finish_sign_in
    from codex_oauth.stores.file_store import FileStore as FileStore
    from codex_oauth.stores.memory_store import MemoryStore as MemoryStore
    from codex_oauth.stores.sealed_file_store import SealedFileStore as SealedFileStore
    from codex_oauth.stores.store import Store as Store
    from codex_oauth.tokens.auth import AsyncTokenRequestsAuth as AsyncTokenRequestsAuth
    from codex_oauth.tokens.auth import CodexAuth as CodexAuth
    from codex_oauth.tokens.auth import CodexRequestsAuth as CodexRequestsAuth
    from codex_oauth.tokens.auth import TokenAuth as TokenAuth
    from codex_oauth.tokens.auth import TokenRequestsAuth as TokenRequestsAuth
    from codex_oauth.tokens.hosts import HostNotAllowed as HostNotAllowed
    from codex_oauth.tokens.notes import CodexOAuthWarning as CodexOAuthWarning
    from codex_oauth.tokens.refresh import RefreshIncomplete as RefreshIncomplete
    from codex_oauth.tokens.refresh import arefresh as arefresh
    from codex_oauth.tokens.refresh import refresh as refresh
    from codex_oauth.tokens.token_source import TokenSource as TokenSource
    from codex_oauth.tokens.token_sources import TokenSources as TokenSources
    from codex_oauth.worlds.anyio_world import AnyioWorld as AnyioWorld
    from codex_oauth.worlds.async_httpx_world import AsyncHttpxWorld as AsyncHttpxWorld
    from codex_oauth.worlds.httpx_world import HttpxWorld as HttpxWorld
    from codex_oauth.worlds.prompted import AsyncPromptedWorld as AsyncPromptedWorld
    from codex_oauth.worlds.prompted import PromptedWorld as PromptedWorld
    from codex_oauth.worlds.storing import AsyncStoringWorld as AsyncStoringWorld
    from codex_oauth.worlds.storing import StoringWorld as StoringWorld
    from codex_oauth.worlds.world import AsyncWorld as AsyncWorld
    from codex_oauth.worlds.world import World as World
    from codex_oauth.worlds.world import arun as arun
    from codex_oauth.worlds.world import run as run
    from codex_oauth_core import CHATGPT as CHATGPT
    from codex_oauth_core import CODEX as CODEX
    from codex_oauth_core import BrowserFlow as BrowserFlow
    from codex_oauth_core import BrowserPrompt as BrowserPrompt
    from codex_oauth_core import CheckpointError as CheckpointError
    from codex_oauth_core import Credential as Credential
    from codex_oauth_core import Deposit as Deposit
    from codex_oauth_core import DeviceFlow as DeviceFlow
    from codex_oauth_core import DevicePrompt as DevicePrompt
    from codex_oauth_core import ErrorKind as ErrorKind
    from codex_oauth_core import Finished as Finished
    from codex_oauth_core import FinishSignIn as FinishSignIn
    from codex_oauth_core import IllegalEvent as IllegalEvent
    from codex_oauth_core import Provider as Provider
    from codex_oauth_core import Record as Record
    from codex_oauth_core import Recorder as Recorder
    from codex_oauth_core import Renewal as Renewal
    from codex_oauth_core import RenewalPolicy as RenewalPolicy
    from codex_oauth_core import Resumed as Resumed
    from codex_oauth_core import Revocation as Revocation
    from codex_oauth_core import Secret as Secret
    from codex_oauth_core import SendRequest as SendRequest
    from codex_oauth_core import SignedIn as SignedIn
    from codex_oauth_core import SignInError as SignInError
    from codex_oauth_core import Started as Started
    from codex_oauth_core import StoreLogin as StoreLogin
    from codex_oauth_core import Wait as Wait
    from codex_oauth_core import __version__ as __version__
    from codex_oauth_core import provider_of as provider_of
    from codex_oauth_core import restore as restore

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
        "codex_oauth.clients.aiohttp_middleware": ("aiohttp_middleware",),
        "codex_oauth.clients.explain": ("explain",),
        "codex_oauth.clients.langchain_provider": ("langchain_provider",),
        "codex_oauth.clients.openai_client": ("async_openai_client", "openai_client"),
        "codex_oauth.clients.transport": ("AsyncCodexTransport", "CodexTransport"),
        "codex_oauth.store_login": ("afinish_sign_in", "finish_sign_in"),
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
