"""One renewal without a store: a refresh token in, a credential out.

Rules of this file: exactly one exchange, whatever comes of it; what a server issued is never dropped, even
where the answer cannot be accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from codex_oauth.clock import now
from codex_oauth.default_provider import default_provider
from codex_oauth.event_loops import load_anyio
from codex_oauth.loading import loading
from codex_oauth.worlds.lazy_world import UsualWorld
from codex_oauth.worlds.world import World
from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import SendRequest
from codex_oauth_core.errors import NO_ENDPOINT, ErrorKind, SignInError
from codex_oauth_core.events import Event, RequestFailed, ResponseReceived
from codex_oauth_core.facts import Granted, Refusal, Tokens, TryAgain
from codex_oauth_core.flows.machine import error_of, refusal_of, transient_of
from codex_oauth_core.flows.no_answer import naming, why_no_answer
from codex_oauth_core.flows.renewal_policy import RenewalPolicy
from codex_oauth_core.flows.renewed_record import UNUSABLE, renewed_credential
from codex_oauth_core.provider import Provider
from codex_oauth_core.secret import Secret

if TYPE_CHECKING:
    from codex_oauth.tokens.flight import Job

__all__ = ["RefreshIncomplete", "arefresh", "refresh"]

_TIMEOUT: Final = RenewalPolicy().request_timeout


@attrs.define(eq=False, repr=False)
class RefreshIncomplete(SignInError):
    """The refresh token was exchanged, but the answer does not make a credential: `kind` and `details` say
    why. The old refresh token is spent; continue with the tokens of this error. A token that the server left
    out is None.
    """

    refresh_token: Secret[str] | None = None
    access_token: Secret[str] | None = None


def refresh(
    refresh_token: str | Secret[str],
    provider: Provider | None = None,
    *,
    account_id: str | None = None,
    make_world: Callable[[], World] | None = None,
) -> Credential:
    """Exchange a refresh token for a new credential (RFC 6749 §6), once. Nothing is stored.

    The refresh token rotates: this call spends it, also if it fails with `details["uncertain"]`. Sending a
    spent token again ends the whole login. Store the new credential before you do anything else; a
    `TokenSource` does all this. Do not interrupt the call: the new tokens would be lost. If the answer has no
    new refresh token, the old one is still valid, and is in the new credential.

    `provider`: the server that issued the token; by default `CODEX`, at the issuer that the variable
    `CODEX_OAUTH_ISSUER` names, if it is set. `account_id`: the account of the login; by default the new token
    says it. Raises SignInError. Raises its subclass `RefreshIncomplete`, with the tokens, if the answer does
    not make a credential: it has no usable access token, or it is for another account than `account_id`
    (`account_changed`).
    """
    token = refresh_token if isinstance(refresh_token, Secret) else Secret(refresh_token)
    del refresh_token  # not in the frame of an error
    return _result(_begun(token, default_provider(provider), account_id, make_world).wait())


async def arefresh(
    refresh_token: str | Secret[str],
    provider: Provider | None = None,
    *,
    account_id: str | None = None,
    make_world: Callable[[], World] | None = None,
) -> Credential:
    """`refresh()` for asyncio and trio. A cancel scope of anyio or trio waits for its result; `Task.cancel()`
    of asyncio does not.
    """
    load_anyio()
    from anyio import CancelScope

    token = refresh_token if isinstance(refresh_token, Secret) else Secret(refresh_token)
    del refresh_token  # not in the frame of an error
    flight = _begun(token, default_provider(provider), account_id, make_world)
    with CancelScope(shield=True):
        await flight.wait_async()
    return _result(flight.wait())


def _begun(
    token: Secret[str],
    provider: Provider,
    account_id: str | None,
    make_world: Callable[[], World] | None,
) -> Job[Credential | SignInError]:
    with loading("codex_oauth.tokens.flight"):
        from codex_oauth.tokens.flight import Job

    def work() -> Credential | SignInError:
        request = provider.dialect.refresh_request(provider, token)
        if request is None:
            return SignInError.of(ErrorKind.LOGIN_REQUIRED, reason=NO_ENDPOINT)
        with (make_world or UsualWorld(now))() as world:
            sent = SendRequest(request, _TIMEOUT, once=True)
            return _judged(sent, world.perform(sent), token, provider, account_id)

    flight = Job(work, after=lambda _: None, cancel=lambda: None)
    if not flight.start():
        flight.run()
    return flight


def _result(outcome: Credential | SignInError) -> Credential:
    if isinstance(outcome, SignInError):
        raise outcome
    return outcome


def _judged(
    request: SendRequest, event: Event, token: Secret[str], provider: Provider, account_id: str | None
) -> Credential | SignInError:
    if isinstance(event, RequestFailed):
        failure = transient_of(event)
        return naming(why_no_answer(request, event, failure.kind), _failed(failure, token, provider))
    if not isinstance(event, ResponseReceived):
        return SignInError.of(ErrorKind.CANCELLED)
    fact = provider.dialect.read_refresh(provider, event)
    if isinstance(fact, Granted):
        return _granted(fact.tokens, event, token, provider, account_id)
    return _failed(fact, token, provider)


def _failed(fact: TryAgain | Refusal, token: Secret[str], provider: Provider) -> SignInError:
    if isinstance(fact, TryAgain):
        fact = attrs.evolve(refusal_of(fact), uncertain=fact.maybe_answered)
    return error_of(fact, (token,), texts=provider.texts)


def _granted(
    tokens: Tokens, event: ResponseReceived, token: Secret[str], provider: Provider, account_id: str | None
) -> Credential | SignInError:
    if tokens.refusal is not None:
        return _incomplete(tokens.refusal.kind, tokens, provider, reason=tokens.refusal.reason)
    if tokens.access_token is None:
        return _incomplete(ErrorKind.INVALID_RESPONSE, tokens, provider, reason=tokens.problem)
    if account_id is not None and tokens.account_id not in (None, account_id):
        return _incomplete(ErrorKind.ACCOUNT_CHANGED, tokens, provider)
    old = Credential(
        access_token=UNUSABLE,
        refresh_token=token,
        account_id=account_id,
        issuer=provider.issuer,
        client_id=provider.client_id,
        obtained_at="",
    )
    return renewed_credential(old, tokens, event)


def _incomplete(
    kind: ErrorKind, tokens: Tokens, provider: Provider, *, reason: str | None = None
) -> RefreshIncomplete:
    facts = provider.texts.facts(kind)
    details = {} if reason is None else {"reason": reason}
    return RefreshIncomplete(
        kind=kind,
        message=facts.message,
        details=details,
        retryable=False,
        next_actions=facts.next_actions,
        refresh_token=tokens.refresh_token,
        access_token=tokens.access_token,
    )
