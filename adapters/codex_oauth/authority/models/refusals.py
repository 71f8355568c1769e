"""What the model backends say when they serve nothing, and what they say of a plan's usage.

Rules of this file: pure; one function for each refusal. Texts and shapes are those that clients have
reported; the live backends' exact words for the rest are not known, and a client must not depend on them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from codex_oauth.authority.messages import Answer
from codex_oauth.authority.models.settings import LimitKind, UsageLimit
from codex_oauth_core.secret import Secret

__all__ = [
    "codex_refusal",
    "error_object",
    "firewall_page",
    "json_answer",
    "limit_error",
    "limit_headers",
    "limit_reached",
    "not_supported",
    "overloaded",
    "token_over",
    "unauthorized",
    "unauthorized_page",
    "usage_headers",
    "usage_report",
]

FIVE_HOURS: Final = 18_000
WEEK: Final = 604_800
LIMIT_TEXT: Final = "The usage limit has been reached"
OVERLOADED_TEXT: Final = "Our servers are currently overloaded. Please try again later."
_PAGE: Final = "<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
_OVER: Final[Mapping[str, str]] = {
    "token_invalidated": "Your authentication token has been invalidated. Please try signing in again.",
    "token_expired": "Provided authentication token is expired. Please try signing in again.",
}


def json_answer(status: int, value: object, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with a JSON body."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return Answer(
        status=status,
        headers=(("Content-Type", "application/json"), *(headers or {}).items()),
        body=Secret(body),
    )


def codex_refusal(status: int, text: str, headers: Mapping[str, str] | None = None) -> Answer:
    """A refusal of the Codex backend."""
    return json_answer(status, {"detail": text}, headers)


def error_object(message: str, code: str | None, param: str | None = None) -> dict[str, Any]:
    """The `error` of a refusal, as the public API gives it."""
    return {"message": message, "type": "invalid_request_error", "param": param, "code": code}


def not_supported(slug: object) -> str:
    """The text for a model that there is not."""
    return f"The '{slug}' model is not supported when using Codex with a ChatGPT account."


# -- the token -----------------------------------------------------------------------------------------


def unauthorized() -> Answer:
    """No bearer token, or none of ours."""
    return codex_refusal(401, "Unauthorized")


def token_over(code: str) -> Answer:
    """A token that was good once. `code` is `token_invalidated` or `token_expired`."""
    return json_answer(401, {"error": error_object(_OVER[code], code), "status": 401})


def unauthorized_page() -> Answer:
    """A 401 of something in front of the backend: it says nothing about the token."""
    return _page(401, "Unauthorized")


def firewall_page() -> Answer:
    """The firewall in front: it says nothing about the token."""
    return _page(403, "Just a moment...", {"cf-mitigated": "challenge"})


def _page(status: int, title: str, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(
        status=status,
        headers=(("Content-Type", "text/html; charset=UTF-8"), *(headers or {}).items()),
        body=Secret(_PAGE.format(title).encode()),
    )


# -- too much --------------------------------------------------------------------------------------------


def overloaded() -> Answer:
    """The backend has too much to do."""
    error = {"message": OVERLOADED_TEXT, "type": "server_error", "code": "server_is_overloaded"}
    return json_answer(503, {"error": {**error, "param": None}})


def limit_error(limit: UsageLimit, plan: str | None, wall: float) -> dict[str, Any]:
    """The `error` of a usage limit."""
    if limit.kind is LimitKind.NOT_INCLUDED:
        text = "To use Codex with your ChatGPT plan, upgrade to a plan that includes it."
        return {"type": limit.kind.value, "message": text, "plan_type": plan}
    return {
        "type": limit.kind.value,
        "message": LIMIT_TEXT,
        "plan_type": plan,
        "resets_at": int(wall) + limit.resets_in,
        "resets_in_seconds": limit.resets_in,
        "eligible_promo": None,
    }


def limit_reached(limit: UsageLimit, plan: str | None, wall: float) -> Answer:
    """A usage limit, as the answer to a request."""
    return json_answer(429, {"error": limit_error(limit, plan, wall)}, limit_headers(limit, plan, wall))


def limit_headers(limit: UsageLimit, plan: str | None, wall: float) -> dict[str, str]:
    """The headers of a usage limit."""
    return usage_headers(plan, wall, used_percent=100, resets_in=limit.resets_in, active=limit.active)


def usage_headers(
    plan: str | None, wall: float, *, used_percent: int, resets_in: int = FIVE_HOURS, active: str = "codex"
) -> dict[str, str]:
    """What headers say of the plan's use: `primary` is a window of five hours, `secondary` of a week."""
    found = {"x-codex-active-limit": active, "x-codex-plan-type": plan or ""}
    windows = (("primary", FIVE_HOURS, used_percent, resets_in), ("secondary", WEEK, used_percent // 2, WEEK))
    for name, seconds, used, left in windows:
        found |= {
            f"x-codex-{name}-used-percent": str(used),
            f"x-codex-{name}-window-minutes": str(seconds // 60),
            f"x-codex-{name}-reset-after-seconds": str(left),
            f"x-codex-{name}-reset-at": str(int(wall) + left),
        }
    return {
        **found,
        "x-codex-primary-over-secondary-limit-percent": "0",
        "x-codex-credits-has-credits": "False",
        "x-codex-credits-balance": "",
        "x-codex-credits-unlimited": "False",
        "x-oai-request-id": f"req_fake_{hashlib.sha256(repr(wall).encode()).hexdigest()[:16]}",
    }


def usage_report(plan: str | None, wall: float, *, used_percent: int, limit: UsageLimit | None) -> Answer:
    """The plan's use, as the route for it tells."""
    first = FIVE_HOURS if limit is None else limit.resets_in
    used = used_percent if limit is None else 100
    windows = (("primary", FIVE_HOURS, used, first), ("secondary", WEEK, used // 2, WEEK))
    told = {
        f"{name}_window": {
            "used_percent": percent,
            "limit_window_seconds": seconds,
            "reset_after_seconds": left,
            "reset_at": int(wall) + left,
        }
        for name, seconds, percent, left in windows
    }
    return json_answer(
        200,
        {
            "plan_type": plan,
            "rate_limit": {"allowed": limit is None, "limit_reached": limit is not None, **told},
            "credits": {"has_credits": False, "unlimited": False, "balance": None},
        },
    )
