"""A WebSocket to the model stub, in virtual time: its upgrade, its messages, its refusals and its end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_oauth.authority import Answer, BothAuthorities, Fault, Misfortune, ModelFault, UsageLimit
from codex_oauth.authority.models.conversation import Conversation, Frame
from codex_oauth.authority.models.misfortunes import WHERE
from tests.authority.model_client import (
    CODEX,
    CODEX_BODY,
    MODEL,
    PLAN,
    PLAN_BODY,
    Asker,
    error_of,
    said,
    types,
)
from tests.authority.test_models_answer import OF_A_TEXT
from tests.authority.test_models_misfortunes import STATUSES

CREATE: dict[str, Any] = {
    "type": "response.create",
    **{name: value for name, value in CODEX_BODY.items() if name not in ("stream", "store")},
}


class Talker(Asker):
    def upgrade(self, base: str = CODEX, **changes: Any) -> Answer | Conversation:
        sent = self.request("GET", f"{base}/responses", Upgrade="websocket", **changes)
        return self.authority.upgrade(sent, self.now, self.wall)

    def connect(self, base: str = CODEX) -> Conversation:
        found = self.upgrade(base)
        assert isinstance(found, Conversation), found
        return found

    def say(self, open_: Conversation, fields: dict[str, Any] | None = None) -> list[Frame]:
        message = {name: value for name, value in {**CREATE, **(fields or {})}.items() if value is not ...}
        return open_.receive(json.dumps(message), self.now, self.wall)


def read(frames: list[Frame]) -> list[dict[str, Any]]:
    assert all(frame.close is None for frame in frames)
    return [json.loads(frame.text) for frame in frames]


def refusal(frames: list[Frame]) -> dict[str, Any]:
    (only,) = read(frames)
    assert only["type"] == "error"
    return only


# -- the upgrade --------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", [CODEX, PLAN])
def test_a_token_that_is_none_or_over_is_a_401_to_the_upgrade(base: str) -> None:
    talker = Talker()
    for authorization in ("Bearer unused", ...):
        answer = talker.upgrade(base, Authorization=authorization)
        assert isinstance(answer, Answer)
        assert said(answer) == (401, {"detail": "Unauthorized"})
    talker.post("/oauth/revoke", {"token": talker.tokens["access_token"]})
    answer = talker.upgrade(base)
    assert isinstance(answer, Answer)
    assert error_of(answer) == (401, "token_invalidated", None)


def test_headers_and_path_count_at_the_upgrade() -> None:
    talker = Talker()
    for answer in (talker.upgrade(originator=...), talker.upgrade(ChatGPT_Account_Id=...)):
        assert isinstance(answer, Answer)
        assert answer.status == 403
    for path, status in (
        (f"{CODEX}/models", 404),
        ("/backend-api/x", 404),
        ("/v1/realtime", 403),
        ("/", 303),
    ):
        request = talker.request("GET", path, Upgrade="websocket")
        answer = talker.authority.upgrade(request, talker.now, talker.wall)
        assert isinstance(answer, Answer)
        assert answer.status == status


def test_where_the_server_has_no_sockets_it_says_what_is_missing() -> None:
    """The upgrade comes as any other request then."""
    status, body = said(Asker().call("GET", f"{CODEX}/responses", Upgrade="WebSocket"))
    assert (status, "codex-oauth[authority]" in body["detail"]) == (501, True)


@pytest.mark.parametrize("name", sorted(WHERE["websocket"]))
def test_every_misfortune_of_a_request_meets_the_upgrade(name: Misfortune) -> None:
    talker = Talker(ModelFault(answer=name, endpoint="websocket", requests=1))
    answer = talker.upgrade()
    assert isinstance(answer, Answer)
    assert answer.status == {**STATUSES, Misfortune.USAGE_LIMIT: 429}[name]
    talker.renew()
    talker.connect()
    assert [one.status for one in talker.authority.received("websocket")] == [answer.status, 101]


def test_a_redirect_of_an_upgrade_leads_to_a_websocket() -> None:
    answer = Talker(ModelFault(answer="redirect", endpoint="websocket")).upgrade()
    assert isinstance(answer, Answer)
    assert answer.header("Location") == f"ws://localhost:8123{CODEX}/responses"


def test_general_faults_meet_the_upgrade() -> None:
    talker = Talker(
        Fault(endpoint="websocket", requests=1, status=502),
        Fault(endpoint="websocket", requests=2, reset=True),
        Fault(endpoint="websocket", requests=3, delay=4.0),
    )
    first, second = talker.upgrade(), talker.upgrade()
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert (first.status, second.reset) == (502, True)
    assert talker.connect().asked.delay == 4.0


def test_the_answer_to_an_upgrade_tells_of_the_plan() -> None:
    talker = Talker()
    assert talker.connect().headers["x-codex-plan-type"] == "plus"
    assert talker.connect(PLAN).headers == {}


def test_both_authorities_at_one_address_keep_their_sockets() -> None:
    talker = Talker()
    both = BothAuthorities(codex=talker.authority)
    codex = talker.request("GET", f"{CODEX}/responses")
    assert isinstance(both.upgrade(codex, talker.now, talker.wall), Conversation)
    plan = talker.request("GET", f"{PLAN}/responses")
    assert isinstance(both.upgrade(plan, talker.now, talker.wall), Answer)


# -- the messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", [CODEX, PLAN])
def test_each_event_is_a_message(base: str) -> None:
    talker = Talker()
    events = read(talker.say(talker.connect(base)))
    assert types(events) == OF_A_TEXT
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def test_a_token_that_ends_later_does_not_end_the_connection() -> None:
    talker = Talker()
    connection = talker.connect()
    talker.post("/oauth/revoke", {"token": talker.tokens["access_token"]})
    assert types(read(talker.say(connection))) == OF_A_TEXT


def test_an_answer_may_go_on_from_one_of_the_same_connection() -> None:
    talker = Talker()
    one, other = talker.connect(), talker.connect()
    done = read(talker.say(one))[-1]["response"]["id"]
    assert types(read(talker.say(one, {"previous_response_id": done, "input": []}))) == OF_A_TEXT
    told = refusal(talker.say(other, {"previous_response_id": done}))
    assert told["status"] == 400
    assert told["error"]["code"] == "previous_response_not_found"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"instructions": ...}, "Instructions are required"),
    ({"input": "x"}, "Input must be a list"),
    ({"store": True}, "Store must be set to false"),
    ({"input": [{"role": "system", "content": "x"}]}, "System messages are not allowed"),
    ({"temperature": 1}, "Unsupported parameter: temperature"),
    ({"model": "x"}, "The 'x' model is not supported when using Codex with a ChatGPT account."),
]


@pytest.mark.parametrize(("fields", "text"), REFUSED, ids=str)
def test_a_refusal_is_a_message_and_the_connection_goes_on(fields: dict[str, Any], text: str) -> None:
    talker = Talker()
    connection = talker.connect()
    assert refusal(talker.say(connection, fields)) == {
        "type": "error",
        "status": 400,
        "error": {"type": "invalid_request_error", "message": text},
    }
    assert types(read(talker.say(connection))) == OF_A_TEXT


@pytest.mark.parametrize("fields", [{"store": False}, {"stream": True}, {"stream": False}], ids=str)
def test_store_and_stream_may_be_there(fields: dict[str, Any]) -> None:
    talker = Talker()
    assert types(read(talker.say(talker.connect(), fields))) == OF_A_TEXT


@pytest.mark.parametrize("message", ["", "x", "[]", b"\xff", '{"type":"session.update"}', "{}"])
def test_a_message_is_a_request_for_a_response(message: str | bytes) -> None:
    talker = Talker()
    assert refusal(talker.connect().receive(message, talker.now, talker.wall))["status"] == 400


def test_a_usage_limit_has_a_form_of_its_own() -> None:
    talker = Talker()
    connection = talker.connect()
    talker.models.usage_limit = UsageLimit(resets_in=60)
    told = refusal(talker.say(connection))
    assert told["status_code"] == 429
    assert told["error"]["type"] == "usage_limit_reached"
    assert told["error"]["resets_at"] == int(talker.wall) + 60
    assert told["headers"]["x-codex-primary-used-percent"] == "100"


def test_a_connection_lives_for_an_hour() -> None:
    talker = Talker()
    connection = talker.connect()
    talker.sleep(3599.9)
    assert connection.too_old(talker.now) == []
    assert types(read(talker.say(connection))) == OF_A_TEXT
    talker.sleep(0.1)
    error, end = talker.say(connection)
    assert json.loads(error.text)["error"]["code"] == "websocket_connection_limit_reached"
    assert end.close == 1000


def test_what_was_said_can_be_read() -> None:
    talker = Talker()
    connection = talker.connect()
    talker.say(connection)
    talker.say(connection, {"input": "x"})
    first, second = talker.authority.received("message")
    assert (first.body, first.status, second.status) == (CREATE, 200, 400)
    assert first.token is not None
    assert first.token.reveal() == talker.tokens["access_token"]


# -- what befalls them --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(WHERE["message"]))
def test_every_misfortune_of_a_message(name: Misfortune) -> None:
    talker = Talker(ModelFault(answer=name, endpoint="message", requests=1, seconds=9.0))
    connection = talker.connect()
    frames = talker.say(connection)
    match name:
        case Misfortune.CUT:
            assert [frame.close for frame in frames][-2:] == [None, 1011]
            assert types(read(frames[:-1]))[-2:] == ["output_text.delta"] * 2
        case Misfortune.USAGE_LIMIT:
            assert refusal(frames)["status_code"] == 429
        case Misfortune.TOO_MANY_REQUESTS:
            assert refusal(frames)["status"] == 429
        case Misfortune.OVERLOADED:
            assert refusal(frames)["error"]["code"] == "server_is_overloaded"
        case Misfortune.FAILED:
            assert read(frames)[-1]["response"]["error"]["code"] == "server_is_overloaded"
        case Misfortune.USAGE_LIMIT_IN_STREAM:
            assert read(frames)[-1]["response"]["error"]["code"] == "rate_limit_exceeded"
        case Misfortune.UNKNOWN_EVENTS:
            assert types(read(frames))[1::2] == OF_A_TEXT
        case Misfortune.HUGE_EVENT:
            assert max(len(frame.text) for frame in frames) > 1024 * 1024
        case Misfortune.SILENCE:
            assert [frame.after for frame in frames if frame.after] == [9.0]
        case _:
            raise AssertionError(name)
    assert types(read(talker.say(connection))) == OF_A_TEXT


@pytest.mark.parametrize(
    ("fault", "closes"), [({"reset": True}, True), ({"status": 500}, True), ({"delay": 2.0}, False)], ids=str
)
def test_general_faults_meet_messages(fault: dict[str, Any], closes: bool) -> None:
    talker = Talker(Fault(endpoint="message", requests=1, **fault))
    frames = talker.say(talker.connect())
    assert (frames[0].close == 1011) is closes
    assert frames[0].after == fault.get("delay", 0.0)


def test_messages_of_the_public_api_keep_its_rules() -> None:
    talker = Talker()
    told = refusal(talker.say(talker.connect(PLAN), {**PLAN_BODY, "model": MODEL, "temperature": 1}))
    assert told["error"]["param"] == "temperature"
