"""Scripted faults: which request they meet, what becomes of its answer, and how a file of them is read."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from codex_oauth.authority import Answer, Fault, read_faults
from codex_oauth_core import Cause, Phase, RequestFailed, ResponseReceived, Secret
from tests.authority.peer import TOKEN, Peer, refusal

ANSWER = Answer(
    status=200, headers=(("Content-Type", "application/json"), ("X-Kept", "1")), body=Secret(b'{"a":1}')
)


@pytest.mark.parametrize(
    ("spec", "hit"),
    [
        ("every", {1, 2, 3, 4, 5}),
        (2, {2}),
        ("2", {2}),
        ("1-3", {1, 2, 3}),
        ("4-", {4, 5}),
        ("1, 3 - 4", {1, 3, 4}),
    ],
)
def test_requests_are_counted_from_one(spec: str | int, hit: set[int]) -> None:
    fault = Fault(endpoint="poll", requests=spec, status=503)
    assert {n for n in range(1, 6) if fault.fits({"poll": n, "any": n})} == hit
    assert not fault.fits({"usercode": 1, "any": 1})


def test_numbers_are_counted_for_each_endpoint() -> None:
    peer = Peer(Fault(endpoint="poll", requests=2, status=500), strict_pace=False)
    device = peer.begin()
    peer.begin()
    assert [peer.poll(device).status for _ in range(3)] == [403, 500, 403]


@pytest.mark.parametrize(
    ("endpoint", "requests", "faulty"),
    [
        ("exchange", 1, [True, False, False, False]),
        ("refresh", 1, [False, True, False, False]),
        ("refresh", 2, [False, False, True, False]),
        ("token", 1, [True, False, False, False]),
        ("token", 4, [False, False, False, True]),
        ("any", "2-3", [False, True, True, False]),
    ],
)
def test_the_token_endpoint_can_be_meant_as_a_whole_or_by_grant(
    endpoint: str, requests: int | str, faulty: list[bool]
) -> None:
    peer = Peer(Fault(endpoint=endpoint, requests=requests, status=599))
    seen = [
        peer.exchange("unknown", "uri"),
        peer.refresh("unknown"),
        peer.refresh("unknown"),
        peer.post(TOKEN, {"grant_type": "other"}),
    ]
    assert [answer.status == 599 for answer in seen] == faulty


def test_the_first_fault_that_fits_is_the_only_one() -> None:
    peer = Peer(Fault(endpoint="poll", requests="1-2", status=500), Fault(endpoint="any", status=404))
    device = {"device_auth_id": "x", "user_code": "y"}
    assert [peer.poll(device).status for _ in range(3)] == [500, 500, 404]


def test_a_replaced_answer_means_that_nothing_was_done() -> None:
    peer = Peer(Fault(endpoint="poll", requests=1, status=503), approve="auto")
    device = peer.begin()
    assert peer.poll(device).status == 503
    assert peer.poll(device).status == 200


@pytest.mark.parametrize("fault", [{"reset": True}, {"truncate": 3}, {"status": 500, "act": True}])
def test_an_answer_that_is_lost_was_given_all_the_same(fault: dict[str, Any]) -> None:
    peer = Peer(Fault(endpoint="poll", requests=1, **fault), approve="auto")
    device = peer.begin()
    peer.poll(device)
    peer.sleep(5)
    assert refusal(peer.poll(device)) == (404, "deviceauth_not_found")


def test_a_reset_before_anything_was_done_can_be_had() -> None:
    peer = Peer(Fault(endpoint="poll", requests=1, reset=True, act=False), approve="auto")
    device = peer.begin()
    assert peer.poll(device).reset
    assert peer.poll(device).status == 200


def test_a_status_and_body_replace_the_answer_and_headers_are_added() -> None:
    fault = Fault(endpoint="any", status=429, headers={"Retry-After": "7"}, body="<p>slow</p>")
    answer = fault.applied(ANSWER)
    assert answer.status == 429
    assert answer.headers == (("Content-Type", "text/html; charset=utf-8"), ("Retry-After", "7"))
    assert answer.body == Secret(b"<p>slow</p>")


def test_headers_alone_change_only_headers() -> None:
    answer = Fault(endpoint="any", headers={"x-kept": "2"}, delay=1.5).applied(ANSWER)
    assert answer.headers == (("Content-Type", "application/json"), ("x-kept", "2"))
    assert (answer.status, answer.body, answer.delay) == (200, ANSWER.body, 1.5)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"a":1}', "application/json"),
        ("<html>", "text/html; charset=utf-8"),
        (b"\xff\xfe", "text/plain; charset=utf-8"),
        ("", None),
    ],
)
def test_a_scripted_body_has_a_fitting_type(body: str | bytes, kind: str | None) -> None:
    assert Fault(endpoint="any", body=body).applied(ANSWER).header("content-type") == kind


def test_a_fault_may_set_headers_that_every_answer_has() -> None:
    peer = Peer(Fault(endpoint="any", headers={"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}))
    dates = [value for name, value in peer.send("GET", "/nope").headers if name == "Date"]
    assert dates == ["Thu, 01 Jan 1970 00:00:00 GMT"]


def test_an_answer_becomes_the_event_that_a_client_sees() -> None:
    seen = ANSWER.received(1.0, 2.0, 3.0)
    assert seen == ResponseReceived(
        1.0, 2.0, 3.0, 200, {"content-type": "application/json", "x-kept": "1"}, b'{"a":1}'
    )
    reset = Fault(endpoint="any", reset=True, truncate=1).applied(ANSWER).received(1.0, 2.0, 3.0)
    assert reset == RequestFailed(2.0, Phase.MAYBE_SENT, Cause.RESET)
    short = Fault(endpoint="any", truncate=0).applied(ANSWER).received(1.0, 2.0, 3.0)
    assert short == RequestFailed(2.0, Phase.MAYBE_SENT, Cause.TRUNCATED)


# -- the file -----------------------------------------------------------------------------------------


def test_a_file_says_all_that_the_class_can_say() -> None:
    rows = [
        {
            "endpoint": "poll",
            "requests": "1-3",
            "status": 503,
            "headers": {"Retry-After": "1"},
            "body": "text",
            "delay": 0.5,
            "reset": True,
            "truncate": 10,
            "act": True,
        },
        {"endpoint": "token", "body": {"error": "x"}},
        {"endpoint": "any", "body_base64": base64.b64encode(b"\xff").decode()},
    ]
    one, two, three = read_faults(json.dumps({"faults": rows}))
    assert one == Fault(
        endpoint="poll",
        requests="1-3",
        status=503,
        headers={"Retry-After": "1"},
        body=b"text",
        delay=0.5,
        reset=True,
        truncate=10,
        act=True,
    )
    assert isinstance(two, Fault)
    assert isinstance(three, Fault)
    assert two.body == b'{"error": "x"}'
    assert three.body == b"\xff"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "one member"),
        ('{"faults":[],"more":1}', "one member"),
        ('{"faults":{}}', "faults: a list"),
        (
            '{"faults":[7]}',
            r'faults\[0\]: a row is an object such as \{"endpoint": "token", "status": 503\}$',
        ),
        ('{"faults":[{"endpoint":"poll"},{"endpoint":"pol"}]}', r"faults\[1\].endpoint: one of"),
        ('{"faults":[{}]}', r"faults\[0\]: 'endpoint' is missing; the fields are endpoint, requests, "),
        ('{"faults":[{"endpoint":["poll"]}]}', r"faults\[0\].endpoint: one of"),
        (
            '{"faults":[{"endpoint":"poll","statuss":1}]}',
            r"faults\[0\]: 'statuss' is no field; the fields are endpoint, requests, status, headers, body, delay, reset, truncate, act, body_base64$",
        ),
        ('{"faults":[{"endpoint":"poll","status":"503"}]}', r"faults\[0\].status: a whole number"),
        ('{"faults":[{"endpoint":"poll","status":100}]}', r"faults\[0\].status: a whole number from 200"),
        ('{"faults":[{"endpoint":"poll","status":true}]}', r"faults\[0\].status"),
        ('{"faults":[{"endpoint":"poll","requests":0}]}', r"faults\[0\].requests"),
        ('{"faults":[{"endpoint":"poll","requests":"3-1"}]}', r"faults\[0\].requests"),
        ('{"faults":[{"endpoint":"poll","requests":"first"}]}', r"faults\[0\].requests"),
        ('{"faults":[{"endpoint":"poll","requests":""}]}', r"faults\[0\].requests"),
        ('{"faults":[{"endpoint":"poll","requests":true}]}', r"faults\[0\].requests"),
        ('{"faults":[{"endpoint":"poll","requests":[[1,2]]}]}', r"faults\[0\].requests"),
        ('{"faults":[{"endpoint":"poll","headers":["a"]}]}', r"faults\[0\].headers"),
        ('{"faults":[{"endpoint":"poll","headers":{"a b":"c"}}]}', r"faults\[0\].headers"),
        ('{"faults":[{"endpoint":"poll","headers":{"a":"b\\r\\nc: d"}}]}', r"faults\[0\].headers"),
        ('{"faults":[{"endpoint":"poll","headers":{"a":1}}]}', r"faults\[0\].headers"),
        ('{"faults":[{"endpoint":"poll","headers":{"Content-Length":"1"}}]}', "use truncate"),
        ('{"faults":[{"endpoint":"poll","delay":-1}]}', r"faults\[0\].delay"),
        ('{"faults":[{"endpoint":"poll","delay":NaN}]}', r"faults\[0\].delay"),
        ('{"faults":[{"endpoint":"poll","delay":"1"}]}', r"faults\[0\].delay"),
        ('{"faults":[{"endpoint":"poll","reset":1}]}', r"faults\[0\].reset"),
        ('{"faults":[{"endpoint":"poll","truncate":-1}]}', r"faults\[0\].truncate"),
        ('{"faults":[{"endpoint":"poll","act":"no"}]}', r"faults\[0\].act"),
        ('{"faults":[{"endpoint":"poll","body_base64":"?"}]}', r"faults\[0\].body_base64"),
        ('{"faults":[{"endpoint":"poll","body_base64":7}]}', r"faults\[0\].body_base64"),
        ('{"faults":[{"endpoint":"poll","body":"","body_base64":""}]}', r"faults\[0\].body_base64"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_faults(text)
