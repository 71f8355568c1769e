# Where each name of this package lives: for editors and type checkers, which run nothing.
# Written by `make fmt` from the table in __init__.py; change that one.

from codex_oauth_core._version import __version__ as __version__
from codex_oauth_core.callback import Accepted as Accepted
from codex_oauth_core.callback import CallbackRule as CallbackRule
from codex_oauth_core.callback import Rejected as Rejected
from codex_oauth_core.chatgpt import CHATGPT as CHATGPT
from codex_oauth_core.checkpoints.codec import CheckpointError as CheckpointError
from codex_oauth_core.checkpoints.restore import restore as restore
from codex_oauth_core.codex import CODEX as CODEX
from codex_oauth_core.credential import Credential as Credential
from codex_oauth_core.credential import DeviceAuthorization as DeviceAuthorization
from codex_oauth_core.effect_unions import Effect as Effect
from codex_oauth_core.effect_unions import SignInEffect as SignInEffect
from codex_oauth_core.effects import BrowserPrompt as BrowserPrompt
from codex_oauth_core.effects import DevicePrompt as DevicePrompt
from codex_oauth_core.effects import Finished as Finished
from codex_oauth_core.effects import Prompt as Prompt
from codex_oauth_core.effects import Request as Request
from codex_oauth_core.effects import RequestHeaders as RequestHeaders
from codex_oauth_core.effects import SendRequest as SendRequest
from codex_oauth_core.effects import Wait as Wait
from codex_oauth_core.effects import Why as Why
from codex_oauth_core.errors import ErrorKind as ErrorKind
from codex_oauth_core.errors import IllegalEvent as IllegalEvent
from codex_oauth_core.errors import KindFacts as KindFacts
from codex_oauth_core.errors import SignInError as SignInError
from codex_oauth_core.events import CallbackReceived as CallbackReceived
from codex_oauth_core.events import Cancelled as Cancelled
from codex_oauth_core.events import Cause as Cause
from codex_oauth_core.events import Event as Event
from codex_oauth_core.events import Phase as Phase
from codex_oauth_core.events import RequestFailed as RequestFailed
from codex_oauth_core.events import ResponseReceived as ResponseReceived
from codex_oauth_core.events import Resumed as Resumed
from codex_oauth_core.events import Started as Started
from codex_oauth_core.events import StoreAnswered as StoreAnswered
from codex_oauth_core.events import TimeReached as TimeReached
from codex_oauth_core.facts import Approved as Approved
from codex_oauth_core.facts import DeviceFact as DeviceFact
from codex_oauth_core.facts import ExchangeFact as ExchangeFact
from codex_oauth_core.facts import Gone as Gone
from codex_oauth_core.facts import Granted as Granted
from codex_oauth_core.facts import Issued as Issued
from codex_oauth_core.facts import Pending as Pending
from codex_oauth_core.facts import PollFact as PollFact
from codex_oauth_core.facts import RefreshFact as RefreshFact
from codex_oauth_core.facts import Refusal as Refusal
from codex_oauth_core.facts import RevocationFact as RevocationFact
from codex_oauth_core.facts import SlowDown as SlowDown
from codex_oauth_core.facts import Tokens as Tokens
from codex_oauth_core.facts import TryAgain as TryAgain
from codex_oauth_core.facts import Unrecognized as Unrecognized
from codex_oauth_core.flows.browser import BrowserFlow as BrowserFlow
from codex_oauth_core.flows.device import DeviceFlow as DeviceFlow
from codex_oauth_core.flows.finish_sign_in import FinishSignIn as FinishSignIn
from codex_oauth_core.flows.machine import Drivable as Drivable
from codex_oauth_core.flows.renewal import Renewal as Renewal
from codex_oauth_core.flows.renewal_policy import RenewalPolicy as RenewalPolicy
from codex_oauth_core.flows.revoke_login import Revocation as Revocation
from codex_oauth_core.flows.sign_in import SignInFlow as SignInFlow
from codex_oauth_core.flows.store_login import Deposit as Deposit
from codex_oauth_core.flows.store_login import StoreLogin as StoreLogin
from codex_oauth_core.identity import Identity as Identity
from codex_oauth_core.identity import Profile as Profile
from codex_oauth_core.outcomes import Adopted as Adopted
from codex_oauth_core.outcomes import Deposited as Deposited
from codex_oauth_core.outcomes import Kept as Kept
from codex_oauth_core.outcomes import LoginStored as LoginStored
from codex_oauth_core.outcomes import NotRenewed as NotRenewed
from codex_oauth_core.outcomes import Outcome as Outcome
from codex_oauth_core.outcomes import Renewed as Renewed
from codex_oauth_core.outcomes import Revoked as Revoked
from codex_oauth_core.outcomes import SignedIn as SignedIn
from codex_oauth_core.pkce import Pkce as Pkce
from codex_oauth_core.provider import AuthorizationRequest as AuthorizationRequest
from codex_oauth_core.provider import CodeInHand as CodeInHand
from codex_oauth_core.provider import Dialect as Dialect
from codex_oauth_core.provider import Provider as Provider
from codex_oauth_core.provider import Required as Required
from codex_oauth_core.provider import use_is_off as use_is_off
from codex_oauth_core.providers import provider_of as provider_of
from codex_oauth_core.reading.json_body import MAX_BODY as MAX_BODY
from codex_oauth_core.reading.json_body import as_object as as_object
from codex_oauth_core.reading.json_body import read_json as read_json
from codex_oauth_core.reading.times import read_interval as read_interval
from codex_oauth_core.reading.times import read_seconds as read_seconds
from codex_oauth_core.reading.times import retry_after as retry_after
from codex_oauth_core.record import Intent as Intent
from codex_oauth_core.record import Record as Record
from codex_oauth_core.record import read_record as read_record
from codex_oauth_core.record import write_record as write_record
from codex_oauth_core.registration import Registration as Registration
from codex_oauth_core.registration import read_registration as read_registration
from codex_oauth_core.registration import write_registration as write_registration
from codex_oauth_core.rendering import Rendered as Rendered
from codex_oauth_core.rendering import Renderers as Renderers
from codex_oauth_core.secret import Secret as Secret
from codex_oauth_core.settings import BadSetting as BadSetting
from codex_oauth_core.settings import SettingFault as SettingFault
from codex_oauth_core.storage import Register as Register
from codex_oauth_core.storage import Registered as Registered
from codex_oauth_core.texts import Texts as Texts
from codex_oauth_core.traces import Replay as Replay
from codex_oauth_core.traces import Trace as Trace
from codex_oauth_core.traces import TraceError as TraceError
from codex_oauth_core.traces import read_trace as read_trace
from codex_oauth_core.traces import replay as replay
from codex_oauth_core.traces.recorder import Recorder as Recorder

