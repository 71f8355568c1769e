# Where each name of this package lives: for editors and type checkers, which run nothing.
# Written by `make fmt` from the table in __init__.py; change that one.

from codex_oauth.asign_in import AsyncOnPrompt as AsyncOnPrompt
from codex_oauth.asign_in import AsyncWorldMaker as AsyncWorldMaker
from codex_oauth.asign_in import alogin as alogin
from codex_oauth.browser.choose import choose_here as choose_here
from codex_oauth.browser.paste import PasteSource as PasteSource
from codex_oauth.clients.aiohttp_middleware import aiohttp_middleware as aiohttp_middleware
from codex_oauth.clients.explain import explain as explain
from codex_oauth.clients.langchain_provider import langchain_provider as langchain_provider
from codex_oauth.clients.openai_client import async_openai_client as async_openai_client
from codex_oauth.clients.openai_client import openai_client as openai_client
from codex_oauth.clients.transport import AsyncCodexTransport as AsyncCodexTransport
from codex_oauth.clients.transport import CodexTransport as CodexTransport
from codex_oauth.clock import Clock as Clock
from codex_oauth.clock import instant as instant
from codex_oauth.clock import now as now
from codex_oauth.entropy import new_pkce as new_pkce
from codex_oauth.entropy import new_state as new_state
from codex_oauth.event_loops import on_this_loop as on_this_loop
from codex_oauth.event_loops import shielded as shielded
from codex_oauth.fleet.fleet_pool import FleetPool as FleetPool
from codex_oauth.fleet.postgres_store import PostgresStore as PostgresStore
from codex_oauth.listener.async_listener import AsyncCallbackListener as AsyncCallbackListener
from codex_oauth.listener.sync_listener import CallbackListener as CallbackListener
from codex_oauth.pool.flow_pool import FlowPool as FlowPool
from codex_oauth.pool.handle import Handle as Handle
from codex_oauth.pool.put_down import UnfinishedPutDown as UnfinishedPutDown
from codex_oauth.sealing import Keys as Keys
from codex_oauth.sealing import new_key as new_key
from codex_oauth.sealing import seal as seal
from codex_oauth.sealing import unseal as unseal
from codex_oauth.sign_in import OnPrompt as OnPrompt
from codex_oauth.sign_in import Recording as Recording
from codex_oauth.sign_in import WorldMaker as WorldMaker
from codex_oauth.sign_in import login as login
from codex_oauth.sign_in_client import SignInClient as SignInClient
from codex_oauth.sign_in_client import client_for as client_for
from codex_oauth.stored_login import aend_login as aend_login
from codex_oauth.stored_login import afinish_sign_in as afinish_sign_in
from codex_oauth.stored_login import astore_login as astore_login
from codex_oauth.stored_login import end_login as end_login
from codex_oauth.stored_login import finish_sign_in as finish_sign_in
from codex_oauth.stored_login import store_login as store_login
from codex_oauth.stores.file_store import FileStore as FileStore
from codex_oauth.stores.find import profile_of as profile_of
from codex_oauth.stores.memory_store import MemoryStore as MemoryStore
from codex_oauth.stores.registrations import host_id as host_id
from codex_oauth.stores.sealed_file_store import SealedFileStore as SealedFileStore
from codex_oauth.stores.store import Conflict as Conflict
from codex_oauth.stores.store import Deleted as Deleted
from codex_oauth.stores.store import KeepsRegistrations as KeepsRegistrations
from codex_oauth.stores.store import LockedLogin as LockedLogin
from codex_oauth.stores.store import Saved as Saved
from codex_oauth.stores.store import SaveFailed as SaveFailed
from codex_oauth.stores.store import Slot as Slot
from codex_oauth.stores.store import Store as Store
from codex_oauth.stores.store import StoreWarning as StoreWarning
from codex_oauth.stores.toolkit import INTENT_LIFE as INTENT_LIFE
from codex_oauth.stores.toolkit import SEND_BY as SEND_BY
from codex_oauth.stores.toolkit import best_leftover as best_leftover
from codex_oauth.stores.toolkit import check_key as check_key
from codex_oauth.stores.toolkit import draw_owner as draw_owner
from codex_oauth.stores.toolkit import is_pending as is_pending
from codex_oauth.stores.toolkit import is_young as is_young
from codex_oauth.stores.toolkit import our_intent as our_intent
from codex_oauth.stores.toolkit import without_traceback as without_traceback
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
from codex_oauth.transport.aiohttp_poll_transport import AiohttpPollTransport as AiohttpPollTransport
from codex_oauth.transport.aiohttp_transport import AiohttpTransport as AiohttpTransport
from codex_oauth.transport.async_httpx_transport import AsyncHttpxTransport as AsyncHttpxTransport
from codex_oauth.transport.async_limit import within as within
from codex_oauth.transport.deadline import LATE_READS as LATE_READS
from codex_oauth.transport.deadline import Deadline as Deadline
from codex_oauth.transport.deadline import StopRequested as StopRequested
from codex_oauth.transport.deadline import TimeUp as TimeUp
from codex_oauth.transport.httpx_transport import HttpxTransport as HttpxTransport
from codex_oauth.transport.protocol import AsyncSendOutcome as AsyncSendOutcome
from codex_oauth.transport.protocol import AsyncTransport as AsyncTransport
from codex_oauth.transport.protocol import SendOutcome as SendOutcome
from codex_oauth.transport.protocol import Transport as Transport
from codex_oauth.transport.protocol import never as never
from codex_oauth.transport.unlogged import unlogged as unlogged
from codex_oauth.transport.writable import check_writable as check_writable
from codex_oauth.transport.writable import request_target as request_target
from codex_oauth.worlds.aiohttp_world import AiohttpWorld as AiohttpWorld
from codex_oauth.worlds.anyio_world import AnyioWorld as AnyioWorld
from codex_oauth.worlds.async_httpx_world import AsyncHttpxWorld as AsyncHttpxWorld
from codex_oauth.worlds.callbacks import CallbackSource as CallbackSource
from codex_oauth.worlds.callbacks import Sources as Sources
from codex_oauth.worlds.callbacks import answer_of as answer_of
from codex_oauth.worlds.httpx_world import HttpxWorld as HttpxWorld
from codex_oauth.worlds.prompted import AsyncPromptedWorld as AsyncPromptedWorld
from codex_oauth.worlds.prompted import PromptedWorld as PromptedWorld
from codex_oauth.worlds.registering import AsyncRegisteringWorld as AsyncRegisteringWorld
from codex_oauth.worlds.registering import RegisteringWorld as RegisteringWorld
from codex_oauth.worlds.storing import AsyncStoringWorld as AsyncStoringWorld
from codex_oauth.worlds.storing import StoringWorld as StoringWorld
from codex_oauth.worlds.sync_world import SyncWorld as SyncWorld
from codex_oauth.worlds.twisted_world import TwistedWorld as TwistedWorld
from codex_oauth.worlds.urllib_world import UrllibWorld as UrllibWorld
from codex_oauth.worlds.world import AsyncPerformer as AsyncPerformer
from codex_oauth.worlds.world import AsyncWorld as AsyncWorld
from codex_oauth.worlds.world import Performer as Performer
from codex_oauth.worlds.world import World as World
from codex_oauth.worlds.world import arun as arun
from codex_oauth.worlds.world import run as run
from codex_oauth_core import CHATGPT as CHATGPT
from codex_oauth_core import CODEX as CODEX
from codex_oauth_core import MAX_BODY as MAX_BODY
from codex_oauth_core import Accepted as Accepted
from codex_oauth_core import Adopted as Adopted
from codex_oauth_core import Approved as Approved
from codex_oauth_core import AuthorizationRequest as AuthorizationRequest
from codex_oauth_core import BadSetting as BadSetting
from codex_oauth_core import BrowserFlow as BrowserFlow
from codex_oauth_core import BrowserPrompt as BrowserPrompt
from codex_oauth_core import CallbackReceived as CallbackReceived
from codex_oauth_core import CallbackRule as CallbackRule
from codex_oauth_core import Cancelled as Cancelled
from codex_oauth_core import Cause as Cause
from codex_oauth_core import CheckpointError as CheckpointError
from codex_oauth_core import CodeInHand as CodeInHand
from codex_oauth_core import Credential as Credential
from codex_oauth_core import Deposit as Deposit
from codex_oauth_core import Deposited as Deposited
from codex_oauth_core import DeviceAuthorization as DeviceAuthorization
from codex_oauth_core import DeviceFact as DeviceFact
from codex_oauth_core import DeviceFlow as DeviceFlow
from codex_oauth_core import DevicePrompt as DevicePrompt
from codex_oauth_core import Dialect as Dialect
from codex_oauth_core import Drivable as Drivable
from codex_oauth_core import Effect as Effect
from codex_oauth_core import ErrorKind as ErrorKind
from codex_oauth_core import Event as Event
from codex_oauth_core import ExchangeFact as ExchangeFact
from codex_oauth_core import Finished as Finished
from codex_oauth_core import FinishSignIn as FinishSignIn
from codex_oauth_core import Gone as Gone
from codex_oauth_core import Granted as Granted
from codex_oauth_core import Identity as Identity
from codex_oauth_core import IllegalEvent as IllegalEvent
from codex_oauth_core import Intent as Intent
from codex_oauth_core import Issued as Issued
from codex_oauth_core import Kept as Kept
from codex_oauth_core import KindFacts as KindFacts
from codex_oauth_core import LoginStored as LoginStored
from codex_oauth_core import NotRenewed as NotRenewed
from codex_oauth_core import Outcome as Outcome
from codex_oauth_core import Pending as Pending
from codex_oauth_core import Phase as Phase
from codex_oauth_core import Pkce as Pkce
from codex_oauth_core import PollFact as PollFact
from codex_oauth_core import Profile as Profile
from codex_oauth_core import Prompt as Prompt
from codex_oauth_core import Provider as Provider
from codex_oauth_core import Record as Record
from codex_oauth_core import Recorder as Recorder
from codex_oauth_core import RefreshFact as RefreshFact
from codex_oauth_core import Refusal as Refusal
from codex_oauth_core import Register as Register
from codex_oauth_core import Registered as Registered
from codex_oauth_core import Registration as Registration
from codex_oauth_core import Rejected as Rejected
from codex_oauth_core import Rendered as Rendered
from codex_oauth_core import Renderers as Renderers
from codex_oauth_core import Renewal as Renewal
from codex_oauth_core import RenewalPolicy as RenewalPolicy
from codex_oauth_core import Renewed as Renewed
from codex_oauth_core import Replay as Replay
from codex_oauth_core import Request as Request
from codex_oauth_core import RequestFailed as RequestFailed
from codex_oauth_core import RequestHeaders as RequestHeaders
from codex_oauth_core import Required as Required
from codex_oauth_core import ResponseReceived as ResponseReceived
from codex_oauth_core import Resumed as Resumed
from codex_oauth_core import Revocation as Revocation
from codex_oauth_core import RevocationFact as RevocationFact
from codex_oauth_core import Revoked as Revoked
from codex_oauth_core import Secret as Secret
from codex_oauth_core import SendRequest as SendRequest
from codex_oauth_core import SettingFault as SettingFault
from codex_oauth_core import SignedIn as SignedIn
from codex_oauth_core import SignInEffect as SignInEffect
from codex_oauth_core import SignInError as SignInError
from codex_oauth_core import SignInFlow as SignInFlow
from codex_oauth_core import SlowDown as SlowDown
from codex_oauth_core import Started as Started
from codex_oauth_core import StoreAnswered as StoreAnswered
from codex_oauth_core import StoreLogin as StoreLogin
from codex_oauth_core import Texts as Texts
from codex_oauth_core import TimeReached as TimeReached
from codex_oauth_core import Tokens as Tokens
from codex_oauth_core import Trace as Trace
from codex_oauth_core import TraceError as TraceError
from codex_oauth_core import TryAgain as TryAgain
from codex_oauth_core import Unrecognized as Unrecognized
from codex_oauth_core import Wait as Wait
from codex_oauth_core import Why as Why
from codex_oauth_core import __version__ as __version__
from codex_oauth_core import as_object as as_object
from codex_oauth_core import provider_of as provider_of
from codex_oauth_core import read_interval as read_interval
from codex_oauth_core import read_json as read_json
from codex_oauth_core import read_record as read_record
from codex_oauth_core import read_registration as read_registration
from codex_oauth_core import read_seconds as read_seconds
from codex_oauth_core import read_trace as read_trace
from codex_oauth_core import replay as replay
from codex_oauth_core import restore as restore
from codex_oauth_core import retry_after as retry_after
from codex_oauth_core import use_is_off as use_is_off
from codex_oauth_core import write_record as write_record
from codex_oauth_core import write_registration as write_registration

