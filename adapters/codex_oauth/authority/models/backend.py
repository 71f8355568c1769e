"""The model stub: requests to the Codex backend and to the public API in, their answers out.

Rules of this file: what is wrong with a request is looked for in this order, and only the first thing is
told: path and method, bearer token, account and originator, the plan's usage limit, the body. A misfortune
happens where its place in this order is. Nothing is answered without an access token of this authority.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from threading import RLock
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

import attrs

from codex_oauth.authority.endpoints import Received, note
from codex_oauth.authority.faults import Fault
from codex_oauth.authority.messages import Answer, Call
from codex_oauth.authority.models import refusals
from codex_oauth.authority.models.events import (
    ModelEvent,
    empty_response,
    events_of,
    failed_events,
    reply_to,
)
from codex_oauth.authority.models.misfortunes import (
    Misfortune,
    ModelFault,
    befallen,
    other_host,
)
from codex_oauth.authority.models.requests import BodyRefused, check_codex, check_plan, json_object
from codex_oauth.authority.models.settings import HeaderRules, ModelPolicy, UsageLimit
from codex_oauth.authority.models.streams import stream_answer
from codex_oauth.authority.policy import Account
from codex_oauth_core.secret import Secret

__all__ = ["CODEX_BASE", "PLAN_BASE", "AccessTokens", "Asked", "Desk", "ModelBackend", "Route"]

CODEX_BASE: Final = "/backend-api/codex"
PLAN_BASE: Final = "/v1"
USAGE_PATH: Final = "/backend-api/wham/usage"
NO_SOCKETS: Final = "This server has no WebSocket. It needs an extra: pip install 'codex-oauth[authority]'"
_PREFIXES: Final = ("/backend-api/", f"{PLAN_BASE}/")


@attrs.frozen
class Route:
    """One path: its name in the journal, its method, and whether it is the public API's."""

    name: str
    method: str
    plan: bool


_ROUTES: Final[Mapping[str, Route]] = {
    f"{CODEX_BASE}/responses": Route("responses", "POST", plan=False),
    f"{CODEX_BASE}/models": Route("models", "GET", plan=False),
    USAGE_PATH: Route("usage", "GET", plan=False),
    f"{PLAN_BASE}/responses": Route("responses", "POST", plan=True),
    f"{PLAN_BASE}/models": Route("models", "GET", plan=True),
}


class AccessTokens(Protocol):
    """The access tokens of an authority."""

    def opened_by(self, token: Secret[str], wall: float) -> Account | str:
        """Whose access token this is, or the code of the refusal: `invalid_token` for one that never was."""
        ...

    def end_access(self, token: Secret[str], code: str) -> None:
        """From now on this access token is refused with `code`; the sign-in goes on."""
        ...


@attrs.frozen(eq=False)
class Desk:
    """What the stub shares with its authority: counts, faults, the journal, and the lock around them."""

    count: Callable[[tuple[str, ...]], dict[str, int]]
    faults: Callable[[], Iterable[object]]
    journal: list[Received]
    lock: RLock

    def due(self, name: str) -> tuple[dict[str, int], Fault | ModelFault | None]:
        """A request's numbers by its names, and the first fault that it meets."""
        numbers = self.count((name, "any"))
        kinds = (one for one in self.faults() if isinstance(one, Fault | ModelFault))
        return numbers, next((one for one in kinds if one.fits(numbers)), None)


class _Refused(Exception):  # a request that is not served, not an error of ours
    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@attrs.frozen
class Asked:
    """A request that may be answered: whose it is, and the misfortune that waits for its answer."""

    route: Route
    account: Account
    fault: ModelFault | None
    delay: float = 0.0
    """Seconds until the answer to an upgrade."""

    @property
    def misfortune(self) -> Misfortune | None:
        """The name of its misfortune."""
        return None if self.fault is None else self.fault.answer


