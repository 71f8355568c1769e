"""The model API behind the official sign-in: it opens for a good token, or says why not.

Rules of this file: a request is looked at in this order: its path, its token, who may use the plan, its body;
the first thing that is wrong is what is told. Whatever a program should leave out is refused by its name,
unless it is null, because many libraries send nulls. What is answered is what the stub of both backends
answers (`models`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs

from codex_oauth.authority.chatgpt.plan_grants import PlanGrants, SignedIn
from codex_oauth.authority.chatgpt.script import Script
from codex_oauth.authority.chatgpt.settings import PLAN_REFUSALS, PLAN_SCOPE, ChatGptPolicy, StreamEnd
from codex_oauth.authority.chatgpt.token_endpoint import as_json_answer
from codex_oauth.authority.endpoints import Fields
from codex_oauth.authority.messages import Answer, Call
from codex_oauth.authority.models.events import ModelEvent, empty_response, events_of, reply_to
from codex_oauth.authority.models.requests import BodyRefused, check_plan, json_object
from codex_oauth.authority.models.streams import stream_answer
from codex_oauth_core.secret import Secret

__all__ = ["API_PREFIX", "ModelApi"]

API_PREFIX: Final = "/v1/"

_FOREIGN_HEADERS: Final = ("chatgpt-account-id", "originator")


class _Refused(Exception):  # a request that is not served, not an error of ours
    def __init__(self, status: int, code: str, why: str, param: str | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.code = code
        self.why = why
        self.param = param

    def answer(self) -> Answer:
        """The answer as the public API gives it."""
        fields = {
            "message": self.why,
            "type": "invalid_request_error",
            "param": self.param,
            "code": self.code,
        }
        return as_json_answer(self.status, {"error": fields})


@attrs.define(eq=False)
class ModelApi:
    """The two routes of one authority's API."""

    policy: ChatGptPolicy
    grants: PlanGrants
    script: Script
    entropy: Callable[[int], bytes] = attrs.field(repr=False)

    def models(self, call: Call, fields: Fields) -> Answer:
        """The catalogue."""
        del fields
        return self._opened("models", call) or as_json_answer(
            200,
            {
                "models": [
                    {"slug": slug, "display_name": slug.replace("-", " "), "visibility": visibility}
                    for slug, visibility in self.policy.models
                ]
            },
        )

    def responses(self, call: Call, fields: Fields) -> Answer:
        """A model's answer, as server-sent events."""
        del fields
        closed = self._opened("responses", call)
        if closed is not None:
            return closed
        try:
            body = json_object(call)
            check_plan(
                body,
                slugs=[slug for slug, _ in self.policy.models],
                refuse_flat_tools=self.policy.refuse_flat_tools,
            )
        except BodyRefused as wrong:
            self.script.accuse("responses", str(wrong.code), wrong.why)
            return _Refused(400, str(wrong.code), wrong.why, wrong.param).answer()
        return stream_answer((0.0, event) for event in self._events(body, int(call.wall)))

    def elsewhere(self, call: Call, endpoint: str) -> Answer:
        """Any other route or method below `API_PREFIX`."""
        self.script.accuse(endpoint, "subscription_sharing_route_not_supported", f"{call.method} {call.path}")
        return _Refused(
            403, "subscription_sharing_route_not_supported", "This route is not served with a plan."
        ).answer()

    # -- who may use it ------------------------------------------------------------------------------

    def _opened(self, endpoint: str, call: Call) -> Answer | None:
        """None if the request's token opens the API, else the answer."""
        for name in _FOREIGN_HEADERS:
            if name in call.headers:
                self.script.accuse(endpoint, "invalid_request", f"{name} is another API's header")
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return as_json_answer(401, {"detail": "Unauthorized"})
        session = self.grants.opened_by(Secret(token.strip()), call.now)
        if session == "invalid_token":
            return as_json_answer(401, {"detail": "Unauthorized"})
        if isinstance(session, str):
            return _Refused(401, session, "This access token is over.").answer()
        if self.policy.admission is not None:
            return as_json_answer(self.policy.admission, {"detail": "Not admitted by this test."})
        code = self._plan_refusal(session)
        return None if code is None else _Refused(PLAN_REFUSALS[code], code, "No plan use.").answer()

    def _plan_refusal(self, session: SignedIn) -> str | None:
        if PLAN_SCOPE not in session.scope:
            return "chatpass_v2_scope_not_authorized"
        if not session.registration.workspace.eligible:
            return "subscription_sharing_user_not_eligible"
        return self.policy.plan_refusal

    # -- the answer ----------------------------------------------------------------------------------

    def _events(self, body: Mapping[str, Any], created_at: int) -> Iterator[ModelEvent]:
        response = empty_response(body, f"resp_fake_{self._new_id()}", created_at)
        reply = reply_to(body, self.policy.model_text, reasoning=False)
        whole = events_of(reply, response, self._new_id, empty_output=self.policy.empty_output)
        if self.policy.stream_end is StreamEnd.COMPLETED:
            yield from whole
            return
        yield from itertools.takewhile(lambda event: not str(event["type"]).endswith(".done"), whole)
        if self.policy.stream_end is StreamEnd.FAILED:
            error = {"code": "server_is_overloaded", "message": "This test fails."}
            yield {"type": "response.failed", "response": {**response, "status": "failed", "error": error}}
        elif self.policy.stream_end is StreamEnd.INCOMPLETE:
            short = {**response, "status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
            yield {"type": "response.incomplete", "response": short}

    def _new_id(self) -> str:
        return self.entropy(8).hex()