__all__ = [
    "CHATGPT",
    "CODEX",
    "INTENT_LIFE",
    "LATE_READS",
    "MAX_BODY",
    "SEND_BY",
    "Accepted",
    "Adopted",
    "AnyioWorld",
    "Approved",
    "AsyncCallbackListener",
    "AsyncCodexTransport",
    "AsyncHttpxTransport",
    "AsyncHttpxWorld",
    "AsyncOnPrompt",
    "AsyncPerformer",
    "AsyncPromptedWorld",
    "AsyncRegisteringWorld",
    "AsyncSendOutcome",
    "AsyncStoringWorld",
    "AsyncTokenRequestsAuth",
    "AsyncTransport",
    "AsyncWorld",
    "AsyncWorldMaker",
    "AuthorizationRequest",
    "BadSetting",
    "BrowserFlow",
    "BrowserPrompt",
    "CallbackListener",
    "CallbackReceived",
    "CallbackRule",
    "CallbackSource",
    "Cancelled",
    "Cause",
    "CheckpointError",
    "Clock",
    "CodeInHand",
    "CodexAuth",
    "CodexOAuthWarning",
    "CodexRequestsAuth",
    "CodexTransport",
    "Conflict",
    "Credential",
    "Deadline",
    "Deleted",
    "Deposit",
    "Deposited",
    "DeviceAuthorization",
    "DeviceFact",
    "DeviceFlow",
    "DevicePrompt",
    "Dialect",
    "Drivable",
    "Effect",
    "ErrorKind",
    "Event",
    "ExchangeFact",
    "FileStore",
    "FinishSignIn",
    "Finished",
    "FleetPool",
    "FlowPool",
    "Gone",
    "Granted",
    "Handle",
    "HostNotAllowed",
    "HttpxTransport",
    "HttpxWorld",
    "Identity",
    "IllegalEvent",
    "Intent",
    "Issued",
    "KeepsRegistrations",
    "Kept",
    "Keys",
    "KindFacts",
    "LockedLogin",
    "LoginStored",
    "MemoryStore",
    "NotRenewed",
    "OnPrompt",
    "Outcome",
    "PasteSource",
    "Pending",
    "Performer",
    "Phase",
    "Pkce",
    "PollFact",
    "PostgresStore",
    "Profile",
    "Prompt",
    "PromptedWorld",
    "Provider",
    "Record",
    "Recorder",
    "Recording",
    "RefreshFact",
    "RefreshIncomplete",
    "Refusal",
    "Register",
    "Registered",
    "RegisteringWorld",
    "Registration",
    "Rejected",
    "Rendered",
    "Renderers",
    "Renewal",
    "RenewalPolicy",
    "Renewed",
    "Replay",
    "Request",
    "RequestFailed",
    "RequestHeaders",
    "Required",
    "ResponseReceived",
    "Resumed",
    "Revocation",
    "RevocationFact",
    "Revoked",
    "SaveFailed",
    "Saved",
    "SealedFileStore",
    "Secret",
    "SendOutcome",
    "SendRequest",
    "SettingFault",
    "SignInClient",
    "SignInEffect",
    "SignInError",
    "SignInFlow",
    "SignedIn",
    "Slot",
    "SlowDown",
    "Sources",
    "Started",
    "StopRequested",
    "Store",
    "StoreAnswered",
    "StoreLogin",
    "StoreWarning",
    "StoringWorld",
    "SyncWorld",
    "Texts",
    "TimeReached",
    "TimeUp",
    "TokenAuth",
    "TokenRequestsAuth",
    "TokenSource",
    "TokenSources",
    "Tokens",
    "Trace",
    "TraceError",
    "Transport",
    "TryAgain",
    "UnfinishedPutDown",
    "Unrecognized",
    "UrllibWorld",
    "Wait",
    "Why",
    "World",
    "WorldMaker",
    "__version__",
    "aend_login",
    "afinish_sign_in",
    "aiohttp_middleware",
    "alogin",
    "answer_of",
    "arefresh",
    "arun",
    "as_object",
    "astore_login",
    "async_openai_client",
    "best_leftover",
    "check_key",
    "check_writable",
    "choose_here",
    "client_for",
    "draw_owner",
    "end_login",
    "explain",
    "finish_sign_in",
    "host_id",
    "instant",
    "is_pending",
    "is_young",
    "langchain_provider",
    "login",
    "never",
    "new_key",
    "new_pkce",
    "new_state",
    "now",
    "on_this_loop",
    "openai_client",
    "our_intent",
    "profile_of",
    "provider_of",
    "read_interval",
    "read_json",
    "read_record",
    "read_registration",
    "read_seconds",
    "read_trace",
    "refresh",
    "replay",
    "request_target",
    "restore",
    "retry_after",
    "run",
    "seal",
    "shielded",
    "store_login",
    "unlogged",
    "unseal",
    "use_is_off",
    "within",
    "without_traceback",
    "write_record",
    "write_registration",
]
