"""What befalls requests to the model stub by script: each misfortune, where it happens, and the file of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_oauth.authority import (
    Authority,
    Fault,
    Misfortune,
    ModelFault,
    ModelPolicy,
    read_both_faults,
    read_faults,
)
from codex_oauth.authority.models.misfortunes import TELLING, WHERE, other_host
from tests.authority.model_client import CODEX, PLAN, Asker, error_of, events_in, said, types
from tests.authority.test_models_answer import OF_A_TEXT, WEATHER

BASES = [CODEX, PLAN]

# -- misfortunes --------------------------------------------------------------------------------------

STATUSES = {
    Misfortune.TOKEN_INVALIDATED: 401,
    Misfortune.TOKEN_EXPIRED: 401,
    Misfortune.UNAUTHORIZED_PAGE: 401,
    Misfortune.FIREWALL_PAGE: 403,
    Misfortune.REDIRECT: 307,
    Misfortune.TOO_MANY_REQUESTS: 429,
    Misfortune.OVERLOADED: 503,
}


@pytest.mark.parametrize("code", ["token_invalidated", "token_expired"])
@pytest.mark.parametrize("base", BASES)
def test_a_401_ends_the_token_and_the_next_is_taken(code: str, base: str) -> None:
    asker = Asker(ModelFault(answer=code, requests=1))
    assert error_of(asker.ask(base=base)) == (401, code, None)
    assert error_of(asker.ask(base=base)) == (401, code, None)
    asker.renew()
    assert asker.ask(base=base).status == 200


def test_a_401_may_come_always() -> None:
    asker = Asker(ModelFault(answer="token_invalidated"))
    for _ in range(3):
        assert asker.ask().status == 401
        asker.renew()


def test_a_token_that_is_none_gets_no_other_401() -> None:
    asker = Asker(ModelFault(answer="token_invalidated"))
    assert said(asker.ask(Authorization="Bearer x")) == (401, {"detail": "Unauthorized"})


@pytest.mark.parametrize(("name", "status"), [("unauthorized_page", 401), ("firewall_page", 403)])
def test_a_page_says_nothing_about_the_token(name: str, status: int) -> None:
    asker = Asker(ModelFault(answer=name, requests=1))
    answer = asker.ask()
    assert answer.status == status
    assert (answer.header("Content-Type") or "").startswith("text/html")
    assert (answer.header("cf-mitigated") == "challenge") is (status == 403)
    assert asker.ask().status == 200


def test_a_redirect_leads_to_the_other_name_of_the_machine_or_where_it_is_told() -> None:
    asker = Asker(
        ModelFault(answer="redirect", requests=1),
        ModelFault(answer="redirect", location="https://other.example/x?y"),
        ModelFault(answer="redirect", endpoint="models"),
    )
    first, second = asker.ask(), asker.ask()
    assert (first.status, first.header("Location")) == (307, f"http://localhost:8123{CODEX}/responses")
    assert second.header("Location") == "https://other.example/x?y"
    third = asker.call("GET", f"{CODEX}/models?client_version=1.0.0")
    assert third.header("Location") == f"http://localhost:8123{CODEX}/models?client_version=1.0.0"


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("http://127.0.0.1:8123/a?b=c", "http://localhost:8123/a?b=c"),
        ("http://localhost:8123/a", "http://127.0.0.1:8123/a"),
        ("http://[::1]:8123/a", "http://localhost:8123/a"),
        ("ws://127.0.0.1/a", "ws://localhost/a"),
    ],
)
def test_the_other_name_of_the_machine(url: str, other: str) -> None:
    assert other_host(url) == other


def test_too_much_is_told_in_three_ways() -> None:
    asker = Asker(
        ModelFault(answer="usage_limit", requests=1),
        ModelFault(answer="too_many_requests", requests=2),
        ModelFault(answer="overloaded", requests=3),
    )
    limit, crowd, load = asker.ask({"instructions": ...}), asker.ask(), asker.ask()
    assert (limit.status, said(limit)[1]["error"]["type"]) == (429, "usage_limit_reached")
    assert limit.header("x-codex-primary-used-percent") == "100"
    assert (crowd.status, set(said(crowd)[1])) == (429, {"detail"})
    assert not [name for name, _ in crowd.headers if name.startswith("x-codex")]
    assert error_of(load) == (503, "server_is_overloaded", None)
    assert asker.ask().status == 200


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "context_length_exceeded"])
def test_a_stream_may_fail(code: str) -> None:
    events = events_in(Asker(ModelFault(answer="failed", code=code)).ask())
    assert types(events) == ["created", "in_progress", "failed"]
    assert events[-1]["response"]["status"] == "failed"
    assert events[-1]["response"]["error"]["code"] == code


def test_the_usage_limit_may_be_reached_in_the_stream() -> None:
    events = events_in(Asker(ModelFault(answer="usage_limit_in_stream")).ask())
    error = events[-1]["response"]["error"]
    assert error == {"code": "rate_limit_exceeded", "message": "The usage limit has been reached"}


@pytest.mark.parametrize(
    "fields", [{}, {"tools": [WEATHER], "tool_choice": "required"}], ids=["text", "call"]
)
def test_a_stream_may_be_cut_after_its_second_piece(fields: dict[str, Any]) -> None:
    answer = Asker(ModelFault(answer="cut")).ask(fields)
    assert answer.truncate == len(answer.body.reveal())
    events = events_in(answer)
    assert types(events)[-2:] == [types(events)[-1]] * 2
    assert types(events)[-1].endswith(".delta")
    assert types(events).count(types(events)[-1]) == 2


def test_a_stream_may_have_events_that_nobody_knows() -> None:
    events = events_in(Asker(ModelFault(answer="unknown_events")).ask())
    assert types(events)[::2] == ["fake_news"] * len(OF_A_TEXT)
    assert types(events)[1::2] == OF_A_TEXT


def test_an_event_may_be_huge() -> None:
    answer = Asker(ModelFault(answer="huge_event")).ask()
    assert max(part.size for part in answer.parts) > 1024 * 1024
    assert [name for name in types(events_in(answer)) if name != "fake_ballast"] == OF_A_TEXT


def test_a_stream_may_be_silent_for_a_while() -> None:
    answer = Asker(ModelFault(answer="silence", seconds=7.5)).ask()
    silences = [part.after for part in answer.parts]
    assert silences == [0.0] * 4 + [7.5] + [0.0] * 8
    assert answer.duration == 7.5


def test_a_stream_may_leave_out_its_type_once() -> None:
    asker = Asker(ModelFault(answer="no_content_type", requests=1))
    assert [asker.ask().header("Content-Type") for _ in range(2)] == [
        None,
        "text/event-stream; charset=utf-8",
    ]


def test_every_misfortune_is_told_and_has_a_place() -> None:
    assert set(TELLING) == {*Misfortune} == frozenset[Misfortune]().union(*WHERE.values())


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [(endpoint, name) for endpoint in ("models", "usage") for name in sorted(WHERE[endpoint])],
)
def test_the_other_routes_meet_them_too(endpoint: str, name: Misfortune) -> None:
    asker = Asker(ModelFault(answer=name, endpoint=endpoint, requests=1))
    path = "/backend-api/wham/usage" if endpoint == "usage" else f"{CODEX}/models?client_version=1.0.0"
    answer = asker.call("GET", path)
    if name is Misfortune.USAGE_LIMIT:
        assert said(answer)[1]["rate_limit"]["limit_reached"] is True
    else:
        assert answer.status == STATUSES[name]
    asker.renew()
    assert asker.call("GET", path).status == 200


# -- beside the general faults ------------------------------------------------------------------------


def test_general_faults_meet_the_models_too_and_the_first_that_fits_is_the_only_one() -> None:
    asker = Asker(
        Fault(endpoint="responses", requests=1, status=502),
        ModelFault(answer="overloaded", requests="1-2"),
        Fault(endpoint="responses", requests="2-3", status=599),
        Fault(endpoint="responses", requests=4, delay=3.0),
        Fault(endpoint="responses", requests=5, truncate=10),
    )
    assert [asker.ask().status for _ in range(3)] == [502, 503, 599]
    late, cut = asker.ask(), asker.ask()
    assert (late.delay, len(late.parts)) == (3.0, len(OF_A_TEXT))
    assert cut.truncate == 10
    assert [one.status for one in asker.authority.received("responses")] == [502, 503, 599, 200, 200]


def test_an_answer_that_is_replaced_is_no_stream_any_more() -> None:
    asker = Asker(Fault(endpoint="responses", status=500, body="x", act=True))
    answer = asker.ask()
    assert (answer.status, answer.body.reveal(), answer.parts) == (500, b"x", ())


def test_what_is_not_of_the_models_meets_no_misfortune() -> None:
    asker = Asker(ModelFault(answer="overloaded"))
    assert asker.refresh(asker.tokens["refresh_token"]).status == 200


def test_a_file_says_all_that_the_class_can_say() -> None:
    rows: list[dict[str, Any]] = [
        {"answer": "silence", "requests": "1-3", "seconds": 0.5},
        {"answer": "redirect", "endpoint": "models", "location": "https://other.example/"},
        {"answer": "failed", "endpoint": "message", "code": "x"},
        {"endpoint": "responses", "status": 502},
    ]
    wanted: tuple[Fault | ModelFault, ...] = (
        ModelFault(answer="silence", requests="1-3", seconds=0.5),
        ModelFault(answer="redirect", endpoint="models", location="https://other.example/"),
        ModelFault(answer="failed", endpoint="message", code="x"),
        Fault(endpoint="responses", status=502),
    )
    assert read_faults(json.dumps({"faults": rows})) == wanted
    mine: list[dict[str, Any]] = [{**row, "provider": "codex"} for row in rows]
    assert read_both_faults(json.dumps({"faults": mine})) == (wanted, ())


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"answer": "nothing"}, r"faults\[0\]\.answer: one of token_invalidated, "),
    ({"answer": None}, r"faults\[0\]\.answer: one of"),
    ({"answer": ["cut"]}, r"faults\[0\]\.answer: one of"),
    (
        {"answer": "cut", "status": 500},
        r"faults\[0\]: 'status' is no field; the fields are answer, endpoint, ",
    ),
    ({"answer": "cut", "endpoint": "token"}, r"faults\[0\]\.endpoint: one of message, models, "),
    ({"answer": "cut", "endpoint": "models"}, r"faults\[0\]\.endpoint: cut happens at responses, message$"),
    ({"answer": "redirect", "endpoint": "message"}, r"faults\[0\]\.endpoint: redirect happens at "),
    ({"answer": "cut", "requests": 0}, r"faults\[0\]\.requests"),
    ({"answer": "silence", "seconds": -1}, r"faults\[0\]\.seconds"),
    ({"answer": "silence", "seconds": "1"}, r"faults\[0\]\.seconds"),
    ({"answer": "failed", "code": ""}, r"faults\[0\]\.code"),
    ({"answer": "failed", "code": 7}, r"faults\[0\]\.code"),
    (
        {"answer": "redirect", "location": "/elsewhere"},
        r"faults\[0\]\.location: a URL that begins with http://, https://, ws:// or wss://$",
    ),
    ({"answer": "redirect", "location": "http://x/\r\nA: b"}, r"faults\[0\]\.location"),
    ({"answer": "redirect", "location": 7}, r"faults\[0\]\.location"),
]


@pytest.mark.parametrize(("row", "message"), WRONG, ids=str)
def test_what_is_wrong_with_a_row_is_named(row: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_faults(json.dumps({"faults": [row]}))


def test_a_misfortune_needs_models() -> None:
    with pytest.raises(ValueError, match="--models"):
        Authority(faults=[ModelFault(answer="cut")])
    Authority(faults=[ModelFault(answer="cut")], models=ModelPolicy())
