"""The answer to a device authorization request of the Codex dialect (RFC 8628 §3.2)."""

from __future__ import annotations

import math
import re
from typing import Final

from codex_oauth_core.codex.answers import Answer, is_success, no_answer
from codex_oauth_core.credential import DeviceAuthorization
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.events import ResponseReceived
from codex_oauth_core.facts import DeviceFact, Issued, Refused, TryAgain
from codex_oauth_core.provider import Provider
from codex_oauth_core.reading.numbers import DEFAULT_INTERVAL, read_interval, read_seconds
from codex_oauth_core.reading.times import http_date, iso_date
from codex_oauth_core.secret import Secret

__all__ = ["DEFAULT_LIFETIME", "read_device_authorization"]

DEFAULT_LIFETIME: Final = 900.0
_USER_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{2,62}", re.ASCII)
_LONGEST_ID: Final = 4096


def read_device_authorization(provider: Provider, response: ResponseReceived) -> DeviceFact:
    """What the server says to a new device login."""
    answer = Answer(response)
    status = answer.status
    if answer.region_blocked:
        return Refused(ErrorKind.REGION_BLOCKED, answer.code, status)
    if is_success(status):
        return _issued(provider, answer)
    if status == 429:
        return TryAgain(ErrorKind.RATE_LIMITED, False, answer.retry_after, answer.code, status)
    if status >= 500 or status == 408:
        return no_answer(answer)
    if status == 404:  # also as a web server's own page: there is no such endpoint
        return Refused(ErrorKind.DEVICE_CODE_UNSUPPORTED, answer.code, status)
    if status < 400 or status == 407 or (status in (401, 403) and answer.is_page):
        return Refused(ErrorKind.BLOCKED, answer.code, status)
    return Refused(ErrorKind.DEVICE_AUTH_FAILED, answer.code, status)


def _issued(provider: Provider, answer: Answer) -> Issued | Refused:
    device_auth_id, user_code = _device_auth_id(answer), _user_code(answer)
    if device_auth_id is None or user_code is None:
        reason = "device_auth_id" if device_auth_id is None else "user_code"
        kind = ErrorKind.BLOCKED if answer.is_page else ErrorKind.INVALID_RESPONSE
        return Refused(kind, answer.code, answer.status, reason if answer.readable else None)
    return Issued(
        DeviceAuthorization(
            device_auth_id=Secret(device_auth_id),
            user_code=user_code,
            interval=read_interval(answer.fields.get("interval")) or DEFAULT_INTERVAL,
            verification_uri=provider.verification_uri,
            expires_in=_lifetime(answer),
        )
    )


def _device_auth_id(answer: Answer) -> str | None:
    value = answer.fields.get("device_auth_id")
    if not isinstance(value, str):
        return None
    return value if 0 < len(value.encode("utf-8", "replace")) <= _LONGEST_ID else None


def _user_code(answer: Answer) -> str | None:
    """The user code exactly as received, if it is safe to show; None if it is not, or is ambiguous."""
    named = [answer.fields[name] for name in ("user_code", "usercode") if name in answer.fields]
    if not named or any(other != named[0] for other in named):
        return None
    code = named[0]
    return code if isinstance(code, str) and _USER_CODE.fullmatch(code.strip(" ")) else None


def _lifetime(answer: Answer) -> float:
    """Seconds from now: `expires_in`, else `expires_at` by the server's own clock, else by ours."""
    told = read_seconds(answer.fields.get("expires_in"))
    if told:
        return told
    moment = iso_date(answer.fields.get("expires_at"))
    if moment is None:
        return DEFAULT_LIFETIME
    date = http_date(answer.header("date"))
    left = moment - (answer.response.wall if date is None else date)
    longest = DEFAULT_LIFETIME if date is None else math.inf  # our own clock may be wrong
    return left if 0 < left <= longest else DEFAULT_LIFETIME
