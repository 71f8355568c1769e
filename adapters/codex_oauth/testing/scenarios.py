"""Scenarios of the device flow: what the server does, how the login ends, and when it waits until.

Rules of this file: instants are seconds after `Started`; each request takes `ROUND_TRIP` seconds; every find
of a property test becomes a row. All worlds run the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from codex_oauth.testing.fake_world import (
    PENDING,
    SLOW_DOWN,
    Lost,
    Reply,
    approved,
    as_json,
    issued,
    page,
    refusal,
    tokens,
)
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.events import Cause, Phase

__all__ = ["ROUND_TRIP", "SCENARIOS", "Scenario"]

E = ErrorKind
ROUND_TRIP: Final = 0.25
"""Seconds that each request takes, by the clock of the flow."""

UNSENT: Final = Lost(Cause.CONNECT, Phase.NOT_SENT)
CERTIFICATE: Final = Lost(Cause.TLS_CERTIFICATE, Phase.NOT_SENT)
RESET: Final = Lost(Cause.RESET, Phase.MAYBE_SENT)
UNKNOWN: Final = refusal("weird", 403)
GONE: Final = refusal("deviceauth_not_found", 404)
SIGN_IN: Final = (issued(), PENDING, approved(), tokens())
OPAQUE: Final = "opaque"  # a token that is no JWT says nothing about an account
DONE: Final = (approved(), tokens())


@attrs.frozen
class Scenario:
    """`replies` to each request of a `DeviceFlow(workspaces=...)`, and the expected result.

    `ends` is None for a credential. `waits` are the instant of each `Wait.until`, in seconds since `Started`,
    and its `why`. `details` are some of the error's details.
    """

    name: str
    replies: tuple[Reply | Lost, ...] = attrs.field(repr=False)
    ends: ErrorKind | None
    waits: tuple[tuple[float, str], ...]
    details: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    workspaces: tuple[str, ...] = ()


P, S, R, L = "pending", "slow_down", "retry", "rate_limited"

SCENARIOS: Final = (
    Scenario("approved at once", (issued(), *DONE), None, ((5.25, P),)),
    Scenario("approved after a pending", SIGN_IN, None, ((5.25, P), (10.5, P))),
    Scenario("an interval of our own", (issued(interval=7), PENDING, *DONE), None, ((7.25, P), (14.5, P))),
    Scenario(
        "a short life halves the first wait",
        (issued(expires_in=6), *DONE),
        None,
        ((0.25 + (6 - 0.25) / 2, P),),
    ),
    Scenario(
        "slow_down adds five seconds for good",
        (issued(), SLOW_DOWN, PENDING, SLOW_DOWN, *DONE),
        None,
        ((5.25, P), (15.5, S), (25.75, P), (41.0, S)),
    ),
    Scenario(
        "slow_down at 200 and 429 counts alike",
        (issued(), refusal("slow_down", 200), refusal("slow_down", 429), *DONE),
        None,
        ((5.25, P), (15.5, S), (30.75, S)),
    ),
    Scenario(
        "slow_down with a larger interval",
        (issued(), refusal("slow_down", 400, interval="40"), PENDING, *DONE),
        None,
        ((5.25, P), (45.5, S), (85.75, P)),
    ),
    Scenario(
        "slow_down with a smaller interval still adds five",
        (issued(), refusal("slow_down", 400, interval=1), *DONE),
        None,
        ((5.25, P), (15.5, S)),
    ),
    Scenario(
        "429 slows down and keeps its Retry-After once",
        (issued(), as_json(429, {}, {"Retry-After": "30"}), PENDING, *DONE),
        None,
        ((5.25, P), (35.5, L), (45.75, P)),
    ),
    Scenario(
        "Retry-After is capped at a minute",
        (issued(), as_json(429, {}, {"Retry-After": "1000000000"}), *DONE),
        None,
        ((5.25, P), (65.5, L)),
    ),
    Scenario(
        "a rate limit with a name ends nothing",
        (issued(), refusal("rate_limit_exceeded", 429), *DONE),
        None,
        ((5.25, P), (15.5, L)),
    ),
    Scenario(
        "failures back off beside the interval and are forgotten",
        (issued(), RESET, page(502), UNSENT, PENDING, RESET, *DONE),
        None,
        ((5.25, P), (15.5, R), (35.75, R), (76.0, R), (81.25, P), (91.5, R)),
    ),
    Scenario(
        "back-off is capped at a minute",
        (issued(), *[RESET] * 6, *DONE),
        None,
        ((5.25, P), (15.5, R), (35.75, R), (76.0, R), (136.25, R), (196.5, R), (256.75, R)),
    ),
    Scenario(
        "a back-off is never shorter than the interval",
        (issued(interval=100), RESET, *DONE),
        None,
        ((100.25, P), (200.5, R)),
    ),
    Scenario(
        "503 with Retry-After",
        (issued(), as_json(503, {}, {"retry-after": "33"}), *DONE),
        None,
        ((5.25, P), (38.5, R)),
    ),
    Scenario(
        "a back-off past the deadline runs two seconds before it",
        (issued(expires_in=14), RESET, *DONE),
        None,
        ((5.25, P), (12.0, R)),
    ),
    Scenario(
        "that last poll never comes before the interval has passed",
        (issued(expires_in=11), RESET, *DONE),
        None,
        ((5.25, P), (10.5, R)),
    ),
    Scenario(
        "no poll at or after the deadline",
        (issued(expires_in=10), PENDING),
        E.EXPIRED,
        ((0.25 + (10 - 0.25) / 2, P), (10.0, P)),
    ),
    Scenario(
        "the deadline after failures names the last cause",
        (issued(expires_in=10), page(403)),
        E.BLOCKED,
        ((0.25 + (10 - 0.25) / 2, P), (10.0, R)),
        {"status": 403},
    ),
    Scenario(
        "an untrusted certificate in polls is transient, and named at the end",
        (issued(expires_in=10), CERTIFICATE),
        E.TLS_UNTRUSTED,
        ((0.25 + (10 - 0.25) / 2, P), (10.0, R)),
    ),
    Scenario(
        "denied", (issued(), refusal("access_denied", 403)), E.DENIED, ((5.25, P),), {"code": "access_denied"}
    ),
    Scenario("expired by the server", (issued(), refusal("expired_token", 400)), E.EXPIRED, ((5.25, P),)),
    Scenario(
        "an unknown code is pending until a known one was seen",
        (issued(), UNKNOWN, UNKNOWN, PENDING, UNKNOWN),
        E.DEVICE_AUTH_FAILED,
        ((5.25, P), (10.5, P), (15.75, P), (21.0, P)),
        {"code": "weird", "status": 403},
    ),
    Scenario(
        "a bare 403 is pending but no known pending",
        (issued(), as_json(403, {}), UNKNOWN, *DONE),
        None,
        ((5.25, P), (10.5, P), (15.75, P)),
    ),
    Scenario(
        "gone as the first answer is pending once", (issued(), GONE, *DONE), None, ((5.25, P), (10.5, P))
    ),
    Scenario("gone twice is expired", (issued(), GONE, GONE), E.EXPIRED, ((5.25, P), (10.5, P))),
    Scenario("gone after a pending is expired", (issued(), PENDING, GONE), E.EXPIRED, ((5.25, P), (10.5, P))),
    Scenario(
        "gone after a lost answer: the approval was lost",
        (issued(), PENDING, RESET, GONE),
        E.APPROVAL_LOST,
        ((5.25, P), (10.5, P), (20.75, R)),
    ),
    Scenario(
        "gone after a 5xx: the approval was lost",
        (issued(), PENDING, as_json(500, {}), GONE),
        E.APPROVAL_LOST,
        ((5.25, P), (10.5, P), (20.75, R)),
    ),
    Scenario(
        "gone after a poll that was not sent is expired",
        (issued(), PENDING, UNSENT, GONE),
        E.EXPIRED,
        ((5.25, P), (10.5, P), (20.75, R)),
    ),
    Scenario(
        "gone after a lost answer and then a pending is expired",
        (issued(), PENDING, RESET, PENDING, GONE),
        E.EXPIRED,
        ((5.25, P), (10.5, P), (20.75, R), (26.0, P)),
    ),
    Scenario(
        "a lost first answer is remembered over the first gone",
        (issued(), RESET, GONE, GONE),
        E.APPROVAL_LOST,
        ((5.25, P), (15.5, R), (20.75, P)),
    ),
    Scenario(
        "region blocked in a poll",
        (issued(), refusal("unsupported_country_region_territory")),
        E.REGION_BLOCKED,
        ((5.25, P),),
    ),
    Scenario("an unusable poll answer", (issued(), as_json(200, {})), E.INVALID_RESPONSE, ((5.25, P),)),
    Scenario(
        "a mismatching challenge", (issued(), approved(code_challenge="x")), E.INVALID_RESPONSE, ((5.25, P),)
    ),
    Scenario("no device login here", (as_json(404, {}),), E.DEVICE_CODE_UNSUPPORTED, ()),
    Scenario(
        "device login disabled", (refusal("disabled", 403),), E.DEVICE_AUTH_FAILED, (), {"code": "disabled"}
    ),
    Scenario("a firewall page instead of a code", (page(403),), E.BLOCKED, ()),
    Scenario("an untrusted certificate at the start ends it", (CERTIFICATE,), E.TLS_UNTRUSTED, ()),
    Scenario(
        "a code at the third try",
        (UNSENT, as_json(503, {}), issued(), *DONE),
        None,
        ((1.25, R), (3.5, R), (8.75, P)),
    ),
    Scenario("three tries for a code and no more", (UNSENT, RESET, UNSENT), E.NETWORK, ((1.25, R), (3.5, R))),
    Scenario(
        "a rate limit before the code",
        (as_json(429, {}, {"Retry-After": "20"}), issued(), *DONE),
        None,
        ((20.25, L), (25.5, P)),
    ),
    Scenario(
        "a rate limit longer than we try for a code",
        (as_json(429, {}, {"Retry-After": "40"}),),
        E.RATE_LIMITED,
        (),
        {"status": 429},
    ),
    Scenario(
        "the code is refused",
        (issued(), approved(), refusal("invalid_grant", 400)),
        E.TOKEN_REQUEST_FAILED,
        ((5.25, P),),
    ),
    Scenario(
        "the exchange is not reached, twice",
        (issued(), approved(), UNSENT, UNSENT, tokens()),
        None,
        ((5.25, P), (6.75, R), (9.0, R)),
    ),
    Scenario(
        "an untrusted certificate at the exchange",
        (issued(), approved(), CERTIFICATE),
        E.TLS_UNTRUSTED,
        ((5.25, P),),
    ),
    Scenario(
        "no account in the token",
        (issued(), approved(), tokens(access_token=OPAQUE, id_token=...)),
        None,
        ((5.25, P),),
    ),
    Scenario(
        "another workspace than asked for",
        (issued(), approved(), tokens(), as_json(200, {})),
        E.WORKSPACE_RESTRICTED,
        ((5.25, P),),
        {"revoked": True},
        workspaces=("acct_other",),
    ),
    Scenario(
        "no token at all",
        (issued(), approved(), as_json(200, {})),
        E.INVALID_RESPONSE,
        ((5.25, P),),
    ),
)
