"""What an authority of the official sign-in is told, as data: who there is, who decides, and its switches.

Rules of this file: where the real server's behaviour is not documented, both readings are a switch, because
a client must get along with either. All times are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum, unique
from typing import Any, Final

import attrs

from codex_oauth.authority.policy import Approve

__all__ = [
    "ALL_SCOPES",
    "PLAN_REFUSALS",
    "PLAN_SCOPE",
    "REGISTRATION_CLIENT_ID",
    "ChatGptPolicy",
    "EarliestRefresh",
    "Person",
    "StreamEnd",
    "Workspace",
]

REGISTRATION_CLIENT_ID: Final = "dynamic_agent_client"
"""Where a first registration begins; no token request may name it."""

PLAN_SCOPE: Final = "chatgpt.tokens.use.direct"
ALL_SCOPES: Final = frozenset({"openid", "profile", "email", "offline_access", "resource.invoke", PLAN_SCOPE})
"""What every authorization request asks for."""

THIRTY_DAYS: Final = 2_592_000.0


@attrs.frozen(kw_only=True)
class Workspace:
    """One workspace of a person. `eligible`: whether other programs may use its plan."""

    workspace_id: str = "workspace-fake-1"
    name: str = "Personal"
    eligible: bool = True


@attrs.frozen(kw_only=True)
class Person:
    """A made-up person, by `subject` (the claim `sub`), with at least one workspace."""

    subject: str = "user-fake-1"
    email: str = "somebody@example.com"
    name: str = "Some Body"
    workspaces: tuple[Workspace, ...] = attrs.field(
        default=(Workspace(),), validator=attrs.validators.min_len(1)
    )


@unique
class EarliestRefresh(StrEnum):
    """How a token answer writes `earliest_refresh_at`. The unit of that field is not documented."""

    NUMBER = "number"
    """Unix seconds."""
    STRING = "string"
    """ISO 8601 with an offset."""
    ABSENT = "absent"


@unique
class StreamEnd(StrEnum):
    """How the stream of a model's answer ends."""

    COMPLETED = "completed"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    CUT = "cut"
    """There is no last event."""


def _scopes(given: Iterable[str]) -> frozenset[str]:
    return frozenset(given)


def _positive(_policy: object, field: Any, value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{field.name}: more than 0")


def _not_negative(_policy: object, field: Any, value: float) -> None:
    if not 0 <= value < math.inf:
        raise ValueError(f"{field.name}: 0 or more")


PLAN_REFUSALS: Final[Mapping[str, int]] = {
    "subscription_sharing_usage_limit_exceeded": 429,
    "subscription_sharing_workplace_individual_usage_limit_exceeded": 429,
    "subscription_sharing_usage_unavailable": 503,
    "subscription_sharing_user_unavailable": 503,
    "subscription_sharing_user_not_eligible": 403,
    "subscription_sharing_invalid_user": 401,
    "chatpass_v2_scope_not_authorized": 403,
    "chatpass_v2_invalid_authorization_context": 403,
}
"""With what status the model API says that a plan cannot be used."""


def _refusal(_policy: object, field: Any, value: str | None) -> None:
    if value is not None and value not in PLAN_REFUSALS:
        raise ValueError(f"{field.name}: one of {', '.join(PLAN_REFUSALS)}")


def _admission(_policy: object, field: Any, value: int | None) -> None:
    if value not in (None, 401, 403, 503):
        raise ValueError(f"{field.name}: 401, 403 or 503")


@attrs.define(kw_only=True)
class ChatGptPolicy:
    """The settings of the authority. A test may change them while it runs. ValueError for an impossible one.

    `approve` and `approve_after` are as in `Policy`. If nobody decides on the page, `browser_subject` and
    `browser_workspace` say who uses the browser (by default the first person and their first workspace), and
    `plan_use` says whether that person lets the program use the plan. The authority issues tokens only for
    `resource`. `earliest_refresh_after` is counted in seconds from the answer that has it.
    """

    people: tuple[Person, ...] = attrs.field(default=(Person(),), validator=attrs.validators.min_len(1))
    approve: Approve = attrs.field(default=Approve.ASK, converter=Approve)
    approve_after: float = attrs.field(default=0.0, validator=_not_negative)
    browser_subject: str | None = None
    browser_workspace: str | None = None
    plan_use: bool = True
    resource: str = "https://api.openai.com/v1"

    code_lifetime: float = attrs.field(default=60.0, validator=_positive)
    access_lifetime: float = attrs.field(default=3600.0, validator=_positive)
    refresh_lifetime: float = attrs.field(default=THIRTY_DAYS, validator=_positive)

    client_id_on_return: bool = True
    """Whether the redirect of a returning sign-in also names the client id."""
    iss_in_callback: bool = False
    """Whether the redirect names the issuer (RFC 9207)."""
    audience_as_list: bool = True
    """Whether `aud` of an ID token is a list of one, or a string."""
    earliest_refresh_at: EarliestRefresh = attrs.field(
        default=EarliestRefresh.NUMBER, converter=EarliestRefresh
    )
    earliest_refresh_after: float = attrs.field(default=1800.0, validator=_not_negative)
    withheld_scopes: frozenset[str] = attrs.field(default=frozenset[str](), converter=_scopes)
    """Scopes that no approval grants; without `offline_access` there is no refresh token."""
    rotate_refresh_tokens: bool = True
    """Whether a refresh issues a new refresh token; otherwise the old one stays valid."""
    id_token_on_refresh: bool = False
    scope_on_refresh: bool = True
    reuse_ends_session: bool = True
    """Whether a spent refresh token ends its successors as well (RFC 9700 §4.14.2)."""
    nested_errors: bool = False
    """`{"error": {"code": …}}` and not `{"error": …}`."""
    revocation_unavailable: bool = False
    """Whether the revocation endpoint answers 503, and does nothing."""

    models: tuple[tuple[str, str], ...] = (("gpt-5.5-codex", "list"), ("gpt-5.5-hidden", "hide"))
    """Slugs of the models, with `visibility`."""
    model_text: str = "This is a fake answer."
    stream_end: StreamEnd = attrs.field(default=StreamEnd.COMPLETED, converter=StreamEnd)
    empty_output: bool = True
    """Whether `response.completed` leaves out the items that came before it."""
    refuse_flat_tools: bool = False
    plan_refusal: str | None = attrs.field(default=None, validator=_refusal)
    """One of `PLAN_REFUSALS`: the authority refuses every model request with it."""
    admission: int | None = attrs.field(default=None, validator=_admission)
    """401, 403 or 503: the authority refuses every model request that has a good token with it, without a
    code.
    """

    def at_the_browser(self) -> tuple[Person, Workspace]:
        """The person who decides without a page. LookupError if there is no such person or workspace."""
        found = [one for one in self.people if self.browser_subject in (None, one.subject)]
        for person in found[:1]:
            for workspace in person.workspaces:
                if self.browser_workspace in (None, workspace.workspace_id):
                    return person, workspace
        raise LookupError("no such person, or no such workspace of that person")
