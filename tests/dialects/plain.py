"""A dialect of the RFCs alone: 8628 for devices, 8252 and 7636 for browsers, 6749 for renewals, 7009 for the end.

Rules of this file: public names only; the error code decides before the status; a reader never raises, whatever the
answer is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from codex_oauth import (
    AuthorizationRequest,
    CodeInHand,
    DeviceAuthorization,
    DeviceFact,
    Dialect,
    ErrorKind,
    ExchangeFact,
    Granted,
    Issued,
    Pending,
    PollFact,
    Provider,
    RefreshFact,
    Refusal,
    Request,
    ResponseReceived,
    RevocationFact,
    Secret,
    SlowDown,
    Tokens,
    TryAgain,
    as_object,
    read_interval,
    read_json,
    read_seconds,
    retry_after,
)

__all__ = ["PLAIN", "provider_at"]

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
FORM = (("Content-Type", "application/x-www-form-urlencoded"),)


# -- what is sent --------------------------------------------------------------------------------------


def post(provider: Provider, url: str | None, fields: Mapping[str, str]) -> Request | None:
    """A form; None where the provider has no such endpoint."""
    if url is None:
        return None
    body = urlencode({name: value for name, value in fields.items() if value})
    return Request("POST", url, (*provider.headers, *FORM), Secret(body.encode()))


def device_authorization_request(provider: Provider) -> Request | None:
    if provider.token_endpoint is None:  # a poll would have no address
        return None
    fields = {"client_id": provider.client_id, "scope": " ".join(provider.scopes)}
    return post(provider, provider.device_authorization_endpoint, fields)


def poll_request(provider: Provider, device: DeviceAuthorization) -> Request | None:
    code = device.device_auth_id.reveal()
    fields = {"grant_type": DEVICE_GRANT, "device_code": code, "client_id": provider.client_id}
    return post(provider, provider.token_endpoint, fields)


def authorize_url(provider: Provider, asked: AuthorizationRequest) -> Secret[str] | None:
    endpoint = provider.authorization_endpoint
    if endpoint is None or provider.token_endpoint is None:
        return None
    fields = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": asked.redirect_uri,
        "scope": " ".join(provider.scopes),
        "state": asked.state.reveal(),
        "code_challenge": asked.code_challenge,
        "code_challenge_method": "S256",
    }
    glue = "&" if "?" in endpoint else "?"
    query = urlencode({name: value for name, value in fields.items() if value})
    return Secret(f"{endpoint}{glue}{query}")


def exchange_request(provider: Provider, code: CodeInHand) -> Request | None:
    fields = {
        "grant_type": "authorization_code",
        "client_id": provider.client_id,
        "code": code.authorization_code.reveal(),
        "code_verifier": code.code_verifier.reveal(),
        "redirect_uri": code.redirect_uri,
    }
    return post(provider, provider.token_endpoint, fields)


def refresh_request(provider: Provider, refresh_token: Secret[str]) -> Request | None:
    token = refresh_token.reveal()
    fields = {"grant_type": "refresh_token", "client_id": provider.client_id, "refresh_token": token}
    return post(provider, provider.token_endpoint, fields)


def revocation_request(provider: Provider, token: Secret[str], hint: str) -> Request | None:
    fields = {"token": token.reveal(), "token_type_hint": hint, "client_id": provider.client_id}
    return post(provider, provider.revocation_endpoint, fields)


# -- what comes back -----------------------------------------------------------------------------------


WORD = re.compile(r"[a-z0-9_.:-]{1,64}", re.ASCII)
VISIBLE = re.compile(r"[\x21-\x7e]{1,16384}", re.ASCII)


def fields_of(response: ResponseReceived) -> Mapping[str, object]:
    """The members of the answer; none if it is no JSON object."""
    return as_object(read_json(response.body.reveal()))


def code_of(fields: Mapping[str, object]) -> str | None:
    """The error code (RFC 6749 §5.2), if there is one; `other` for what is no word."""
    error = fields.get("error")
    if error is None:
        return None
    return error if isinstance(error, str) and WORD.fullmatch(error) else "other"


def failure_of(response: ResponseReceived, code: str | None, *, maybe_answered: bool) -> TryAgain | None:
    """A server that cannot answer now, or what is no answer of its own; None for everything else."""
    status = response.status
    pause = retry_after(response.headers, response.wall)
    if status == 429:
        return TryAgain(ErrorKind.RATE_LIMITED, False, pause, code, status)
    if status >= 500 or status == 408:
        return TryAgain(ErrorKind.NETWORK, maybe_answered, pause, code, status)
    if code is None and not 200 <= status < 300:
        return TryAgain(ErrorKind.BLOCKED, maybe_answered, pause, code, status)
    return None


def text_in(fields: Mapping[str, object], *names: str) -> str | None:
    """The first of these members that is a text of visible ASCII."""
    values = (fields.get(name) for name in names)
    return next((each for each in values if isinstance(each, str) and VISIBLE.fullmatch(each)), None)


def read_device_authorization(provider: Provider, response: ResponseReceived) -> DeviceFact:
    fields = fields_of(response)
    code = code_of(fields)
    if (failure := failure_of(response, code, maybe_answered=False)) is not None:
        return failure
    if code is not None:
        return Refusal(ErrorKind.DEVICE_AUTH_FAILED, code, response.status)
    device_code, user_code = text_in(fields, "device_code"), fields.get("user_code")
    page = text_in(fields, "verification_uri", "verification_url")
    lifetime = read_seconds(fields.get("expires_in"))
    if device_code is None or not isinstance(user_code, str) or page is None or not lifetime:
        return Refusal(ErrorKind.INVALID_RESPONSE, None, response.status)
    return Issued(
        DeviceAuthorization(
            device_auth_id=Secret(device_code),
            user_code=user_code,
            interval=read_interval(fields.get("interval")) or 5.0,
            verification_uri=page,
            expires_in=lifetime,
            verification_uri_complete=text_in(fields, "verification_uri_complete"),
        )
    )


def read_poll(provider: Provider, response: ResponseReceived) -> PollFact:
    fields = fields_of(response)
    code, pause = code_of(fields), retry_after(response.headers, response.wall)
    match code:
        case "authorization_pending":
            return Pending()
        case "slow_down":
            return SlowDown(read_interval(fields.get("interval")), pause)
        case "access_denied":
            return Refusal(ErrorKind.DENIED, code, response.status)
        case "expired_token":
            return Refusal(ErrorKind.EXPIRED, code, response.status)
        case _:
            pass
    if (failure := failure_of(response, code, maybe_answered=True)) is not None:
        return failure
    if code is not None:  # any other error stops the polling (RFC 8628 §3.5)
        return Refusal(ErrorKind.DEVICE_AUTH_FAILED, code, response.status)
    return granted(fields) or Refusal(ErrorKind.INVALID_RESPONSE, None, response.status)


def read_exchange(provider: Provider, code: CodeInHand, response: ResponseReceived) -> ExchangeFact:
    fields = fields_of(response)
    error = code_of(fields)
    if error is None and 200 <= response.status < 300 and (found := granted(fields)) is not None:
        return found
    refused = error is not None and 400 <= response.status < 500
    return Refusal(ErrorKind.TOKEN_REQUEST_FAILED, error, response.status, uncertain=not refused)


def read_refresh(provider: Provider, response: ResponseReceived) -> RefreshFact:
    fields = fields_of(response)
    code = code_of(fields)
    if 200 <= response.status < 300 and (found := granted(fields)) is not None:
        return found
    match code:
        case "invalid_grant":
            return Refusal(ErrorKind.LOGIN_REQUIRED, code, response.status, message=login_over(code))
        case "invalid_client" | "unauthorized_client":
            return Refusal(ErrorKind.CLIENT_REJECTED, code, response.status)
        case _:
            pass
    if (failure := failure_of(response, code, maybe_answered=True)) is not None:
        return failure
    if code is not None:
        return Refusal(ErrorKind.INVALID_RESPONSE, code, response.status)
    return TryAgain(ErrorKind.INVALID_RESPONSE, True, status=response.status)


def login_over(code: str) -> str | None:
    return "The login has expired, or was ended." if code == "invalid_grant" else None


def read_revocation(provider: Provider, response: ResponseReceived) -> RevocationFact:
    if 200 <= response.status < 300:  # whatever its body says (RFC 7009 §2.2)
        return True
    code = code_of(fields_of(response))
    return failure_of(response, code, maybe_answered=True) or False


def granted(fields: Mapping[str, object]) -> Granted | None:
    """The tokens of an answer, field by field; None if there are none at all."""
    access, refresh = text_in(fields, "access_token"), text_in(fields, "refresh_token")
    if access is None and refresh is None:
        return None
    kind, scope = fields.get("token_type"), fields.get("scope")
    bearer = isinstance(kind, str) and kind.lower() == "bearer"  # required (RFC 6749 §5.1)
    return Granted(
        Tokens(
            access_token=Secret(access) if access and bearer else None,
            refresh_token=Secret(refresh) if refresh else None,
            expires_in=read_seconds(fields.get("expires_in")) or None,
            scopes=tuple(scope.split()) if isinstance(scope, str) else None,
            problem=None if bearer else "token_type",
            refresh_token_unusable=refresh is None and fields.get("refresh_token") is not None,
        )
    )


# -- the dialect, and a provider that speaks it --------------------------------------------------------


PLAIN = Dialect(
    device_authorization_request=device_authorization_request,
    read_device_authorization=read_device_authorization,
    poll_request=poll_request,
    read_poll=read_poll,
    authorize_url=authorize_url,
    exchange_request=exchange_request,
    read_exchange=read_exchange,
    refresh_request=refresh_request,
    read_refresh=read_refresh,
    login_over_message=login_over,
    revocation_request=revocation_request,
    read_revocation=read_revocation,
)


def provider_at(issuer: str, client_id: str) -> Provider:
    """A server whose endpoints are where many have them: take them from its metadata (RFC 8414 §2)."""
    return Provider(
        issuer=issuer,
        client_id=client_id,
        scopes=("profile", "offline_access"),
        authorization_endpoint=f"{issuer}/authorize",
        token_endpoint=f"{issuer}/token",
        device_authorization_endpoint=f"{issuer}/device_authorization",
        revocation_endpoint=f"{issuer}/revoke",
        redirect_host="127.0.0.1",
        redirect_path="/callback",
        names_itself=True,
        hosts=("api.home.example",),
        dialect=PLAIN,
    )
