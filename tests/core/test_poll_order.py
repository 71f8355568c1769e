"""The list of what a poll answer can mean, spelled out a second time: its order, and that it is total.

Rules of this file: nothing of the reader's own code is used. An answer is made of a status, a kind of body and
a code, so that what it must mean follows from these alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.testing import Reply
from codex_oauth_core.facts import PollFact, Refusal, TryAgain
from tests.codex_readers import read_poll
from tests.support import VERIFIER, response

TABLE: Final[Mapping[str, tuple[str, ...]]] = {
    "pending": (
        *("deviceauth_authorization_pending", "authorization_pending", "deviceauth_authorization_unknown"),
        *("deviceauth_x_pending", "deviceauth_x_unknown"),
    ),
    "slow down": ("slow_down", "deviceauth_slow_down", "deviceauth_x_slow_down"),
    "limited": ("rate_limit_exceeded",),
    "denied": (
        *(
            "access_denied",
            "deviceauth_access_denied",
            "deviceauth_denied",
            "deviceauth_authorization_denied",
        ),
        *("authorization_declined", "deviceauth_x_denied", "deviceauth_x_declined"),
    ),
    "expired": (
        *("expired_token", "deviceauth_expired", "deviceauth_expired_token", "deviceauth_code_expired"),
        *("deviceauth_authorization_expired", "deviceauth_user_code_expired", "deviceauth_x_expired"),
        "deviceauth_x_expired_token",
    ),
    "gone": ("deviceauth_not_found",),
    "region_blocked": ("unsupported_country_region_territory",),
}
MEANINGS: Final = {code: meaning for meaning, codes in TABLE.items() for code in codes}
UNKNOWN: Final = (
    *("weird", "rate_limited", "too_many_requests", "invalid_grant", "token_expired", "other_pending"),
    *("server_error", "deviceauth_x"),
)
STATUSES: Final = (
    100,
    200,
    204,
    302,
    400,
    401,
    402,
    403,
    404,
    405,
    407,
    408,
    410,
    418,
    422,
    425,
    429,
    451,
    500,
    503,
)
BODIES: Final = ("json", "approval", "expired text", "empty", "noise", "page")
GRANTED: Final = "canary-4471"
"""An authorization code that has no word in common with a code for a failure."""


@attrs.frozen
class Answer:
    """A poll answer by its parts. `body`: `json`, `approval`, `expired text`, `empty`, `noise` or `page`."""

    status: int
    body: str
    code: str | None
    challenged: bool

    @property
    def reply(self) -> Reply:
        error: dict[str, str] = {} if self.code is None else {"code": self.code}
        if self.body == "expired text":
            error["message"] = "Your Code has expired."
        value: dict[str, object] = {"error": error} if error else {}
        if self.body == "approval":
            value |= {"authorization_code": GRANTED, "code_verifier": VERIFIER}
        raw = {"empty": b"", "noise": b'{"error"', "page": b"<!doctype html>"}
        headers = {"cf-mitigated": "challenge"} if self.challenged else {}
        return Reply(self.status, raw.get(self.body, json.dumps(value).encode()), headers)


def _silent(answer: Answer, readable: bool) -> bool:
    between = answer.body == "page" or answer.challenged or answer.status in (407, 408)
    failing = 300 <= answer.status < 400 or answer.status >= 500
    undecodable = not readable and not (answer.body == "empty" and answer.status == 429)
    return between or failing or undecodable


def expected(answer: Answer) -> str:
    """What an answer means, by the nine rules in their order."""
    readable = answer.body in ("json", "approval", "expired text")
    code = answer.code if readable else None
    success, refused = 200 <= answer.status < 300, answer.status in (403, 404)
    rules: tuple[tuple[bool, Callable[[], str]], ...] = (
        (success and answer.body == "approval", lambda: "approved"),
        (code in MEANINGS, lambda: MEANINGS[code or ""]),
        (success, lambda: "invalid_response" if readable else "transient"),
        (
            refused and readable and code is None and answer.body == "expired text" and answer.status == 403,
            lambda: "expired",
        ),
        (refused and (readable or answer.body == "empty") and code is None, lambda: "quietly pending"),
        (refused and readable, lambda: "unrecognized"),
        (_silent(answer, readable), lambda: "transient"),
        (answer.status == 429, lambda: "limited"),
        (True, lambda: "device_auth_failed"),
    )
    return next(meaning() for holds, meaning in rules if holds)


NAMES: Final = {
    "Approved()": "approved",
    "Pending(named=True)": "pending",
    "Pending(named=False)": "quietly pending",
    "SlowDown(limited=False)": "slow down",
    "SlowDown(limited=True)": "limited",
    "Gone()": "gone",
    "Unrecognized()": "unrecognized",
}


def found(fact: PollFact) -> str:
    """What the reader says, in the same words."""
    if isinstance(fact, Refusal):
        return fact.kind.value
    if isinstance(fact, TryAgain):
        return "transient"
    flag = next((f"{name}={getattr(fact, name)}" for name in ("named", "limited") if hasattr(fact, name)), "")
    return NAMES[f"{type(fact).__name__}({flag})"]


answers = st.builds(
    Answer,
    status=st.sampled_from(STATUSES),
    body=st.sampled_from(BODIES),
    code=st.none() | st.sampled_from((*MEANINGS, *UNKNOWN)),
    challenged=st.booleans(),
)


@given(answers)
def test_an_answer_means_what_the_list_says_and_nothing_else(answer: Answer) -> None:
    assert found(read_poll(response(answer.reply))) == expected(answer)


@pytest.mark.parametrize("body", BODIES)
def test_every_code_at_every_status(body: str) -> None:
    for code in (None, *MEANINGS, *UNKNOWN):
        for status in STATUSES:
            answer = Answer(status, body, code, challenged=False)
            assert found(read_poll(response(answer.reply))) == expected(answer), answer


def test_8_what_ends_a_login_at_another_status_only_slows_down_at_429() -> None:
    for code in UNKNOWN:
        assert expected(Answer(429, "json", code, challenged=False)) == "limited"
        assert expected(Answer(400, "json", code, challenged=False)) == "device_auth_failed"