@attrs.define(eq=False)
class ModelBackend:
    """Both backends of one authority."""

    policy: ModelPolicy
    tokens: AccessTokens
    desk: Desk
    entropy: Callable[[int], bytes] = attrs.field(repr=False)

    @staticmethod
    def serves(path: str) -> bool:
        """Whether a path is a backend's, whether or not it is served."""
        return path.startswith(_PREFIXES)

    def handle(self, call: Call) -> Answer:
        """The answer to a request."""
        route = _ROUTES.get(call.path)
        numbers, fault = self.desk.due("other" if route is None else route.name)
        answer = Answer(status=200)
        if not isinstance(fault, Fault) or fault.acts:
            try:
                answer = self._served(call, fault if isinstance(fault, ModelFault) else None)
            except _Refused as refused:
                answer = refused.answer
        if isinstance(fault, Fault):
            answer = fault.applied(answer)
        self.note(call, numbers, answer.status, _sent(call))
        return answer

    def upgraded(self, call: Call) -> Answer | Asked:
        """What becomes of the upgrade to a WebSocket: a refusal, or whose it is."""
        numbers, fault = self.desk.due("websocket")
        found: Answer | Asked
        if isinstance(fault, Fault) and not fault.acts:
            found = fault.applied(Answer(status=200))
        else:
            misfortune = fault if isinstance(fault, ModelFault) else None
            try:
                found = self._admitted(_with_sockets(call), call, misfortune)
                self._check_limit(found, call)
            except _Refused as refused:
                found = refused.answer
            if isinstance(fault, Fault):
                found = _late(found, fault)
        self.note(call, numbers, found.status if isinstance(found, Answer) else 101, None)
        return found

    def note(
        self, call: Call, numbers: Mapping[str, int], status: int, body: Mapping[str, Any] | None
    ) -> None:
        """Write a request into the journal."""
        note(self.desk.journal, call, {}, numbers, status, token=_bearer(call), body=body)

    # -- who may ask ---------------------------------------------------------------------------------

    def _served(self, call: Call, fault: ModelFault | None) -> Answer:
        route = _ROUTES.get(call.path)
        if route is None:
            raise _Refused(_nowhere(call))
        if call.method != route.method:
            raise _Refused(_other_method(call, route))
        asked = self._admitted(route, call, fault)
        if route.name == "usage":
            return self._usage(asked, call)
        if route.name == "models":
            return self._models(asked, call)
        self._check_limit(asked, call)
        return self._responses(asked, call)

    def _admitted(self, route: Route, call: Call, fault: ModelFault | None) -> Asked:
        """The request, if its token and headers are good."""
        misfortune = None if fault is None else fault.answer
        if misfortune is Misfortune.REDIRECT:
            raise _Refused(_redirect(call, None if fault is None else fault.location))
        if misfortune is Misfortune.UNAUTHORIZED_PAGE:
            raise _Refused(refusals.unauthorized_page())
        token = _bearer(call)
        if token is None or "authorization" in call.repeated:
            raise _Refused(refusals.unauthorized())
        if misfortune is Misfortune.TOKEN_INVALIDATED or misfortune is Misfortune.TOKEN_EXPIRED:
            self.tokens.end_access(token, misfortune.value)
        account = self.tokens.opened_by(token, call.wall)
        if account == "invalid_token":
            raise _Refused(refusals.unauthorized())
        if isinstance(account, str):
            raise _Refused(refusals.token_over(account))
        if misfortune is Misfortune.FIREWALL_PAGE:
            raise _Refused(refusals.firewall_page())
        if not route.plan:
            self._check_headers(call, account)
        return Asked(route, account, fault)

    def _check_headers(self, call: Call, account: Account) -> None:
        rules = self.policy.headers
        if rules is HeaderRules.LENIENT:
            return
        originator = call.headers.get("originator", "")
        sent = call.headers.get("chatgpt-account-id")
        if not originator or (sent is None and account.account_id is not None):
            raise _Refused(refusals.firewall_page())
        if account.account_id is not None and sent != account.account_id:
            raise _Refused(refusals.codex_refusal(403, "The account is not the token's."))
        if rules is HeaderRules.EXACT:
            first = call.headers.get("user-agent", "").partition("/")[0].split(" ", 1)[0]
            if first != originator:
                raise _Refused(refusals.codex_refusal(404, "Not Found"))

    def _check_limit(self, asked: Asked, call: Call) -> None:
        limit = self.limit_of(asked)
        if limit is not None:
            raise _Refused(refusals.limit_reached(limit, asked.account.plan, call.wall))
        self._check_crowd(asked)

    def limit_of(self, asked: Asked) -> UsageLimit | None:
        """The usage limit that a request meets."""
        if asked.misfortune is Misfortune.USAGE_LIMIT:
            return self.policy.usage_limit or UsageLimit()
        return self.policy.usage_limit

    # -- what is answered ----------------------------------------------------------------------------

    def _usage(self, asked: Asked, call: Call) -> Answer:
        self._check_crowd(asked)
        return refusals.usage_report(
            asked.account.plan,
            call.wall,
            used_percent=self.policy.used_percent,
            limit=self.limit_of(asked),
        )

    def _check_crowd(self, asked: Asked) -> None:
        if asked.misfortune is Misfortune.TOO_MANY_REQUESTS:
            raise _Refused(refusals.codex_refusal(429, "Too many requests"))
        if asked.misfortune is Misfortune.OVERLOADED:
            raise _Refused(refusals.overloaded())

    def _models(self, asked: Asked, call: Call) -> Answer:
        self._check_crowd(asked)
        versions = parse_qs(call.query).get("client_version", [])
        if not asked.route.plan and len(versions) != 1:
            raise _Refused(refusals.codex_refusal(400, "client_version is required"))
        shown = [one for one in self.policy.models if asked.route.plan or one.is_shown_to(versions[0])]
        rows: list[dict[str, Any]] = []
        for model in shown:
            row = {"slug": model.slug, "display_name": model.display_name, "visibility": model.visibility}
            more = {"supported_in_api": True, "minimal_client_version": model.minimal_client_version}
            rows.append(row if asked.route.plan else {**row, **more})
        answer = refusals.json_answer(200, {"models": rows})
        etag = _etag(answer.body.reveal())
        headers = (*answer.headers, ("ETag", etag))
        if call.headers.get("if-none-match") == etag:
            return Answer(status=304, headers=headers)
        return attrs.evolve(answer, headers=headers)

    def _responses(self, asked: Asked, call: Call) -> Answer:
        try:
            body = json_object(call)
            self.check_body(asked, body, call.headers.get("version"))
        except BodyRefused as wrong:
            raise _Refused(_body_refusal(asked.route, wrong)) from None
        return stream_answer(
            self.events(asked, body, call.wall),
            self.answer_headers(asked, call.wall),
            content_type=self.policy.content_type and asked.misfortune is not Misfortune.NO_CONTENT_TYPE,
        )

    def check_body(
        self,
        asked: Asked,
        body: Mapping[str, Any],
        version: str | None,
        answered: list[str] | None = None,
    ) -> None:
        """BodyRefused for what the backend does not serve; `answered` as in `check_codex`."""
        if asked.route.plan:
            flat = self.policy.refuse_flat_tools
            check_plan(body, slugs=self.policy.slugs, refuse_flat_tools=flat, answered=answered)
        else:
            check_codex(body, self.policy, version=version, answered=answered)

    def events(
        self, asked: Asked, body: Mapping[str, Any], wall: float
    ) -> Iterable[tuple[float, ModelEvent | None]]:
        """The events of the answer to a body that is good, as its misfortune leaves them."""
        response = empty_response(body, f"resp_fake_{self._new_id()}", int(wall))
        fault = asked.fault
        if fault is not None and fault.answer is Misfortune.FAILED:
            return ((0.0, one) for one in failed_events(response, fault.code, "This fake answer fails."))
        if asked.misfortune is Misfortune.USAGE_LIMIT_IN_STREAM:
            failed = failed_events(response, "rate_limit_exceeded", refusals.LIMIT_TEXT)
            return ((0.0, one) for one in failed)
        reply = reply_to(body, self.policy.text, reasoning=self.policy.reasoning)
        whole = events_of(reply, response, self._new_id, empty_output=self.policy.empty_output)
        return befallen(whole, fault)

    def answer_headers(self, asked: Asked, wall: float) -> dict[str, str]:
        """The headers of an answer that say something of the plan; the public API has none."""
        if asked.route.plan:
            return {}
        catalogue = repr(self.policy.models).encode()
        usage = refusals.usage_headers(asked.account.plan, wall, used_percent=self.policy.used_percent)
        return {**usage, "x-models-etag": _etag(catalogue)}

    def _new_id(self) -> str:
        return self.entropy(8).hex()


