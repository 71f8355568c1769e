"""The poll answer of the Codex dialect: a total, ordered list of what it can mean.

Rules of this file: the body's code decides first, at any status; the order of `read_poll` is the
protocol; every response has exactly one meaning.
"""

from __future__ import annotations

import re
from typing import Final, assert_never

from codex_oauth_core.codex.answers import Answer, is_success, no_answer, says_nothing
from codex_oauth_core.codex.codes import PollCode, known_poll_code
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.events import ResponseReceived
from codex_oauth_core.facts import Approved, Gone, Pending, PollFact, Refused, SlowDown, Unrecognized
from codex_oauth_core.pkce import s256
from codex_oauth_core.reading.json_body import as_object
from codex_oauth_core.reading.numbers import read_interval
from codex_oauth_core.secret import Secret

__all__ = ["read_poll"]

_CODE: Final = re.compile(r"[\x21-\x7e]{1,2048}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_EXPIRED_TEXT: Final = "code has expired"


def read_poll(response: ResponseReceived) -> PollFact:
    """What a poll answer means. The caller knows the history that `Unrecognized` and `Gone` need."""
    answer = Answer(response)
    success = is_success(answer.status)
    if success and (approved := _approval(answer)) is not None:
        return approved
    if answer.code is not None and (group := known_poll_code(answer.code)) is not None:
        return _by_code(answer, answer.code, group)
    if success:
        return _failed(answer, ErrorKind.INVALID_RESPONSE) if answer.readable else no_answer(answer)
    if answer.status in (403, 404) and (answer.readable or answer.empty):
        return _pending_status(answer)
    if says_nothing(answer):
        return no_answer(answer)
    if answer.status == 429:  # whatever it calls that: `rate_limited`, `too_many_requests`, nothing
        return SlowDown(None, answer.retry_after, limited=True)
    return _failed(answer, ErrorKind.DEVICE_AUTH_FAILED)


def _approval(answer: Answer) -> PollFact | None:
    code, verifier = answer.fields.get("authorization_code"), answer.fields.get("code_verifier")
    if not isinstance(code, str) or not isinstance(verifier, str):
        return None
    if not _CODE.fullmatch(code) or not _VERIFIER.fullmatch(verifier):
        return _failed(answer, ErrorKind.INVALID_RESPONSE, "unusable_code")
    if answer.fields.get("code_challenge", s256(verifier)) not in (s256(verifier), None):
        return _failed(answer, ErrorKind.INVALID_RESPONSE, "challenge_mismatch")
    return Approved(Secret(code), Secret(verifier))


def _by_code(answer: Answer, code: str, group: PollCode) -> PollFact:
    match group:
        case PollCode.PENDING:
            return Pending()
        case PollCode.SLOW_DOWN:
            return SlowDown(_body_interval(answer), answer.retry_after)
        case PollCode.RATE_LIMITED:
            return SlowDown(_body_interval(answer), answer.retry_after, limited=True)
        case PollCode.DENIED:
            return _failed(answer, ErrorKind.DENIED)
        case PollCode.EXPIRED:
            return _failed(answer, ErrorKind.EXPIRED)
        case PollCode.GONE:
            return Gone(code, answer.status)
        case PollCode.REGION_BLOCKED:
            return _failed(answer, ErrorKind.REGION_BLOCKED)
        case _:
            assert_never(group)


def _body_interval(answer: Answer) -> float | None:
    inner = as_object(answer.fields.get("error"))
    return read_interval(answer.fields.get("interval")) or read_interval(inner.get("interval"))


def _pending_status(answer: Answer) -> PollFact:
    if answer.code is not None:
        return Unrecognized(answer.code, answer.status)
    message = as_object(answer.fields.get("error")).get("message")
    if answer.status == 403 and isinstance(message, str) and _EXPIRED_TEXT in message.lower():
        return _failed(answer, ErrorKind.EXPIRED)
    return Pending(named=False)


def _failed(answer: Answer, kind: ErrorKind, reason: str | None = None) -> Refused:
    return Refused(kind, answer.code, answer.status, reason)