__all__ = [
    "CHATGPT",
    "CODEX",
    "MAX_BODY",
    "Accepted",
    "Adopted",
    "Approved",
    "AuthorizationRequest",
    "BadSetting",
    "BrowserFlow",
    "BrowserPrompt",
    "CallbackReceived",
    "CallbackRule",
    "Cancelled",
    "Cause",
    "CheckpointError",
    "CodeInHand",
    "Credential",
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
    "FinishSignIn",
    "Finished",
    "Gone",
    "Granted",
    "Identity",
    "IllegalEvent",
    "Intent",
    "Issued",
    "Kept",
    "KindFacts",
    "LoginStored",
    "NotRenewed",
    "Outcome",
    "Pending",
    "Phase",
    "Pkce",
    "PollFact",
    "Profile",
    "Prompt",
    "Provider",
    "Record",
    "Recorder",
    "RefreshFact",
    "Refusal",
    "Register",
    "Registered",
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
    "Secret",
    "SendRequest",
    "SettingFault",
    "SignInEffect",
    "SignInError",
    "SignInFlow",
    "SignedIn",
    "SlowDown",
    "Started",
    "StoreAnswered",
    "StoreLogin",
    "Texts",
    "TimeReached",
    "Tokens",
    "Trace",
    "TraceError",
    "TryAgain",
    "Unrecognized",
    "Wait",
    "Why",
    "__version__",
    "as_object",
    "provider_of",
    "read_interval",
    "read_json",
    "read_record",
    "read_registration",
    "read_seconds",
    "read_trace",
    "replay",
    "restore",
    "retry_after",
    "use_is_off",
    "write_record",
    "write_registration",
]
