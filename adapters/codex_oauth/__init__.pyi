# Where each name of this package lives: for editors and type checkers, which run nothing.
# Written by `make fmt` from the table in __init__.py; change that one.

from codex_oauth.asign_in import alogin as alogin
from codex_oauth.browser.paste import PasteSource as PasteSource
from codex_oauth.clients.aiohttp_middleware import aiohttp_middleware as aiohttp_middleware
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
from codex_oauth.stored_login import afinish_sign_in as afinish_sign_in
from codex_oauth.stored_login import astore_login as astore_login
from codex_oauth.stored_login import finish_sign_in as finish_sign_in
from codex_oauth.stored_login import store_login as store_login
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

__all__ = [
    "CHATGPT",
    "CODEX",
    "AnyioWorld",
    "AsyncCallbackListener",
    "AsyncCodexTransport",
    "AsyncHttpxWorld",
    "AsyncPromptedWorld",
    "AsyncStoringWorld",
    "AsyncTokenRequestsAuth",
    "AsyncWorld",
    "BrowserFlow",
    "BrowserPrompt",
    "CallbackListener",
    "CheckpointError",
    "CodexAuth",
    "CodexOAuthWarning",
    "CodexRequestsAuth",
    "CodexTransport",
    "Credential",
    "Deposit",
    "DeviceFlow",
    "DevicePrompt",
    "ErrorKind",
    "FileStore",
    "FinishSignIn",
    "Finished",
    "FleetPool",
    "FlowPool",
    "HostNotAllowed",
    "HttpxWorld",
    "IllegalEvent",
    "MemoryStore",
    "PasteSource",
    "PostgresStore",
    "PromptedWorld",
    "Provider",
    "Record",
    "Recorder",
    "RefreshIncomplete",
    "Renewal",
    "RenewalPolicy",
    "Resumed",
    "Revocation",
    "SealedFileStore",
    "Secret",
    "SendRequest",
    "SignInError",
    "SignedIn",
    "Started",
    "Store",
    "StoreLogin",
    "StoringWorld",
    "TokenAuth",
    "TokenRequestsAuth",
    "TokenSource",
    "TokenSources",
    "Wait",
    "World",
    "__version__",
    "afinish_sign_in",
    "aiohttp_middleware",
    "alogin",
    "arefresh",
    "arun",
    "astore_login",
    "async_openai_client",
    "finish_sign_in",
    "langchain_provider",
    "login",
    "new_pkce",
    "new_state",
    "openai_client",
    "provider_of",
    "refresh",
    "restore",
    "run",
    "store_login",
]