def _with_sockets(call: Call) -> Route:
    route = _ROUTES.get(call.path)
    if route is None or route.name != "responses":
        raise _Refused(_nowhere(call))
    return route


def _late(found: Answer | Asked, fault: Fault) -> Answer | Asked:
    """An upgrade that a general fault spoils without a status of its own."""
    if isinstance(found, Answer) or fault.reset or fault.truncate is not None:
        return fault.applied(found if isinstance(found, Answer) else Answer(status=200))
    return attrs.evolve(found, delay=fault.delay)


def _bearer(call: Call) -> Secret[str] | None:
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    return Secret(token.strip()) if scheme.lower() == "bearer" and token.strip() else None


def _sent(call: Call) -> Mapping[str, Any] | None:
    """The JSON object that was sent, for the journal."""
    try:
        return json_object(call)
    except BodyRefused:
        return None


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:16]}"'


def _nowhere(call: Call) -> Answer:
    if not call.path.startswith(f"{PLAN_BASE}/"):
        return refusals.codex_refusal(404, "Not Found")
    error = refusals.error_object(
        "This route is not served with a plan.", "subscription_sharing_route_not_supported"
    )
    return refusals.json_answer(403, {"error": error})


def _other_method(call: Call, route: Route) -> Answer:
    if call.method == "GET" and "websocket" in call.headers.get("upgrade", "").lower():
        return refusals.codex_refusal(501, NO_SOCKETS)
    if route.plan:
        return _nowhere(call)
    return refusals.codex_refusal(405, "Method Not Allowed", {"Allow": route.method})


def _redirect(call: Call, location: str | None) -> Answer:
    query = f"?{call.query}" if call.query else ""
    upgrade = "websocket" in call.headers.get("upgrade", "").lower()
    origin = call.origin.replace("http", "ws", 1) if upgrade else call.origin
    to = location or other_host(f"{origin}{call.path}{query}")
    return Answer(status=307, headers=(("Location", to),))


def _body_refusal(route: Route, wrong: BodyRefused) -> Answer:
    if not route.plan and wrong.param is None:
        return refusals.codex_refusal(400, wrong.why)
    error = refusals.error_object(wrong.why, wrong.code, wrong.param)
    return refusals.json_answer(400, {"error": error})
